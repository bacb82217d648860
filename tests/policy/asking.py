"""What tests of the matcher ask: one table, one identity, contexts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynaguard.call import Authorization, ContextLookup, ContextValue, Principal

ACCOUNT = "111122223333"
TABLES = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/"
ETL = Principal("etl", arns=(f"arn:aws:iam::{ACCOUNT}:role/etl",), arns_complete=True)
ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}
ALLOW_GET = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": f"{TABLES}orders"}
GET = Authorization("dynamodb:GetItem", f"{TABLES}orders")


def context(values: Mapping[str, ContextValue] | None = None) -> ContextLookup:
    """A context in which all else is known to be absent."""
    return lambda key: (values or {}).get(key, ())


ALL_ABSENT = context()


def condition(operator: str, key: str, *values: str) -> dict[str, Any]:
    """A `Condition` block of one condition."""
    return {"Condition": {operator: {key: list(values)}}}
