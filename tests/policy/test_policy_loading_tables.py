"""What a document says of tables, budgets and capacity limits, and what of it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.policy.loading import load_policy
from dynaguard.policy.model import BudgetStatement, CapacityLimit, KeySchema, TableSchema
from dynaguard.scope import Priority
from tests.policy.policy_texts import problems_of


def test_an_index_may_have_several_partition_and_sort_keys() -> None:
    """Up to four of each; a table's own key has one or two attributes."""
    document = load_policy(
        {
            "version": 1,
            "default": "deny",
            "tables": {
                "cups": {
                    "key": "pk",
                    "indexes": {"by_cup": {"partition": ["a", "b"], "sort": ["c"]}},
                }
            },
        },
        environ={},
    )

    assert document.tables == {
        "cups": TableSchema(
            KeySchema(("pk",)), {"by_cup": KeySchema(("a", "b", "c"), partition_key_count=2)}
        )
    }


@pytest.mark.parametrize(
    ("entry", "fragment"),
    [
        ({"key": ["a", "b", "c"]}, "a key has one or two; for an index with more write"),
        ({"key": {"partition": ["a"]}}, "must be text, this is a table"),
        ({"key": "a", "indexes": {"i": {"sort": ["b"]}}}, "`partition` is missing"),
        ({"key": "a", "indexes": {"i": {"partition": list("abcde")}}}, "names 5 attributes"),
        ({"key": "a", "indexes": {"i": {"partition": "a", "srt": "b"}}}, "did you mean `sort`?"),
    ],
)
def test_a_key_schema_that_no_table_has_is_refused(entry: dict[str, Any], fragment: str) -> None:
    """With what to write instead."""
    problems = problems_of({"version": 1, "default": "deny", "tables": {"t": entry}})

    assert any(fragment in problem.message for problem in problems)


def test_a_plain_operator_on_a_key_of_several_values_is_iams_own_affair() -> None:
    """A native document names a set operator; an IAM policy may be as IAM takes it."""
    statement = {
        "Effect": "Allow",
        "Action": "dynamodb:GetItem",
        "Resource": "*",
        "Condition": {"StringEquals": {"dynamodb:LeadingKeys": "me"}},
    }
    iam = load_policy({"Version": "2012-10-17", "Statement": [statement]}, environ={})

    problems = problems_of({"version": 1, "default": "deny", "statement": [statement]})

    assert len(iam.statements) == 1
    assert "write `ForAllValues:StringEquals`" in problems[0].message


def test_a_budget_says_what_it_changes_of_its_class() -> None:
    """All of its numbers; what is not given stays the class's."""
    (budget,) = load_policy(
        {
            "version": 1,
            "default": "allow",
            "budget": [
                {
                    "Sid": "Nightly",
                    "job": "nightly-*",
                    "tables": ["orders"],
                    "priority": "background",
                    "max_attempts": 4,
                    "max_wait_s": 30,
                    "capacity_units_per_s": 100,
                    "max_share": 0.9,
                    "repeat_ambiguous_writes": True,
                    "measure_capacity": True,
                }
            ],
        },
        environ={},
    ).budgets
    assert budget == BudgetStatement(
        ref=budget.ref,
        jobs=("nightly-*",),
        tables=("orders",),
        priority=Priority.BACKGROUND,
        max_attempts=4,
        max_wait_s=30.0,
        capacity_units_per_s=100.0,
        max_share=0.9,
        repeats_ambiguous_writes=True,
        is_measuring=True,
    )


def test_a_capacity_limit_says_what_a_run_may_consume() -> None:
    """All of its parts, and what counts where they are left out."""
    entries = [
        {
            "Sid": "Nightly",
            "job": "nightly-*",
            "tables": ["orders", "customers"],
            "read_units": 50_000,
            "write_units": 100.5,
            "soft": 0.5,
            "Mode": "observe",
        },
        {"write_units": 1},
    ]
    document = {"version": 1, "default": "allow", "capacity_limit": entries}

    whole, least = load_policy(document, environ={}).capacity_limits

    assert whole == CapacityLimit(
        ref=whole.ref,
        jobs=("nightly-*",),
        tables=("orders", "customers"),
        read_units=50_000.0,
        write_units=100.5,
        soft=0.5,
        is_observed=True,
    )
    assert least == CapacityLimit(ref=least.ref, write_units=1.0)
    assert (whole.ref.sid, least.ref.sid) == ("Nightly", "capacity_limit[1]")
