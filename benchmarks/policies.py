"""The policies that whole calls are measured under."""

from __future__ import annotations

from typing import Any, Final

_ARN: Final = "arn:aws:dynamodb:*:*:table/"
_KNOWN_CAPACITY: Final = {"capacity_units_per_s": 1e6}
_ACTIONS: Final = ("Query", "GetItem", "PutItem", "BatchWriteItem")


def policy_document(statements: int, *, masks: bool) -> dict[str, Any]:
    """A policy of that many statements, of which few can match the measured calls."""
    others = [
        {
            "Sid": f"S{index}",
            "Effect": "Allow",
            "Action": ["dynamodb:Query", "dynamodb:GetItem"],
            "Resource": [_ARN + (f"svc{index}-orders" if index % 3 else f"svc{index}-*")],
        }
        for index in range(statements - 3)
    ]
    mine = [
        {
            "Sid": "Mine",
            "Effect": "Allow",
            "Action": [f"dynamodb:{name}" for name in _ACTIONS],
            "Resource": [_ARN + "orders", _ARN + "imports"],
        },
        {
            "Sid": "NoScan",
            "Effect": "Deny",
            "Action": ["dynamodb:Scan", "dynamodb:DeleteTable"],
            "Resource": ["*"],
        },
        {
            "Sid": "Region",
            "Effect": "Deny",
            "Action": ["dynamodb:*"],
            "Resource": ["*"],
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}},
        },
    ]
    document: dict[str, Any] = {
        "version": 1,
        "default": "deny",
        "govern": ["dynamodb"],
        "groups": {"bench": ["arn:aws:iam::*:user/*"]},
        "statement": others + mine,
        "budget": [
            {"job": "bench", "tables": ["orders"], "retry_ratio": 0.1},
            # Else the job would look for the rate that the table takes, and wait meanwhile.
            {"job": "bench", "tables": ["imports"], "retry_ratio": 0.1, **_KNOWN_CAPACITY},
        ],
    }
    if masks:
        document["mask"] = [
            {"tables": ["orders"], "attributes": ["email", "addr.zip"], "with": "partial"}
        ]
    return document


def expression_policy() -> dict[str, Any]:
    """A policy whose one statement asks for keys that stand in expressions."""
    document = policy_document(1000, masks=False)
    document["tables"] = {"orders": {"key": ["pk", "sk"]}}
    for statement in document["statement"]:
        if statement["Sid"] == "Mine":
            statement["Action"] = ["dynamodb:GetItem", "dynamodb:Query"]
            statement["Condition"] = {
                "ForAllValues:StringEquals": {
                    "dynamodb:LeadingKeys": ["user#1"],
                    "dynamodb:Attributes": ["pk", "sk", "email", "n"],
                }
            }
    writes = ["dynamodb:PutItem", "dynamodb:BatchWriteItem"]
    document["statement"].append({"Effect": "Allow", "Action": writes, "Resource": "*"})
    return document
