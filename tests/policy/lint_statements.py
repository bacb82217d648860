"""What documents for lint rules are made of: statements, conditions, tables, people."""

from __future__ import annotations

from typing import Any, Final

TABLE: Final = "arn:aws:dynamodb:*:*:table/orders"
INDEX: Final = f"{TABLE}/index/*"
OTHER: Final = "arn:aws:dynamodb:*:*:table/others"


def stated(effect: str, actions: str, resource: Any = TABLE, **more: Any) -> dict[str, Any]:
    """A statement; actions of DynamoDB by name, blanks between them."""
    listed = [
        name if ":" in name or name == "*" else f"dynamodb:{name}" for name in actions.split()
    ]
    return {"Effect": effect, "Action": listed, "Resource": resource, **more}


def allow(actions: str, resource: Any = TABLE, **more: Any) -> dict[str, Any]:
    """An Allow."""
    return stated("Allow", actions, resource, **more)


def deny(actions: str, resource: Any = TABLE, **more: Any) -> dict[str, Any]:
    """A Deny."""
    return stated("Deny", actions, resource, **more)


def asks(actions: str, resource: Any = TABLE, **more: Any) -> dict[str, Any]:
    """One that requires an approval of managers."""
    more = {"Approval": {"any_of": "managers"}, **more}
    return stated("RequireApproval", actions, resource, **more)


def when(operator: str, key: str, *values: Any) -> dict[str, Any]:
    """The `Condition` of one key."""
    return {"Condition": {operator: {key: list(values)}}}


def listing(key: str, **more: Any) -> dict[str, Any]:
    """A list of values of a key, and further operators."""
    return {"Condition": {"ForAllValues:StringEquals": {key: ["a"]}, **more}}


def document(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A whole document."""
    return {"statement": list(statements), **more}


IN_PROD: Final = when("StringEquals", "dynaguard:Environment", "prod")
OBSERVED: Final = {"Mode": "observe"}
BATCH: Final = {"Principal": {"Group": "batch"}}
LEADING: Final = "dynamodb:LeadingKeys"
ATTRIBUTES: Final = "dynamodb:Attributes"
SELECT: Final = {"StringEqualsIfExists": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"}}
RETURN: Final = {"StringEqualsIfExists": {"dynamodb:ReturnValues": "NONE"}}
FULL: Final = when("Bool", "dynamodb:FullTableScan", True)
ANN: Final = "arn:aws:iam::111122223333:user/ann"
PEOPLE: Final = {
    "managers": [ANN, "sso:person=bob@acme.example"],
    "roles": ["arn:aws:iam::*:role/m"],
}
MANAGED: Final = {"groups": PEOPLE}
TWO: Final = {"Approval": {"any_of": "managers", "quorum": 2}}
PIN: Final = {"sha256": "ab" * 32}
TABLES: Final = {"orders": {"key": ["pk"], "indexes": {"by_day": ["day"]}}}
