"""A lane: the rate is kept, first come is first served, background goes last."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.budgets.lane import Lane, Ticket
from dynaguard.budgets.rate import AdaptiveRate


class Constant(AdaptiveRate):
    """A rate that nothing changes."""

    def __init__(self, per_s: float) -> None:
        super().__init__(0.0, hint_per_s=per_s)
        self._fixed = per_s

    def per_s(self, now_s: float) -> float:
        return self._fixed


def nobody() -> None:
    """Nobody is waiting to be woken."""


def ticket(
    units: float = 1.0, wake: Callable[[], None] = nobody, *, is_background: bool = False
) -> Ticket:
    """A place in a queue."""
    return Ticket(units, wake, is_background)


def drain(lane: Lane, tickets: list[Ticket]) -> list[float]:
    """When each goes, if all come at 0.0 and wait as they are told."""
    for each in tickets:
        lane.enter(each)
    gone: dict[int, float] = {}
    now_s = 0.0
    while len(gone) < len(tickets):
        waits = []
        for each in tickets:
            if id(each) not in gone:
                wait_s = lane.ask(now_s, each, 0.5)
                if wait_s == 0.0:
                    gone[id(each)] = now_s
                else:
                    waits.append(wait_s)
        now_s += min(waits, default=0.0)
    return [gone[id(each)] for each in tickets]


@given(
    st.floats(0.5, 500.0),
    st.lists(st.floats(1.0, 25.0), min_size=2, max_size=30),
)
def test_over_any_time_no_more_goes_than_the_rate_allows(per_s: float, units: list[float]) -> None:
    """GCRA against its definition: a call goes when what went before has drained."""
    lane = Lane(Constant(per_s), 0.0)
    gone = drain(lane, [ticket(each) for each in units])
    tolerance_s = 0.02
    level, at_s = 0.0, 0.0
    for instant_s, size in zip(gone, units, strict=True):
        level = max(0.0, level - (instant_s - at_s) * per_s)
        at_s = instant_s
        assert level <= per_s * tolerance_s + 1e-6
        level += size
    assert gone == sorted(gone)
    # nor is anybody held back for longer than that takes
    assert gone[-1] <= sum(units[:-1]) / per_s + 1e-3 * len(units)


def test_the_first_to_come_is_the_first_to_go() -> None:
    """Who comes later waits, although it asks more often."""
    lane = Lane(Constant(10.0), 0.0)
    first, second, third = ticket(), ticket(), ticket()
    for each in (first, second, third):
        lane.enter(each)
    assert lane.ask(0.0, second, 0.5) > 0
    assert lane.ask(0.0, first, 0.5) == 0.0
    assert lane.ask(0.05, third, 0.5) > lane.ask(0.05, second, 0.5) > 0
    assert lane.ask(0.2, second, 0.5) == 0.0


def test_who_becomes_the_first_is_woken_once() -> None:
    """Nobody polls."""
    woken: list[str] = []
    lane = Lane(Constant(10.0), 0.0)
    first, second = ticket(), ticket(wake=lambda: woken.append("second"))
    lane.enter(first)
    lane.enter(second)
    assert woken == []
    lane.ask(0.0, first, 0.5)
    assert woken == ["second"]


def test_who_gives_up_makes_way() -> None:
    """An interrupted wait blocks nobody."""
    woken: list[str] = []
    lane = Lane(Constant(10.0), 0.0)
    first, second = ticket(), ticket(wake=lambda: woken.append("second"))
    lane.enter(first)
    lane.enter(second)
    lane.leave(first)
    assert woken == ["second"]
    assert lane.ask(0.0, second, 0.5) == 0.0
    assert lane.waiting == 0


def test_background_calls_go_behind_all_others() -> None:
    """Also behind those that come later."""
    lane = Lane(Constant(10.0), 0.0)
    background, batch = ticket(is_background=True), ticket()
    lane.enter(background)
    lane.enter(batch)
    assert lane.first is batch
    assert lane.ask(0.0, background, 0.5) > 0
    assert lane.ask(0.0, batch, 0.5) == 0.0
    assert lane.first is background


def test_calls_that_do_not_wait_push_the_others_back() -> None:
    """Interactive calls debit the lane; by a second's worth at most."""
    lane = Lane(Constant(10.0), 0.0)
    lane.debit(0.0, 3.0)
    assert lane.wait_s(0.0) == pytest.approx(0.28, abs=0.01)
    lane.debit(0.0, 1000.0)
    assert lane.wait_s(0.0) == pytest.approx(1.0, abs=0.05)


def test_a_pause_that_aws_asks_for_holds_everybody() -> None:
    """`x-amz-retry-after` is a floor for the whole lane."""
    lane = Lane(AdaptiveRate(0.0), 0.0)
    assert lane.is_free(0.0)
    lane.not_before_s = 2.0
    place = ticket()
    lane.enter(place)
    assert not lane.is_free(0.0)
    assert lane.ask(0.0, place, 0.5) == pytest.approx(2.0)
    assert lane.ask(2.0, place, 0.5) == 0.0


def test_an_open_breaker_lets_one_probe_a_second_through() -> None:
    """Also where there is no limit to the rate."""
    lane = Lane(AdaptiveRate(0.0), 0.0)
    for _ in range(30):
        lane.breaker.failed(0.0, 0.5)
    assert lane.breaker.is_open
    first, second = ticket(), ticket()
    lane.enter(first)
    lane.enter(second)
    assert lane.ask(0.0, first, 0.5) == pytest.approx(1.0)
    assert lane.ask(1.0, first, 0.5) == 0.0
    assert lane.ask(1.0, second, 0.5) == pytest.approx(1.0)
    lane.breaker.succeeded(1.2)
    assert lane.ask(1.2, second, 0.5) == 0.0


def test_a_cut_forgives_debts_made_at_the_old_rate() -> None:
    """A batch of 25 let go at 500/s must not block a lane of 2/s for twelve seconds."""
    lane = Lane(AdaptiveRate(0.0), 0.0)
    for index in range(100):
        lane.rate.accepted(index / 500, index / 500 - 0.004, 1.0)
    lane.throttled(0.2, 0.199, 1.0)
    place = ticket(25.0)
    lane.enter(place)
    lane.ask(0.2, place, 0.5)
    for _ in range(20):
        lane.throttled(0.4, 0.399, 5.0)
    assert lane.wait_s(0.4) < 0.5


def test_the_estimate_counts_on_growth() -> None:
    """A long queue in a collapse is not told that it waits for ever."""
    rate = AdaptiveRate(0.0)
    rate.throttled(0.0, -0.1)
    lane = Lane(rate, 0.0)
    places = [ticket() for _ in range(50)]
    for each in places:
        lane.enter(each)
    lane.ask(0.0, places[0], 0.5)
    assert lane.wait_s(0.0, places[-1]) < 50 / rate.per_s(0.0)
    assert not math.isinf(lane.wait_s(0.0))
