"""What shipped runbooks compile to is the least that they need; two made from one are alike."""

from __future__ import annotations

import random
import tomllib
from typing import Any

import pytest

from dynaguard.access.session_policy import session_policy
from dynaguard.errors import PolicySyntaxError
from dynaguard.runbooks.binding import bind
from dynaguard.runbooks.library import library_names, library_path
from dynaguard.runbooks.lint import lint_runbook
from dynaguard.runbooks.reading import read_runbook
from dynaguard.runbooks.recording import copied_runbook
from tests.runbooks.random_calls import ACCOUNT, REGION, VALUES

NO_RESOURCE = "cloudwatch:GetMetricStatistics"
"""IAM knows no resource for it, its region is held by a condition."""


def statements_of(source: Any) -> list[dict[str, Any]]:
    """The compiled policy of a runbook for some values."""
    runbook = read_runbook(source)
    chance = random.Random(runbook.purpose)
    values = {
        each.name: VALUES[each.name](chance) for each in runbook.parameters if each.name in VALUES
    }
    return list(bind(runbook, values, region=REGION, account_id=ACCOUNT).iam_statements)


def as_list(value: Any) -> list[str]:
    """IAM writes one as text."""
    return [value] if isinstance(value, str) else list(value)


@pytest.mark.parametrize("name", library_names())
def test_a_compiled_policy_has_no_wildcard(name: str) -> None:
    """Each action by its name, each resource by its ARN; of a log group every stream is meant."""
    for statement in statements_of(library_path(name)):
        actions, resources = as_list(statement["Action"]), as_list(statement["Resource"])
        assert not any("*" in action for action in actions)
        if actions == [NO_RESOURCE]:
            assert statement["Condition"]["StringEquals"] == {"aws:RequestedRegion": REGION}
            continue
        for resource in resources:
            is_log_group = ":log-group:" in resource and resource.endswith(":*")
            assert "*" not in resource.removesuffix(":*" if is_log_group else "")
            assert f":{REGION}:{ACCOUNT}:" in resource


def test_the_session_policy_of_a_read_is_that_one_action_on_that_one_table() -> None:
    """`GetItem`, one table, one partition, the attributes that are asked for."""
    (statement,) = statements_of(library_path("get-by-key"))

    assert as_list(statement["Action"]) == ["dynamodb:GetItem"]
    assert as_list(statement["Resource"]) == [
        f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/prod-orders"
    ]
    assert set(statement["Condition"]["ForAllValues:StringEquals"]) >= {
        *("dynamodb:LeadingKeys", "dynamodb:Attributes"),
    }
    assert session_policy([statement]).text.count("Allow") == 1


@pytest.mark.parametrize("name", library_names())
def test_two_runbooks_of_one_template_have_the_same_access(name: str) -> None:
    """Standard: whoever begins with a shipped one gets its permissions and its clean bill."""
    mine, theirs = (tomllib.loads(copied_runbook(name, each)) for each in ("mine", "theirs"))

    assert statements_of(mine) == statements_of(theirs) == statements_of(library_path(name))
    assert lint_runbook(read_runbook(mine)) == lint_runbook(read_runbook(theirs))
    assert {**mine, "name": ""} == {**theirs, "name": ""}


@pytest.mark.parametrize("steps", [{}, {"step": []}, {"step": None}, {"step": "find"}])
def test_a_runbook_has_steps_in_an_order(steps: dict[str, Any]) -> None:
    """None, or what is no list of them, is a problem."""
    document = {"runbook": 1, "name": "x", "purpose": "p", "owner": "o", **steps}

    with pytest.raises(PolicySyntaxError, match="step"):
        read_runbook(document)
