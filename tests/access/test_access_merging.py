"""Statements that are made fewer: what may become one, and what has to stay apart."""

from __future__ import annotations

from typing import Any

import pytest

from tests.access.minimising import minimised

ORDERS = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
READ = "dynamodb:GetItem"


def allow(**more: Any) -> dict[str, Any]:
    """One Allow."""
    return {"Effect": "Allow", "Action": READ, "Resource": ORDERS, **more}


def when(operator: str, key: str, *values: str) -> dict[str, Any]:
    """The same under a condition; a list of one is a text, as in what is made."""
    listed: Any = values[0] if len(values) == 1 else list(values)
    return allow(Condition={operator: {key: listed}})


def test_values_of_one_key_come_together() -> None:
    """One or the other is what a list of values says."""
    first = when("StringEquals", "aws:PrincipalTag/team", "blue")
    second = when("StringEquals", "aws:PrincipalTag/team", "red")

    assert minimised([first, second]) == [
        when("StringEquals", "aws:PrincipalTag/team", "blue", "red")
    ]


def test_what_two_say_together_and_a_third_says_alone_is_said_once() -> None:
    """Each value by itself, and both in a list."""
    key = "aws:PrincipalTag/team"
    both = when("StringEquals", key, "blue", "red")

    alone = [when("StringEquals", key, "blue"), when("StringEquals", key, "red")]

    assert minimised([*alone, both]) == [both]


@pytest.mark.parametrize(
    "other",
    [
        when("StringEquals", "aws:PrincipalTag/role", "red"),
        when("StringLike", "aws:PrincipalTag/team", "red"),
        when("StringNotEquals", "aws:PrincipalTag/team", "red"),
    ],
)
def test_conditions_of_another_key_or_operator_stay_apart(other: dict[str, Any]) -> None:
    """In one condition both would have to hold."""
    first = when("StringEquals", "aws:PrincipalTag/team", "blue")

    assert minimised([first, other]) == [first, other]


def test_conditions_that_differ_in_two_keys_stay_apart() -> None:
    """Blue admins and red users are not red admins."""
    first, other = (
        allow(
            Condition={
                "StringEquals": {"aws:PrincipalTag/role": role, "aws:PrincipalTag/team": team}
            }
        )
        for role, team in (("admin", "blue"), ("user", "red"))
    )

    assert minimised([first, other]) == [first, other]


def test_more_statements_than_a_session_policy_ever_holds_are_left_as_they_are() -> None:
    """To compare each with each would take long, for a document that does not fit anyway."""
    many = [allow(Resource=f"{ORDERS}-{number}") for number in range(401)]

    assert minimised(many) == many
    assert len(minimised(many[:400])) == 1
