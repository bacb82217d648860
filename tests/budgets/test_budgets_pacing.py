"""How long first tries wait after throttles."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaguard.budgets.pacing import FIRST_WAIT_S, FORGET_AFTER_S, MAX_WAIT_S, Pacer
from dynaguard.budgets.signals import Signal


@dataclass
class Clock:
    """A clock that the test moves."""

    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s


def make_pacer(clock: Clock, *, share: float = 1.0, max_keys: int = 8) -> Pacer[str]:
    """A pacer whose every draw is `share` of the ceiling."""
    return Pacer(monotonic=clock, random=lambda: share, max_keys=max_keys)


def throttle(pacer: Pacer[str], clock: Clock, *, times: int, key: str = "orders") -> None:
    """That many throttles, each far enough from the last to count."""
    for _ in range(times):
        pacer.learn(key, Signal.THROTTLE)
        clock.now_s += MAX_WAIT_S


@pytest.mark.parametrize("signal", [Signal.THROTTLE, Signal.LEFTOVERS])
def test_waits_after_a_throttle(signal: Signal) -> None:
    """A throttle and leftovers both make the next first try wait up to 50 ms."""
    pacer = make_pacer(Clock())

    pacer.learn("orders", signal)

    assert pacer.draw_wait_s("orders") == FIRST_WAIT_S


@pytest.mark.parametrize("signal", [Signal.OK, Signal.CONFLICT, Signal.TRANSIENT, Signal.FATAL])
def test_nothing_else_makes_wait(signal: Signal) -> None:
    """Only signs of too much load slow first tries down."""
    pacer = make_pacer(Clock())

    pacer.learn("orders", signal)

    assert pacer.is_idle
    assert pacer.draw_wait_s("orders") == 0.0


def test_other_keys_do_not_wait() -> None:
    """One table's throttle leaves the others alone."""
    pacer = make_pacer(Clock())

    pacer.learn("orders", Signal.THROTTLE)

    assert pacer.draw_wait_s("customers") == 0.0


def test_ceiling_doubles_up_to_the_cap() -> None:
    """Each further throttle doubles the ceiling; it never passes five seconds."""
    clock = Clock()
    pacer = make_pacer(clock)
    seen = []
    for _ in range(9):
        throttle(pacer, clock, times=1)
        seen.append(pacer.draw_wait_s("orders"))

    assert seen == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_one_event_seen_by_many_threads_counts_once() -> None:
    """Throttles that come together double the ceiling once."""
    pacer = make_pacer(Clock())

    for _ in range(50):
        pacer.learn("orders", Signal.THROTTLE)

    assert pacer.draw_wait_s("orders") == FIRST_WAIT_S


def test_draws_are_jittered_over_the_whole_range() -> None:
    """The wait is the random share of the ceiling."""
    pacer = make_pacer(Clock(), share=0.25)

    pacer.learn("orders", Signal.THROTTLE)

    assert pacer.draw_wait_s("orders") == FIRST_WAIT_S / 4


def test_successes_end_the_waits() -> None:
    """Successes shrink the ceiling until nothing waits and the fast path is back."""
    clock = Clock()
    pacer = make_pacer(clock)
    throttle(pacer, clock, times=4)

    ceilings = [pacer.draw_wait_s("orders")]
    while not pacer.is_idle:
        clock.now_s += 0.1
        pacer.learn("orders", Signal.OK)
        ceilings.append(pacer.draw_wait_s("orders"))

    assert ceilings == sorted(ceilings, reverse=True)
    assert ceilings[-1] == 0.0
    assert len(ceilings) < 50


def test_successes_that_come_together_count_once() -> None:
    """Many threads' successes at one instant shrink the ceiling by one step."""
    clock = Clock()
    pacer = make_pacer(clock)
    throttle(pacer, clock, times=1)

    for _ in range(50):
        pacer.learn("orders", Signal.OK)

    assert pacer.draw_wait_s("orders") == pytest.approx(FIRST_WAIT_S * 0.9)


def test_success_of_another_key_changes_nothing() -> None:
    """A key is judged by its own answers."""
    pacer = make_pacer(Clock())
    pacer.learn("orders", Signal.THROTTLE)

    pacer.learn("customers", Signal.OK)

    assert pacer.draw_wait_s("orders") == FIRST_WAIT_S


def test_an_old_throttle_is_forgotten() -> None:
    """A job that comes back after a pause does not wait for what happened before it."""
    clock = Clock()
    pacer = make_pacer(clock)
    throttle(pacer, clock, times=8)

    clock.now_s += FORGET_AFTER_S

    assert pacer.snapshot(clock.now_s) == {}
    assert pacer.draw_wait_s("orders") == 0.0
    assert pacer.is_idle


def test_a_throttle_after_a_pause_starts_anew() -> None:
    """The first throttle after a long pause is a first throttle."""
    clock = Clock()
    pacer = make_pacer(clock)
    throttle(pacer, clock, times=8)

    clock.now_s += FORGET_AFTER_S
    pacer.learn("orders", Signal.THROTTLE)

    assert pacer.snapshot(clock.now_s) == {"orders": FIRST_WAIT_S}


def test_keys_are_bounded() -> None:
    """Beyond the bound the least recently used key is forgotten."""
    clock = Clock()
    pacer = make_pacer(clock, max_keys=2)

    for key in ("a", "b", "c"):
        pacer.learn(key, Signal.THROTTLE)

    assert set(pacer.snapshot(clock.now_s)) == {"b", "c"}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-10.0, 10.0), st.sampled_from(list(Signal)), st.floats(0.0, 1.0)),
        max_size=60,
    )
)
def test_waits_stay_under_the_cap(events: list[tuple[float, Signal, float]]) -> None:
    """For any answers and any clock, backward ones too, 0 <= wait <= cap."""
    clock = Clock()
    share = [0.0]
    pacer: Pacer[str] = Pacer(monotonic=clock, random=lambda: share[0], max_keys=4)

    for step_s, signal, share[0] in events:
        clock.now_s += step_s
        pacer.learn("orders", signal)
        assert 0.0 <= pacer.draw_wait_s("orders") <= MAX_WAIT_S
