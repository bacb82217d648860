"""What counts as a finding, and the figures of a run as they stand in its records."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dynaguard.demo.evidence import collect_evidence
from dynaguard.demo.expectations import unmet_expectations
from dynaguard.demo.proxy import Witnessed
from dynaguard.demo.records import read_run, summarise, total
from dynaguard.demo.results import DemoResult
from tests.demo.demo_results import GOOD, make_record


def test_a_good_run_has_no_findings() -> None:
    """Every expectation is met."""
    assert unmet_expectations(GOOD) == ()


def changed(part: str, **changes: Any) -> DemoResult:
    """A good run but for one thing; of tuples, the last member is changed."""
    value = getattr(GOOD, part)
    if isinstance(value, tuple):
        return replace(GOOD, **{part: (*value[:-1], replace(value[-1], **changes))})
    return replace(GOOD, **{part: replace(value, **changes)})


@pytest.mark.parametrize(
    ("part", "changes", "finding"),
    [
        ("masked_read", {"items": 0}, "gave no items"),
        ("masked_read", {"plain_emails": 2}, "2 e-mail addresses of prod-customers"),
        ("masked_read", {"plain_cards": 1}, "1 card numbers"),
        ("refusals", {"statement": None}, "was not refused by dynaguard"),
        ("refusals", {"statement": "Other"}, "was refused by Other"),
        ("refusals", {"requests_sent": 1}, "sent 1 requests"),
        ("batch_writes", {"error": "ThrottlingException"}, "ended with ThrottlingException"),
        ("batch_writes", {"arrived": 9}, "9 of 10 items arrived"),
        ("batch_writes", {"throttled_requests": 0, "items_handed_back": 0}, "was not throttled"),
        ("batch_writes", {"retries_refused": 1}, "budget of prod-totals was spent"),
        ("batch_writes", {"audited_attempts": 3}, "4 requests to prod-totals"),
        ("evidence", {"header": ""}, "without its signed correlation header"),
        ("evidence", {"is_header_signed": False}, "without its signed correlation header"),
        ("evidence", {"user_agent_token": ""}, "without its id in the User-Agent"),
        ("evidence", {"span": {}}, "left no span"),
        ("evidence", {"record": {}}, "left no audit record"),
        ("summary", {"denials_by_statement": {}}, "0 refusals are on record"),
    ],
)
def test_each_unmet_expectation_is_one_finding(
    part: str, changes: dict[str, Any], finding: str
) -> None:
    """It says what was seen and what should have been."""
    (found,) = unmet_expectations(changed(part, **changes))

    assert finding in found


def test_what_boto3_does_alone_is_no_finding() -> None:
    """The comparison may fail as it likes."""
    bare = replace(GOOD.batch_writes[0], arrived=1, error="ThrottlingException")

    assert unmet_expectations(replace(GOOD, batch_writes=(bare, GOOD.batch_writes[1]))) == ()


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    """An audit file with two runs and an intent in it."""
    records = [
        make_record(run_id="earlier"),
        make_record(operation="Query", masked={"email": 5}),
        make_record(operation="Query", masked={"email": 1, "cards[*].number": 2}),
        make_record(phase="intent"),
        make_record(operation="Scan", verdict="deny", statement="NoScans", status="denied"),
        make_record(operation="BatchWriteItem", attempts=3, throttles=2, wait_s=0.5),
    ]
    path = tmp_path / "audit.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_only_the_calls_of_the_run_are_read(audit: Path) -> None:
    """Others in the same file, and intents, are left out."""
    records = read_run(audit, "now")

    assert [record["operation"] for record in records] == [
        "Query",
        "Query",
        "Scan",
        "BatchWriteItem",
    ]


def test_the_summary_adds_the_records_up(audit: Path) -> None:
    """Calls, decisions, denials, masked values, requests, throttles, waits."""
    summary = summarise(read_run(audit, "now"), audit)

    assert summary.calls == summary.records == 4
    assert summary.calls_by_operation == {"Query": 2, "Scan": 1, "BatchWriteItem": 1}
    assert summary.calls_by_verdict == {"allow": 3, "deny": 1}
    assert summary.denials_by_statement == {"NoScans": 1}
    assert summary.masked_by_attribute == {"email": 6, "cards[*].number": 2}
    assert (summary.requests, summary.throttles, summary.wait_s) == (5, 2, 0.5)
    assert summary.audit_path == str(audit)


def test_a_run_without_calls_adds_up_to_nothing() -> None:
    """Sums of nothing are 0."""
    assert total([], "attempts") == 0


class Spans:
    """An exporter that has no spans."""

    def get_finished_spans(self) -> tuple[Any, ...]:
        """None."""
        return ()


def test_evidence_is_taken_from_the_call_with_the_id() -> None:
    """Header, signature and User-Agent as they were on the wire."""
    other = Witnessed("Query", "Boto3", {}, (), (), 200)
    own = Witnessed(
        "Query",
        "Boto3/1 md/dynaguard#INC-1 cfg/x",
        {"x-dynaguard-correlation-id": "INC-1"},
        ("host", "x-dynaguard-correlation-id"),
        (),
        200,
    )
    record = {"correlation_id": "INC-1"}

    evidence = collect_evidence("INC-1", [other, own], Spans(), [{}, record])  # type: ignore[arg-type]

    assert evidence.header == "INC-1"
    assert evidence.is_header_signed
    assert evidence.user_agent_token == "md/dynaguard#INC-1"
    assert evidence.record == record
    assert evidence.span == {}


def test_no_evidence_is_empty() -> None:
    """Nothing is made up where nothing was seen."""
    evidence = collect_evidence("INC-1", [], Spans(), [])  # type: ignore[arg-type]

    assert (evidence.header, evidence.user_agent_token) == ("", "")
    assert not evidence.is_header_signed
    assert not evidence.record
