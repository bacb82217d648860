"""Consumed capacity is asked for where a budget wants to know, and nobody else notices."""

from __future__ import annotations

import json
from typing import Any

import pytest

import dynaguard
from dynaguard.audit.reading import read_records

KEY = {"pk": {"S": "1"}}
CAPACITY = {"TableName": "orders", "CapacityUnits": 7.0}


@pytest.fixture
def measured(policy: Any) -> dict[str, Any]:
    """A policy that wants to know."""
    document: dict[str, Any] = policy(budget=[{"measure_capacity": True}])
    return document


def test_the_answer_looks_as_if_nobody_had_asked(
    client: Any, wire: Any, measured: Any, waiting: Any, tmp_path: Any
) -> None:
    """The request asks, the record tells, the caller sees neither."""
    wire.answer({"Item": KEY, "ConsumedCapacity": CAPACITY})
    dynaguard.install(measured, audit=tmp_path / "audit.jsonl")
    params = {"TableName": "orders", "Key": KEY}

    answer = client.get_item(**params)

    assert "ConsumedCapacity" not in answer
    assert answer["Item"] == KEY
    assert json.loads(wire.sent[0].body)["ReturnConsumedCapacity"] == "TOTAL"
    assert "ReturnConsumedCapacity" not in params
    (record,) = read_records(tmp_path / "audit.jsonl")
    assert record["outcome"]["consumed_capacity"][0]["total_units"] == 7.0


def test_who_asked_gets_the_answer(client: Any, wire: Any, measured: Any, waiting: Any) -> None:
    """As asked."""
    wire.answer({"Item": KEY, "ConsumedCapacity": CAPACITY})
    dynaguard.install(measured)

    answer = client.get_item(TableName="orders", Key=KEY, ReturnConsumedCapacity="INDEXES")

    assert answer["ConsumedCapacity"] == CAPACITY
    assert json.loads(wire.sent[0].body)["ReturnConsumedCapacity"] == "INDEXES"


def test_who_asked_for_none_is_asked_all_the_same(
    client: Any, wire: Any, measured: Any, waiting: Any
) -> None:
    """His own word stands in the request once, replaced."""
    wire.answer({"Item": KEY, "ConsumedCapacity": CAPACITY})
    dynaguard.install(measured)

    answer = client.get_item(TableName="orders", Key=KEY, ReturnConsumedCapacity="NONE")

    assert "ConsumedCapacity" not in answer
    assert wire.sent[0].body.count(b"ReturnConsumedCapacity") == 1
    assert json.loads(wire.sent[0].body)["ReturnConsumedCapacity"] == "TOTAL"


def test_operations_that_cannot_tell_are_not_asked(
    client: Any, wire: Any, policy: Any, waiting: Any
) -> None:
    """Their requests stay as they are."""
    wire.answer({"TableNames": []})
    dynaguard.install({"version": 1, "default": "allow", "budget": [{"measure_capacity": True}]})

    client.list_tables()

    assert json.loads(wire.sent[0].body) == {}


def test_a_presigned_url_asks_for_nothing(client: Any, measured: Any) -> None:
    """It holds what the caller gave."""
    dynaguard.install(measured)

    url = client.generate_presigned_url("get_item", Params={"TableName": "orders", "Key": KEY})

    assert "ReturnConsumedCapacity" not in url


def test_what_the_caller_asked_for_paces_too(
    client: Any, wire: Any, policy: Any, waiting: Any
) -> None:
    """Ten reads of fifty units at a hundred units a second take seconds, whoever asked."""
    wire.answer({"Item": KEY, "ConsumedCapacity": {"TableName": "orders", "CapacityUnits": 50.0}})
    dynaguard.install(policy(budget=[{"measure_capacity": True, "capacity_units_per_s": 100.0}]))

    with dynaguard.job("load"):
        for _ in range(10):
            client.get_item(TableName="orders", Key=KEY, ReturnConsumedCapacity="TOTAL")

    assert sum(waiting.seconds) > 3.0
