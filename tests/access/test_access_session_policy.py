"""Session policies: as short as may be, and saying neither more nor less."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaguard import ConfigurationError
from dynaguard.access.session_policy import MAX_CHARACTERS, session_policy
from dynaguard.call import UNKNOWN, Authorization, ContextValue, Principal
from dynaguard.caller import UNKNOWN_PRINCIPAL
from dynaguard.policy.loading import load_policy
from dynaguard.policy.model import PolicyDocument
from dynaguard.policy.reference import rule
from tests.access.minimising import minimised

TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/"
ACTIONS = ["GetItem", "Query", "PutItem", "Scan", "UpdateItem"]
ACTION_PATTERNS = [*(f"dynamodb:{name}" for name in ACTIONS), "dynamodb:Get*", "dynamodb:*", "*"]
RESOURCES = [f"{TABLE}orders", f"{TABLE}orders/index/by_status", f"{TABLE}users", f"{TABLE}o"]
RESOURCE_PATTERNS = [*RESOURCES, f"{TABLE}o*", f"{TABLE}*", "*"]
ATTRIBUTES = ["a", "b", "c"]


def _conditions() -> st.SearchStrategy[dict[str, Any]]:
    values = st.lists(st.sampled_from(ATTRIBUTES), min_size=1, max_size=2, unique=True)
    operators = [
        *("StringEquals", "StringNotEquals", "StringLike", "StringEqualsIfExists"),
        *("ForAllValues:StringEquals", "ForAnyValue:StringEquals"),
    ]
    keys = ["dynamodb:Attributes", "dynamodb:Select", "aws:PrincipalTag/team"]
    block = st.dictionaries(st.sampled_from(keys), values, min_size=1, max_size=2)
    return st.dictionaries(st.sampled_from(operators), block, max_size=2)


def _statements() -> st.SearchStrategy[list[dict[str, Any]]]:
    def some(values: list[str]) -> st.SearchStrategy[list[str]]:
        return st.lists(st.sampled_from(values), min_size=1, max_size=3)

    def build(parts: Mapping[str, Any]) -> dict[str, Any]:
        made = {"Effect": parts["effect"]}
        made["NotAction" if parts["negate"] == 1 else "Action"] = parts["actions"]
        made["NotResource" if parts["negate"] == 2 else "Resource"] = parts["resources"]
        if parts["condition"]:
            made["Condition"] = parts["condition"]
        return made

    one = st.fixed_dictionaries(
        {
            "effect": st.sampled_from(["Allow", "Allow", "Allow", "Deny"]),
            "negate": st.sampled_from([0, 0, 0, 0, 1, 2]),
            "actions": some(ACTION_PATTERNS),
            "resources": some(RESOURCE_PATTERNS),
            "condition": st.one_of(st.just({}), _conditions()),
        }
    ).map(build)
    return st.lists(one, min_size=1, max_size=6)


def _contexts() -> st.SearchStrategy[dict[str, ContextValue]]:
    value = st.one_of(
        st.just(UNKNOWN),
        st.lists(st.sampled_from(ATTRIBUTES), max_size=3, unique=True).map(tuple),
    )
    keys = ["dynamodb:attributes", "dynamodb:select", "aws:principaltag/team"]
    return st.fixed_dictionaries(dict.fromkeys(keys, value))


def _document(statements: list[dict[str, Any]]) -> PolicyDocument:
    return load_policy({"Version": "2012-10-17", "Statement": statements}, environ={})


def _verdict(document: PolicyDocument, action: str, resource: str, context: Any) -> str:
    need = Authorization(f"dynamodb:{action}", resource)
    who: Principal = UNKNOWN_PRINCIPAL
    return rule(document, need, who, lambda key: context.get(key, ())).verdict.value


@settings(max_examples=100)
@given(_statements(), _contexts())
def test_minimising_changes_no_answer(statements: list[dict[str, Any]], context: Any) -> None:
    """Every action on every resource is decided as before, whatever is known of the context."""
    short = minimised(statements)
    before, after = _document(statements), _document(short)

    for action in ACTIONS:
        for resource in RESOURCES:
            assert _verdict(after, action, resource, context) == _verdict(
                before, action, resource, context
            ), (statements, short)


@settings(max_examples=100)
@given(_statements())
def test_minimising_makes_nothing_longer(statements: list[dict[str, Any]]) -> None:
    """Nor does it do more the second time."""
    short = minimised(statements)

    assert len(json.dumps(short)) <= len(json.dumps(statements))
    assert len(json.dumps(minimised(short))) <= len(json.dumps(short))


def _allow(actions: Any, resources: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def test_statements_of_the_same_resources_become_one() -> None:
    """Their actions are listed together, without Sids."""
    made = minimised(
        [
            _allow("dynamodb:GetItem", f"{TABLE}orders", Sid="A"),
            _allow(["dynamodb:Query", "dynamodb:GetItem"], [f"{TABLE}orders"], Sid="B"),
        ]
    )

    assert made == [_allow(["dynamodb:GetItem", "dynamodb:Query"], f"{TABLE}orders")]


def test_statements_of_the_same_actions_become_one() -> None:
    """Their resources are listed together."""
    made = minimised(
        [_allow("dynamodb:GetItem", f"{TABLE}a"), _allow("dynamodb:GetItem", f"{TABLE}b")]
    )

    assert made == [_allow("dynamodb:GetItem", [f"{TABLE}a", f"{TABLE}b"])]


def test_what_another_statement_says_already_is_left_out() -> None:
    """A condition narrows, so the statement without it says more."""
    condition = {"StringEquals": {"dynamodb:Select": "COUNT"}}
    made = minimised(
        [
            _allow("dynamodb:Query", f"{TABLE}a", Condition=condition),
            _allow(["dynamodb:Query", "dynamodb:Scan"], f"{TABLE}a"),
        ]
    )

    assert made == [_allow(["dynamodb:Query", "dynamodb:Scan"], f"{TABLE}a")]


def test_lists_that_all_values_must_be_in_stay_apart() -> None:
    """All in one list or all in the other is less than all in both together."""
    made = minimised(
        [
            _allow(
                "dynamodb:Query",
                f"{TABLE}a",
                Condition={"ForAllValues:StringEquals": {"dynamodb:Attributes": [name]}},
            )
            for name in ("a", "b")
        ]
    )

    assert len(made) == 2


def test_the_end_is_said_by_a_deny() -> None:
    """So AWS refuses from then on, though its shortest session lasts 900 seconds."""
    end = datetime(2026, 11, 21, 16, 5, tzinfo=UTC)
    text = session_policy([_allow("dynamodb:GetItem", f"{TABLE}a")], end=end).text

    assert json.loads(text)["Statement"][-1] == {
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"DateGreaterThanEquals": {"aws:CurrentTime": "2026-11-21T16:05:00Z"}},
    }


def test_without_statements_it_says_no_less_than_the_role() -> None:
    """A task that is not narrowed still ends."""
    end = datetime(2026, 11, 21, 16, 5, tzinfo=UTC)
    statements = json.loads(session_policy(None, end=end).text)["Statement"]

    assert statements[0] == {"Effect": "Allow", "Action": "*", "Resource": "*"}
    assert len(statements) == 2


def _large(count: int, **more: Any) -> list[dict[str, Any]]:
    """Statements of which no two merge."""
    return [
        _allow([f"dynamodb:{ACTIONS[index % 5]}"], f"{TABLE}customer-{index:03}", Sid=f"S{index}")
        | {
            "Condition": {
                "ForAllValues:StringEquals": {
                    "dynamodb:Attributes": [f"attribute_{index}", "order_id"]
                }
            }
        }
        | more
        for index in range(count)
    ]


def test_what_cannot_fit_is_an_error_that_says_what_to_do() -> None:
    """How long it is, how long it may be, which statements are the largest."""
    with pytest.raises(ConfigurationError) as caught:
        session_policy(_large(40))

    message = str(caught.value)
    assert "2048" in message
    assert "characters after minimising" in message
    assert re.search(r"`S\d+` with 1 action on 1 resource;", message)
    assert "split the task" in message


def test_nothing_is_widened_unless_that_is_asked_for() -> None:
    """The same statements fit once conditions may be left out, and it says which were."""
    statements = _large(15)
    with pytest.raises(ConfigurationError):
        session_policy(statements)

    made = session_policy(statements, allow_widening=True)

    assert made.dropped == ("dynamodb:Attributes",)
    assert len(made.text) <= MAX_CHARACTERS
    assert "attribute_" not in made.text


def test_what_fits_is_not_widened() -> None:
    """Allowing it is no order."""
    made = session_policy(_large(1), allow_widening=True)

    assert made.dropped == ()
    assert "attribute_0" in made.text


def test_conditions_of_a_deny_are_never_left_out() -> None:
    """Nor those that no step of widening names."""
    condition = {"StringEquals": {"dynamodb:Attributes": ["x" * 50], "aws:SourceVpce": "vpce-1"}}
    statements = [
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition},
        _allow("*", "*", Condition=condition),
    ]

    text = session_policy(statements, allow_widening=True, max_characters=330).text

    deny, allow = sorted(json.loads(text)["Statement"], key=lambda each: each["Effect"])[::-1]
    assert deny["Condition"] == {
        "StringEquals": {"aws:SourceVpce": "vpce-1", "dynamodb:Attributes": "x" * 50}
    }
    assert allow["Condition"] == {"StringEquals": {"aws:SourceVpce": "vpce-1"}}


def test_keys_that_iam_does_not_know_are_refused() -> None:
    """An Allow that asks for one would allow nothing at AWS."""
    statements = [
        _allow("dynamodb:Query", "*", Condition={"NumericLessThan": {"dynaguard:Limit": "9"}})
    ]
    with pytest.raises(ConfigurationError, match="dynaguard:Limit"):
        session_policy(statements)

    assert session_policy(statements, allow_widening=True).dropped == ("dynaguard:Limit",)
