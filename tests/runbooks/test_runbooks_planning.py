"""A plan tells every step with its bounds, is the same each time, and sends nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dynaguard.runbooks.binding import bind
from dynaguard.runbooks.planning import plan_run
from dynaguard.runbooks.reading import read_runbook

PLACE = {"region": "eu-west-1", "account_id": "123456789012"}


def _plan(changed: Callable[..., dict[str, Any]], customer: str = "C-17") -> Any:
    return plan_run(bind(read_runbook(changed()), {"customer_id": customer}, **PLACE))


def test_every_step_is_told_with_its_bounds(changed: Callable[..., dict[str, Any]]) -> None:
    """Pages, items, times, and whether a write may be made again."""
    plan = _plan(changed)

    assert [step.name for step in plan.steps] == ["find", "enough", "each", "each/drop"]
    assert [step.calls_at_most for step in plan.steps] == [5, 0, 0, 50]
    assert plan.steps[3].repeat_class == "repeatable"
    assert plan.at_most_s == 300
    assert plan.limits == {"max_items": 100}


def test_no_value_of_a_parameter_is_shown(changed: Callable[..., dict[str, Any]]) -> None:
    """Its type and length alone."""
    plan = _plan(changed)

    assert "C-17" not in json.dumps(plan.as_dict()) + plan.as_text() + repr(plan)
    assert "<param customer_id: string, 4 characters>" in plan.as_text()


def test_a_plan_is_the_same_each_time(changed: Callable[..., dict[str, Any]]) -> None:
    """To the byte; other parameters are another subject."""
    assert _plan(changed).as_text() == _plan(changed).as_text()
    assert _plan(changed).subject_sha256 != _plan(changed, "C-18").subject_sha256


def test_the_words_of_an_enum_are_shown(repository: Path) -> None:
    """They are the runbook's own, and tell which table it is about."""
    path = repository / "dynaguard/runbooks/library/get-by-key.toml"
    values = {"table": "staging-orders", "customer_id": "C-00001", "order_id": "O-000001"}

    plan = plan_run(bind(read_runbook(path), values, **PLACE))

    assert plan.steps[0].tables == ("staging-orders",)
    assert plan.values["table"] == "staging-orders"
    assert plan.values["order_id"] == "<string, 8 characters>"
