"""A runbook that holds every sort of key and value, and what reader and schema say of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from dynaguard.errors import PolicySyntaxError
from dynaguard.runbooks.reading import read_runbook
from dynaguard.runbooks.schema import runbook_schema

SCHEMA = runbook_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
GET = {"TableName": "orders", "Key": {"customer_id": {"$param": "text"}, "order_id": "O-1"}}
PARAMETERS = {
    "text": {"type": "string", "description": "a text", "pattern": "[a-z]{1,9}", "default": "a"},
    "figure": {"type": "number", "minimum": 0.5, "maximum": 9, "required": False},
    "really": {"type": "boolean", "default": True},
    "stage": {"type": "enum", "choices": ["dev", "prod"], "required": True},
    "since": {"type": "date", "minimum": "2026-01-01", "maximum": "2027-01-01"},
    "role": {"type": "arn"},
    "token": {"type": "secret", "pattern": "[a-z]{1,9}"},
    "names": {"type": "list", "elements": "string", "pattern": "[a-z]{1,9}", "maximum": 5},
    "stages": {"type": "list", "elements": "enum", "choices": ["dev"], "minimum": 1},
}
STEPS: list[Any] = [
    {
        "name": "quiet",
        "description": "is it?",
        "retries": "never",
        "check": {
            "metric": {
                "namespace": "AWS/DynamoDB",
                "name": "ReadThrottleEvents",
                "dimensions": {"TableName": "orders", "Stage": {"$param": "stage"}},
                "statistic": "Maximum",
                "window_s": 120,
            },
            "at_most": {"$param": "figure"},
            "message": "wait",
        },
    },
    {
        "name": "find",
        "call": "dynamodb:Query",
        "pages": 2,
        "items": 50,
        "region": "eu-west-1",
        "params": {
            "TableName": "orders",
            "KeyConditionExpression": "customer_id = :c",
            "ExpressionAttributeValues": {":c": {"$param": ["text"]}},
        },
    },
    {"name": "some", "check": {"of": {"$result": "find.Items.0"}, "exists": True}},
    {"name": "same", "check": {"of": {"$result": ["find", "Count"]}, "equals": "a"}},
    {"name": "look", "pause": {"seconds": 5, "message": "look"}},
    {"name": "stop", "pause": "look at the board"},
    {"name": "wait", "pause": 1.5},
    {
        "name": "ask",
        "approval": {"any_of": ["leads"], "quorum": 2, "timeout": "1h", "message": "go on?"},
    },
    {
        "name": "each",
        "loop": {"over": {"$result": "find.Items"}, "at_most": 10},
        "step": [
            {
                "name": "get",
                "call": "dynamodb:GetItem",
                "params": {**GET, "Key": {"customer_id": "a", "order_id": {"$item": "id"}}},
            },
            {"name": "there", "check": {"of": {"$item": "."}, "absent": True}},
            {
                "name": "calm",
                "check": {
                    "metric": {
                        "namespace": "AWS/DynamoDB",
                        "name": "SystemErrors",
                        "dimensions": {"TableName": {"$item": "table"}},
                    },
                    "at_least": {"$item": "least"},
                },
            },
        ],
    },
    {"name": "named", "loop": {"over": {"$param": "names"}, "at_most": 5}, "step": []},
    {
        "name": "compute",
        "python": "steps:compute",
        "calls": [
            {
                "call": "dynamodb:GetItem",
                "params": {**GET, "Key": {"customer_id": {"$any": "key"}, "order_id": "O-1"}},
            }
        ],
    },
]
STEPS[-2]["step"] = {"name": "one", "call": "dynamodb:GetItem", "params": GET}
FULL: dict[str, Any] = {
    "$schema": "./runbook.schema.json",
    "runbook": 1,
    "name": "everything",
    "purpose": "Hold every sort of value",
    "owner": "team-orders",
    "link": "https://wiki.example.org/orders",
    "may_run": ["arn:aws:iam::*:role/ops-*", {"Group": "on-call", "AWS": ["111122223333"]}],
    "access": {
        "role": "arn:aws:iam::111122223333:role/runbooks",
        "session_duration_s": 1800,
        "tags": {"team": "orders"},
        "approval": {"all_of": "leads", "timeout_s": 60, "duration": "15m"},
    },
    "limits": {"duration_s": 60, "items": 9, "pages": 9, "read_units": 5.5, "write_units": 1},
    "tables": {
        "orders": {
            "key": ["customer_id", "order_id"],
            "indexes": {"by_day": ["day"], "by_cup": {"partition": ["a", "b"], "sort": "c"}},
        }
    },
    "parameters": PARAMETERS,
    "step": STEPS,
    "mask": [
        {"tables": "orders", "attributes": ["email"], "with": "redact", "Sid": "mail"},
        {"services": ["secretsmanager"], "except": "ssm"},
    ],
    "budget": {"retry_ratio": 0.1, "priority": "batch", "max_attempts": 3, "Mode": "observe"},
    "lint": {"ignore": ["DGR101", "DGR102:find"]},
}


def problems_of(document: Any, folder: Path) -> list[str]:
    """What the reader says against a document."""
    file = folder / "document.json"
    file.write_text(json.dumps(document))
    try:
        read_runbook(file)
    except PolicySyntaxError as err:
        return [str(each) for each in err.problems]
    return []


def is_valid(document: Any) -> bool:
    """Whether the schema accepts it."""
    return bool(VALIDATOR.is_valid(document))


def having(**more: Any) -> dict[str, Any]:
    """A small runbook, with more in it, or something else."""
    return {
        "runbook": 1,
        "name": "small",
        "purpose": "Be small",
        "owner": "team",
        "parameters": {"text": {"type": "string"}, "names": {"type": "list"}},
        "step": [{"name": "get", "call": "dynamodb:GetItem", "params": GET}],
        **more,
    }
