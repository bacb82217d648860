"""The steps of the demo's job, one by one, against the embedded endpoint."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dynaguard.audit.log import read_records
from dynaguard.demo import bulk
from dynaguard.demo.bulk import write_in_bulk
from dynaguard.demo.endpoint import Endpoint, embedded_endpoint
from dynaguard.demo.isolation import Connections, clean_environment
from dynaguard.demo.job import (
    FORBIDDEN,
    JOB,
    Forbidden,
    Stage,
    limits,
    try_forbidden,
    write_bare,
    write_guarded,
)
from dynaguard.demo.proxy import ThrottlingProxy
from dynaguard.demo.running import POLICY
from dynaguard.demo.spans import collected_spans
from dynaguard.demo.tables import Tables

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    """An endpoint that the demo did not start."""
    with embedded_endpoint() as running:
        yield running


@pytest.fixture
def stage(endpoint: Endpoint, tmp_path: Path) -> Iterator[Stage]:
    """Empty tables before a throttling proxy, under the demo's policy."""
    tables = Tables(Connections(endpoint.url).client(), "")
    with (
        clean_environment(),
        ThrottlingProxy(endpoint.url, limits=limits("")) as proxy,
        collected_spans() as spans,
    ):
        tables.create(["prod-orders", "dev-totals", "prod-totals"])
        yield Stage(
            connections=Connections(proxy.start()),
            proxy=proxy,
            tables=tables,
            prefix="",
            policy=POLICY,
            audit=tmp_path / "audit.jsonl",
            spans=spans,
            run_id="demo-test",
        )
        tables.delete()


def totals(count: int) -> list[dict[str, Any]]:
    """Items for the tables of totals."""
    return [{"customer_id": f"C-{number}", "orders": 1} for number in range(count)]


def test_a_call_that_the_policy_lets_through_is_told(stage: Stage) -> None:
    """By the requests that were sent, and by no statement."""
    allowed = Forbidden(
        "GetItem prod-orders",
        "NoGets",
        lambda client, table: client.get_item(
            TableName=table, Key={"customer_id": {"S": "C-1"}, "order_id": {"S": "O-1"}}
        ),
    )

    refusal = try_forbidden(stage, allowed)

    assert refusal.statement is None
    assert refusal.error == ""
    assert refusal.requests_sent == 1


def test_an_error_of_the_endpoint_is_no_refusal(stage: Stage, tmp_path: Path) -> None:
    """A call that only AWS refuses was not refused by dynaguard."""
    policy = tmp_path / "policy.toml"
    text = POLICY.read_text()
    assert '"eu-west-1"' in text
    policy.write_text(text.replace('"eu-west-1"', '"us-east-1"'))

    refusal = try_forbidden(replace(stage, policy=policy), FORBIDDEN[2])

    assert refusal.statement is None
    assert refusal.error_code == "ResourceNotFoundException"
    assert refusal.requests_sent == 1


def test_a_write_within_the_limit_waits_for_nothing(stage: Stage) -> None:
    """With dynaguard and without, the same items arrive."""
    bare = write_bare(stage, totals(50))
    guarded = write_guarded(stage, totals(50))

    assert (bare.arrived, guarded.arrived) == (50, 50)
    assert bare.requests == guarded.requests
    assert guarded.throttled_requests == guarded.items_handed_back == 0
    assert not guarded.wait_s
    assert not guarded.retries_granted


def test_a_write_that_the_policy_refuses_is_told(stage: Stage, tmp_path: Path) -> None:
    """By the error's code; nothing arrives."""
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY.read_text().replace("prod-totals", "prod-others"))

    write = write_guarded(replace(stage, policy=policy), totals(5))

    assert write.error == "AccessDeniedException"
    assert (write.arrived, write.requests) == (0, 0)
    assert write.retries_granted is None


def test_a_bulk_write_tells_what_aws_refuses(stage: Stage) -> None:
    """By the error's code."""
    run = write_in_bulk(stage.connections, "nowhere", totals(5))

    assert run.error == "ResourceNotFoundException"
    assert run.elapsed_s > 0


def test_a_bulk_write_raises_what_is_no_answer(stage: Stage) -> None:
    """A float is refused by boto3 itself; the other threads stop."""
    items = [*totals(2), {"customer_id": "C-3", "share": 0.5}]

    with pytest.raises(TypeError, match="Float"):
        write_in_bulk(stage.connections, "prod-totals", items)


def test_a_bulk_write_that_is_stopped_writes_no_more(stage: Stage) -> None:
    """What was taken before is written, nothing after it."""
    stop = threading.Event()
    stop.set()

    bulk._write(stage.connections.resource().Table("prod-totals"), totals(5), stop)

    assert stage.tables.count("prod-totals") == 0


def test_the_threads_belong_to_the_job(stage: Stage) -> None:
    """Their calls are on record under its name and run."""
    write_guarded(stage, totals(50))

    records = list(read_records(stage.audit))
    assert {(record["job"], record["run_id"]) for record in records} == {(JOB, "demo-test")}
