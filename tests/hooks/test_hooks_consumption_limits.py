"""Capacity limits, through real guarded clients: a run ends at a page boundary, others go on."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dynaguard
from dynaguard.hooks.lifecycle import current
from tests.hooks.consuming import KEY, QUERY, limited, page, records, sent


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
