"""Sums of audit records: how many calls, denied, failed, throttled; by whom and of what."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from dynaguard.audit.privileged import Privileged, grants_of, tasks_of, tickets_of
from dynaguard.call import Verdict

MAX_NAMES: Final = 10_000
"""Names that are told apart of each kind; calls of further ones count as `other`."""
_BUCKETS_PER_OCTAVE: Final = 16
_LEAST_S: Final = 1e-6
_REFUSALS: Final = frozenset({Verdict.DENY.value, Verdict.IMPLICIT_DENY.value})


@dataclass(slots=True)
class Sums:
    """What is added up."""

    calls: int = 0
    denied: int = 0
    would_be_denied: int = 0
    failed: int = 0
    throttles: int = 0
    masked: int = 0
    read_units: float = 0.0
    write_units: float = 0.0

    def add(
        self, outcome: Mapping[str, Any], *, would_be_denied: bool, table: str | None = None
    ) -> None:
        """Takes in how one call ended; of a table, the units of that table alone."""
        self.would_be_denied += would_be_denied
        self.calls += 1
        self.denied += outcome["status"] == "denied"
        self.failed += outcome["status"] == "error"
        self.throttles += outcome["throttles"]
        self.masked += sum(each["count"] for each in outcome["masked"])
        for each in outcome["consumed_capacity"]:
            if table not in (None, each["table"]):
                continue
            self.read_units += each["read_units"]
            self.write_units += each["write_units"]


class Statistics:
    """Adds records up, in bounded memory.

    A quantile of the latency is within 3 % of the true one: latencies are counted in buckets, 16
    to each doubling.
    """

    def __init__(self) -> None:
        self._totals = Sums()
        self._by: dict[str, dict[str, Sums]] = {
            name: {}
            for name in (
                *("identity", "job", "operation", "table", "task", "grant", "ticket"),
                *("denied by", "error"),
            )
        }
        self._privileged = Privileged()
        self._latencies: dict[int, int] = {}
        self._first: str | None = None
        self._last: str | None = None

    def add(self, record: Mapping[str, Any]) -> None:
        """Takes in a record of a call that ended, or a change in access; others do not count."""
        outcome = record.get("outcome")
        if outcome is None:
            if record.get("phase") == "access":
                self._privileged.add(record)
            return
        self._privileged.add(record)
        is_let_through = would_be_denied(record)
        self._totals.add(outcome, would_be_denied=is_let_through)
        for kind, name in _names_of(record, outcome):
            sums = self._sums_of(self._by[kind], name)
            table = name if kind == "table" else None
            sums.add(outcome, would_be_denied=is_let_through, table=table)
        if outcome["status"] != "denied":
            bucket = _bucket_of(outcome["latency_s"])
            self._latencies[bucket] = self._latencies.get(bucket, 0) + 1
        time = record["time"]
        self._first = time if self._first is None else min(self._first, time)
        self._last = time if self._last is None else max(self._last, time)

    def summary(self, row_count: int) -> dict[str, Any]:
        """What there is.

        **Shape**: `calls`, `denied`, `would_be_denied`, `failed`, `throttles`, `masked`,
        `read_units`, `write_units`, `latency_p50_s`, `latency_p99_s` (or null), `from`, `to` (or
        null), `by`: for each of `identity`, `job`, `operation`, `table`, `task`, `grant`,
        `ticket`, `denied by`, `error` a list of the same sums with a `name`, the most called
        first, at most `row_count`; `privileged`: as `Privileged.summary`.
        """
        return {
            **asdict(self._totals),
            "latency_p50_s": self._quantile(0.50),
            "latency_p99_s": self._quantile(0.99),
            "from": self._first,
            "to": self._last,
            "by": {
                kind: [{"name": name, **asdict(sums)} for name, sums in _top(each, row_count)]
                for kind, each in self._by.items()
            },
            "privileged": self._privileged.summary(row_count),
        }

    def _sums_of(self, sums_by_name: dict[str, Sums], name: str) -> Sums:
        """The sums of a name, or those of all that came too late to have their own."""
        is_other = name not in sums_by_name and len(sums_by_name) >= MAX_NAMES
        return sums_by_name.setdefault("other" if is_other else name, Sums())

    def _quantile(self, share: float) -> float | None:
        """The latency that so large a share of the calls did not exceed."""
        rank = share * sum(self._latencies.values())
        below = 0
        for bucket, count in sorted(self._latencies.items()):
            below += count
            if below >= rank:
                return float(_LEAST_S * 2.0 ** ((bucket - 0.5) / _BUCKETS_PER_OCTAVE))
        return None


def _names_of(record: Mapping[str, Any], outcome: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a record counts for."""
    yield "identity", record["identity"]["name"]
    yield "operation", f"{record['service']}:{record['operation']}"
    if record["job"]:
        yield "job", record["job"]
    for table in record["tables"]:
        yield "table", table
    for task in sorted(tasks_of(record)):
        yield "task", task
    for grant in sorted(grants_of(record)):
        yield "grant", grant
    for ticket in sorted(tickets_of(record)):
        yield "ticket", ticket
    if outcome["status"] == "denied" or would_be_denied(record):
        yield "denied by", (record["decision"] or {}).get("statement") or "the default"
    elif outcome["error_code"]:
        yield "error", outcome["error_code"]


def would_be_denied(record: Mapping[str, Any]) -> bool:
    """Whether the policy refused the call, and the mode `observe` let it through."""
    decision = record.get("decision") or {}
    return decision.get("verdict") in _REFUSALS and not decision.get("is_enforced", True)


def _top(sums_by_name: Mapping[str, Sums], count: int) -> list[tuple[str, Sums]]:
    """The most called."""
    return sorted(sums_by_name.items(), key=lambda each: (-each[1].calls, each[0]))[:count]


def _bucket_of(seconds: float) -> int:
    """The bucket of a latency, by the power of its upper end."""
    return math.ceil(_BUCKETS_PER_OCTAVE * math.log2(max(seconds, _LEAST_S) / _LEAST_S))
