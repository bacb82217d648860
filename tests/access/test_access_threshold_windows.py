"""Windows of thresholds: units that are known later, bounds, forks, clocks that go back."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.access.thresholds import MAX_RUNS, SLOTS, Amounts, Window
from dynaguard.call import ConsumedCapacity
from dynaguard.forks import renew_all
from tests.access.allowances import (
    ANN,
    CALL,
    ETL,
    OTHER,
    REF,
    Clock,
    allowance_of,
    asking,
    clock,
    delete,
    goes,
    hourly,
    of_job,
)

__all__ = ["clock"]  # the fixture


# --- capacity units ------------------------------------------------------------------------------


def consumed(**units: float) -> list[ConsumedCapacity]:
    """What an answer tells."""
    return [ConsumedCapacity("orders", **units), ConsumedCapacity("orders", index="by_day")]


def test_units_count_when_the_call_has_ended(clock: Clock) -> None:
    """The call that comes to the limit was let through."""
    thresholds = hourly(clock, write_units=10)
    assert goes(thresholds)
    thresholds.book(CALL, ETL, [REF], consumed(write_units=9.5, read_units=100))
    assert goes(thresholds)
    thresholds.book(CALL, ETL, [REF], consumed(write_units=0.5))

    allowance = allowance_of(thresholds)
    assert allowance.widen(delete(), ETL, asking(REF)) is None
    assert allowance.excess == "10 write units within 1h are used"
    assert goes(thresholds, who=ANN)


def test_units_leave_with_their_window(clock: Clock) -> None:
    """As everything else."""
    thresholds = hourly(clock, read_units=0.1)
    for _ in range(3):
        thresholds.book(CALL, ETL, [REF], consumed(read_units=0.1))
    assert not goes(thresholds)

    clock.now_s += 3600 + 3600 / SLOTS

    assert goes(thresholds)


@pytest.mark.parametrize(
    ("limits", "counts"),
    [({"calls": 1}, False), ({"read_units": 1}, True), ({"write_units": 1}, 1)],
)
def test_it_knows_whether_units_matter(clock: Clock, limits: Any, counts: bool) -> None:
    """Answers are asked for them only then."""
    assert hourly(clock, **limits).counts_units == bool(counts)


def test_units_of_another_statement_are_nobodys(clock: Clock) -> None:
    """One whose threshold is gone, say."""
    thresholds = hourly(clock, write_units=1)

    thresholds.book(CALL, ETL, [OTHER], consumed(write_units=9))

    assert goes(thresholds)


# --- bounds --------------------------------------------------------------------------------------


def test_there_is_room_for_so_many_runs(clock: Clock) -> None:
    """One more is not let through uncounted, until a window is empty."""
    thresholds = hourly(clock, calls=1)
    assert all(goes(thresholds, call=of_job(f"j{n}")) for n in range(MAX_RUNS))

    allowance = allowance_of(thresholds, of_job("new"))
    assert allowance.widen(delete(), ETL, asking(REF)) is None
    assert allowance.excess == f"there is no room to count more than {MAX_RUNS} runs"

    clock.now_s += 3600 + 3600 / SLOTS
    assert goes(thresholds, call=of_job("new"))


def test_units_without_room_are_left(clock: Clock) -> None:
    """The run is let through no further anyway."""
    thresholds = hourly(clock, read_units=1)
    for number in range(MAX_RUNS + 1):
        thresholds.book(of_job(f"j{number}"), ETL, [REF], consumed(read_units=5))

    assert not goes(thresholds, call=of_job(f"j{MAX_RUNS}"))


def test_a_forked_child_gets_a_lock_of_its_own(clock: Clock) -> None:
    """The parent's may be held for ever."""
    thresholds = hourly(clock, calls=1)
    thresholds.lock.acquire()

    renew_all()

    assert goes(thresholds)


def naive(entries: Iterable[tuple[float, float]], now_s: float, window_s: float) -> float:
    """The sum of what was added within the window, from a plain list."""
    return sum(amount for at_s, amount in entries if at_s > now_s - window_s)


@given(
    st.lists(
        st.tuples(st.floats(min_value=0, max_value=40), st.integers(min_value=1, max_value=9)),
        max_size=200,
    ),
    st.sampled_from((1.0, 10.0, 64.0, 1000.0)),
)
def test_a_window_counts_as_a_plain_list_does(
    steps: list[tuple[float, int]], window_s: float
) -> None:
    """Never less, and what is older than the window by a slot no more; in bounded memory."""
    window, entries, now_s = Window(window_s), [], 0.0
    for pause_s, amount in steps:
        now_s += pause_s
        window.add(now_s, Amounts(items=amount))
        entries.append((now_s, float(amount)))
        assert naive(entries, now_s, window_s) <= window.used(now_s).items
        most = naive(entries, now_s, window_s + window_s / SLOTS)
        assert window.used(now_s).items <= most
        assert len(window._entries) <= SLOTS + 2


@given(st.lists(st.floats(min_value=-5, max_value=5), max_size=100))
def test_a_clock_that_goes_back_loses_nothing(steps: list[float]) -> None:
    """What was added latest is never forgotten before its time."""
    window, now_s, latest_s = Window(10.0), 100.0, 100.0
    added: list[tuple[float, float]] = []
    for step_s in steps:
        now_s += step_s
        latest_s = max(latest_s, now_s)
        window.add(now_s, Amounts(calls=1))
        added.append((now_s, 1.0))
        assert window.used(latest_s).calls >= naive(added, latest_s, 10.0)


def test_a_call_of_a_signal_handler_within_a_count_needs_the_approval(clock: Clock) -> None:
    """It waits for nobody, least of all for the thread that it interrupted."""
    thresholds = hourly(clock, calls=9)
    wanted = {(REF, ("identity", "etl", None)): Amounts(calls=1)}
    found: list[str | None] = []

    class Interrupted(dict[Any, Any]):
        """Something comes in between while it is looked at."""

        def items(self) -> Any:
            found.append(thresholds.take(wanted))
            return super().items()

    counting = threading.Thread(
        target=lambda: found.append(thresholds.take(Interrupted(wanted))), daemon=True
    )
    counting.start()
    counting.join(10)

    assert found == ["a signal handler came in between"] * 2 + [None]
    assert [thresholds.take(wanted) for _ in range(9)] == [None] * 8 + [
        "more than 9 calls within 1h"
    ]
