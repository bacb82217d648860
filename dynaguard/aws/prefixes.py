"""IAM service prefixes of botocore's services, where they differ from botocore's name.

Source: Service Authorization Reference, service prefixes; botocore's service names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PREFIX_BY_SERVICE: Final[Mapping[str, str]] = {
    "accessanalyzer": "access-analyzer",
    "amp": "aps",
    "apigatewayv2": "apigateway",
    "apigatewaymanagementapi": "execute-api",
    "appintegrations": "app-integrations",
    "bedrock-agent": "bedrock",
    "bedrock-agent-runtime": "bedrock",
    "bedrock-runtime": "bedrock",
    "cloudhsmv2": "cloudhsm",
    "cloudsearchdomain": "cloudsearch",
    "dynamodbstreams": "dynamodb",
    "efs": "elasticfilesystem",
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
    "emr": "elasticmapreduce",
    "iot-data": "iot",
    "iot-jobs-data": "iotjobsdata",
    "kinesis-video-archived-media": "kinesisvideo",
    "kinesis-video-media": "kinesisvideo",
    "kinesis-video-signaling": "kinesisvideo",
    "kinesisanalyticsv2": "kinesisanalytics",
    "lex-models": "lex",
    "lex-runtime": "lex",
    "lexv2-models": "lex",
    "lexv2-runtime": "lex",
    "marketplace-entitlement": "aws-marketplace",
    "meteringmarketplace": "aws-marketplace",
    "neptunedata": "neptune-db",
    "opensearch": "es",
    "opensearchserverless": "aoss",
    "pinpoint": "mobiletargeting",
    "pinpoint-email": "ses",
    "personalize-events": "personalize",
    "personalize-runtime": "personalize",
    "resourcegroupstaggingapi": "tag",
    "s3control": "s3",
    "sagemaker-runtime": "sagemaker",
    "sagemaker-featurestore-runtime": "sagemaker",
    "service-quotas": "servicequotas",
    "sesv2": "ses",
    "sso-admin": "sso",
    "stepfunctions": "states",
    "timestream-query": "timestream",
    "timestream-write": "timestream",
}
