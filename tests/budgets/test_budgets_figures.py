"""The figures that the budgets exist for, in a simulation without chance: the controller whole.

Bounds are wider than what is measured (`docs/retry-budgets.md`): they hold for every seed here,
and break when a rule of the controller does.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace

import pytest

from benchmarks.retry.fleet import coordinated, local, measure
from benchmarks.retry.simulated import Interactive
from benchmarks.retry.simulation import SLOT_S, Simulation, World

SEEDS = (1, 2, 3)
STEADY = World(duration_s=20.0)
LATENCY_ALONE_S = 0.0125
"""99th percentile of the service alone in this model."""


@dataclass(frozen=True)
class Run:
    """What one simulated run gave, from 4 s on."""

    amplification: float
    goodput: float
    interactive_p99_s: float
    interactive_errors: int
    accepted: dict[int, int]
    attempts: dict[int, int]


def run(world: World) -> Run:
    """One run under dynaguard, each process by itself."""
    simulation = Simulation(world, local, Interactive)
    counts = simulation.run()
    end_s = world.changes[0][0] if world.changes else world.duration_s

    def total(tally: dict[int, int]) -> int:
        return sum(n for slot, n in tally.items() if 4.0 <= slot * SLOT_S < end_s)

    waits = sorted(wait_s for born_s, wait_s in counts.latencies if born_s >= 4.0)
    return Run(
        total(counts.batch_attempts) / total(counts.batch_accepted),
        total(counts.accepted) / (world.capacity_per_s * (end_s - 4.0)),
        waits[int(len(waits) * 0.99)],
        len(counts.interactive_errors),
        counts.accepted,
        counts.attempts,
    )


def medians(world: World) -> list[Run]:
    """A run per seed."""
    return [run(replace(world, seed=seed)) for seed in SEEDS]


def within(tally: dict[int, int], from_s: float, to_s: float) -> int:
    """What a tally holds between two instants."""
    return sum(n for slot, n in tally.items() if from_s <= slot * SLOT_S < to_s)


@pytest.mark.parametrize(
    "world",
    [
        STEADY,
        replace(STEADY, stored_s=300.0, fill=0.02, duration_s=25.0),
        replace(STEADY, workers=32, processes=4),
        replace(STEADY, latency_s=0.04, workers=32),
        replace(STEADY, capacity_per_s=3_000.0, workers=32, interactive_per_s=300.0),
    ],
    ids=["steady", "stored burst", "many workers", "slow answers", "large table"],
)
def test_a_job_uses_the_table_and_wastes_next_to_nothing(world: World) -> None:
    """Amplification and goodput at the same time, whatever the shape."""
    runs = medians(world)
    assert statistics.median(each.amplification for each in runs) <= 1.03
    assert statistics.median(each.goodput for each in runs) >= 0.93


def test_the_service_beside_does_not_notice() -> None:
    """Its latency, and not one error."""
    runs = medians(STEADY)
    assert statistics.median(each.interactive_p99_s for each in runs) <= 1.5 * LATENCY_ALONE_S
    assert sum(each.interactive_errors for each in runs) == 0


def test_after_a_brown_out_the_table_is_in_use_again_within_two_seconds() -> None:
    """Down to a fifth for five seconds."""
    for each in medians(replace(STEADY, changes=((8.0, 0.2), (13.0, 1.0)))):
        assert within(each.accepted, 15.0, 16.0) >= 0.9 * 300
        wasted = within(each.attempts, 8.0, 13.0) / within(each.accepted, 8.0, 13.0)
        assert wasted <= 1.5


def test_a_brown_out_that_leaves_enough_fails_no_interactive_call() -> None:
    """Batches yield, and retries wait for their tokens."""
    runs = medians(replace(STEADY, changes=((8.0, 0.4), (13.0, 1.0))))
    assert statistics.median(each.interactive_errors for each in runs) <= 1


def test_capacity_that_becomes_free_is_taken_over() -> None:
    """Doubled, it is in use within three seconds or so."""
    for each in medians(replace(STEADY, changes=((8.0, 2.0),), workers=16)):
        assert within(each.accepted, 11.5, 13.5) >= 0.85 * 1200


def test_processes_with_a_coordinator_get_equal_shares() -> None:
    """Also far below one call per second each; and they use the table whole."""
    world = World(
        processes=200,
        workers=1,
        capacity_per_s=100.0,
        duration_s=40.0,
        interactive_per_s=5.0,
        ramp_s=2.0,
    )
    figures = measure(world, coordinated())
    assert figures.goodput >= 0.9
    assert figures.amplification <= 1.1
    assert figures.jain >= 0.8
