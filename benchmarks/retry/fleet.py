"""`python -m benchmarks.retry.fleet`: is sharing needed? Many processes, simulated.

Each process is a closed loop on one table; an interactive service of 50 calls/s stands beside.
Prints a table in Markdown; deterministic.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmarks.retry.simulated import Guarded, Interactive, Standard
from benchmarks.retry.simulation import SLOT_S, Clock, Policy, Simulation, World
from dynaguard.budgets.coordination import LocalCoordinator

CELLS: Final = (
    (10, 8, 1_000.0),
    (100, 4, 1_000.0),
    (1_000, 2, 5_000.0),
    (1_000, 1, 1_000.0),
    (10_000, 1, 1_000.0),
)
"""Processes, worker threads in each, capacity per second."""
FROM_S: Final = 10.0
TO_S: Final = 30.0
DURATION_S: Final = 60.0

MakePolicy = Callable[[Clock, random.Random, int], Policy]


@dataclass(frozen=True, slots=True)
class Figures:
    """What one cell gave: steady from 10 to 30 s, fairness over the whole minute."""

    amplification: float
    goodput: float
    jain: float
    throttled_share: float

    def __str__(self) -> str:
        """`1.004 / 1.00 / 0.99 / 1.6 %`."""
        return (
            f"{self.amplification:.3f} / {self.goodput:.2f} / {self.jain:.2f} / "
            f"{self.throttled_share:.1%}"
        )


def local(clock: Clock, generator: random.Random, _index: int) -> Policy:
    """Each process by itself."""
    return Guarded(clock, generator)


def standard(_clock: Clock, generator: random.Random, _index: int) -> Policy:
    """botocore's default."""
    return Standard(generator)


def coordinated() -> MakePolicy:
    """All processes with one coordinator."""
    found: list[LocalCoordinator] = []

    def make(clock: Clock, generator: random.Random, index: int) -> Policy:
        if not found:
            found.append(LocalCoordinator(monotonic=lambda: clock.now_s))
        return Guarded(clock, generator, coordinator=found[0].member(str(index)))

    return make


def measure(world: World, make: MakePolicy) -> Figures:
    """One cell."""
    simulation = Simulation(world, make, Interactive)
    counts = simulation.run()

    def total(tally: dict[int, int]) -> int:
        return sum(n for slot, n in tally.items() if FROM_S <= slot * SLOT_S < TO_S)

    accepted = [process.accepted for process in simulation.processes]
    squares = sum(n * n for n in accepted)
    return Figures(
        total(counts.batch_attempts) / max(1, total(counts.batch_accepted)),
        total(counts.accepted) / (world.capacity_per_s * (TO_S - FROM_S)),
        sum(accepted) ** 2 / (len(accepted) * max(1, squares)),
        counts.interactive_first_throttled
        / max(1, len(counts.latencies) + len(counts.interactive_errors)),
    )


def main() -> int:
    """Prints the table: amplification / goodput / Jain / interactive calls first throttled."""
    heads = "botocore `standard`", "dynaguard, each by itself", "with a coordinator"
    print(f"| processes, capacity/s | {' | '.join(heads)} |\n|---|---|---|---|")
    for processes, workers, capacity in CELLS:
        world = World(
            processes=processes,
            workers=workers,
            capacity_per_s=capacity,
            duration_s=DURATION_S,
            interactive_per_s=50.0,
            ramp_s=2.0,
        )
        figures = [measure(world, make) for make in (standard, local, coordinated())]
        cells = " | ".join(str(each) for each in figures)
        print(f"| {processes:,}, {capacity:,.0f} | {cells} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
