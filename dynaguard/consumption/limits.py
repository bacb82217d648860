"""Capacity limits: how many units one run of a job may consume, and what is left of them.

A limit is soft first: it is told once. Then it is hard: calls that would go on are refused. A call
under way is never broken, so a run ends at a page boundary; what the calls under way at that
moment consume comes on top.

A run is a job's name and run id in this process; all its threads share it. Without a run id the
calls of that job in this process are one run, from the first to the last.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol

from dynaguard.budgets.recent import Recent
from dynaguard.call import Call, ConsumedCapacity, Principal, StatementRef
from dynaguard.consumption.units import plain_name
from dynaguard.policy.model import CapacityLimit
from dynaguard.policy.patterns import text_matches
from dynaguard.scope import Scope

MAX_RUNS: Final = 4096
"""Runs whose units are kept; one that was idle while so many others went on begins anew."""
MAX_PLACES: Final = 1024
"""Jobs and tables for which it is remembered which limits apply."""

Direction = Literal["read", "write"]


class CountsUnits(Protocol):
    """What counts the units of calls that went without an approval; see `access/thresholds.py`."""

    def book(
        self,
        call: Call,
        who: Principal,
        refs: Iterable[StatementRef],
        units: Iterable[ConsumedCapacity],
    ) -> None:
        """Takes in what a call consumed, for statements that did not ask for an approval yet."""
        ...


class Run(NamedTuple):
    """One run of a job.

    Attributes:
        job: Its name.
        run_id: Its run id, or None: all of this process.
    """

    job: str
    run_id: str | None

    def __str__(self) -> str:
        """``job `nightly`, run `42` ``."""
        return f"job `{self.job}`" + (f", run `{self.run_id}`" if self.run_id is not None else "")


@dataclass(frozen=True, slots=True)
class Excess:
    """A limit that a run has come to, or near.

    Attributes:
        limit: The limit.
        run: The run.
        direction: Read or write units.
        used_units: What the run has used.
        allowed_units: What the limit allows.
        is_estimated: Whether a part of it is a guess.
    """

    limit: CapacityLimit
    run: Run
    direction: Direction
    used_units: float
    allowed_units: float
    is_estimated: bool

    def __str__(self) -> str:
        """What was used of what, in one clause."""
        about = "about " if self.is_estimated else ""
        return (
            f"{self.run} has used {about}{self.used_units:,.10g} of {self.allowed_units:,.10g} "
            f"{self.direction} units (capacity limit {self.limit.ref})"
        )


class RunUsage(NamedTuple):
    """What a run has used of a limit; for `status()`.

    Attributes:
        limit: Sid of the limit.
        job, run_id: The run.
        read_units, write_units: Used.
        allowed_read_units, allowed_write_units: Allowed; None for no limit.
        is_estimated: Whether a part of it is a guess.
    """

    limit: str
    job: str
    run_id: str | None
    read_units: float
    write_units: float
    allowed_read_units: float | None
    allowed_write_units: float | None
    is_estimated: bool


class _Usage:
    """Units of one run under one limit."""

    __slots__ = ("is_estimated", "level_by_direction", "units_by_direction")

    def __init__(self) -> None:
        self.units_by_direction: dict[Direction, float] = {"read": 0.0, "write": 0.0}
        self.is_estimated = False
        self.level_by_direction: dict[Direction, str] = {}


class CapacityLimits:
    """The capacity limits of a policy at work. Thread-safe, of bounded memory.

    Every limit that matches a call counts, not only the first. A limit over several tables is one
    for all of them together. Calls outside of a job are under none.

    Args:
        limits: `[[capacity_limit]]` entries in document order.
    """

    __slots__ = ("_limits", "_matching", "_usages", "lock")

    def __init__(self, limits: tuple[CapacityLimit, ...]) -> None:
        self._limits = limits
        self._usages: Recent[tuple[int, Run], _Usage] = Recent(MAX_RUNS)
        self._matching: dict[tuple[str, str], tuple[int, ...]] = {}
        self.lock = threading.Lock()

    def applies_to(self, scope: Scope, tables: Iterable[str]) -> bool:
        """Whether a call is under any limit."""
        job = scope.job
        return job is not None and any(self._matches(job, table) for table in tables)

    def excess_of(
        self, scope: Scope, tables: Iterable[str], direction: Direction
    ) -> Excess | None:
        """The first limit that a call's run has used up, or None: then it may go.

        One that is only observed is given where no other is used up.
        """
        job = scope.job
        if job is None:
            return None
        run = Run(job, scope.run_id)
        places = dict.fromkeys(place for table in tables for place in self._matches(job, table))
        found = None
        with self.lock:
            for place in places:
                excess = self._excess(place, run, direction)
                if excess is not None and not excess.limit.is_observed:
                    return excess
                found = found or excess
        return found

    def add(
        self, scope: Scope, capacity: Iterable[ConsumedCapacity], *, is_estimated: bool
    ) -> list[tuple[Excess, str]]:
        """Takes in what a call consumed.

        Returns:
            The limits that it brought the run to, each with `soft` or `hard`; each once per run,
            and `hard` alone where one call passed both.
        """
        job = scope.job
        if job is None:
            return []
        run = Run(job, scope.run_id)
        with self.lock:
            touched: dict[int, _Usage] = {}
            for each in capacity:
                for place in self._matches(job, each.table):
                    usage = touched[place] = self._usage(place, run)
                    usage.units_by_direction["read"] += each.read_units
                    usage.units_by_direction["write"] += each.write_units
                    usage.is_estimated = usage.is_estimated or is_estimated
            return [
                reached
                for place, usage in touched.items()
                for reached in self._reached(self._limits[place], run, usage)
            ]

    def usages(self) -> list[RunUsage]:
        """What every run has used of every limit, the latest first."""
        with self.lock:
            return [
                RunUsage(
                    self._limits[place].ref.sid,
                    *run,
                    usage.units_by_direction["read"],
                    usage.units_by_direction["write"],
                    self._limits[place].read_units,
                    self._limits[place].write_units,
                    usage.is_estimated,
                )
                for (place, run), usage in reversed(self._usages.items())
            ]

    # --- inside -------------------------------------------------------------------------------

    def _matches(self, job: str, table: str) -> tuple[int, ...]:
        """Positions of the limits for a job and a table; worked out once for each."""
        found = self._matching.get((job, table))
        if found is None:
            if len(self._matching) >= MAX_PLACES:
                self._matching.clear()
            name = plain_name(table)
            found = self._matching[job, table] = tuple(
                place
                for place, limit in enumerate(self._limits)
                if _matches_any(limit.jobs, job) and _matches_any(limit.tables, name)
            )
        return found

    def _usage(self, place: int, run: Run) -> _Usage:
        usage = self._usages.find((place, run))
        if usage is None:
            usage = _Usage()
            self._usages.add((place, run), usage)
        return usage

    def _excess(self, place: int, run: Run, direction: Direction) -> Excess | None:
        """The limit at a position, where the run has used it up."""
        limit = self._limits[place]
        allowed = _allowed(limit, direction)
        usage = self._usages.find((place, run)) if allowed is not None else None
        if usage is None or allowed is None:
            return None
        used = usage.units_by_direction[direction]
        if used < allowed:
            return None
        return Excess(limit, run, direction, used, allowed, usage.is_estimated)

    def _reached(self, limit: CapacityLimit, run: Run, usage: _Usage) -> list[tuple[Excess, str]]:
        """What is new about a run: that it came near a limit, or to it."""
        found = []
        for direction, used in usage.units_by_direction.items():
            allowed = _allowed(limit, direction)
            if allowed is None:
                continue
            level = "hard" if used >= allowed else "soft" if used >= allowed * limit.soft else ""
            if level and usage.level_by_direction.get(direction) != level:
                usage.level_by_direction[direction] = level
                excess = Excess(limit, run, direction, used, allowed, usage.is_estimated)
                found.append((excess, level))
        return found


def _allowed(limit: CapacityLimit, direction: Direction) -> float | None:
    """Units of one direction that a limit allows; None: any number."""
    return limit.read_units if direction == "read" else limit.write_units


def _matches_any(patterns: tuple[str, ...], text: str) -> bool:
    """Whether one of the patterns (`*` and `?`) matches the whole text."""
    return any(text_matches(pattern, text) for pattern in patterns)
