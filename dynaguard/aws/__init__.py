"""What a request means in IAM's terms: actions, resources, condition keys.

`analysis` gives the authorisations that a call needs, `context` the values of condition keys.
DynamoDB is understood operation by operation (`dynamodb/`), some services by a module of their
own, the rest by their names alone.
"""
