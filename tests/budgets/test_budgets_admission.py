"""When first tries wait, and which never do."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from dynaguard.budgets.budget import Admission, BucketKey, RetryBudgets
from dynaguard.budgets.signals import Signal
from dynaguard.call import StatementRef
from dynaguard.policy.model import BudgetStatement
from dynaguard.scope import Priority, Scope

KEY = BucketKey(job="nightly", resource="orders", is_write=True)
BATCH = Scope(priority=Priority.BATCH)


@dataclass
class Clock:
    """A clock that the test moves."""

    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s


def make_budgets(*statements: BudgetStatement, clock: Clock | None = None) -> RetryBudgets:
    """Budgets whose every draw is the whole ceiling."""
    return RetryBudgets(statements, monotonic=clock or Clock(), random=lambda: 1.0)


@pytest.mark.parametrize("priority", list(Priority))
def test_nothing_waits_while_nothing_throttles(priority: Priority) -> None:
    """Without a throttle every class goes at once."""
    budgets = make_budgets()
    budgets.learn(KEY, Signal.OK)

    assert budgets.admit(KEY, Scope(priority=priority)) == Admission(0.0, None)


@pytest.mark.parametrize(
    ("priority", "wait_s"),
    [(Priority.INTERACTIVE, 0.0), (Priority.BATCH, 0.05), (Priority.BACKGROUND, 0.05)],
)
@pytest.mark.parametrize("signal", [Signal.THROTTLE, Signal.LEFTOVERS])
def test_after_a_throttle_only_interactive_calls_go_at_once(
    priority: Priority, wait_s: float, signal: Signal
) -> None:
    """Batches yield after throttles and leftovers; interactive calls never wait."""
    budgets = make_budgets()
    budgets.learn(KEY, signal)

    assert budgets.admit(KEY, Scope(priority=priority)) == Admission(wait_s, None)


def test_other_buckets_go_at_once() -> None:
    """One table's throttle does not slow another, nor the reads of the same."""
    budgets = make_budgets()
    budgets.learn(KEY, Signal.THROTTLE)

    read = BucketKey(KEY.job, KEY.resource, is_write=False)

    assert budgets.admit(read, BATCH) == Admission(0.0, None)


def test_a_loop_over_leftovers_does_not_spin() -> None:
    """Resubmitting leftovers at once is slowed to a few tries per second."""
    clock = Clock()
    budgets = make_budgets(clock=clock)
    tries = 0
    while clock.now_s < 110.0:
        clock.now_s += budgets.admit(KEY, BATCH).wait_s + 0.005
        budgets.learn(KEY, Signal.LEFTOVERS)
        tries += 1

    assert tries <= 10


def test_a_wait_past_the_deadline_is_refused() -> None:
    """A first try that cannot go in time is refused before it waits."""
    budgets = make_budgets()
    budgets.learn(KEY, Signal.THROTTLE)
    scope = Scope(priority=Priority.BATCH, deadline_monotonic_s=100.02)

    assert budgets.admit(KEY, scope) == Admission(
        0.0,
        "a wait of 0.05 s would pass the deadline, 0.02 s left for job `nightly` on `orders` "
        "(write)",
    )


def test_a_wait_within_the_deadline_is_taken() -> None:
    """With time enough the call waits."""
    budgets = make_budgets()
    budgets.learn(KEY, Signal.THROTTLE)
    scope = Scope(priority=Priority.BATCH, deadline_monotonic_s=100.06)

    assert budgets.admit(KEY, scope) == Admission(0.05, None)


def test_a_past_deadline_does_not_stop_calls_that_need_no_wait() -> None:
    """The deadline is about waiting: what need not wait may go."""
    scope = Scope(priority=Priority.BATCH, deadline_monotonic_s=1.0)

    assert make_budgets().admit(KEY, scope) == Admission(0.0, None)


def test_an_observed_statement_does_not_pace() -> None:
    """`Mode = "observe"` counts throttles and makes nothing wait."""
    observed = BudgetStatement(ref=StatementRef(sid="budget[0]"), is_observed=True)
    budgets = make_budgets(observed)

    budgets.learn(KEY, Signal.THROTTLE)

    assert budgets.admit(KEY, BATCH) == Admission(0.0, None)
    assert budgets.snapshot()[0].count_by_signal == {Signal.THROTTLE: 1}
