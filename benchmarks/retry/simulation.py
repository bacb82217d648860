"""A discrete-event simulation of many processes on one table, with dynaguard's own controller.

The model of AWS's side is the loopback server's: one bucket of capacity per table, lognormal
latency, throttles answered fast. Batch processes are closed loops of worker threads, the
interactive service is an open loop of Poisson arrivals without pacing. No real time passes.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dynaguard.budgets.signals import Signal

SLOT_S = 0.1
THROTTLE_S = 0.002
"""A throttle is answered fast."""


@dataclass(frozen=True, slots=True)
class World:
    """What is simulated.

    Attributes:
        processes, workers: Batch processes, and worker threads in each.
        capacity_per_s: Units that the table takes.
        stored_s: Seconds of capacity that its bucket holds.
        fill: Share of that which is there at the start.
        duration_s: How long.
        items: Items of the whole job, split evenly; None: no end.
        interactive_per_s: Arrivals of the interactive service.
        changes: `(from_s, factor)` of the capacity, in order of time.
        latency_s, sigma: Median and spread of an answer's lognormal latency.
        error_share: Attempts that end with a 500, without taking capacity.
        ramp_s: The processes start spread over so long.
        calls_per_s: What one process asks for at most; infinite: as fast as answers come.
        seed: Of everything random.
    """

    processes: int = 2
    workers: int = 8
    capacity_per_s: float = 300.0
    stored_s: float = 1.0
    fill: float = 1.0
    duration_s: float = 20.0
    items: int | None = None
    interactive_per_s: float = 60.0
    changes: tuple[tuple[float, float], ...] = ()
    latency_s: float = 0.004
    sigma: float = 0.5
    error_share: float = 0.0
    ramp_s: float = 0.05
    calls_per_s: float = math.inf
    seed: int = 1

    def factor_at(self, now_s: float) -> float:
        """The share of the capacity that is there at `now_s`."""
        factor = 1.0
        for from_s, share in self.changes:
            if now_s >= from_s:
                factor = share
        return factor


@dataclass(slots=True)
class Counts:
    """What the table saw, by slots of `SLOT_S`; and the interactive calls by arrival."""

    attempts: dict[int, int] = field(default_factory=dict)
    accepted: dict[int, int] = field(default_factory=dict)
    batch_attempts: dict[int, int] = field(default_factory=dict)
    batch_accepted: dict[int, int] = field(default_factory=dict)
    latencies: list[tuple[float, float]] = field(default_factory=list)
    interactive_errors: list[float] = field(default_factory=list)
    interactive_first_throttled: int = 0


class Table:
    """AWS's side: a bucket of capacity."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._most = world.capacity_per_s * world.stored_s
        self._units = self._most * world.fill
        self._at_s = 0.0

    def take(self, now_s: float) -> bool:
        """Whether a unit is accepted at `now_s`."""
        per_s = self._world.capacity_per_s * self._world.factor_at(now_s)
        self._units = min(self._most, self._units + (now_s - self._at_s) * per_s)
        self._at_s = now_s
        if self._units < 1:
            return False
        self._units -= 1
        return True


class Clock:
    """Events in order of time."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0

    def at(self, instant_s: float, what: Callable[..., None], *arguments: Any) -> None:
        """Has `what` called at an instant."""
        self._count += 1
        heapq.heappush(self._events, (instant_s, self._count, what, arguments))

    def run(self, until_s: float) -> None:
        """Plays the events until `until_s`."""
        while self._events and self._events[0][0] < until_s:
            self.now_s, _, what, arguments = heapq.heappop(self._events)
            what(*arguments)


class Policy:
    """How a process of the batch job paces and repeats; one per process."""

    def submit(self, go: Callable[[], None]) -> None:
        """Has `go` called when an attempt may be sent."""
        go()

    def succeeded(self, sent_at_s: float) -> None:
        """An attempt was accepted."""

    def failed(self, sent_at_s: float, attempt: int, signal: Signal) -> float | None:
        """Seconds to wait before the attempt is submitted again; None: the caller gets it."""
        raise NotImplementedError


@dataclass(slots=True, eq=False)
class Process:
    """One batch process."""

    policy: Policy
    left: float
    accepted: int = 0
    errors: int = 0
    ended_s: float = 0.0


class Simulation:
    """One run of a world under a policy.

    Args:
        world: What is simulated.
        make_policy: Makes a process's policy from the clock, a generator and its number.
        make_interactive: Gives the interactive service's waits: `(attempt) -> seconds | None`.
    """

    def __init__(
        self,
        world: World,
        make_policy: Callable[[Clock, random.Random, int], Policy],
        make_interactive: Callable[[Clock, random.Random], Any],
    ) -> None:
        self.world = world
        self.clock = Clock()
        self.counts = Counts()
        self._random = random.Random(world.seed)
        self._table = Table(world)
        share = math.inf if world.items is None else world.items / world.processes
        self.processes = [
            Process(
                make_policy(self.clock, random.Random(world.seed * 7919 + index), index), share
            )
            for index in range(world.processes)
        ]
        self._interactive = make_interactive(self.clock, random.Random(world.seed + 1))

    def run(self) -> Counts:
        """Plays it to the end."""
        for process in self.processes:
            start_s = self._random.random() * self.world.ramp_s
            for _ in range(self.world.workers):
                self.clock.at(start_s, self._work, process)
        if self.world.interactive_per_s:
            self.clock.at(0.001, self._arrive)
        self.clock.run(self.world.duration_s)
        return self.counts

    # --- the batch job -----------------------------------------------------------------------

    def _work(self, process: Process) -> None:
        if process.left < 1:
            process.ended_s = self.clock.now_s
            return
        process.left -= 1
        self._submit(process, 1)

    def _submit(self, process: Process, attempt: int) -> None:
        process.policy.submit(lambda: self._send(process, attempt))

    def _send(self, process: Process, attempt: int) -> None:
        sent_at_s = self.clock.now_s
        latency_s = self._latency_s()
        self.clock.at(
            sent_at_s + latency_s / 2, self._reach, process, attempt, sent_at_s, latency_s
        )

    def _reach(self, process: Process, attempt: int, sent_at_s: float, latency_s: float) -> None:
        now_s = self.clock.now_s
        slot = int(now_s / SLOT_S)
        counts = self.counts
        is_error = self.world.error_share and self._random.random() < self.world.error_share
        is_accepted = not is_error and self._table.take(now_s)
        for tally in (counts.attempts, counts.batch_attempts):
            tally[slot] = tally.get(slot, 0) + 1
        if is_accepted:
            for tally in (counts.accepted, counts.batch_accepted):
                tally[slot] = tally.get(slot, 0) + 1
        signal = Signal.TRANSIENT if is_error else Signal.OK if is_accepted else Signal.THROTTLE
        back_s = THROTTLE_S if signal is Signal.THROTTLE else latency_s / 2
        self.clock.at(now_s + back_s, self._answer, process, attempt, sent_at_s, signal)

    def _answer(self, process: Process, attempt: int, sent_at_s: float, signal: Signal) -> None:
        now_s = self.clock.now_s
        if signal is Signal.OK:
            process.accepted += 1
            process.policy.succeeded(sent_at_s)
            pause_s = self.world.workers / self.world.calls_per_s
            self.clock.at(now_s + pause_s, self._work, process)
            return
        wait_s = process.policy.failed(sent_at_s, attempt, signal)
        if wait_s is None:
            process.errors += 1
            process.left += 1
            self.clock.at(now_s + 0.1, self._work, process)
        else:
            self.clock.at(now_s + wait_s, self._submit, process, attempt + 1)

    # --- the interactive service ---------------------------------------------------------------

    def _arrive(self) -> None:
        now_s = self.clock.now_s
        self._ask(now_s, 1)
        gap_s = self._random.expovariate(self.world.interactive_per_s)
        self.clock.at(now_s + gap_s, self._arrive)

    def _ask(self, born_s: float, attempt: int) -> None:
        latency_s = self._latency_s()
        self.clock.at(self.clock.now_s + latency_s / 2, self._take, born_s, attempt, latency_s)

    def _take(self, born_s: float, attempt: int, latency_s: float) -> None:
        now_s = self.clock.now_s
        slot = int(now_s / SLOT_S)
        counts = self.counts
        counts.attempts[slot] = counts.attempts.get(slot, 0) + 1
        if self._table.take(now_s):
            counts.accepted[slot] = counts.accepted.get(slot, 0) + 1
            self._interactive.succeeded()
            counts.latencies.append((born_s, now_s + latency_s / 2 - born_s))
            return
        counts.interactive_first_throttled += attempt == 1
        wait_s = self._interactive.wait_s(attempt, now_s - born_s)
        if wait_s is None:
            counts.interactive_errors.append(born_s)
        else:
            self.clock.at(now_s + THROTTLE_S + wait_s, self._ask, born_s, attempt + 1)

    def _latency_s(self) -> float:
        return self.world.latency_s * math.exp(self._random.gauss(0, self.world.sigma))
