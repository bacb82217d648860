"""Services without a module of their own: their generated tables, and the reader of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.aws.analysis import authorizations, service_prefix
from dynaguard.aws.table import table_of
from dynaguard.call import NO_CREDENTIALS, UNKNOWN_RUN, Authorization, Call
from dynaguard.scope import EMPTY_SCOPE

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
PASS_ROLE = ("iam:PassRole", ROLE)
ANY = UNKNOWN_RUN


def needs_of(
    service: str, operation: str, params: Any, *, region: str | None = REGION
) -> tuple[Authorization, ...]:
    """What a call needs."""
    call = Call(
        service=service,
        operation=operation,
        params=params,
        region=region,
        partition="aws",
        endpoint_url=None,
        credentials=NO_CREDENTIALS,
        scope=EMPTY_SCOPE,
        correlation_id="c",
        service_prefix=service_prefix(service),
    )
    return authorizations(call, ACCOUNT)


def named(service: str, operation: str, params: dict[str, Any]) -> list[tuple[str, str]]:
    """Action and resource of everything that a call needs."""
    return [(need.action, need.resource) for need in needs_of(service, operation, params)]


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


@pytest.mark.parametrize(
    ("service", "operation", "params", "expected"),
    CASES,
    ids=[f"{service}-{operation}-{at}" for at, (service, operation, *_) in enumerate(CASES)],
)
def test_a_call_needs_what_its_table_says(
    service: str, operation: str, params: dict[str, Any], expected: Expected
) -> None:
    """Source: Service Authorization Reference."""
    assert named(service, operation, params) == expected


OPEN_VALUES = [
    pytest.param(value, id=repr(value)[:30])
    for value in (None, "", 0, b"c", [], ["c"], {}, {"c": 1}, "a:b", "*", "é", "x" * 2000)
]


@pytest.mark.parametrize("value", OPEN_VALUES)
def test_a_value_that_may_mean_something_else_names_nothing(value: Any) -> None:
    """No part of it appears in the resource; the rest of the ARN is still told."""
    [need] = needs_of("eks", "DescribeCluster", {"name": value})

    assert need.resource == arn("eks", f"cluster/{ANY}")


@pytest.mark.parametrize(
    "value",
    [
        arn("states", "stateMachine:m:alias"),
        arn("states", "activity:a"),
        arn("states", "stateMachine:*"),
        arn("lambda", "stateMachine:m"),
        "arn:aws:states:stateMachine:m",
        f"{MACHINE}\n",
    ],
)
def test_an_arn_of_another_shape_names_nothing(value: str) -> None:
    """Not even the account or the type."""
    [need] = needs_of("stepfunctions", "DescribeStateMachine", {"stateMachineArn": value})

    assert need.resource == ANY


def test_a_role_that_is_not_an_arn_is_asked_for_as_unknown() -> None:
    """A role's name does not tell its path; a value of another kind tells nothing."""
    for role in ("r", 5, [ROLE], {"a": ROLE}):
        found = named("glue", "CreateJob", {"Name": "j", "Role": role})

        assert found[-1] == ("iam:PassRole", ANY)


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("ec2", "RunInstances", {"IamInstanceProfile": {"Name": "p"}}),
        ("ec2", "AssociateIamInstanceProfile", {"IamInstanceProfile": {"Name": "p"}}),
        ("iam", "AddRoleToInstanceProfile", {"InstanceProfileName": "p", "RoleName": "r"}),
    ],
)
def test_an_instance_profile_hands_on_a_role(
    service: str, operation: str, params: dict[str, Any]
) -> None:
    """Which role it is, or which path the role has, the call does not tell."""
    assert named(service, operation, params)[-1] == ("iam:PassRole", ANY)


def test_reading_and_removing_hand_no_role_to_a_service() -> None:
    """Only what gives a role to a service needs `iam:PassRole`."""
    found = named("rds", "RemoveRoleFromDBCluster", {"DBClusterIdentifier": "c", "RoleArn": ROLE})

    assert PASS_ROLE not in found


@pytest.mark.parametrize(
    "operation", ["GetParameter", "GetParameters", "GetParametersByPath", "GetParameterHistory"]
)
def test_decrypting_a_parameter_needs_its_key(operation: str) -> None:
    """Which key that is stands in the parameter, not in the call."""
    params = {"Name": "a", "Names": ["a"], "Path": "/a", "WithDecryption": True}

    assert named("ssm", operation, params)[-1] == ("kms:Decrypt", ANY)
    assert len(named("ssm", operation, params | {"WithDecryption": False})) == 1


def test_a_region_that_is_none_is_unknown() -> None:
    """`aws-global` and a client without region stand in no ARN."""
    for region in ("aws-global", None):
        [need] = needs_of("eks", "DescribeCluster", {"name": "c"}, region=region)

        assert need.resource == arn("eks", "cluster/c", region=ANY)


def operations() -> Iterator[tuple[str, str]]:
    """Every operation of every service that botocore knows."""
    session = botocore.session.get_session()
    for service in session.get_available_services():
        for operation in session.get_service_model(service).operation_names:
            yield service, operation


def test_every_operation_resolves_without_parameters() -> None:
    """Nothing raises, and nothing but what IAM leaves free needs nothing."""
    free = set()
    for service, operation in operations():
        needs = needs_of(service, operation, {})
        if not needs:
            free.add((service, operation))
        for need in needs:
            assert need.resource
            assert ":" in need.action

    assert free == {("sts", "GetCallerIdentity"), ("sts", "GetSessionToken")}


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.binary()
    | st.text()
    | st.sampled_from([ROLE, MACHINE, STREAM, "arn:::::"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
TABLED = sorted({(service, operation) for service, operation, *_ in CASES})


@given(data=st.data(), case=st.sampled_from(TABLED))
def test_odd_parameters_never_raise(data: st.DataObject, case: tuple[str, str]) -> None:
    """A value of any kind under every name that the table reads: needs, and no problem."""
    table = table_of(case[0])
    names = {name for one in table.resources for name in (*one.parameters, *one.holders) if name}
    names |= set(table.roles.get(case[1], ()))
    params = data.draw(st.dictionaries(st.sampled_from(sorted(names)), ODD))

    needs = needs_of(*case, params)

    assert needs
    assert all(isinstance(need.resource, str) and need.problem is None for need in needs)
