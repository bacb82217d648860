"""How each statement bears on one authorisation."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.call import (
    UNKNOWN,
    UNKNOWN_ACCOUNT,
    Authorization,
    ContextValue,
    Principal,
)
from dynaguard.policy.loading import load_policy
from dynaguard.policy.trace import ConsideredStatement, trace

TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
ETL = Principal(
    name="etl",
    arns=("arn:aws:iam::111122223333:role/etl",),
    arns_complete=True,
    groups=frozenset({"jobs"}),
)


def considered(
    statement: dict[str, Any],
    *,
    resource: str = TABLE,
    principal: Principal = ETL,
    context: dict[str, ContextValue] | None = None,
) -> ConsideredStatement:
    """One statement against a GetItem."""
    document = load_policy(
        {
            "version": 1,
            "default": "deny",
            "groups": {"jobs": ["arn:aws:iam::*:role/etl"]},
            "statement": [
                {
                    "Sid": "S",
                    "Effect": "Allow",
                    "Action": "dynamodb:GetItem",
                    "Resource": "*",
                    **statement,
                }
            ],
        },
        environ={},
    )
    need = Authorization("dynamodb:GetItem", resource)
    (found,) = trace(document, need, principal, lambda key: (context or {}).get(key, ()))
    return found


REGION = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}


@pytest.mark.parametrize(
    ("statement", "context", "match", "why"),
    [
        ({}, {}, "yes", ""),
        ({"Action": "dynamodb:PutItem"}, {}, "no", "action does not match"),
        ({"Resource": f"{TABLE}2"}, {}, "no", "resource does not match"),
        ({"Principal": {"Group": "jobs"}}, {}, "yes", ""),
        ({"NotPrincipal": {"Group": "jobs"}}, {}, "no", "principal does not match"),
        ({"Condition": REGION}, {"aws:requestedregion": ("eu-west-1",)}, "yes", ""),
        (
            {"Condition": REGION},
            {"aws:requestedregion": ("us-east-1",)},
            "no",
            "condition `StringEquals` on `aws:RequestedRegion` does not match",
        ),
        (
            {"Condition": REGION},
            {"aws:requestedregion": UNKNOWN},
            "unknown",
            "condition `StringEquals` on `aws:RequestedRegion` is not known",
        ),
        (
            {"Condition": {"ForAllValues:StringLikeIfExists": {"aws:TagKeys": "a*"}}},
            {"aws:tagkeys": ("b",)},
            "no",
            "condition `ForAllValues:StringLikeIfExists` on `aws:TagKeys` does not match",
        ),
    ],
)
def test_names_the_part_that_kept_a_statement_from_matching(
    statement: dict[str, Any], context: dict[str, ContextValue], match: str, why: str
) -> None:
    """The first part that fails is the reason; unknown ones are listed."""
    if "Action" in statement:
        statement = {**statement}

    found = considered(statement, context=context)

    assert (found.match, found.why) == (match, why)


def test_not_action_and_not_resource_are_negated() -> None:
    """A statement about everything but other things matches."""
    document = load_policy(
        {
            "version": 1,
            "default": "deny",
            "statement": [
                {"Effect": "Allow", "NotAction": "s3:*", "NotResource": f"{TABLE}-secret"}
            ],
        },
        environ={},
    )
    need = Authorization("dynamodb:GetItem", TABLE)

    (found,) = trace(document, need, ETL, lambda _: ())

    assert found.match == "yes"


@pytest.mark.parametrize(("effect", "counts"), [("Allow", False), ("Deny", True)])
def test_what_is_unknown_counts_for_a_deny_only(effect: str, counts: bool) -> None:
    """Unknown never satisfies an Allow and always satisfies a Deny."""
    found = considered(
        {"Effect": effect, "Resource": TABLE},
        resource=f"arn:aws:dynamodb:eu-west-1:{UNKNOWN_ACCOUNT}:table/orders",
    )

    assert found.match == "unknown"
    assert found.why == "resource is not known"
    assert found.counts is counts


def test_values_of_the_call_are_not_in_the_reason() -> None:
    """Names only."""
    found = considered(
        {"Condition": {"StringEquals": {"dynaguard:Job": "nightly"}}},
        context={"dynaguard:job": ("CANARY",)},
    )

    assert "CANARY" not in repr(found)


def test_an_observed_statement_says_so() -> None:
    """It is evaluated, and left out of the verdict."""
    found = considered({"Mode": "observe"})

    assert found.is_observed
    assert found.match == "yes"
