"""What the lanes learn from one attempt's end. Its caller holds the lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dynaguard.budgets.lane import Lane
from dynaguard.budgets.lanes import Lanes
from dynaguard.budgets.load import MAX_RETRY_AFTER_S, Lesson, Load, Part
from dynaguard.budgets.signals import Signal


def learn_answer(
    lanes: Lanes,
    load: Load,
    lesson: Lesson,
    now_s: float,
    *,
    is_paced: bool,
    random: Callable[[], float],
) -> None:
    """Takes an attempt's end into account.

    Args:
        lanes: The lanes of the process.
        load: What the call asked.
        lesson: What its answer says.
        now_s: The clock.
        is_paced: Whether the call waited for its turn; else its units are debited now.
        random: Uniform in [0, 1).
    """
    signal = lesson.signal
    own = lanes.of_load(load, now_s)
    if signal is Signal.TRANSIENT:
        for lane, _ in own:
            lane.breaker.failed(now_s, random())
        return
    for lane, units in own:
        lane.breaker.succeeded(now_s)
        if signal is Signal.OK or signal is Signal.LEFTOVERS:
            _note_accepted(lane, units, load, lesson, now_s, is_paced=is_paced)
    if signal is Signal.THROTTLE or signal is Signal.LEFTOVERS:
        for lane in _throttled_lanes(lanes, load, lesson, now_s):
            lane.throttled(now_s, lesson.sent_at_s, lesson.left_units or load.units)
            if lesson.retry_after_s:
                lane.not_before_s = max(
                    lane.not_before_s, now_s + min(lesson.retry_after_s, MAX_RETRY_AFTER_S)
                )


def _note_accepted(
    lane: Lane, units: float, load: Load, lesson: Lesson, now_s: float, *, is_paced: bool
) -> None:
    """The units of a lane that AWS took."""
    if lesson.left_units:
        units = max(0.0, units - lesson.left_units * units / max(load.units, 1e-9))
    taken = units
    if lesson.consumed is not None and len(load.parts) == 1:
        taken = lesson.consumed
    if taken <= 0:
        return
    lane.accepted(now_s, lesson.sent_at_s, taken, is_paced=is_paced)
    debit = taken - units if is_paced else taken
    if debit:
        lane.debit(now_s, debit)


def _throttled_lanes(lanes: Lanes, load: Load, lesson: Lesson, now_s: float) -> Iterable[Lane]:
    """The lanes that a throttle is about; without a reason all of the call's own."""
    found: list[Lane] = []
    for cause in lesson.causes:
        part = _part_of(load, cause.resource)
        lane = lanes.of_cause(load, part, cause, now_s)
        if lane is not None and lane not in found:
            found.append(lane)
    if not lesson.causes:
        found = [lane for lane, _ in lanes.of_load(load, now_s)]
    return found


def _part_of(load: Load, arn: str) -> Part:
    """The part of the call that a reason's resource belongs to; by the table's name."""
    if len(load.parts) > 1:
        table = arn.partition(":table/")[2].partition("/")[0]
        for part in load.parts:
            if part.resource.partition(":table/")[2].partition("/")[0] == table:
                return part
    return load.parts[0]
