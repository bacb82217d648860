"""Runbooks made by hand, bound loosely, and a table of orders to run them on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dynaguard.access.canonical import sha256_of
from dynaguard.policy.model import KeySchema, TableSchema
from dynaguard.runbooks.bound import BoundRunbook
from dynaguard.runbooks.calls import calls_of
from dynaguard.runbooks.interaction import Interaction
from dynaguard.runbooks.model import (
    CallTemplate,
    Loop,
    Origin,
    Reference,
    Runbook,
    Step,
)
from dynaguard.runbooks.results import RunResult
from dynaguard.runbooks.starting import RunOptions, run

TABLE = "orders"
POLICY = {
    "version": 1,
    "default": "deny",
    "statement": [
        {"Sid": "All", "Effect": "Allow", "Action": ["*"], "Resource": "*"},
    ],
}


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0
        self.slept: list[float] = []

    def time(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


def param(name: str, wants: str = "attribute") -> Reference:
    """A place for a parameter."""
    return Reference(Origin.PARAMETER, (name,), wants)


def item(path: str, wants: str = "attribute") -> Reference:
    """A place for a part of a loop's item; empty for the item itself."""
    return Reference(Origin.ITEM, tuple(path.split(".")) if path else (), wants)


def result(path: str, wants: str = "") -> Reference:
    """A place for what an earlier step gave."""
    return Reference(Origin.RESULT, tuple(path.split(".")), wants)


def call(operation: str, params: Mapping[str, Any], **bounds: Any) -> CallTemplate:
    """A call of DynamoDB on the table of orders."""
    return CallTemplate("dynamodb", operation, {"TableName": TABLE, **params}, **bounds)


def find_orders(**bounds: Any) -> Step:
    """Reads the orders of one customer."""
    return Step(
        "find",
        call(
            "Query",
            {
                "KeyConditionExpression": "customer = :c",
                "ExpressionAttributeValues": {":c": param("customer")},
                "Limit": 2,
            },
            **{"max_pages": 10, **bounds},
        ),
    )


def order_key() -> dict[str, Any]:
    """The key of a loop's order."""
    return {"customer": item("customer", "key"), "id": item("id", "key")}


def close_orders(expression: str = "SET #s = :closed", max_items: int = 100) -> Step:
    """Closes each order that was found."""
    update = Step(
        "close",
        call(
            "UpdateItem",
            {
                "Key": order_key(),
                "UpdateExpression": expression,
                "ExpressionAttributeNames": {"#s": "state"},
                "ExpressionAttributeValues": {":closed": {"S": "closed"}},
            },
        ),
    )
    return Step("each", Loop(result("find.Items"), max_items, (update,)))


def runbook(*steps: Step, **fields: Any) -> Runbook:
    """A runbook of these steps."""
    given = {"tables": {TABLE: TableSchema(KeySchema(("customer", "id")))}, "sha256": "a" * 64}
    return Runbook("tidy-orders", "Tidies.", "team-orders", steps, **{**given, **fields})


def bind(book: Runbook, params: Mapping[str, Any], _place: Any = None) -> BoundRunbook:
    """Binds without checking: values as they are, any value in every open place."""
    statements = ({"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"},)
    metrics = {"Effect": "Allow", "Action": "cloudwatch:GetMetricStatistics", "Resource": "*"}
    templates = tuple(_template(each.step.name, each.template) for each in calls_of(book))
    subject = sha256_of([book.sha256, dict(params)])
    return BoundRunbook(book, dict(params), subject, statements, (*statements, metrics), templates)


def _template(step: str, action: CallTemplate) -> dict[str, Any]:
    return {
        "step": step,
        "service": action.service,
        "operation": action.operation,
        "params": _opened(action.params),
        "free": ["ExclusiveStartKey"] if action.max_pages else [],
    }


def _opened(value: Any) -> Any:
    if isinstance(value, Reference):
        return {"$any": "any"}
    if isinstance(value, Mapping):
        return {name: _opened(each) for name, each in value.items()}
    return [_opened(each) for each in value] if isinstance(value, list | tuple) else value


def make_table(client: Any, counts_by_customer: Mapping[str, int]) -> None:
    """The table of orders, with so many open orders of each customer."""
    client.create_table(
        TableName=TABLE,
        AttributeDefinitions=[
            {"AttributeName": "customer", "AttributeType": "S"},
            {"AttributeName": "id", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "id", "KeyType": "RANGE"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for customer, count in counts_by_customer.items():
        for number in range(count):
            client.put_item(
                TableName=TABLE,
                Item={
                    "customer": {"S": customer},
                    "id": {"S": f"o-{number:03}"},
                    "state": {"S": "open"},
                    "total": {"N": str(number)},
                    "email": {"S": f"{customer}@example.org"},
                },
            )


def states(client: Any, customer: str) -> dict[str, str]:
    """State by id of a customer's orders."""
    answer = client.query(
        TableName=TABLE,
        KeyConditionExpression="customer = :c",
        ExpressionAttributeValues={":c": {"S": customer}},
    )
    return {each["id"]["S"]: each["state"]["S"] for each in answer["Items"]}


def run_once(
    book: Runbook, params: Mapping[str, Any], directory: Path, **options: Any
) -> RunResult:
    """Runs by hand-made binding, within a boundary of the scope alone."""
    clock = options.pop("clock", None)
    given = {name: options.pop(name) for name in list(options) if name in _INTERACTION}
    if clock is not None:
        given |= {"time_s": clock.time, "monotonic": clock.time, "sleep": clock.sleep}
    return run(
        book,
        params,
        RunOptions(directory=directory, interaction=Interaction(**given), bind=bind, **options),
    )


_INTERACTION = {"confirm", "ask_approval", "on_event", "time_s", "monotonic", "sleep"}


def log_lines(directory: Path) -> list[dict[str, Any]]:
    """The record of runs."""
    return [json.loads(line) for line in (directory / "runs.log").read_text().splitlines()]
