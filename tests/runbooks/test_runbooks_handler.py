"""A Lambda handler runs a runbook for an event: what is mapped, in the function's time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dynaguard
from dynaguard.errors import ConfigurationError, RunbookError
from dynaguard.runbooks.reading import read_runbook

FIND = {
    "name": "find",
    "call": "dynamodb:Query",
    "pages": 5,
    "params": {
        "TableName": "orders",
        "KeyConditionExpression": "customer = :c",
        "ProjectionExpression": "id",
        "ExpressionAttributeValues": {":c": {"$param": "customer_id"}},
    },
}


class Context:
    """What Lambda hands to a handler."""

    def __init__(self, left_ms: int = 60_000) -> None:
        self.left_ms = left_ms

    def get_remaining_time_in_millis(self) -> int:
        return self.left_ms


@pytest.fixture
def book(changed: Callable[..., dict[str, Any]]) -> Any:
    """Finds the orders of one customer; may be run by everyone."""
    parameters = {"customer_id": {"type": "string", "pattern": "[a-z]{1,9}"}}
    tables = {"orders": {"key": ["customer", "id"]}}
    given = changed(step=[FIND], parameters=parameters, tables=tables)
    del given["may_run"]
    return read_runbook(given)


def test_an_event_runs_the_runbook(orders: Any, tmp_path: Path, book: Any) -> None:
    """Its answer is JSON, with what was found."""
    handler = dynaguard.runbook_handler(book, directory=tmp_path)

    answer = handler({"params": {"customer_id": "ada"}, "incident": "INC-1"}, Context())

    assert answer["outcome"] == "done"
    assert answer["outputs"]["find"]["Count"] == 5
    assert answer["correlation_id"] == "INC-1"
    assert json.loads(json.dumps(answer)) == answer


def test_an_alarm_event_is_mapped(orders: Any, tmp_path: Path, book: Any) -> None:
    """Whatever else it holds does not reach the runbook."""
    handler = dynaguard.runbook_handler(
        book,
        params={"customer_id": "detail.dimensions.customer"},
        incident="id",
        directory=tmp_path,
    )
    event = {"id": "ev-7", "detail": {"dimensions": {"customer": "bob"}, "resume": "x"}}

    answer = handler(event, Context())

    assert answer["outputs"]["find"]["Count"] == 1
    assert answer["correlation_id"] == "ev-7"
    with pytest.raises(ConfigurationError, match=r"no `detail\.dimensions\.customer`"):
        handler({"id": "ev-8", "detail": {}}, Context())


def test_an_event_with_anything_else_is_refused(orders: Any, tmp_path: Path, book: Any) -> None:
    """Nothing is run; the nearest name is told."""
    handler = dynaguard.runbook_handler(book, directory=tmp_path)

    with pytest.raises(ConfigurationError, match=r"unknown member `parms`.*did you mean `params`"):
        handler({"parms": {}}, Context())
    with pytest.raises(ConfigurationError, match="customer"):
        handler({"params": {"customer": "ada"}}, Context())

    assert list(tmp_path.iterdir()) == []


def test_a_mapping_for_a_parameter_that_is_not_there_is_refused_at_once(book: Any) -> None:
    """When the function starts, not with the first alarm."""
    with pytest.raises(ConfigurationError, match="no parameter `customer`"):
        dynaguard.runbook_handler(book, params={"customer": "detail.customer"})


def test_a_run_ends_before_the_function_does(orders: Any, tmp_path: Path, book: Any) -> None:
    """Answered, since Lambda would begin a raised one again."""
    answering = dynaguard.runbook_handler(book, directory=tmp_path)
    raising = dynaguard.runbook_handler(book, directory=tmp_path, raises=True)
    event = {"params": {"customer_id": "ada"}}

    answer = answering(event, Context(left_ms=2_000))

    assert answer["outcome"] == "failed"
    assert answer["step"] == "find"
    assert answer["run"]
    with pytest.raises(RunbookError, match="duration_s"):
        raising(event, Context(left_ms=2_000))


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ({"params": "customer_id"}, "`params` of the event must be a mapping"),
        ({"params": ["ada"]}, "`params` of the event must be a mapping"),
        ({"resume": 5}, "`resume` of the event must be text"),
        ({"incident": {"id": 1}}, "`incident` of the event must be text"),
        ({"doubtful": "Repeat"}, "`doubtful` must be `done` or `repeat`"),
        ({"doubtful": ["done"]}, "`doubtful` of the event must be text"),
    ],
)
def test_an_event_of_another_shape_runs_nothing(
    orders: Any, tmp_path: Path, book: Any, event: dict[str, Any], problem: str
) -> None:
    """A word that is not known is never taken for one that is."""
    handler = dynaguard.runbook_handler(book, directory=tmp_path)

    with pytest.raises(ConfigurationError, match=problem):
        handler({"params": {"customer_id": "ada"}, **event}, Context())

    assert not list(tmp_path.iterdir())
