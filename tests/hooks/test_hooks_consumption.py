"""Cost and keys, through real guarded clients: asked, booked, warned of, limited."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

import dynaguard
from dynaguard.audit.log import read_records
from dynaguard.hooks.lifecycle import current

KEY = {"pk": {"S": "CANARY-KEY"}}
CONSUMED = {"TableName": "orders", "CapacityUnits": 7.0}
BY_INDEX = {
    "TableName": "orders",
    "CapacityUnits": 6.0,
    "Table": {"CapacityUnits": 1.0},
    "LocalSecondaryIndexes": {"by_note": {"CapacityUnits": 0.0}},
    "GlobalSecondaryIndexes": {"by_day": {"CapacityUnits": 5.0}},
}
TABLES = {"orders": {"key": ["pk", "sk"]}}
QUERY = {
    "TableName": "orders",
    "KeyConditionExpression": "pk = :p",
    "ExpressionAttributeValues": {":p": {"S": "CANARY-KEY"}},
}


def allowing(**more: Any) -> dict[str, Any]:
    """A policy that allows everything."""
    return {"version": 1, "default": "allow", **more}


def limited(**fields: Any) -> dict[str, Any]:
    """A policy with one capacity limit of nightly jobs."""
    entry = {"Sid": "NightlyUnits", "job": "nightly", "read_units": 100, **fields}
    return allowing(tables=TABLES, capacity_limit=[entry])


def records(path: Path) -> list[dict[str, Any]]:
    """The records of an audit file."""
    return [dict(record) for record in read_records(path)]


def sent(wire: Any, index: int = -1) -> dict[str, Any]:
    """The JSON of a request."""
    body: dict[str, Any] = json.loads(wire.sent[index].body)
    return body


def page(number: int, units: float = 40.0, **more: Any) -> dict[str, Any]:
    """A page of a Query that goes on."""
    return {
        "Items": [{"pk": {"S": "1"}}],
        "Count": 1,
        "ScannedCount": 1,
        "LastEvaluatedKey": {"pk": {"S": "1"}, "sk": {"S": str(number)}},
        "ConsumedCapacity": {"TableName": "orders", "CapacityUnits": units},
        **more,
    }


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


# --- keys ----------------------------------------------------------------------------------------


def test_a_hot_key_is_shown_by_its_hash_alone(client: Any, wire: Any) -> None:
    """A person who suspects a key computes its hash."""
    dynaguard.install(allowing(tables=TABLES), key_statistics=True)
    for number in range(200):
        value = "CANARY-KEY" if number % 2 else f"customer#{number}"
        client.get_item(TableName="orders", Key={"pk": {"S": value}, "sk": {"S": "x"}})

    found = dynaguard.status().consumption
    (figures,) = found["keys"]

    (hot,) = figures["hot_keys"]
    assert hot["key_hash"] == dynaguard.key_hash("orders", "CANARY-KEY")
    assert hot["share"] == pytest.approx(0.5, abs=0.02)
    assert figures["distinct_keys"] == pytest.approx(101, rel=0.05)
    assert "CANARY" not in json.dumps(found)


def test_keys_of_batches_queries_and_transactions_count(client: Any, wire: Any) -> None:
    """Every operation that names a key; without a policy, once the schema passed by."""
    dynaguard.install(key_statistics=True)
    wire.answer(
        {
            "Table": {
                "TableName": "orders",
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
            }
        }
    )
    item = {"pk": {"S": "a"}, "sk": {"S": "1"}}
    client.describe_table(TableName="orders")
    client.query(**QUERY)
    client.batch_write_item(
        RequestItems={"orders": [{"PutRequest": {"Item": {**item, "pk": {"S": "b"}}}}]}
    )
    client.transact_write_items(
        TransactItems=[{"Delete": {"TableName": "orders", "Key": {**item, "pk": {"S": "c"}}}}]
    )
    client.execute_statement(Statement="SELECT * FROM orders WHERE pk = 'd'")

    (figures,) = dynaguard.status().consumption["keys"]

    assert (figures["requests"], figures["distinct_keys"]) == (4, 4)


def test_a_key_that_cannot_be_told_is_counted_as_unknown(client: Any, wire: Any) -> None:
    """Two attributes, and no schema says which of them is the partition key."""
    dynaguard.install(key_statistics=True)

    client.get_item(TableName="orders", Key={"pk": {"S": "a"}, "sk": {"S": "1"}})

    (figures,) = dynaguard.status().consumption["keys"]
    assert (figures["requests"], figures["unknown_requests"]) == (0, 1)


def test_a_call_of_no_known_table_is_not_counted(client: Any, wire: Any) -> None:
    """PartiQL that is not understood, in any of the books."""
    dynaguard.install(key_statistics=True, query_warnings=True)

    client.execute_statement(Statement="nonsense")

    assert dynaguard.status().consumption["keys"] == []
    assert dynaguard.status().booking_failures == 0


def test_a_scan_asks_for_no_key(client: Any, wire: Any) -> None:
    """It asks for all of them."""
    dynaguard.install(allowing(tables=TABLES), key_statistics=True)

    client.scan(TableName="orders")

    assert dynaguard.status().consumption["keys"] == []


def test_with_a_mask_key_hashes_are_those_of_the_fleet() -> None:
    """Two processes, one hash; without one they differ."""
    hashes = []
    for secret in ("a mask key of enough characters", "a mask key of enough characters", None):
        dynaguard.install(key_statistics=True, mask_key=secret)
        hashes.append(dynaguard.key_hash("orders", "x"))
        dynaguard.uninstall()

    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize(
    ("value", "same"),
    [
        ("17", {"S": "17"}),
        (17, {"N": "17.0"}),
        (b"\x01", {"B": b"\x01"}),
    ],
)
def test_key_hash_takes_values_as_boto3_does(value: Any, same: Any) -> None:
    """Or DynamoDB JSON; a table by its name or ARN."""
    dynaguard.install(key_statistics=True)
    arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"

    assert dynaguard.key_hash("orders", value) == dynaguard.key_hash(arn, same)


@pytest.mark.parametrize("value", [1.5, True, None, {"SS": ["a"]}, {"N": "CANARY"}])
def test_key_hash_refuses_what_is_no_key(value: Any) -> None:
    """By the kind of the value, never by the value."""
    dynaguard.install(key_statistics=True)

    with pytest.raises(dynaguard.ConfigurationError, match="no partition key") as caught:
        dynaguard.key_hash("orders", value)

    assert "CANARY" not in str(caught.value)


def test_key_hash_says_what_is_missing() -> None:
    """Nothing installed, or the setting is off."""
    with pytest.raises(dynaguard.ConfigurationError, match="`key_statistics`"):
        dynaguard.key_hash("orders", "x")
    dynaguard.install(consumed_capacity="total")
    with pytest.raises(dynaguard.ConfigurationError, match="`key_statistics`"):
        dynaguard.key_hash("orders", "x")


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


# --- capacity limits -----------------------------------------------------------------------------


def read_pages(client: Any, most: int = 20) -> int:
    """Reads pages until it is refused; gives how many came."""
    count = 0
    for _ in client.get_paginator("query").paginate(**QUERY):
        count += 1
        if count >= most:
            break
    return count


def test_a_run_ends_at_a_page_boundary(
    client: Any, wire: Any, tmp_path: Path, caplog: Any
) -> None:
    """Soft at 80 units, hard at 100: the third page ends, the fourth is not asked for."""
    for number in range(6):
        wire.answer(page(number))
    dynaguard.install(limited(), audit=tmp_path / "audit.jsonl")
    pages: list[dict[str, Any]] = []
    iterator = client.get_paginator("query").paginate(**QUERY)

    with (
        caplog.at_level(logging.WARNING, logger="dynaguard.consumption"),
        dynaguard.job("nightly", run_id="42"),
        pytest.raises(dynaguard.CapacityLimitReached) as caught,
    ):
        pages.extend(iterator)

    assert len(pages) == len(wire.sent) == 3
    assert all("ConsumedCapacity" not in each for each in pages)
    error = caught.value
    assert error.response["Error"]["Code"] == "AccessDeniedException"
    assert str(error.statement) == "NightlyUnits (<policy>)"
    assert "job `nightly`, run `42` has used 120 of 100 read units" in str(error)
    assert "Query on orders was not sent" in str(error)
    assert "raise `read_units` of `NightlyUnits`" in error.how_to_allow
    assert [each.split("; ")[1] for each in caplog.messages] == [
        "it goes on until all are used",
        "further calls are refused",
    ]
    last = records(tmp_path / "audit.jsonl")[-1]
    assert last["outcome"]["status"] == "denied"
    assert last["decision"]["verdict"] == "deny"
    assert last["decision"]["statement"] == "NightlyUnits"
    assert dynaguard.status().denials == 1


def test_the_next_run_and_other_jobs_go_on(client: Any, wire: Any) -> None:
    """A run's units are its own."""
    wire.answer(page(1, units=500.0))
    dynaguard.install(limited())
    with dynaguard.job("nightly", run_id="1"):
        client.query(**QUERY)
        with pytest.raises(dynaguard.CapacityLimitReached):
            client.query(**QUERY)
        client.put_item(TableName="orders", Item=KEY)

    with dynaguard.job("nightly", run_id="2"):
        client.query(**QUERY)
    with dynaguard.job("web"):
        client.query(**QUERY)
    client.query(**QUERY)

    assert len(wire.sent) == 5
    (used, _) = dynaguard.status().consumption["capacity_limits"]
    assert (used["limit"], used["run_id"], used["read_units"]) == ("NightlyUnits", "2", 500.0)


def test_without_a_run_id_the_refusal_says_what_to_do(client: Any, wire: Any) -> None:
    """A long process that runs a job twice needs run ids."""
    wire.answer(page(1, units=500.0))
    dynaguard.install(limited())

    with dynaguard.job("nightly"):
        client.query(**QUERY)
        with pytest.raises(dynaguard.CapacityLimitReached, match=r"give each run .* a run id"):
            client.query(**QUERY)


def test_limited_calls_are_asked_and_others_are_not(client: Any, wire: Any) -> None:
    """Measured without any further setting."""
    dynaguard.install(limited(tables=["orders"]))

    with dynaguard.job("nightly"):
        client.query(**QUERY)
        assert sent(wire)["ReturnConsumedCapacity"] == "TOTAL"
        client.get_item(TableName="customers", Key=KEY)
        assert "ReturnConsumedCapacity" not in sent(wire)
    client.query(**QUERY)
    assert "ReturnConsumedCapacity" not in sent(wire)


def test_an_answer_that_tells_nothing_counts_by_a_guess(client: Any, wire: Any) -> None:
    """A server that cannot tell; the message says `about`."""
    wire.answer({"Items": [], "Count": 0, "ScannedCount": 150})
    dynaguard.install(limited())

    with dynaguard.job("nightly"):
        client.query(**QUERY)
        with pytest.raises(dynaguard.CapacityLimitReached, match="has used about 150 of 100"):
            client.query(**QUERY)


def test_an_observed_limit_refuses_nothing(
    client: Any, wire: Any, tmp_path: Path, caplog: Any
) -> None:
    """It is told and recorded."""
    wire.answer(page(1, units=500.0))
    dynaguard.install(limited(Mode="observe"), audit=tmp_path / "audit.jsonl")

    with caplog.at_level(logging.WARNING), dynaguard.job("nightly"):
        client.query(**QUERY)
        client.query(**QUERY)

    assert caplog.messages[-1].endswith("it is only observed")
    decision = records(tmp_path / "audit.jsonl")[-1]["decision"]
    assert decision["verdict"] != "deny"
    assert [each["statement"] for each in decision["observed"]] == ["NightlyUnits"]


def test_in_observe_mode_a_limit_refuses_nothing(client: Any, wire: Any, tmp_path: Path) -> None:
    """The record says that it would have."""
    wire.answer(page(1, units=500.0))
    dynaguard.install(limited(), mode="observe", audit=tmp_path / "audit.jsonl")

    with dynaguard.job("nightly"):
        client.query(**QUERY)
        client.query(**QUERY)

    decision = records(tmp_path / "audit.jsonl")[-1]["decision"]
    assert (decision["verdict"], decision["is_enforced"]) == ("deny", False)
    assert "has used 500 of 100 read units" in decision["reason"]


def test_the_process_s_own_job_has_its_limit_too(client: Any, wire: Any) -> None:
    """A batch process that is one job."""
    wire.answer(page(1, units=500.0))
    dynaguard.install(limited(), job="nightly", run_id="7")

    client.query(**QUERY)
    with pytest.raises(dynaguard.CapacityLimitReached, match="run `7`"):
        client.query(**QUERY)


def test_what_is_not_sent_and_what_consumes_nothing_is_not_limited(client: Any, wire: Any) -> None:
    """A presigned URL, a description of the table."""
    wire.answer(page(1, units=500.0))
    dynaguard.install(limited())
    with dynaguard.job("nightly"):
        client.query(**QUERY)

        assert client.generate_presigned_url("query", Params=QUERY)
        client.describe_table(TableName="orders")


def test_a_refused_batch_writer_keeps_its_items(
    make_client: Callable[..., Any], wire: Any
) -> None:
    """The stop comes between two batches; what was not written is still there."""
    boto3 = pytest.importorskip("boto3")
    consumed = [{"TableName": "orders", "CapacityUnits": 500.0}]
    wire.answer({"UnprocessedItems": {}, "ConsumedCapacity": consumed})
    dynaguard.install(limited(read_units=10, write_units=100))
    resource = boto3.resource("dynamodb")
    resource.meta.client._endpoint.http_session = wire
    writer = resource.Table("orders").batch_writer()

    def write() -> None:
        with writer:
            for number in range(30):
                writer.put_item(Item={"pk": str(number), "sk": "x"})

    with dynaguard.job("nightly"), pytest.raises(dynaguard.CapacityLimitReached):
        write()

    assert len(wire.sent) == 2  # the first batch, in two parts: one call is not broken
    assert len(dynaguard.unwritten(writer)) == 5


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_books_on(client: Any, wire: Any) -> None:
    """A lock that somebody held in the moment of the fork is not held in the child."""
    dynaguard.install(
        limited(), consumed_capacity="total", key_statistics=True, query_warnings=True
    )
    guard, _ = current()
    assert guard is not None
    consumption = guard.rooms.consumption
    assert consumption is not None
    parts = (consumption.ledger, consumption.limits, consumption.keys, consumption.queries)
    for part in parts:
        assert part is not None
        part.lock.acquire()

    child = os.fork()
    if child == 0:
        code = 99
        try:
            with dynaguard.job("nightly"):
                client.query(**QUERY)
            code = len(wire.sent) + 10 * dynaguard.status().booking_failures
        finally:
            os._exit(code)
    for part in parts:
        assert part is not None
        part.lock.release()

    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 1
