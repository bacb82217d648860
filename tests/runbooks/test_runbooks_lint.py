"""Each lint rule finds what it is for, and shipped runbooks have none of it."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from dynaguard.errors import PolicySyntaxError
from dynaguard.runbooks.library import library_names, library_path
from dynaguard.runbooks.lint import RUNBOOK_RULES, lint_runbook
from dynaguard.runbooks.reading import read_runbook

HEAD = """
runbook = 1
name = "r"
purpose = "p"
owner = "o"
link = "https://example.org"
[limits]
duration_s = 60
[tables.orders]
key = ["customer_id", "order_id"]
indexes.by_day = ["day", "order_id"]
[parameters.customer]
type = "string"
pattern = "C-[0-9]{1,5}"
"""
FIND = """
[[step]]
name = "find"
call = "dynamodb:Query"
[step.params]
TableName = "orders"
Limit = 10
KeyConditionExpression = "customer_id = :c"
ProjectionExpression = "customer_id, order_id"
ExpressionAttributeValues = { ":c" = { "$param" = "customer" } }
[[step]]
name = "some"
check = { of = { "$result" = "find.Count" }, at_least = 1 }
[[step]]
name = "approved"
approval = { quorum = 1, any_of = ["leads"] }
[[step]]
name = "each"
loop = { over = { "$result" = "find.Items" }, at_most = 10 }
[[step.step]]
name = "delete"
call = "dynamodb:DeleteItem"
[step.step.params]
TableName = "orders"
Key = { customer_id = { "$param" = "customer" }, order_id = { "$item" = "order_id" } }
"""
Edit = Callable[[dict[str, Any]], None]


def _codes(data: dict[str, Any]) -> list[str]:
    return [finding.code for finding in lint_runbook(read_runbook(data))]


def _params(data: dict[str, Any]) -> dict[str, Any]:
    params: dict[str, Any] = data["step"][0]["params"]
    return params


def _scan(data: dict[str, Any]) -> None:
    data["step"][0]["call"] = "dynamodb:Scan"
    for name in ("KeyConditionExpression", "ExpressionAttributeValues"):
        del _params(data)[name]


def _filter(data: dict[str, Any]) -> None:
    _params(data)["FilterExpression"] = "day = :d"
    _params(data)["ExpressionAttributeValues"][":d"] = {"S": "2026-03-31"}


def _get_in_loop(data: dict[str, Any]) -> None:
    inner = data["step"][3]["step"][0]
    inner["call"] = "dynamodb:GetItem"
    inner["params"]["ProjectionExpression"] = "total"


def _key_from_item(data: dict[str, Any]) -> None:
    data["step"][3]["step"][0]["params"]["Key"]["customer_id"] = {"$item": "customer_id"}


def _additive(data: dict[str, Any]) -> None:
    inner = data["step"][3]["step"][0]
    inner["call"] = "dynamodb:UpdateItem"
    inner["params"]["UpdateExpression"] = "ADD points :n"
    inner["params"]["ExpressionAttributeValues"] = {":n": 1}


def _unchecked(data: dict[str, Any]) -> None:
    data["step"] = [data["step"][0], data["step"][3]]
    data["access"] = {"approval": {"quorum": 1}}


def _consistent(data: dict[str, Any]) -> None:
    _params(data).update(IndexName="by_day", ConsistentRead=True)


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (_scan, "DGR101"),
        (lambda data: _params(data).pop("Limit"), "DGR102"),
        (lambda data: _params(data).pop("ProjectionExpression"), "DGR103"),
        (_filter, "DGR104"),
        (_consistent, "DGR105"),
        (_get_in_loop, "DGR106"),
        (_key_from_item, "DGR107"),
        (_additive, "DGR201"),
        (_unchecked, "DGR202"),
        (lambda data: data["step"].pop(2), "DGR203"),
        (lambda data: data["step"].insert(0, {"name": "look", "pause": "look"}), "DGR204"),
        (lambda data: data.pop("limits"), "DGR301"),
        (lambda data: data.pop("link"), "DGR302"),
        (lambda data: data.pop("tables"), "DGR303"),
        (lambda data: data["parameters"]["customer"].pop("pattern"), "DGR304"),
    ],
)
def test_a_rule_finds_what_it_is_for(edit: Edit, code: str) -> None:
    """A runbook without findings has this one once it is changed."""
    data = tomllib.loads(HEAD + FIND)
    assert _codes(data) == []

    edit(data)

    assert code in _codes(data)


def test_every_rule_is_tested() -> None:
    """A rule that nothing finds is no rule."""
    marks = test_a_rule_finds_what_it_is_for.pytestmark  # type: ignore[attr-defined]

    assert {code for _, code in marks[0].args[1]} == set(RUNBOOK_RULES)


def test_a_weighed_finding_is_not_told_again() -> None:
    """`[lint] ignore` names a rule, or a rule and a step."""
    data = tomllib.loads(HEAD + FIND)
    _scan(data)
    elsewhere, here = copy.deepcopy(data), copy.deepcopy(data)
    elsewhere["lint"] = {"ignore": ["DGR101:other"]}
    here["lint"] = {"ignore": ["DGR101:find"]}

    assert "DGR101" in _codes(elsewhere)
    assert "DGR101" not in _codes(here)


def test_an_unknown_code_is_a_problem() -> None:
    """A misspelt code would ignore nothing."""
    data = {**tomllib.loads(HEAD + FIND), "lint": {"ignore": ["DGR1"]}}

    with pytest.raises(PolicySyntaxError, match="is the code of no finding"):
        read_runbook(data)


@pytest.mark.parametrize("name", library_names())
def test_shipped_runbooks_have_no_findings(name: str) -> None:
    """Notes included: who copies one begins clean."""
    assert lint_runbook(read_runbook(library_path(name))) == ()


def test_the_service_check_begins_with_logs_and_metrics() -> None:
    """Logs, metric checks and repeatable reads come first; no step asks a person."""
    runbook = read_runbook(library_path("service-check"))

    kinds = [type(step.action).__name__ for step in runbook.steps]

    assert kinds[:3] == ["CallTemplate", "Check", "Check"]
    assert runbook.steps[0].action.service == "logs"  # type: ignore[union-attr]
    assert not {"Pause", "ApprovalStep"} & set(kinds)
    assert {step.retries for step in runbook.steps} == {"safe"}
