"""Calls of services without a module of their own, and what each needs: data for the tests."""

from __future__ import annotations

from typing import Any

from dynaguard.call import UNKNOWN_RUN

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
PASS_ROLE = ("iam:PassRole", ROLE)
ANY = UNKNOWN_RUN


def arn(service: str, resource: str, *, region: str = REGION, account: str = ACCOUNT) -> str:
    """The ARN of a resource here."""
    return f"arn:aws:{service}:{region}:{account}:{resource}"


MACHINE = arn("states", "stateMachine:m")
STREAM = arn("kinesis", "stream/s")
Expected = list[tuple[str, str]]
CASES: list[tuple[str, str, dict[str, Any], Expected]] = [
    # A parameter that holds the whole ARN.
    (
        "stepfunctions",
        "StartExecution",
        {"stateMachineArn": MACHINE},
        [("states:StartExecution", MACHINE)],
    ),
    ("stepfunctions", "TagResource", {"resourceArn": MACHINE}, [("states:TagResource", MACHINE)]),
    (
        "stepfunctions",
        "StartExecution",
        {"stateMachineArn": "m"},
        [("states:StartExecution", ANY)],
    ),
    (
        "stepfunctions",
        "CreateStateMachine",
        {"name": "m", "roleArn": ROLE},
        [("states:CreateStateMachine", MACHINE), PASS_ROLE],
    ),
    (
        "stepfunctions",
        "ListExecutions",
        {"stateMachineArn": MACHINE},
        [("states:ListExecutions", MACHINE)],
    ),
    ("kinesis", "PutRecord", {"StreamName": "s"}, [("kinesis:PutRecord", STREAM)]),
    ("kinesis", "PutRecord", {"StreamARN": STREAM}, [("kinesis:PutRecord", STREAM)]),
    (
        "firehose",
        "PutRecordBatch",
        {"DeliveryStreamName": "d"},
        [("firehose:PutRecordBatch", arn("firehose", "deliverystream/d"))],
    ),
    # Names, names with a revision, ARNs in the place of names, lists.
    (
        "ecs",
        "RunTask",
        {"taskDefinition": "f:3", "overrides": {"taskRoleArn": ROLE}},
        [("ecs:RunTask", arn("ecs", "task-definition/f:3")), PASS_ROLE],
    ),
    (
        "ecs",
        "RunTask",
        {"taskDefinition": "f"},
        [("ecs:RunTask", arn("ecs", f"task-definition/f:{ANY}"))],
    ),
    (
        "ecs",
        "UpdateService",
        {"cluster": "c", "service": "s"},
        [("ecs:UpdateService", arn("ecs", "service/c/s"))],
    ),
    (
        "ecs",
        "UpdateService",
        {"service": arn("ecs", "service/c/s")},
        [("ecs:UpdateService", arn("ecs", "service/c/s"))],
    ),
    (
        "ec2",
        "TerminateInstances",
        {"InstanceIds": ["i-1", "i-2"]},
        [
            ("ec2:TerminateInstances", arn("ec2", "instance/i-1")),
            ("ec2:TerminateInstances", arn("ec2", "instance/i-2")),
        ],
    ),
    ("ec2", "DescribeInstances", {"InstanceIds": ["i-1"]}, [("ec2:DescribeInstances", "*")]),
    # A subnet may be another account's.
    (
        "ec2",
        "DeleteSubnet",
        {"SubnetId": "s-1"},
        [("ec2:DeleteSubnet", arn("ec2", "subnet/s-1", account=ANY))],
    ),
    # IAM's resources have a path that the calls do not tell.
    (
        "iam",
        "PutRolePolicy",
        {"RoleName": "r"},
        [("iam:PutRolePolicy", arn("iam", f"role/{ANY}r", region=""))],
    ),
    # RDS turns names into lower case.
    (
        "rds",
        "DeleteDBInstance",
        {"DBInstanceIdentifier": "d"},
        [("rds:DeleteDBInstance", arn("rds", "db:d"))],
    ),
    (
        "rds",
        "DeleteDBInstance",
        {"DBInstanceIdentifier": "D"},
        [("rds:DeleteDBInstance", arn("rds", f"db:{ANY}"))],
    ),
    (
        "rds",
        "CreateDBInstance",
        {"DBInstanceIdentifier": "d", "DBSubnetGroupName": "g", "MonitoringRoleArn": ROLE},
        [
            ("rds:CreateDBInstance", arn("rds", "db:d")),
            ("rds:CreateDBInstance", arn("rds", "subgrp:g")),
            PASS_ROLE,
        ],
    ),
    (
        "logs",
        "PutLogEvents",
        {"logGroupName": "/a/b", "logStreamName": "s"},
        [("logs:PutLogEvents", arn("logs", "log-group:/a/b:log-stream:s"))],
    ),
    (
        "logs",
        "CreateLogGroup",
        {"logGroupName": "/a"},
        [("logs:CreateLogGroup", arn("logs", f"log-group:/a:{ANY}"))],
    ),
    ("logs", "DescribeLogGroups", {}, [("logs:DescribeLogGroups", "*")]),
    # Alternatives: the default event bus has no bus in the ARN of its rules.
    ("events", "PutRule", {"Name": "r"}, [("events:PutRule", arn("events", "rule/r"))]),
    (
        "events",
        "PutRule",
        {"Name": "r", "EventBusName": "default"},
        [("events:PutRule", arn("events", "rule/r"))],
    ),
    (
        "events",
        "PutTargets",
        {"Rule": "r", "EventBusName": "b", "Targets": [{"RoleArn": ROLE}]},
        [("events:PutTargets", arn("events", "rule/b/r")), PASS_ROLE],
    ),
    (
        "events",
        "DeleteEventBus",
        {"Name": "b"},
        [("events:DeleteEventBus", arn("events", "event-bus/b"))],
    ),
    (
        "eks",
        "UpdateClusterVersion",
        {"name": "c", "version": "1"},
        [("eks:UpdateClusterVersion", arn("eks", "cluster/c"))],
    ),
    (
        "emr",
        "TerminateJobFlows",
        {"JobFlowIds": ["j-1"]},
        [
            (
                "elasticmapreduce:TerminateJobFlows",
                arn("elasticmapreduce", "cluster/j-1"),
            )
        ],
    ),
    ("events", "PutEvents", {"Entries": []}, [("events:PutEvents", ANY)]),
    ("cloudwatch", "PutMetricData", {"Namespace": "n"}, [("cloudwatch:PutMetricData", ANY)]),
    (
        "cloudwatch",
        "DeleteAlarms",
        {"AlarmNames": ["a b"]},
        [("cloudwatch:DeleteAlarms", arn("cloudwatch", "alarm:a b"))],
    ),
    # API Gateway asks for the request's method on its path.
    (
        "apigateway",
        "PutMethod",
        {"restApiId": "x", "resourceId": "y", "httpMethod": "GET"},
        [
            (
                "apigateway:PUT",
                arn("apigateway", "/restapis/x/resources/y/methods/GET", account=""),
            )
        ],
    ),
    (
        "apigatewayv2",
        "CreateRoute",
        {"ApiId": "x"},
        [("apigateway:POST", arn("apigateway", "/apis/x/routes", account=""))],
    ),
    # Several types at once.
    (
        "glue",
        "GetTable",
        {"DatabaseName": "d", "Name": "t"},
        [
            ("glue:GetTable", arn("glue", "database/d")),
            ("glue:GetTable", arn("glue", "catalog")),
            ("glue:GetTable", arn("glue", "table/d/t")),
        ],
    ),
    (
        "glue",
        "GetDatabase",
        {"Name": "d", "CatalogId": OTHER_ACCOUNT},
        [
            ("glue:GetDatabase", arn("glue", "database/d", account=ANY)),
            ("glue:GetDatabase", arn("glue", "catalog", account=ANY)),
        ],
    ),
    ("glue", "StartJobRun", {"JobName": "j"}, [("glue:StartJobRun", arn("glue", "job/j"))]),
    (
        "athena",
        "StartQueryExecution",
        {"WorkGroup": "w"},
        [("athena:StartQueryExecution", arn("athena", "workgroup/w"))],
    ),
    # An inference profile stands for models that the call does not name.
    (
        "bedrock-runtime",
        "Converse",
        {"modelId": arn("bedrock", "foundation-model/m", account="")},
        [("bedrock:InvokeModel", arn("bedrock", "foundation-model/m", account=""))],
    ),
    (
        "bedrock-runtime",
        "ConverseStream",
        {"modelId": arn("bedrock", "inference-profile/eu.m")},
        [("bedrock:InvokeModelWithResponseStream", ANY)],
    ),
    (
        "cloudformation",
        "CreateStack",
        {"StackName": "s", "RoleARN": ROLE},
        [("cloudformation:CreateStack", arn("cloudformation", f"stack/s/{ANY}")), PASS_ROLE],
    ),
    (
        "ecr",
        "PutImage",
        {"repositoryName": "team/app", "registryId": OTHER_ACCOUNT},
        [("ecr:PutImage", arn("ecr", "repository/team/app", account=ANY))],
    ),
    (
        "route53",
        "ChangeResourceRecordSets",
        {"HostedZoneId": "Z1"},
        [("route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z1")],
    ),
    (
        "route53",
        "ChangeResourceRecordSets",
        {"HostedZoneId": "/hostedzone/Z1"},
        [("route53:ChangeResourceRecordSets", f"arn:aws:route53:::hostedzone/{ANY}")],
    ),
    # The data set knows no resource, the parameters name one: left open.
    ("kinesis", "UpdateShardCount", {"StreamName": "s"}, [("kinesis:UpdateShardCount", ANY)]),
    (
        "cloudfront",
        "CreateDistributionWithTags",
        {},
        [
            ("cloudfront:CreateDistribution", ANY),
            ("cloudfront:TagResource", ANY),
        ],
    ),
    ("budgets", "DescribeBudgets", {}, [("budgets:ViewBudget", ANY)]),
    # AWS's own documents are no account's; where the output goes is not told.
    (
        "ssm",
        "SendCommand",
        {"DocumentName": "AWS-RunShellScript", "ServiceRoleArn": ROLE},
        [
            ("ssm:SendCommand", arn("ssm", "document/AWS-RunShellScript", account=ANY)),
            ("ssm:SendCommand", ANY),
            PASS_ROLE,
        ],
    ),
    ("ssm", "NotThereYet", {}, [("ssm:NotThereYet", ANY)]),
    (
        "lambda",
        "DeleteEventSourceMapping",
        {"UUID": "u"},
        [("lambda:DeleteEventSourceMapping", arn("lambda", "event-source-mapping:u"))],
    ),
]
