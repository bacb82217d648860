"""How much a stand-in table gives, and when: token buckets under a changing rate.

Pure: the server draws from it, and the measures ask it how much there was to draw.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

ACCOUNT: Final = "000000000000"
_ARN: Final = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/"


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a table's rate changes over a run. Instants are seconds since its start.

    Attributes:
        brownouts: Windows of less capacity: from, to, factor.
        step: From when on the rate is another, and by which factor; or None.
    """

    brownouts: Sequence[tuple[float, float, float]] = ()
    step: tuple[float, float] | None = None

    def factor_at(self, instant_s: float) -> float:
        """What the rate is multiplied by at that instant."""
        factor = 1.0
        if self.step is not None and instant_s >= self.step[0]:
            factor = self.step[1]
        for from_s, to_s, share in self.brownouts:
            if from_s <= instant_s < to_s:
                factor *= share
        return factor

    def full_seconds(self, from_s: float, to_s: float) -> float:
        """The factor's integral: as many seconds at the plain rate give the same units."""
        edges = [edge for window in self.brownouts for edge in window[:2]]
        if self.step is not None:
            edges.append(self.step[0])
        points = [from_s, *sorted(edge for edge in edges if from_s < edge < to_s), to_s]
        return sum(
            (after - before) * self.factor_at(before)
            for before, after in itertools.pairwise(points)
        )


CONSTANT: Final = Schedule()


class Bucket:
    """A token bucket: one rate, one burst.

    Args:
        rate: Units per second.
        burst: Units that it can hold.
        initial: Units that it holds at the start; None: full.
        schedule: How the rate changes.
    """

    def __init__(
        self, rate: float, burst: float, initial: float | None, schedule: Schedule
    ) -> None:
        self._rate, self._burst, self._schedule = rate, burst, schedule
        self._units = burst if initial is None else min(initial, burst)
        self._filled_s = 0.0

    def can_give(self, units: float, now_s: float) -> bool:
        """Whether it holds that many units now."""
        if now_s > self._filled_s:
            gained = self._rate * self._schedule.full_seconds(self._filled_s, now_s)
            self._units = min(self._burst, self._units + gained)
            self._filled_s = now_s
        return self._units >= units

    def give(self, units: float) -> None:
        """Takes units out of it."""
        self._units -= units


@dataclass(frozen=True, slots=True)
class Shortage:
    """One reason of a throttle, as DynamoDB gives it.

    Attributes:
        reason: What was exceeded.
        resource: ARN of the table or index.
    """

    reason: str
    resource: str


class Table:
    """A table's buckets: its own, its hot partition key's, its index's.

    Args:
        name: Name of the table.
        settings: `rate` and `burst`; optionally `initial`, `hot_key` (`key`, `rate`, `burst`) and
            `index` (`name`, `rate`, `burst`).
        schedule: How the table's own rate changes; its hot key's and its index's do not.
    """

    def __init__(self, name: str, settings: Mapping[str, Any], schedule: Schedule) -> None:
        self.arn = _ARN + name
        rate, burst = float(settings["rate"]), float(settings["burst"])
        self._own = Bucket(rate, burst, settings.get("initial"), schedule)
        self._hot_key: str | None = None
        if hot_key := settings.get("hot_key"):
            self._hot_key = hot_key["key"]
            self._hot = _limit(hot_key)
        self._index_arn: str | None = None
        if index := settings.get("index"):
            self._index_arn = f"{self.arn}/index/{index['name']}"
            self._index = _limit(index)

    def is_hot(self, partition_key: str) -> bool:
        """Whether the key has a limit of its own."""
        return partition_key == self._hot_key

    def write(self, partition_key: str, units: float, now_s: float) -> list[Shortage]:
        """Draws for one written item; gives every limit that is in the way, and then draws none.

        Args:
            partition_key: The item's.
            units: What it costs.
            now_s: Seconds since the start of the run.
        """
        buckets = [(self._own, "TableWriteProvisionedThroughputExceeded", self.arn)]
        if self.is_hot(partition_key):
            buckets.append((self._hot, "TableWriteKeyRangeThroughputExceeded", self.arn))
        if self._index_arn is not None:
            reason = "IndexWriteProvisionedThroughputExceeded"
            buckets.append((self._index, reason, self._index_arn))
        short = [
            Shortage(reason, arn)
            for bucket, reason, arn in buckets
            if not bucket.can_give(units, now_s)
        ]
        if not short:
            for bucket, _, _ in buckets:
                bucket.give(units)
        return short

    def read(self, units: float, now_s: float) -> list[Shortage]:
        """The same for a read, which draws on the table's bucket alone."""
        if not self._own.can_give(units, now_s):
            return [Shortage("TableReadProvisionedThroughputExceeded", self.arn)]
        self._own.give(units)
        return []


def _limit(settings: Mapping[str, Any]) -> Bucket:
    """The bucket of a hot key or an index; it holds a second's worth unless told."""
    rate = float(settings["rate"])
    return Bucket(rate, float(settings.get("burst", rate)), None, CONSTANT)
