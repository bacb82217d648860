"""What tests of consumption share: a call, its answers, limits, records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dynaguard.audit.log import read_records

KEY = {"pk": {"S": "CANARY-KEY"}}
CONSUMED = {"TableName": "orders", "CapacityUnits": 7.0}
BY_INDEX = {
    "TableName": "orders",
    "CapacityUnits": 6.0,
    "Table": {"CapacityUnits": 1.0},
    "LocalSecondaryIndexes": {"by_note": {"CapacityUnits": 0.0}},
    "GlobalSecondaryIndexes": {"by_day": {"CapacityUnits": 5.0}},
}
TABLES = {"orders": {"key": ["pk", "sk"]}}
QUERY = {
    "TableName": "orders",
    "KeyConditionExpression": "pk = :p",
    "ExpressionAttributeValues": {":p": {"S": "CANARY-KEY"}},
}


def allowing(**more: Any) -> dict[str, Any]:
    """A policy that allows everything."""
    return {"version": 1, "default": "allow", **more}


def limited(**fields: Any) -> dict[str, Any]:
    """A policy with one capacity limit of nightly jobs."""
    entry = {"Sid": "NightlyUnits", "job": "nightly", "read_units": 100, **fields}
    return allowing(tables=TABLES, capacity_limit=[entry])


def records(path: Path) -> list[dict[str, Any]]:
    """The records of an audit file."""
    return [dict(record) for record in read_records(path)]


def sent(wire: Any, index: int = -1) -> dict[str, Any]:
    """The JSON of a request."""
    body: dict[str, Any] = json.loads(wire.sent[index].body)
    return body


def page(number: int, units: float = 40.0, **more: Any) -> dict[str, Any]:
    """A page of a Query that goes on."""
    return {
        "Items": [{"pk": {"S": "1"}}],
        "Count": 1,
        "ScannedCount": 1,
        "LastEvaluatedKey": {"pk": {"S": "1"}, "sk": {"S": str(number)}},
        "ConsumedCapacity": {"TableName": "orders", "CapacityUnits": units},
        **more,
    }
