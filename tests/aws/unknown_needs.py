"""What tests of failing closed share: a call, what it needs, what is not understood."""

from __future__ import annotations

from typing import Any

from dynaguard.aws.analysis import authorizations, service_prefix
from dynaguard.call import NO_CREDENTIALS, Call
from dynaguard.scope import EMPTY_SCOPE

ACCOUNT = "111122223333"
TABLES = "arn:aws:dynamodb:eu-west-1:111122223333:table"
SERVICES = (
    *("dynamodb", "dynamodbstreams", "s3", "ssm", "secretsmanager"),
    *("sts", "kms", "sqs", "sns", "lambda", "ec2"),
)


def call_of(
    operation: str, params: Any, *, service: str = "dynamodb", region: str | None = "eu-west-1"
) -> Call:
    """A call of a client in eu-west-1."""
    return Call(
        service=service,
        operation=operation,
        params=params,
        region=region,
        partition="aws",
        endpoint_url="https://example.invalid",
        credentials=NO_CREDENTIALS,
        scope=EMPTY_SCOPE,
        correlation_id="c",
        service_prefix=service_prefix(service),
    )


def needs_of(operation: str, params: Any, *, service: str = "dynamodb") -> list[tuple[str, str]]:
    """What a call needs, as pairs."""
    found = authorizations(call_of(operation, params, service=service), ACCOUNT)
    return [(need.action, need.resource) for need in found]


def problems_of(operation: str, params: Any, *, service: str = "dynamodb") -> list[str | None]:
    """The problems of what a call needs."""
    found = authorizations(call_of(operation, params, service=service), ACCOUNT)
    return [need.problem for need in found]
