"""Requests at the edge of what DynamoDB takes, and beyond: decided rightly, or refused."""

from __future__ import annotations

import time
from typing import Any

import pytest

from dynaguard.aws.analysis import authorizations
from dynaguard.call import UNKNOWN_PRINCIPAL, Decision
from dynaguard.policy.decision import decide, denial_message
from dynaguard.policy.loading import load_policy
from dynaguard.policy.matcher import CompiledPolicy
from tests.aws.item_requests import ACCOUNT, call_of, source

POLICY = CompiledPolicy(
    load_policy(
        {
            "version": 1,
            "default": "deny",
            "govern": ["dynamodb"],
            "statement": [
                {
                    "Sid": "Own",
                    "Effect": "Allow",
                    "Action": "dynamodb:*",
                    "Resource": f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/orders",
                    "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["me"]}},
                },
                {
                    "Sid": "NoSecrets",
                    "Effect": "Deny",
                    "Action": "dynamodb:*",
                    "Resource": "*",
                    "Condition": {
                        "ForAnyValue:StringEquals": {"dynamodb:Attributes": ["ssn", "geheim-ß"]}
                    },
                },
            ],
        },
        environ={},
    )
)


def decided(operation: str, params: dict[str, Any]) -> Decision:
    """The decision about a call, and that a refusal can be told."""
    call = call_of(operation, params)
    context = source()
    needs = authorizations(call, ACCOUNT)
    decision = decide(
        POLICY,
        call,
        UNKNOWN_PRINCIPAL,
        needs,
        lambda need, who: context.lookup_for(call, who, need),
    )
    assert denial_message(call, UNKNOWN_PRINCIPAL, decision).isprintable()
    return decision


def nested(levels: int) -> dict[str, Any]:
    """A value that nests."""
    value: dict[str, Any] = {"S": "x"}
    for _ in range(levels):
        value = {"M": {"in": {"L": [value]}}}
    return value


def item(owner: str = "me", **more: Any) -> dict[str, Any]:
    """An item of one owner."""
    return {"pk": {"S": owner}, "sk": {"S": "1"}, **more}


def put(**more: Any) -> dict[str, Any]:
    """A PutItem."""
    return {"TableName": "orders", "Item": item(**more)}


def transaction(*owners: str) -> dict[str, Any]:
    """A write for each owner."""
    return {
        "TransactItems": [
            {"Put": {"TableName": "orders", "Item": item(owner)}} for owner in owners
        ]
    }


def update(expression: str, **names: str) -> dict[str, Any]:
    """An UpdateItem of one's own item."""
    return {
        "TableName": "orders",
        "Key": {"pk": {"S": "me"}, "sk": {"S": "1"}},
        "UpdateExpression": expression,
        "ExpressionAttributeNames": {f"#{alias}": name for alias, name in names.items()},
        "ExpressionAttributeValues": {":v": {"S": "x"}},
    }


CASES: list[tuple[str, str, dict[str, Any], str]] = [
    ("an item of 400 KB", "PutItem", put(text={"S": "x" * 400_000}), "allow"),
    (
        "an item of 10,000 attributes",
        "PutItem",
        put(**{f"a{n}": {"N": "1"} for n in range(10_000)}),
        "allow",
    ),
    (
        "a secret among 10,000 attributes",
        "PutItem",
        put(**{f"a{n}": {"N": "1"} for n in range(10_000)}, ssn={"S": "x"}),
        "deny",
    ),
    ("a value 32 levels deep", "PutItem", put(deep=nested(16)), "allow"),
    ("a value 5,000 levels deep", "PutItem", put(deep=nested(2_500)), "allow"),
    ("100 writes", "TransactWriteItems", transaction(*["me"] * 100), "allow"),
    (
        "one foreign write of 100",
        "TransactWriteItems",
        transaction(*["me"] * 99, "you"),
        "implicit_deny",
    ),
    ("a name beyond ASCII", "PutItem", put(größe={"N": "1"}), "allow"),
    ("a secret beyond ASCII", "PutItem", put(**{"geheim-ß": {"S": "x"}}), "deny"),
    ("a secret behind a name", "UpdateItem", update("SET #s = :v", s="geheim-ß"), "deny"),
    ("a name with dots", "UpdateItem", update("SET #s = :v", s="a.ssn"), "allow"),
    ("the end of a path", "UpdateItem", update("SET a.ssn = :v"), "allow"),
    ("half of a surrogate pair", "PutItem", put(**{"\ud800": {"S": "\udfff"}}), "allow"),
    ("a foreign half", "PutItem", put(owner="\ud800"), "implicit_deny"),
    ("an undefined name", "UpdateItem", update("SET #s = :v"), "deny"),
    ("no expression", "UpdateItem", update("SET SET SET"), "deny"),
    ("an expression of 4 KB", "UpdateItem", update("SET a = " + "(" * 4_000), "deny"),
    ("an expression too long", "UpdateItem", update("REMOVE a" + " " * 5_000), "deny"),
    ("a table with a line break", "PutItem", {**put(), "TableName": "or\nders"}, "deny"),
    ("a table of 10,000 characters", "PutItem", {**put(), "TableName": "x" * 10_000}, "deny"),
    ("an index with a slash", "Query", {"TableName": "orders", "IndexName": "a/b"}, "deny"),
]


@pytest.mark.parametrize(
    ("operation", "params", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_extremes(operation: str, params: dict[str, Any], expected: str) -> None:
    """The right verdict; where a request is not understood a refusal, never an exception."""
    verdict = decided(operation, params).verdict

    if expected == "deny":
        assert not verdict.is_allowed
    else:
        assert verdict == expected


def test_the_largest_requests_are_decided_soon() -> None:
    """A hundred members with expressions of their own."""
    members = [
        {
            "Update": {
                **update(f"SET a{n} = if_not_exists(b{n}, :v)"),
                "ConditionExpression": " AND ".join(f"c{k} <> :v" for k in range(100)),
            }
        }
        for n in range(100)
    ]
    started_s = time.process_time()

    assert decided("TransactWriteItems", {"TransactItems": members}).verdict == "allow"

    # Not a figure: a bound that only something worse than linear can pass.
    assert time.process_time() - started_s < 2
