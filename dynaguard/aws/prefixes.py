"""IAM's prefix of each service whose botocore name is another.

Signing names that differ from the prefix are in it too: a request that is met only when it is
signed tells no more.

Source: the signing names of botocore's models, and for those that IAM spells differently (such as
`mturk`, `opensearch`, `resourcegroupstaggingapi`) the Service Authorization Reference.
"""

from __future__ import annotations

from typing import Final

_SERVICES_BY_PREFIX: Final = {
    "access-analyzer": "accessanalyzer",
    "account-access": "account-access-runtime",
    "aco-automation": "compute-optimizer-automation",
    "agent-registry": "agent-registry-control",
    "aidevops": "devops-agent",
    "airflow": "mwaa",
    "airflow-serverless": "mwaa-serverless",
    "aoss": "opensearchserverless",
    "apigateway": "apigatewayv2",
    "app-integrations": "appintegrations",
    "appconfig": "appconfigdata",
    "application-cost-profiler": "applicationcostprofiler",
    "applicationinsights": "application-insights",
    "aps": "amp",
    "aws-marketplace": (
        "marketplace-agreement "
        "marketplace-catalog "
        "marketplace-deployment "
        "marketplace-discovery "
        "marketplace-entitlement "
        "marketplace-reporting "
        "meteringmarketplace "
    ),
    "backup-search": "backupsearch",
    "bedrock": (
        "bedrock-agent "
        "bedrock-agent-runtime "
        "bedrock-data-automation "
        "bedrock-data-automation-runtime "
        "bedrock-runtime "
    ),
    "bedrock-agentcore": "bedrock-agentcore-control",
    "cases": "connectcases",
    "cassandra": "keyspaces keyspacesstreams",
    "chime": (
        "chime-sdk-identity "
        "chime-sdk-media-pipelines "
        "chime-sdk-meetings "
        "chime-sdk-messaging "
        "chime-sdk-voice "
    ),
    "cleanrooms-ml": "cleanroomsml",
    "cloudformation": "cloudcontrol cloudcontrolapi",
    "cloudhsm": "cloudhsmv2",
    "cloudsearch": "cloudsearchdomain",
    "cloudwatch": "cloudwatchomni monitoring",
    "codeguru-profiler": "codeguruprofiler",
    "connect": "connect-contact-lens connectscheduling",
    "connect-campaigns": "connectcampaigns connectcampaignsv2",
    "dynamodb": "dynamodbstreams",
    "elasticfilesystem": "efs",
    "elasticloadbalancing": "elb elbv2",
    "elasticmapreduce": "emr",
    "elemental-inference": "elementalinference",
    "end-user-messaging": "endusermessaging",
    "es": "opensearch",
    "events": "eventbridgev2",
    "execute-api": "apigatewaymanagementapi",
    "forecast": "forecastquery",
    "geo": "location",
    "greengrass": "greengrassv2",
    "health-agent": "connecthealth",
    "iam": "iam-toolbox",
    "iot": "iot-data iotdata iotsecuretunneling IoTSecuredTunneling",
    "iotjobsdata": "iot-jobs-data",
    "iotmanagedintegrations": "iot-managed-integrations",
    "ivs": "ivs-realtime",
    "kinesisanalytics": "kinesisanalyticsv2",
    "kinesisvideo": (
        "kinesis-video-archived-media "
        "kinesis-video-media "
        "kinesis-video-signaling "
        "kinesis-video-webrtc-storage "
    ),
    "lambda": "lambda-core lambda-microvms lambda-web",
    "launchwizard": "launch-wizard",
    "lex": "lex-models lex-runtime lexv2-models lexv2-runtime",
    "mechanicalturk": "mturk mturk-requester",
    "mediastore": "mediastore-data",
    "mgh": "migrationhub-config",
    "migrationhub-orchestrator": "migrationhuborchestrator",
    "migrationhub-strategy": "migrationhubstrategy",
    "mobiletargeting": "pinpoint",
    "neptune-db": "neptunedata",
    "notifications-contacts": "notificationscontacts",
    "osm": "opensearchmemory",
    "partnercentral": (
        "partnercentral-account "
        "partnercentral-benefits "
        "partnercentral-channel "
        "partnercentral-revenue-measurement "
        "partnercentral-selling "
    ),
    "payment-cryptography": "payment-cryptography-data",
    "personalize": "personalize-events personalize-runtime",
    "pricingplanmanager": "pricing-plan-manager",
    "profile": "customer-profiles",
    "rds": "docdb neptune",
    "refactor-spaces": "migration-hub-refactor-spaces",
    "resiliencehub": "resiliencehubv2",
    "s3": "s3control",
    "s3-outposts": "s3outposts",
    "sagemaker": (
        "sagemaker-a2i-runtime "
        "sagemaker-edge "
        "sagemaker-featurestore-runtime "
        "sagemaker-inference-router-runtime "
        "sagemaker-metrics "
        "sagemaker-runtime "
        "sagemakerjobruntime "
        "sagemakertrainingsessionruntime "
    ),
    "scn": "supplychain",
    "sdb": "simpledbv2",
    "servicecatalog": "servicecatalog-appregistry",
    "servicequotas": "service-quotas",
    "ses": "mailmanager pinpoint-email sesv2",
    "signer": "signer-data",
    "sms-voice": "pinpoint-sms-voice pinpoint-sms-voice-v2",
    "social-messaging": "socialmessaging",
    "sso": "awsssoportal sso-admin",
    "sso-oauth": "sso-oidc",
    "states": "stepfunctions",
    "supportapp": "support-app",
    "tag": "resourcegroupstaggingapi tagging",
    "tax": "taxsettings",
    "thinclient": "workspaces-thin-client",
    "timestream": "timestream-query timestream-write",
    "voiceid": "voice-id",
    "wisdom": "qconnect",
}
PREFIX_BY_SERVICE: Final = {
    service: prefix for prefix, names in _SERVICES_BY_PREFIX.items() for service in names.split()
}
