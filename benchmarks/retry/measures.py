"""The figures of a run, from what the server counted and what the callers saw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.retry.cell import SERVICE_ROLE, Observation
from benchmarks.retry.load import Sample, item_key
from benchmarks.retry.scenarios import HOT_TABLE, IDLE_TABLE, TABLE, Scenario
from benchmarks.retry.standin import SLOTS_PER_S

Row = dict[str, Any]
TIMELINE_SLOT_S: Final = 0.5
_RECOVERED_SHARE: Final = 0.9
# The start of a service's connections is not its latency.
_WARM_FROM_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Slot:
    """A tenth of a second of one role at one table, as the server counted it."""

    at_s: float
    role: str
    table: str
    attempts: int
    asked: float
    accepted: float
    errors: float

    @property
    def is_batch(self) -> bool:
        """Whether it is the job's."""
        return self.role != SERVICE_ROLE


def read_slots(observation: Observation) -> list[Slot]:
    """The server's slots."""
    return [Slot(number / SLOTS_PER_S, *others) for number, *others in observation.stats["slots"]]


def within(slots: Iterable[Slot], from_s: float, to_s: float) -> list[Slot]:
    """The slots that begin in a window."""
    # Half a slot of tolerance: tenths are not exact.
    return [slot for slot in slots if from_s - 0.05 <= slot.at_s < to_s - 0.05]


def accepted(slots: Iterable[Slot]) -> float:
    """Units given."""
    return sum(slot.accepted for slot in slots)


def amplification(slots: Sequence[Slot]) -> float | None:
    """Units asked for per unit given; None where none was given."""
    given = accepted(slots)
    return round(sum(slot.asked for slot in slots) / given, 4) if given else None


def throttled_share(slots: Sequence[Slot]) -> float | None:
    """Share of units asked for that were throttled."""
    asked = sum(slot.asked for slot in slots)
    throttled = sum(slot.asked - slot.accepted - slot.errors for slot in slots)
    return round(throttled / asked, 4) if asked else None


def percentile_ms(samples: Iterable[Sample], share: float) -> float | None:
    """A percentile of latency over calls that did not fail; None without any.

    A call without an answer counts by the time that it has waited.
    """
    latencies = sorted(
        sample.latency_s for sample in samples if sample.outcome in ("ok", "unfinished")
    )
    if not latencies:
        return None
    return round(latencies[min(len(latencies) - 1, int(len(latencies) * share))] * 1000, 2)


def jain(values: Sequence[float]) -> float | None:
    """Jain's index of fairness; 1: all have the same."""
    squares = sum(value * value for value in values)
    return round(sum(values) ** 2 / (len(values) * squares), 4) if squares else None


def recovery_s(slots: Sequence[Slot], scenario: Scenario, to_s: float) -> float | None:
    """Seconds after the brown-out until capacity is used to 90 % again; None: never.

    The end of the first half second of such goodput of which the half second after it is no dip.
    """
    assert scenario.brownout is not None
    over_s = scenario.brownout[1]
    step_s, slot_s = 1 / SLOTS_PER_S, TIMELINE_SLOT_S
    at_s = over_s
    while at_s + 2 * slot_s <= to_s + step_s / 2:
        first = accepted(within(slots, at_s, at_s + slot_s))
        both = first + accepted(within(slots, at_s + slot_s, at_s + 2 * slot_s))
        bar = _RECOVERED_SHARE * scenario.available_units(at_s, at_s + slot_s)
        if first >= bar and both >= 2 * bar:
            return round(at_s + slot_s - over_s, 2)
        at_s += step_s
    return None


def summarise(observation: Observation, baseline: Sequence[Sample]) -> Row:
    """The figures of a run.

    Args:
        observation: The run.
        baseline: What the service saw alone, under the same policy, in the same invocation.
    """
    scenario = observation.scenario
    row: Row = {
        "policy": observation.policy,
        "scenario": scenario.name,
        "seed": observation.seed,
        "errors_surfaced": _add_counts(batch.surfaced for batch in observation.batches),
        "items_lost": _items_lost(observation),
    }
    slots = read_slots(observation)
    if scenario.idle_per_s:
        return {**row, **_two_tables(observation, slots)}
    end_s = _end_s(observation)
    slots = within(slots, 0.0, end_s)
    row |= _service(observation, slots, baseline, end_s)
    if scenario.processes:
        row |= _job(observation, slots, end_s)
    if scenario.brownout:
        row |= _brownout(observation, slots, end_s)
    return {**row, "timeline": _timeline(observation, slots, end_s)}


def _end_s(observation: Observation) -> float:
    """When the job was done; the limit where it was not."""
    ends = [batch.done_s for batch in observation.batches]
    finished = [end_s for end_s in ends if end_s is not None]
    if finished and len(finished) == len(ends):
        return max(finished)
    return observation.scenario.limit_s


def _settled_window(scenario: Scenario, end_s: float) -> tuple[float, float]:
    """When a policy should have found its rate and nothing else happens.

    To the brown-out, or to the last second, in which workers run out of items.
    """
    from_s = scenario.settled_from_s
    to_s = scenario.brownout[0] if scenario.brownout else end_s - 1
    return from_s, max(to_s, from_s + TIMELINE_SLOT_S)


def _job(observation: Observation, slots: list[Slot], end_s: float) -> Row:
    """What the job got and cost."""
    scenario = observation.scenario
    batch = [slot for slot in slots if slot.is_batch]
    settled = _settled_window(scenario, end_s)
    is_finished = all(result.done_s is not None for result in observation.batches)
    ideal_s = scenario.ideal_job_s()
    hot_key = observation.stats["hot_key"]
    return {
        "amplification": amplification(batch),
        "amplification_settled": amplification(within(batch, *settled)),
        "goodput": round(accepted(slots) / scenario.available_units(0.0, end_s), 4),
        "goodput_settled": round(
            accepted(within(slots, *settled)) / scenario.available_units(*settled), 4
        ),
        "job_s": round(end_s, 2) if is_finished and scenario.items is not None else None,
        "job_ideal_s": None if ideal_s is None else round(ideal_s, 2),
        "job_items": sum(len(result.acknowledged) for result in observation.batches),
        "job_finished": is_finished if scenario.items is not None else None,
        "throttled_share": throttled_share(slots),
        "jain": _fairness(observation, batch, end_s),
        "requests_per_item": _requests_per_item(observation, batch),
        "leftover_calls": sum(result.leftover_calls for result in observation.batches),
        "hot_key_amplification": (
            round(hot_key["asked"] / hot_key["accepted"], 4) if hot_key["accepted"] else None
        ),
    }


def _requests_per_item(observation: Observation, batch: Sequence[Slot]) -> float | None:
    """Requests that the job sent per item that was written."""
    items = accepted(batch) / observation.scenario.units_per_item
    return round(sum(slot.attempts for slot in batch) / items, 4) if items else None


def _fairness(observation: Observation, batch: Sequence[Slot], end_s: float) -> float | None:
    """Jain's index of what the processes got while all of them had work."""
    ends = [result.done_s for result in observation.batches if result.done_s is not None]
    shared = within(batch, 0.0, min([*ends, end_s]))
    roles = [result.role for result in observation.batches]
    return jain([accepted(slot for slot in shared if slot.role == role) for role in roles])


def _service(
    observation: Observation, slots: Sequence[Slot], baseline: Sequence[Sample], end_s: float
) -> Row:
    """What the service saw while the job ran."""
    samples = [each for each in observation.samples if _WARM_FROM_S <= each.at_s < end_s]
    settled_from_s, settled_to_s = _settled_window(observation.scenario, end_s)
    settled = [each for each in samples if settled_from_s <= each.at_s < settled_to_s]
    p99_ms, settled_p99_ms = percentile_ms(samples, 0.99), percentile_ms(settled, 0.99)
    alone_ms = percentile_ms((each for each in baseline if each.at_s >= _WARM_FROM_S), 0.99)
    return {
        "inter_calls": len(samples),
        "inter_p50_ms": percentile_ms(samples, 0.5),
        "inter_p99_ms": p99_ms,
        "inter_p999_ms": percentile_ms(samples, 0.999),
        "inter_p99_settled_ms": settled_p99_ms,
        "inter_p99_ratio": _ratio(p99_ms, alone_ms),
        "inter_p99_settled_ratio": _ratio(settled_p99_ms, alone_ms),
        "inter_error_share": _error_share(samples),
        "inter_errors": _add_counts({each.outcome: 1} for each in samples if _failed(each)),
        "inter_unfinished": sum(each.outcome == "unfinished" for each in samples),
        "inter_throttled_share": throttled_share([slot for slot in slots if not slot.is_batch]),
    }


def _brownout(observation: Observation, slots: Sequence[Slot], end_s: float) -> Row:
    """What happened inside the window, and how long its end took."""
    scenario = observation.scenario
    assert scenario.brownout is not None
    from_s, to_s, _ = scenario.brownout
    inside = within(slots, from_s, to_s)
    samples = [each for each in observation.samples if from_s <= each.at_s < to_s]
    return {
        "brownout_amplification": amplification(inside),
        "brownout_batch_amplification": amplification([slot for slot in inside if slot.is_batch]),
        "brownout_inter_p99_ms": percentile_ms(samples, 0.99),
        "brownout_inter_error_share": _error_share(samples),
        "recovery_s": recovery_s(slots, scenario, end_s),
    }


def _two_tables(observation: Observation, slots: Sequence[Slot]) -> Row:
    """What the idle table's callers got beside the hot one."""
    scenario = observation.scenario
    hot, idle = (
        within([slot for slot in slots if slot.table == table], 0.0, scenario.limit_s)
        for table in (HOT_TABLE, IDLE_TABLE)
    )
    samples = observation.samples
    offered = len(samples)
    return {
        "hot_per_s": round(accepted(hot) / scenario.limit_s, 2),
        "hot_amplification": amplification(hot),
        "hot_goodput": round(accepted(hot) / scenario.available_units(0.0, scenario.limit_s), 4),
        "idle_per_s": round(accepted(idle) / scenario.limit_s, 2),
        "idle_share": round(accepted(idle) / offered, 4) if offered else None,
        "idle_within_1s_share": round(
            sum(each.outcome == "ok" and each.latency_s <= 1.0 for each in samples) / offered, 4
        )
        if offered
        else None,
        "idle_p50_ms": percentile_ms(samples, 0.5),
        "idle_p99_ms": percentile_ms(samples, 0.99),
        "idle_error_share": _error_share(samples),
        "idle_unfinished": sum(each.outcome == "unfinished" for each in samples),
    }


def _timeline(observation: Observation, slots: Sequence[Slot], end_s: float) -> Row:
    """Half-second figures: units per second, and the service's 99th percentile."""
    scenario = observation.scenario
    starts = [index * TIMELINE_SLOT_S for index in range(int(end_s / TIMELINE_SLOT_S))]

    def per_s(value: Callable[[Slot], float], of: Sequence[Slot]) -> list[float]:
        return [
            round(
                sum(value(slot) for slot in within(of, at_s, at_s + TIMELINE_SLOT_S))
                / TIMELINE_SLOT_S,
                1,
            )
            for at_s in starts
        ]

    batch = [slot for slot in slots if slot.is_batch]
    return {
        "slot_s": TIMELINE_SLOT_S,
        "capacity": [scenario.rate_at(at_s + TIMELINE_SLOT_S / 2) for at_s in starts],
        "asked": per_s(lambda slot: slot.asked, slots),
        "goodput": per_s(lambda slot: slot.accepted, slots),
        "batch_goodput": per_s(lambda slot: slot.accepted, batch),
        "inter_p99_ms": [
            percentile_ms(
                (
                    each
                    for each in observation.samples
                    if at_s <= each.at_s < at_s + TIMELINE_SLOT_S
                ),
                0.99,
            )
            for at_s in starts
        ],
    }


def _items_lost(observation: Observation) -> int:
    """Items that a caller was told are written, or a finished job had to write, and are not."""
    scenario = observation.scenario
    table = HOT_TABLE if scenario.idle_per_s else TABLE
    expected = {index for result in observation.batches for index in result.acknowledged}
    if scenario.items is not None and all(each.done_s is not None for each in observation.batches):
        expected.update(range(scenario.items))
    written = observation.keys[table]
    lost = sum("/".join(item_key(index, scenario.partitions)) not in written for index in expected)
    singles = observation.keys[IDLE_TABLE if scenario.idle_per_s else TABLE]
    arrived = sum(key.startswith("i") for key in singles)
    acknowledged = sum(each.outcome == "ok" for each in observation.samples)
    return lost + max(0, acknowledged - arrived)


def _failed(sample: Sample) -> bool:
    """Whether an error reached the caller."""
    return sample.outcome not in ("ok", "unfinished")


def _error_share(samples: Sequence[Sample]) -> float | None:
    """Share of calls that failed."""
    return round(sum(map(_failed, samples)) / len(samples), 4) if samples else None


def _ratio(value: float | None, base: float | None) -> float | None:
    """One over the other, where both are there."""
    return round(value / base, 3) if value is not None and base else None


def _add_counts(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    """Counts by name, added up."""
    total: dict[str, int] = {}
    for each in counts:
        for name, count in each.items():
            total[name] = total.get(name, 0) + count
    return total
