"""Which writes a repeat would do twice."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.aws.dynamodb.repeats import is_additive

NUMBER = {":n": {"N": "1"}}
STRINGS = {":n": {"SS": ["a"]}}


def update(expression: Any, values: Any = NUMBER, **more: Any) -> tuple[str, dict[str, Any]]:
    """An UpdateItem."""
    names = {"UpdateExpression": expression, "ExpressionAttributeValues": values}
    return "UpdateItem", {**names, **more}


def legacy(action: str, value: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """An UpdateItem of the old kind."""
    return "UpdateItem", {"AttributeUpdates": {"n": {"Action": action, "Value": value}}}


def run(text: str) -> tuple[str, dict[str, Any]]:
    """A PartiQL statement."""
    return "ExecuteStatement", {"Statement": text}


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        update("ADD hits :n"),
        update("SET hits = hits + :n"),
        update("SET hits = hits-:n"),
        update("SET l = list_append (l, :n)"),
        update("ADD hits :gone"),
        update(7),
        legacy("ADD", {"N": "1"}),
        run("UPDATE t SET n = n + 1 WHERE pk = 'a'"),
        run("update t set l = list_append(l, ?)"),
        ("ExecuteStatement", {}),
        ("BatchExecuteStatement", {"Statements": [{"Statement": "UPDATE t SET n=n-1"}]}),
    ],
)
def test_what_adds_to_what_is_there(operation: str, params: dict[str, Any]) -> None:
    """Counters, lists, and what cannot be read."""
    assert is_additive(operation, params)


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        update("add tags :n", STRINGS),
        update("DELETE tags :n", STRINGS),
        update("SET hits = :n"),
        update("REMOVE hits"),
        update("ADD hits :n", ConditionExpression="hits = :o"),
        legacy("ADD", {"SS": ["x"]}),
        legacy("PUT", {"N": "1"}),
        ("UpdateItem", {}),
        ("PutItem", {"Item": {}}),
        ("DeleteItem", {"Key": {}}),
        ("TransactWriteItems", {}),
        run("UPDATE \"my-t\" SET n = 'a-b+c' WHERE pk = 'a'"),
        run("INSERT INTO t VALUE {'n': -1}"),
        ("BatchExecuteStatement", {"Statements": [{"Statement": "DELETE FROM t"}]}),
    ],
)
def test_what_sets_a_state(operation: str, params: dict[str, Any]) -> None:
    """Doing it twice is doing it once; a condition knows what it holds."""
    assert not is_additive(operation, params)
