"""Sums of records are those of a naive count."""

from __future__ import annotations

import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.audit import statistics as audit_statistics
from dynaguard.audit.record import WriterFacts, build_record
from dynaguard.audit.statistics import Statistics
from dynaguard.call import ConsumedCapacity, Status
from dynaguard.scope import Scope
from tests.audit.audit_cases import CALL, DENIAL, NOW_NS, OUTCOME, record_values

WRITER = WriterFacts("billing", 1, "1", "f00d", 1, None, (), 0)


def record(**changed: Any) -> dict[str, Any]:
    """A record of the usual values."""
    fixed = {"phase": "outcome", "time_ns": NOW_NS, "writer": WRITER, "policy_digest": None}
    return build_record(**(fixed | record_values(**changed)))


def test_calls_are_counted_by_whom_of_what_and_how_they_ended() -> None:
    """Denials by their statement, errors by their code, units by their own table."""
    sums = Statistics()
    sums.add(record())
    denied = OUTCOME._replace(status=Status.DENIED, capacity=(), masked=())
    sums.add(record(decision=DENIAL, outcome=denied))
    failed = OUTCOME._replace(
        status=Status.ERROR, error_code="Oops", capacity=(ConsumedCapacity("other", 1.0, 2.0),)
    )
    sums.add(record(outcome=failed))
    sums.add({"phase": "intent", "outcome": None})
    alone = record(call=CALL._replace(scope=Scope(), service="s3", operation="GetObject"))
    other = Statistics()
    other.add(alone)
    assert other.summary(5)["by"]["job"] == []

    found = sums.summary(5)

    assert (found["calls"], found["denied"], found["failed"]) == (3, 1, 1)
    assert (found["throttles"], found["masked"]) == (3, 6)
    assert (found["read_units"], found["write_units"]) == (1.5, 2.0)
    by = {kind: {row["name"]: row["calls"] for row in rows} for kind, rows in found["by"].items()}
    assert by == {
        "identity": {"etl": 3},
        "job": {"nightly": 3},
        "operation": {"dynamodb:GetItem": 3},
        "table": {"orders": 3},
        "task": {},
        "grant": {},
        "ticket": {},
        "denied by": {"the default": 1},
        "error": {"Oops": 1},
    }
    assert found["by"]["table"][0]["read_units"] == 0.5
    assert found["from"] == found["to"] == record()["time"]


def test_without_records_there_is_nothing_to_say() -> None:
    """And no quantile."""
    found = Statistics().summary(5)

    assert (found["calls"], found["latency_p50_s"], found["from"]) == (0, None, None)


@given(st.lists(st.floats(1e-5, 100.0), min_size=1, max_size=50))
def test_quantiles_are_within_three_percent(latencies_s: list[float]) -> None:
    """Of the true ones."""
    sums = Statistics()
    for latency_s in latencies_s:
        sums.add(record(outcome=OUTCOME._replace(elapsed_s=latency_s)))
    found = sums.summary(1)["latency_p50_s"]

    assert found == pytest.approx(statistics.median_low(sorted(latencies_s)), rel=0.03, abs=1e-6)


def test_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest counts together."""
    monkeypatch.setattr(audit_statistics, "MAX_NAMES", 2)
    sums = Statistics()
    for code in ("a", "b", "c", "d", "a"):
        sums.add(record(outcome=OUTCOME._replace(status=Status.ERROR, error_code=code)))

    rows = sums.summary(5)["by"]["error"]
    assert [(row["name"], row["calls"]) for row in rows] == [("a", 2), ("other", 2), ("b", 1)]
