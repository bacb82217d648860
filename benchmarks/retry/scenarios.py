"""What happens to the table while the job runs: one shape per scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from benchmarks.retry.capacity import Schedule

TABLE: Final = "t1"
HOT_TABLE: Final = "hot"
IDLE_TABLE: Final = "idle"
_STEP_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Scenario:
    """One shape of load and capacity.

    Attributes:
        name: As on the command line.
        about: One line.
        rate, burst: The table's units per second, and how many it stores.
        initial: How many are stored at the start; None: all.
        units_per_item: What one write costs.
        brownout: A window of less capacity: from, to, factor.
        step: From when on the capacity is another, and by which factor.
        hot_key, index: Further limits, see `capacity.Table`.
        error_rate: Share of requests answered by a 500.
        processes, threads: Of the job; no process: the service alone.
        items: Of the job; None: as many as fit into the time.
        batch_size: Items of a request.
        partitions: Partition keys of the items; None: one each.
        limit_s: Seconds after which a run ends in any case.
        interactive_per_s: Arrivals at the service.
        settled_from_s: From when on a policy should have found its rate.
        idle_per_s: Two tables: what the idle one is offered; 0: the other shape.
    """

    name: str
    about: str
    rate: float = 300.0
    burst: float = 300.0
    initial: float | None = None
    units_per_item: float = 1.0
    brownout: tuple[float, float, float] | None = None
    step: tuple[float, float] | None = None
    hot_key: Mapping[str, Any] | None = None
    index: Mapping[str, Any] | None = None
    error_rate: float = 0.0
    processes: int = 2
    threads: int = 8
    items: int | None = 4_800
    batch_size: int = 1
    partitions: int | None = None
    limit_s: float = 60.0
    interactive_per_s: float = 60.0
    settled_from_s: float = 4.0
    idle_per_s: float = 0.0

    @property
    def schedule(self) -> Schedule:
        """How its capacity changes."""
        return Schedule((self.brownout,) if self.brownout else (), self.step)

    @property
    def initial_units(self) -> float:
        """What is stored at the start."""
        return self.burst if self.initial is None else min(self.initial, self.burst)

    def settings(self, seed: int, start_s: float) -> dict[str, Any]:
        """The server's, for a run that starts at that instant of `time.monotonic()`."""
        idle = {"rate": 2_000.0, "burst": 2_000.0}
        return {
            "rate": self.rate,
            "burst": self.burst,
            "initial": self.initial,
            "units_per_item": self.units_per_item,
            "brownouts": [self.brownout] if self.brownout else [],
            "step": self.step,
            "hot_key": self.hot_key,
            "index": self.index,
            "error_rate": self.error_rate,
            "tables": {IDLE_TABLE: idle} if self.idle_per_s else {},
            "seed": seed,
            "start_monotonic_s": start_s,
        }

    def rate_at(self, instant_s: float) -> float:
        """Units per second of the table, or of the index where that is less."""
        rate = self.rate * self.schedule.factor_at(instant_s)
        return rate if self.index is None else min(rate, self.index["rate"])

    def available_units(self, from_s: float, to_s: float) -> float:
        """What the table, or the index where that is less, gives between two instants.

        What is stored at the start counts where the start is within.
        """
        stored = self.initial_units if from_s <= 0 else 0.0
        units = stored + self.rate * self.schedule.full_seconds(from_s, to_s)
        if self.index is not None:
            stored = self.index["burst"] if from_s <= 0 else 0.0
            units = min(units, stored + self.index["rate"] * (to_s - from_s))
        return units

    def ideal_job_s(self) -> float | None:
        """How long the job takes if no unit is left unused and the service takes what it needs.

        As a fluid, in small steps: nothing has latency, hot items are taken first.
        """
        if self.items is None or not self.processes:
            return None
        need = self.items * self.units_per_item
        hot_need = need / (self.partitions or self.items) if self.hot_key else 0.0
        rest_need, now_s = need - hot_need, 0.0
        stored = self.initial_units
        stored_by_index = self.index["burst"] if self.index else 0.0
        hot_stored = self.hot_key["burst"] if self.hot_key else 0.0
        while hot_need + rest_need > 1e-9:
            flow = self.rate * self.schedule.factor_at(now_s) * _STEP_S
            service = self.interactive_per_s * self.units_per_item * _STEP_S
            stored = min(self.burst, stored + flow) - service
            given = stored
            if self.index:
                stored_by_index += self.index["rate"] * _STEP_S - service
                given = min(given, stored_by_index)
            hot_given = 0.0
            if self.hot_key:
                hot_stored += self.hot_key["rate"] * _STEP_S
                hot_given = min(hot_need, hot_stored, given)
                hot_stored -= hot_given
            rest_given = min(rest_need, given - hot_given)
            hot_need, rest_need = hot_need - hot_given, rest_need - rest_given
            stored -= hot_given + rest_given
            stored_by_index -= hot_given + rest_given
            now_s += _STEP_S
        return now_s


_STEADY: Final = Scenario("steady", "4,800 items, constant capacity")
_ALL: Final = (
    replace(
        _STEADY, name="baseline", about="the service alone", processes=0, items=None, limit_s=15.0
    ),
    _STEADY,
    replace(
        _STEADY,
        name="brownout20",
        about="20 % of the capacity from 8 s to 13 s",
        brownout=(8.0, 13.0, 0.2),
        items=None,
        limit_s=20.0,
    ),
    replace(
        _STEADY,
        name="brownout40",
        about="40 % of the capacity from 8 s to 13 s",
        brownout=(8.0, 13.0, 0.4),
        items=None,
        limit_s=20.0,
    ),
    replace(_STEADY, name="batchwrite", about="BatchWriteItem of 25", batch_size=25),
    replace(_STEADY, name="errors", about="2 % internal errors", error_rate=0.02),
    replace(
        _STEADY,
        name="twotables",
        about="one client: a hot table of 30/s, an idle one offered 50/s",
        rate=30.0,
        burst=30.0,
        processes=1,
        items=None,
        limit_s=10.0,
        interactive_per_s=0.0,
        idle_per_s=50.0,
    ),
    replace(
        _STEADY,
        name="burst300",
        about="300 s of burst, 2,400 units of it filled: it runs out mid-job",
        burst=90_000.0,
        initial=2_400.0,
        items=7_200,
        settled_from_s=9.0,
    ),
    replace(
        _STEADY, name="step", about="capacity doubles after 8 s", step=(8.0, 2.0), items=7_200
    ),
    replace(
        _STEADY,
        name="hotkey",
        about="one partition key of 10 limited to 20/s",
        partitions=10,
        hot_key={"key": "k0", "rate": 20.0, "burst": 20.0},
    ),
    replace(_STEADY, name="units2", about="2 units an item", units_per_item=2.0, items=2_400),
    replace(
        _STEADY,
        name="index",
        about="an index of 100/s that every write draws on too",
        index={"name": "by_v", "rate": 100.0, "burst": 100.0},
        items=1_200,
    ),
)
SCENARIOS: Final[Mapping[str, Scenario]] = {scenario.name: scenario for scenario in _ALL}
