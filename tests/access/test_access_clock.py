"""The strict clock: no jump of the wall clock lets anything live longer."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.access.clock import SKEW_TOLERANCE_S, StrictClock, iso_utc, steady_s

_BEGIN_S = 1_790_000_000.0


@dataclass
class Clocks:
    """A wall clock that may jump and one that only goes on."""

    wall_s: float = _BEGIN_S
    steady_s: float = 50.0

    def passes(self, seconds: float) -> None:
        """Time goes on."""
        self.wall_s += seconds
        self.steady_s += seconds

    def strict(self) -> StrictClock:
        """A strict clock that begins now."""
        return StrictClock(lambda: self.wall_s, lambda: self.steady_s)


def test_it_tells_the_time_where_nothing_jumps() -> None:
    """Both clocks agree: the time is the wall's."""
    clocks = Clocks()
    clock = clocks.strict()

    clocks.passes(10)

    assert clock.for_end_s() == pytest.approx(_BEGIN_S + 10)
    assert clock.for_beginning_s() == pytest.approx(_BEGIN_S + 10 + SKEW_TOLERANCE_S)


def test_a_wall_clock_put_back_revives_nothing() -> None:
    """Ends are asked of the clock that went on."""
    clocks = Clocks()
    clock = clocks.strict()
    clocks.passes(100)

    clocks.wall_s -= 3600

    assert clock.for_end_s() == pytest.approx(_BEGIN_S + 100)


def test_a_wall_clock_put_forward_begins_nothing_early() -> None:
    """Beginnings are asked of the earlier clock; ends come early, which is safe."""
    clocks = Clocks()
    clock = clocks.strict()

    clocks.wall_s += 3600

    assert clock.for_beginning_s() == pytest.approx(_BEGIN_S + SKEW_TOLERANCE_S)
    assert clock.for_end_s() == pytest.approx(_BEGIN_S + 3600)


def test_a_machine_that_slept_has_not_stopped_time() -> None:
    """A steady clock that stands still while the machine sleeps holds up no end."""
    clocks = Clocks()
    clock = clocks.strict()

    clocks.wall_s += 7200

    assert clock.for_end_s() == pytest.approx(_BEGIN_S + 7200)


@given(
    st.lists(st.tuples(st.floats(0, 5000), st.floats(-10_000, 10_000)), max_size=8),
    st.floats(0, 20_000),
)
def test_nothing_outlives_its_end_by_true_time(
    steps: list[tuple[float, float]], life_s: float
) -> None:
    """Whatever the wall clock does, once the time of a grant has passed it is over."""
    clocks = Clocks()
    clock = clocks.strict()
    end_s = clock.for_end_s() + life_s
    passed_s = 0.0
    for seconds, jump_s in steps:
        clocks.passes(seconds)
        clocks.wall_s += jump_s
        passed_s += seconds
        if passed_s >= life_s + 1e-3:
            assert clock.for_end_s() >= end_s


def test_one_reading_tells_both_times() -> None:
    """As the two do one after the other, whatever jumped."""
    clocks = Clocks()
    clock = clocks.strict()

    for jump_s in (0.0, 3600.0, -9000.0):
        clocks.wall_s += jump_s
        assert clock.span_s() == (clock.for_end_s(), clock.for_beginning_s())


@given(st.lists(st.tuples(st.floats(0, 5000), st.floats(-10_000, 10_000)), max_size=8))
def test_no_jump_makes_an_age_smaller_than_it_is(steps: list[tuple[float, float]]) -> None:
    """Ages are told by the clock that says more."""
    clocks = Clocks()
    clock = clocks.strict()
    mark = clock.mark()

    for seconds, jump_s in steps:
        clocks.passes(seconds)
        clocks.wall_s += jump_s

    assert clock.since_s(mark) >= sum(seconds for seconds, _ in steps) - 1e-3


def test_the_steady_clock_goes_on_while_the_machine_sleeps() -> None:
    """Where the system has such a clock; it never goes back anywhere."""
    first = steady_s()

    assert first <= steady_s()
    if hasattr(time, "CLOCK_BOOTTIME"):
        assert abs(steady_s() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 5


def test_instants_are_written_in_utc() -> None:
    """As messages and the command line have them."""
    assert iso_utc(_BEGIN_S) == "2026-09-21T14:13:20Z"
