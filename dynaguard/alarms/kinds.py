"""What alarms are about, and how quickly each of them speaks up."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dynaguard.alarms.dynamodb_metrics import Side


class AlarmKind(enum.StrEnum):
    """What an alarm is about; the value is its name on the command line."""

    READ_THROTTLES = "read-throttles"
    WRITE_THROTTLES = "write-throttles"
    DENIALS = "denials"
    BUDGET = "budget-exhausted"
    FAILURES = "failures"
    BREAK_GLASS = "break-glass"
    TABLE_READ_THROTTLES = "table-read-throttles"
    TABLE_WRITE_THROTTLES = "table-write-throttles"


PAIR_KINDS: Final = (
    AlarmKind.READ_THROTTLES,
    AlarmKind.WRITE_THROTTLES,
    AlarmKind.DENIALS,
    AlarmKind.BUDGET,
)
"""One alarm each per identity and table."""

SIDE_BY_TABLE_KIND: Final[Mapping[AlarmKind, Side]] = {
    AlarmKind.TABLE_READ_THROTTLES: "Read",
    AlarmKind.TABLE_WRITE_THROTTLES: "Write",
}
"""One alarm each per table and index, from DynamoDB's own metrics; these know no identity."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When an alarm goes off: `threshold` or more in `datapoints` of `evaluation_periods`.

    Attributes:
        threshold: Sum over one period, inclusive.
        period_s: Seconds of one period, a multiple of 60.
        datapoints: Periods that must reach the threshold.
        evaluation_periods: Of how many, the latest.
    """

    threshold: float = 1
    period_s: int = 60
    datapoints: int = 3
    evaluation_periods: int = 5

    @property
    def text(self) -> str:
        """`1 or more in 3 of 5 periods of 60 s`."""
        if self.evaluation_periods == 1:
            return f"{self.threshold:g} or more within {self.period_s} s"
        return (
            f"{self.threshold:g} or more in {self.datapoints} of {self.evaluation_periods} "
            f"periods of {self.period_s} s"
        )


_SUSTAINED: Final = Timing()
"""Retries absorb a single throttle; what lasts for three minutes they do not."""
_AT_ONCE: Final = Timing(datapoints=1, evaluation_periods=1)
"""A denial or a given-up call is an event by itself: the caller has seen an error. So is any use
of break-glass, which somebody has to look at."""

DEFAULT_TIMINGS: Final[Mapping[AlarmKind, Timing]] = {
    AlarmKind.READ_THROTTLES: _SUSTAINED,
    AlarmKind.WRITE_THROTTLES: _SUSTAINED,
    AlarmKind.DENIALS: _AT_ONCE,
    AlarmKind.BUDGET: _AT_ONCE,
    AlarmKind.FAILURES: _SUSTAINED,
    AlarmKind.BREAK_GLASS: _AT_ONCE,
    AlarmKind.TABLE_READ_THROTTLES: _SUSTAINED,
    AlarmKind.TABLE_WRITE_THROTTLES: _SUSTAINED,
}
