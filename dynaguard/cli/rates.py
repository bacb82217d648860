"""Figures over the last seconds of an audit stream, by job, class and table."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One line of `dynaguard top`.

    Attributes:
        job: Name of the job; outside of a job, of the identity.
        priority: The class of the calls.
        table: Table names, joined by commas; of other services the service.
        calls_per_s: Calls that ended, per second.
        throttled_share: Attempts that were throttled, of all.
        wait_s: Seconds waited, all calls together.
        refusals: Calls whose further attempts were refused.
        rate_per_s: Units per second that the resource took last; None: no limit known.
        tokens_left: Retry tokens last seen; None: nothing was throttled.
    """

    job: str
    priority: str
    table: str
    calls_per_s: float
    throttled_share: float
    wait_s: float
    refusals: int
    rate_per_s: float | None
    tokens_left: float | None


class Window:
    """Records of the last seconds. Older ones are dropped.

    Args:
        seconds: How many.

    Attributes:
        latest_s: Time of the latest record, in seconds since the epoch; 0.0 before any.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.latest_s = 0.0
        self._records: deque[tuple[float, Mapping[str, Any]]] = deque()

    def add(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Takes records in; only how calls ended counts."""
        for record in records:
            if record.get("outcome"):
                time_s = datetime.fromisoformat(record["time"]).timestamp()
                self.latest_s = max(self.latest_s, time_s)
                self._records.append((time_s, record))
        self._drop(self.latest_s)

    def records(self, now_s: float) -> list[Mapping[str, Any]]:
        """The records of the window that ends now."""
        self._drop(now_s)
        return [record for _, record in self._records]

    def rows(self, now_s: float) -> list[Row]:
        """One row per job, class and table, the most throttled first."""
        self._drop(now_s)
        groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
        for _, record in self._records:
            groups.setdefault(_group_of(record), []).append(record)
        rows = [_row(group, records, self.seconds) for group, records in groups.items()]
        return sorted(rows, key=lambda row: (-row.throttled_share, -row.calls_per_s, row.job))

    def _drop(self, now_s: float) -> None:
        while self._records and self._records[0][0] < now_s - self.seconds:
            self._records.popleft()


def _group_of(record: Mapping[str, Any]) -> tuple[str, str, str]:
    """Job or identity, class, and what the call went to."""
    name = record.get("job") or record["identity"]["name"]
    tables = ", ".join(record.get("tables") or ()) or record["service"]
    return name, record.get("priority") or "", tables


def _row(group: tuple[str, str, str], records: list[Mapping[str, Any]], seconds: float) -> Row:
    """The figures of one group."""
    outcomes = [record["outcome"] for record in records]
    attempts = max(1, sum(each["attempts"] for each in outcomes))
    budgets = [each["budget"] for each in outcomes if each.get("budget")]
    last: Mapping[str, Any] = budgets[-1] if budgets else {}
    return Row(
        *group,
        calls_per_s=len(outcomes) / seconds,
        throttled_share=sum(each["throttles"] for each in outcomes) / attempts,
        wait_s=sum(each["wait_s"] for each in outcomes),
        refusals=sum(each["budget_refusal"] is not None for each in outcomes),
        rate_per_s=last.get("rate_per_s"),
        tokens_left=last.get("tokens_left"),
    )
