"""DynamoDB's requests: operation to IAM actions and resources, PartiQL, item condition keys."""
