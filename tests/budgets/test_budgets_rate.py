"""The rate that is learnt: cut by throttles, back again, and in search of more."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.budgets import rate as rates
from dynaguard.budgets.flow import Flow
from dynaguard.budgets.rate import AdaptiveRate


def steady(rate: AdaptiveRate, from_s: float, seconds: float, per_s: float) -> float:
    """Feeds accepted calls, evenly spread; gives the time after."""
    count = int(seconds * per_s)
    for index in range(1, count + 1):
        now_s = from_s + index / per_s
        rate.accepted(now_s, now_s - 0.005, 1.0)
    return from_s + seconds


def throttled_once(per_s: float = 100.0) -> tuple[AdaptiveRate, float]:
    """A rate after its first throttle, at `per_s` accepted; and the time."""
    rate = AdaptiveRate(0.0)
    now_s = steady(rate, 0.0, 2.0, per_s)
    assert rate.throttled(now_s, now_s - 0.005)
    return rate, now_s


def cut(per_s: float = 100.0, **options: float) -> tuple[AdaptiveRate, float]:
    """A rate whose search has just ended, at `per_s` accepted; and the time."""
    rate = AdaptiveRate(0.0, **options)
    rate.throttled(0.0, -0.005)
    now_s = steady(rate, 0.0, 2.0, per_s)
    assert rate.throttled(now_s, now_s - 0.005)
    return rate, now_s


def test_there_is_no_limit_before_the_first_throttle() -> None:
    """Whatever is accepted, at whatever rate."""
    rate = AdaptiveRate(0.0)
    now_s = steady(rate, 0.0, 3.0, 1000.0)
    assert math.isinf(rate.per_s(now_s))
    assert not rate.is_limited


def test_the_first_throttle_cuts_far_below_what_was_accepted() -> None:
    """Stored capacity was in that."""
    rate, now_s = throttled_once(100.0)
    assert rate.per_s(now_s) < 0.1 * 100.0


def test_after_the_first_throttle_it_searches_until_the_next_one() -> None:
    """Doubling; and half of what was accepted then is an honest start."""
    rate, now_s = throttled_once(100.0)
    now_s = steady(rate, now_s, rates.SEARCH_S + 1.5, 60.0)
    assert rate.per_s(now_s) > 2 * 60.0
    assert rate.throttled(now_s, now_s - 0.005)
    assert rate.per_s(now_s + rates.RETURN_S) == pytest.approx(0.5 * 60.0, rel=0.15)


def test_a_first_throttle_without_anything_accepted_starts_a_search() -> None:
    """A process that came late must not idle for ever."""
    rate = AdaptiveRate(0.0)
    rate.throttled(1.0, 0.9)
    first = rate.per_s(1.0)
    assert first > 1.0
    assert rate.per_s(2.0) > 2 * first


def test_the_rate_comes_back_to_the_anchor_and_then_looks_for_more() -> None:
    """Hold, return, probe; doubled within three seconds of a cut."""
    rate, now_s = cut(100.0)
    held = rate.per_s(now_s)
    returned = rate.per_s(now_s + rates.RETURN_S)
    assert held == pytest.approx(returned * rates.CUT)
    assert rate.per_s(now_s + rates.RETURN_S + 1.9) >= 2 * returned * 0.99


def test_answers_to_calls_sent_before_the_last_cut_do_not_count() -> None:
    """The sent-at rule: one event is not counted twice."""
    rate, now_s = cut(100.0)
    before = rate.per_s(now_s + 0.01)
    for _ in range(50):
        assert not rate.throttled(now_s + 0.01, now_s - 0.001)
    assert rate.per_s(now_s + 0.01) == before


def test_between_two_throttles_the_anchor_is_what_was_accepted() -> None:
    """The average of the cycle is the process's share of the capacity."""
    rate, now_s = cut(100.0)
    now_s = steady(rate, now_s + 0.01, 1.5, 40.0)
    assert rate.throttled(now_s, now_s - 0.005)
    assert rate.per_s(now_s + rates.RETURN_S) == pytest.approx(40.0, rel=0.1)


def test_one_throttle_soon_after_a_cut_changes_nothing() -> None:
    """It may be the neighbours' doing; three among thirty are evidence."""
    rate, now_s = cut(100.0)
    now_s = steady(rate, now_s + 0.01, 0.7, 60.0)
    assert not rate.throttled(now_s, now_s - 0.005)
    assert not rate.throttled(now_s, now_s - 0.005)
    assert rate.throttled(now_s, now_s - 0.005)


def test_a_cut_that_was_not_enough_is_followed_by_a_hard_one_at_once() -> None:
    """Five fresh units, most of them throttled, and no waiting for the return."""
    rate, now_s = cut(100.0)
    before = rate.per_s(now_s)
    later_s = now_s + rates.HARD_S + 0.01
    assert any(rate.throttled(later_s, now_s + 0.001) for _ in range(5))
    assert rate.per_s(later_s) < 0.5 * before


def collapsed() -> tuple[AdaptiveRate, float]:
    """A rate that was 100 in good times and is throttled throughout now."""
    rate, now_s = cut(100.0)
    for _ in range(12):
        now_s = steady(rate, now_s + 0.01, 1.5, 100.0)
        rate.throttled(now_s, now_s - 0.005)
    assert rate.remembered_per_s == pytest.approx(100.0, rel=0.15)
    for _ in range(40):
        now_s += 0.02
        rate.throttled(now_s, now_s - 0.001)
    return rate, now_s


def test_in_a_collapse_batches_yield_nearly_everything() -> None:
    """Down to a few percent of what was."""
    rate, now_s = collapsed()
    assert rate.per_s(now_s) < 0.03 * 100


def test_after_a_collapse_the_rate_is_back_within_two_seconds() -> None:
    """Probes that go well double it, up to what was remembered."""
    rate, now_s = collapsed()
    end_s = now_s + 2.0
    while now_s < end_s:
        now_s += 1 / max(rate.per_s(now_s), 1.0)
        rate.accepted(now_s, now_s - 0.005, 1.0)
    assert rate.per_s(end_s) > 0.9 * 100 * 0.85


def test_a_known_capacity_needs_no_search() -> None:
    """A hint is where it starts; a share bounds it."""
    rate = AdaptiveRate(0.0, hint_per_s=200.0, max_share=0.5)
    assert rate.per_s(0.0) == 100.0
    assert rate.per_s(1000.0) <= 100.0


def test_a_share_keeps_away_from_the_edge_for_half_a_minute() -> None:
    """After a cut it stays below what was learnt, and looks for more seldom."""
    rate, now_s = cut(100.0, max_share=0.9)
    anchor = rate.known_per_s
    assert rate.per_s(now_s + rates.RETURN_S + 20) == pytest.approx(0.9 * anchor)
    assert rate.per_s(now_s + rates.RETURN_S + rates.LOOK_AGAIN_S + 1.5) > anchor


def test_an_application_that_asks_for_less_does_not_grow_the_rate_without_bound() -> None:
    """Beyond twice the anchor the rate is bound to what is in use."""
    rate, now_s = cut(100.0)
    anchor = rate.known_per_s
    now_s = steady(rate, now_s + 0.01, 20.0, 5.0)
    assert rate.per_s(now_s) <= rates.UNUSED * anchor * 1.01


@given(
    st.lists(
        st.tuples(
            st.floats(0.0001, 5.0), st.sampled_from(["ok", "bad", "late"]), st.floats(0.5, 50.0)
        ),
        max_size=60,
    )
)
def test_the_rate_is_always_positive_and_finite_once_limited(
    events: list[tuple[float, str, float]],
) -> None:
    """For any history."""
    rate, now_s = AdaptiveRate(0.0), 0.0
    for gap_s, kind, units in events:
        now_s += gap_s
        if kind == "ok":
            rate.accepted(now_s, now_s - 0.004, units)
        else:
            rate.throttled(now_s, now_s - (0.004 if kind == "bad" else 60.0), units)
        if rate.is_limited:
            assert 0 < rate.per_s(now_s) < math.inf
            assert 0 < rate.per_s(now_s + 1e4) < math.inf


@given(st.floats(1.0, 1000.0), st.floats(0.05, 5.0))
def test_a_flow_is_what_flows(per_s: float, constant_s: float) -> None:
    """An even flow is measured within a tenth, once enough units have passed."""
    flow, now_s = Flow(constant_s, 0.0), 0.0
    count = int(5 * constant_s * per_s) + 20
    for _ in range(count):
        now_s += 1 / per_s
        flow.add(now_s, 1.0)
    assert flow.per_s(now_s) == pytest.approx(per_s, rel=0.1 + 1.2 / (constant_s * per_s))
