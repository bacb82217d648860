"""Calls about items, and what condition keys tell of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dynaguard.aws.analysis import authorizations
from dynaguard.aws.context import ContextSource
from dynaguard.aws.dynamodb.schemas import KeySchemas
from dynaguard.call import NO_CREDENTIALS, UNKNOWN_PRINCIPAL, Call
from dynaguard.policy.model import KeySchema, TableSchema
from dynaguard.scope import EMPTY_SCOPE

ACCOUNT = "111122223333"
TABLES = {
    "orders": TableSchema(
        KeySchema(("pk", "sk")),
        {"by_day": KeySchema(("day", "hour")), "by_cup": KeySchema(("cup", "place", "no"), 2)},
    )
}
ABSENT: tuple[str, ...] = ()
KEY = {"pk": {"S": "p"}, "sk": {"S": "s"}}
ITEM = {**KEY, "total": {"N": "1"}}
VALUES = {":p": {"S": "p"}, ":n": {"N": "1.50"}, ":b": {"B": b"x"}, ":m": {"M": {}}}


def call_of(operation: str, params: Any, **changed: Any) -> Call:
    """A call of a client in eu-west-1."""
    return Call(
        service="dynamodb",
        operation=operation,
        params=params,
        region="eu-west-1",
        partition="aws",
        endpoint_url="https://dynamodb.eu-west-1.amazonaws.com",
        credentials=NO_CREDENTIALS,
        scope=EMPTY_SCOPE,
        correlation_id="c",
        service_prefix="dynamodb",
        **changed,
    )


def source(tables: Mapping[str, TableSchema] = TABLES) -> ContextSource:
    """Where the keys get their values."""
    return ContextSource(
        known={},
        environment=None,
        schemas=KeySchemas(tables),
        utcnow=lambda: datetime(2026, 11, 20, tzinfo=UTC),
    )


def value_of(
    key: str,
    operation: str,
    params: dict[str, Any],
    tables: Mapping[str, TableSchema] = TABLES,
    at: int = 0,
) -> Any:
    """A key's value for one authorisation of a call to `orders`."""
    if not {"RequestItems", "TransactItems", "Statement", "Statements"} & set(params):
        params = {"TableName": "orders", **params}
    call = call_of(operation, params)
    need = authorizations(call, ACCOUNT)[at]
    return source(tables).lookup_for(call, UNKNOWN_PRINCIPAL, need)(key.lower())


def query(condition: str, **more: Any) -> dict[str, Any]:
    """A Query with that key condition."""
    return {"KeyConditionExpression": condition, "ExpressionAttributeValues": VALUES, **more}


def sql(statement: str, *parameters: Any) -> dict[str, Any]:
    """An ExecuteStatement."""
    return {"Statement": statement, "Parameters": list(parameters)}
