"""Values of a bundle's header: there and back, and strict about names and types."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.call import StatementRef
from dynaguard.policy import bundle_values as values
from dynaguard.policy.bundle_index import BundleIndex
from dynaguard.policy.bundle_values import Unfit, plain
from dynaguard.policy.model import (
    BudgetStatement,
    MaskStatement,
    MaskStep,
    NamePattern,
    PrincipalPattern,
)
from dynaguard.scope import Priority

REF = StatementRef("s", "policy.toml", 3)
MASK = MaskStatement(
    REF,
    ("t",),
    (("a", 0, NamePattern("x*"), MaskStep.EACH, MaskStep.ANY_DEPTH),),
    unless=(PrincipalPattern("group", "g"),),
)
BUDGET = BudgetStatement(REF, priority=Priority.BATCH, retry_ratio=0.5, is_observed=True)


@pytest.mark.parametrize(
    ("read", "value"), [(values.mask, MASK), (values.budget, BUDGET)], ids=["mask", "budget"]
)
def test_a_value_comes_back(read: Any, value: object) -> None:
    """By the fields that are not as they are by default."""
    assert read(plain(value)) == value


@pytest.mark.parametrize(
    ("read", "value", "words"),
    [
        (values.text, 1, "must be text"),
        (values.flag, 1, "must be `true` or `false`"),
        (values.whole, True, "must be a whole number"),
        (values.whole, 1.5, "must be a whole number"),
        (values.number, "1", "must be a number"),
        (values.number, True, "must be a number"),
        (values.texts, "x", "must be a list"),
        (values.mapped(values.text), [], "must be an object"),
        (values.principal, ["x", "y"], "names no identity"),
        (values.principal, ["arn"], "names no identity"),
        (values.ref, ["s", "p"], "must be sid, source and line"),
        (values.step, {"step": "x"}, "is no step of a path"),
        (values.step, True, "is no step of a path"),
        (values.step, {}, "is no step of a path"),
        (values.budget, {"ref": plain(REF), "priority": "urgent"}, "`priority` must be one of"),
        (values.budget, {"ref": plain(REF), "urgency": 1}, "`urgency` is not known"),
        (values.mask, {"ref": plain(REF)}, "lacks a field"),
        (values.mask, 3, "must be an object"),
    ],
)
def test_what_is_not_understood_is_never_guessed(read: Any, value: object, words: str) -> None:
    """Neither a type nor a name."""
    with pytest.raises(Unfit, match=words):
        read(value)


def test_action_patterns_are_known_without_their_numbers() -> None:
    """Which are read when they are asked for, once."""
    asked = []

    def read_part(number: int) -> list[int]:
        asked.append(number)
        return [7]

    head = {"by_action": {"a:b": 2}, "by_wildcard": {}, "not_actions": ()}
    index = BundleIndex(head | {"not_resources": (), "with_variables": ()}, read_part)

    assert (len(index.by_action), list(index.by_action)) == (1, ["a:b"])
    assert asked == []
    assert index.by_action["a:b"] is index.by_action["a:b"]
    assert index.by_action.get("c:d") is None
    assert asked == [2]
