"""How a span starts: its name, and what samplers may look at."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.call import Outcome, Status
from dynaguard.telemetry import attributes, names
from tests.audit.audit_cases import (
    CALL,
    DECISION,
    PRINCIPAL,
)

TWO_WRITES = [{"PutRequest": {}}, {"DeleteRequest": {}}]


def call_of(operation: str, params: Any = CALL.params, service: str = "dynamodb") -> Any:
    """A call of an operation."""
    return CALL._replace(operation=operation, params=params, service=service)


@pytest.mark.parametrize(
    ("operation", "params", "members"),
    [
        ("GetItem", {"TableName": "orders"}, 0),
        ("BatchGetItem", {"RequestItems": {"a": {"Keys": [{}, {}]}, "b": {"Keys": [{}]}}}, 3),
        ("BatchWriteItem", {"RequestItems": {"a": TWO_WRITES, "b": TWO_WRITES}}, 4),
        ("TransactGetItems", {"TransactItems": [{}]}, 1),
        ("TransactWriteItems", {"TransactItems": ({}, {})}, 2),
        ("BatchExecuteStatement", {"Statements": [{}, {}]}, 2),
        ("ExecuteTransaction", {"TransactStatements": [{}, {}]}, 2),
        ("BatchGetItem", {}, 0),
        ("BatchGetItem", {"RequestItems": {"a": {"Keys": "odd"}, "b": {}, "c": 7}}, 0),
        ("BatchGetItem", {"RequestItems": "odd"}, 0),
        ("BatchGetItem", None, 0),
    ],
)
def test_counts_the_members_of_a_batch(operation: str, params: Any, members: int) -> None:
    """Of what can be counted; nothing raises."""
    assert attributes.batch_size(call_of(operation, params)) == members


def test_batches_are_dynamodbs() -> None:
    """Another service's operation of that name is another matter."""
    params = {"RequestItems": {"a": TWO_WRITES}}

    assert attributes.batch_size(call_of("BatchWriteItem", params, "other")) == 0


@pytest.mark.parametrize(
    ("operation", "keys", "name"),
    [
        ("GetItem", [], "DynamoDB.GetItem"),
        ("BatchGetItem", [], "DynamoDB.BatchGetItem"),
        ("BatchGetItem", [{}], "DynamoDB.BatchGetItem"),
        ("BatchGetItem", [{}, {}], "BATCH DynamoDB.BatchGetItem"),
    ],
)
def test_names_a_span_by_service_and_operation(operation: str, keys: list[Any], name: str) -> None:
    """A batch of one is no batch."""
    call = call_of(operation, {"RequestItems": {"a": {"Keys": keys}}})

    assert attributes.span_start(call, "DynamoDB")[0] == name


def test_batches_of_one_kind_are_named_one_by_one() -> None:
    """What is remembered of the kind has no members."""
    calls = [call_of("BatchGetItem", {"RequestItems": {"a": {"Keys": [{}] * n}}}) for n in (2, 1)]

    found = [attributes.span_start(call, "DynamoDB")[0] for call in calls]

    assert found == ["BATCH DynamoDB.BatchGetItem", "DynamoDB.BatchGetItem"]


@pytest.mark.parametrize(
    ("endpoint_url", "server"),
    [
        ("https://dynamodb.eu-west-1.amazonaws.com", ("dynamodb.eu-west-1.amazonaws.com", 443)),
        ("http://127.0.0.1:8000/path", ("127.0.0.1", 8000)),
        ("http://localhost", ("localhost", 80)),
        ("https://[::1]:4566", ("::1", 4566)),
        ("ftp://host", (None, None)),
        ("https://host:port", (None, None)),
        ("https://[", (None, None)),
        ("", (None, None)),
        (None, (None, None)),
    ],
)
def test_the_server_is_read_from_the_endpoint(
    endpoint_url: str | None, server: tuple[str | None, int | None]
) -> None:
    """What is no URL gives no attribute."""
    call = CALL._replace(endpoint_url=endpoint_url)

    found = attributes.span_start(call, "DynamoDB")[1]

    assert (found.get(names.SERVER_ADDRESS), found.get(names.SERVER_PORT)) == server


def test_a_span_starts_with_what_samplers_ask_for() -> None:
    """System, operation, place."""
    assert attributes.span_start(CALL, "DynamoDB")[1] == {
        "rpc.system.name": "aws-api",
        "rpc.method": "DynamoDB/GetItem",
        "db.system.name": "aws.dynamodb",
        "db.operation.name": "GetItem",
        "cloud.region": "eu-west-1",
        "server.address": "dynamodb.eu-west-1.amazonaws.com",
        "server.port": 443,
    }


def test_another_service_is_no_database() -> None:
    """Only DynamoDB gets `db.*`."""
    call = call_of("GetObject", service="s3")
    error = Outcome(Status.ERROR, "NoSuchKey", 404, item_count=3)
    found = {
        **attributes.span_start(call, "S3")[1],
        **attributes.target_attributes(call, PRINCIPAL, DECISION),
        **attributes.outcome_attributes(call, error),
    }

    assert found[names.RPC_METHOD] == "S3/GetObject"
    assert [name for name in found if name.startswith(("db.", "aws.dynamodb."))] == []
