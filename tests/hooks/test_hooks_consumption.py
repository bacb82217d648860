"""Cost, through real guarded clients: asked for, booked, warned of."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

import dynaguard
from dynaguard.hooks.lifecycle import current
from tests.hooks.consuming import (
    BY_INDEX,
    CONSUMED,
    KEY,
    QUERY,
    TABLES,
    allowing,
    page,
    records,
    sent,
)

# --- consumed capacity ---------------------------------------------------------------------------


@pytest.mark.parametrize(("setting", "asked"), [("total", "TOTAL"), ("indexes", "INDEXES")])
def test_every_call_is_asked_and_the_caller_does_not_notice(
    client: Any, wire: Any, setting: Any, asked: str
) -> None:
    """Without a policy too."""
    wire.answer({"Item": KEY, "ConsumedCapacity": CONSUMED})
    dynaguard.install(consumed_capacity=setting)

    answer = client.get_item(TableName="orders", Key=KEY)

    assert "ConsumedCapacity" not in answer
    assert sent(wire)["ReturnConsumedCapacity"] == asked
    (account,) = dynaguard.status().consumption["consumed"]
    assert account["table"] == "orders"
    assert (account["read_units"], account["write_units"], account["calls"]) == (7.0, 0.0, 1)


def test_nothing_is_asked_and_no_books_are_kept_by_default(client: Any, wire: Any) -> None:
    """What nobody wants costs nothing."""
    dynaguard.install()

    client.get_item(TableName="orders", Key=KEY)

    assert "ReturnConsumedCapacity" not in sent(wire)
    assert dynaguard.status().consumption == {}
    guard, _ = current()
    assert guard is not None
    assert guard.accounting is None


def test_who_asked_himself_keeps_his_answer(client: Any, wire: Any) -> None:
    """It is booked all the same."""
    wire.answer({"Item": KEY, "ConsumedCapacity": CONSUMED})
    dynaguard.install(consumed_capacity="indexes")

    answer = client.get_item(TableName="orders", Key=KEY, ReturnConsumedCapacity="TOTAL")

    assert answer["ConsumedCapacity"] == CONSUMED
    assert sent(wire)["ReturnConsumedCapacity"] == "TOTAL"
    assert dynaguard.status().consumption["consumed"][0]["read_units"] == 7.0


def test_units_are_booked_by_identity_job_runbook_table_and_index(
    client: Any, wire: Any, tmp_path: Path
) -> None:
    """In the ledger and in the record."""
    wire.answer({"ConsumedCapacity": BY_INDEX})
    dynaguard.install(
        consumed_capacity="indexes",
        identity="etl",
        runbook="reload",
        audit=tmp_path / "audit.jsonl",
    )

    with dynaguard.job("nightly"):
        client.put_item(TableName="orders", Item=KEY)

    accounts = dynaguard.status().consumption["consumed"]
    assert {(each["index"], each["write_units"]) for each in accounts} == {
        ("by_day", 5.0),
        (None, 1.0),
    }
    assert {(each["identity"], each["job"], each["runbook"]) for each in accounts} == {
        ("etl", "nightly", "reload")
    }
    (record,) = records(tmp_path / "audit.jsonl")
    assert record["outcome"]["consumed_capacity"] == [
        {
            "table": "orders",
            "read_units": 0.0,
            "write_units": units,
            "total_units": units,
            "index": index,
        }
        for index, units in ((None, 1.0), ("by_day", 5.0))
    ]


def test_a_batch_in_parts_adds_up(client: Any, wire: Any, tmp_path: Path, waiting: Any) -> None:
    """What each part consumed, the leftovers' second try included."""
    puts = [{"PutRequest": {"Item": {"pk": {"S": str(number)}}}} for number in range(4)]
    consumed = [{"TableName": "orders", "CapacityUnits": 2.0}]
    wire.answer({"UnprocessedItems": {"orders": puts[2:]}, "ConsumedCapacity": consumed})
    wire.answer({"UnprocessedItems": {}, "ConsumedCapacity": consumed})
    dynaguard.install(consumed_capacity="total", audit=tmp_path / "audit.jsonl")

    answer = client.batch_write_item(RequestItems={"orders": puts})

    assert "ConsumedCapacity" not in answer
    assert len(wire.sent) == 2
    assert dynaguard.status().consumption["consumed"][0]["write_units"] == 4.0
    (record,) = records(tmp_path / "audit.jsonl")
    assert record["outcome"]["consumed_capacity"][0]["write_units"] == 4.0


def test_a_stubbed_client_works_as_without(client: Any) -> None:
    """The stub sees the caller's parameters, the caller the stub's answer; nothing is booked."""
    dynaguard.install(consumed_capacity="total")
    stubber = Stubber(client)
    stubber.add_response("get_item", {"Item": KEY}, {"TableName": "orders", "Key": KEY})

    with stubber:
        answer = client.get_item(TableName="orders", Key=KEY)

    assert answer["Item"] == KEY
    assert dynaguard.status().consumption["consumed"] == []


def test_a_failed_call_is_booked_by_what_its_attempts_told(client: Any, wire: Any) -> None:
    """An error tells no capacity: there is nothing to book."""
    wire.answer({"__type": "x#ValidationException", "message": "no"}, 400)
    dynaguard.install(consumed_capacity="total")

    with pytest.raises(ClientError):
        client.get_item(TableName="orders", Key=KEY)

    assert dynaguard.status().consumption["consumed"] == []
    assert dynaguard.status().booking_failures == 0


# --- warnings ------------------------------------------------------------------------------------


def test_a_scan_and_a_wasteful_filter_are_told_once(
    client: Any, wire: Any, tmp_path: Path, caplog: Any
) -> None:
    """In the log and on the record of the call that deserved it; no value in either."""
    wire.answer({"Items": [KEY], "Count": 1, "ScannedCount": 1000})
    dynaguard.install(query_warnings=True, audit=tmp_path / "audit.jsonl")

    with caplog.at_level(logging.WARNING, logger="dynaguard.consumption"):
        for _ in range(2):
            client.scan(
                TableName="orders",
                FilterExpression="pk = :p",
                ExpressionAttributeValues={":p": {"S": "CANARY-KEY"}},
            )

    first, second = records(tmp_path / "audit.jsonl")
    assert first["outcome"]["warnings"] == ["scan", "filter"]
    assert second["outcome"]["warnings"] == []
    assert first["outcome"]["scanned_count"] == 1000
    assert len(caplog.messages) == 2
    assert "Scan on orders: it reads the whole table" in caplog.messages[0]
    assert "CANARY" not in caplog.text


def test_an_endless_read_is_told(client: Any, wire: Any, caplog: Any) -> None:
    """A paginator that nobody limited."""
    for number in range(12):
        wire.answer(page(number))
    wire.answer({"Items": [], "Count": 0, "ScannedCount": 0})
    dynaguard.install(query_warnings=True)

    with caplog.at_level(logging.WARNING, logger="dynaguard.consumption"):
        for _ in client.get_paginator("query").paginate(**QUERY):
            pass

    assert [each for each in caplog.messages if "more than ten pages" in each]


def test_a_select_without_its_key_is_a_scan(client: Any, wire: Any, caplog: Any) -> None:
    """One with it is not; a write is no read."""
    dynaguard.install(allowing(tables=TABLES), query_warnings=True)

    with caplog.at_level(logging.WARNING, logger="dynaguard.consumption"):
        client.execute_statement(Statement="SELECT * FROM orders WHERE pk = 'CANARY-KEY'")
        client.execute_statement(Statement="DELETE FROM orders WHERE pk = 'a' AND sk = 'b'")
        assert caplog.messages == []
        client.execute_statement(Statement="SELECT * FROM orders WHERE note = 'CANARY-KEY'")

    (message,) = caplog.messages
    assert message.startswith("ExecuteStatement on orders: it reads the whole table")
    assert "CANARY" not in message


def test_warnings_are_silent_unless_they_are_asked_for(
    client: Any, wire: Any, caplog: Any
) -> None:
    """Zero configuration prints nothing."""
    wire.answer({"Items": [], "Count": 0, "ScannedCount": 5000})
    dynaguard.install()

    client.scan(TableName="orders")

    assert caplog.messages == []


# --- failures ------------------------------------------------------------------------------------


def test_a_failure_of_the_books_breaks_no_call(
    client: Any, wire: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """Counted, and logged once without a value."""
    wire.answer({"Item": KEY, "ConsumedCapacity": CONSUMED})
    dynaguard.install(consumed_capacity="total")

    def fail(*_: Any) -> None:
        raise ValueError("CANARY-KEY")

    monkeypatch.setattr("dynaguard.consumption.ledger.Ledger.add", fail)

    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert client.get_item(TableName="orders", Key=KEY)["Item"] == KEY

    assert dynaguard.status().booking_failures == 2
    assert len(caplog.messages) == 1
    assert "ValueError" in caplog.text
    assert "CANARY" not in caplog.text
