"""First tries: who waits for a turn, who goes at once, and who is too late."""

from __future__ import annotations

import pytest

from dynaguard.budgets.budget import QUIET_AFTER_S, RetryBudgets
from dynaguard.budgets.load import Cause, Lesson, Limit, Load, Part
from dynaguard.budgets.signals import Signal
from dynaguard.call import StatementRef
from dynaguard.errors import ConfigurationError
from dynaguard.policy.model import BudgetStatement
from dynaguard.scope import Priority, Scope
from tests.budgets.conftest import TABLE, Clock, MakeBudgets, load_of

BATCH = Scope(job="nightly", priority=Priority.BATCH)
BACKGROUND = Scope(job="nightly", priority=Priority.BACKGROUND)
SERVICE = Scope()
THROTTLE = Signal.THROTTLE


def throttle(
    budgets: RetryBudgets, load: Load, clock: Clock, *causes: Cause, scope: Scope = BATCH
) -> None:
    """One throttled attempt, sent a moment ago."""
    budgets.learn(load, scope, Lesson(THROTTLE, clock.now_s - 0.001, causes))


def must_wait(budgets: RetryBudgets, load: Load, clock: Clock, scope: Scope = BATCH) -> bool:
    """Whether the second of two calls at once has to wait; leaves no trace in the queue."""
    waits = False
    for _ in range(3):
        turn = budgets.admit(load, scope, started_s=clock.now_s).turn
        if turn is not None:
            turn.leave()
            waits = True
    return waits


def test_batches_go_at_once_until_something_is_throttled(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """No throttle, no pacing."""
    budgets = make_budgets()
    assert not must_wait(budgets, load, clock)
    throttle(budgets, load, clock)
    assert must_wait(budgets, load, clock)


def test_interactive_calls_never_wait(make_budgets: MakeBudgets, clock: Clock, load: Load) -> None:
    """Whatever the lane is like."""
    budgets = make_budgets()
    for _ in range(20):
        throttle(budgets, load, clock)
    assert not must_wait(budgets, load, clock, SERVICE)


def test_interactive_calls_push_batches_back(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """In one process batches yield to them."""
    budgets = make_budgets(capacity_units_per_s=10.0)
    service = load_of(job="checkout")
    budgets.learn(load, BATCH, Lesson(Signal.THROTTLE, clock.now_s))
    turn = budgets.admit(load, BATCH, started_s=clock.now_s)
    assert turn.turn is None
    alone_s = budgets.admit(load, BATCH, started_s=clock.now_s).turn.ask()  # type: ignore[union-attr]
    for _ in range(5):
        budgets.learn(service, SERVICE, Lesson(Signal.OK, clock.now_s))
    later = budgets.admit(load, BATCH, started_s=clock.now_s).turn
    assert later is not None
    assert later.ask() > alone_s + 0.4


def test_all_jobs_and_clients_share_the_lane_of_a_table(
    make_budgets: MakeBudgets, clock: Clock
) -> None:
    """A throttle of one job slows the other; another table, and reads, go on."""
    budgets = make_budgets()
    throttle(budgets, load_of(job="one"), clock)
    assert must_wait(budgets, load_of(job="two"), clock)
    assert not must_wait(budgets, load_of(table=TABLE + "2"), clock)
    assert not must_wait(budgets, load_of(is_write=False), clock)


def test_an_index_that_throttles_writes_holds_its_table_back(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """The reason names the index; reads of the table do not care."""
    budgets = make_budgets()
    throttle(budgets, load, clock, Cause(Limit.RESOURCE, f"{TABLE}/index/by_day"))
    assert must_wait(budgets, load, clock)
    assert not must_wait(budgets, load_of(is_write=False), clock)
    resources = {key.resource for key, _ in budgets._lanes.items()}
    assert f"{TABLE}/index/by_day" in resources


def test_an_index_is_forgotten_a_minute_after_its_last_throttle(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """The table's own lane was never throttled."""
    budgets = make_budgets()
    throttle(budgets, load, clock, Cause(Limit.RESOURCE, f"{TABLE}/index/by_day"))
    clock.pass_(61.0)
    assert not must_wait(budgets, load, clock)


def test_a_hot_key_slows_its_own_writes_alone(make_budgets: MakeBudgets, clock: Clock) -> None:
    """One partition at its limit is not the table at its limit."""
    budgets = make_budgets()
    hot = Load("nightly", (Part(TABLE, 1.0, key_hash=1),), is_write=True)
    cold = Load("nightly", (Part(TABLE, 1.0, key_hash=2),), is_write=True)
    throttle(budgets, hot, clock, Cause(Limit.KEY_RANGE, TABLE))
    assert must_wait(budgets, hot, clock)
    assert not must_wait(budgets, cold, clock)


def test_a_hot_key_that_is_not_known_slows_nothing(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """That call backs off by itself."""
    budgets = make_budgets()
    throttle(budgets, load, clock, Cause(Limit.KEY_RANGE, TABLE))
    assert not must_wait(budgets, load, clock)


def test_an_account_limit_slows_every_table(make_budgets: MakeBudgets, clock: Clock) -> None:
    """Of that account and region."""
    budgets = make_budgets()
    throttle(budgets, load_of(), clock, Cause(Limit.ACCOUNT, TABLE))
    assert must_wait(budgets, load_of(table=TABLE + "2"), clock)
    elsewhere = load_of(table=TABLE + "3")._replace(account="us-east-1/111122223333")
    assert not must_wait(budgets, elsewhere, clock)


def test_a_batch_over_two_tables_waits_for_both(make_budgets: MakeBudgets, clock: Clock) -> None:
    """Each with its own units; a throttle goes to the table that its reason names."""
    budgets = make_budgets()
    other = TABLE + "2"
    both = Load("nightly", (Part(TABLE, 10.0), Part(other, 15.0)), is_write=True)
    throttle(budgets, both, clock, Cause(Limit.RESOURCE, other))
    assert not must_wait(budgets, load_of(), clock)
    assert must_wait(budgets, load_of(table=other), clock)
    assert must_wait(budgets, both, clock)


def test_a_wait_past_the_deadline_is_refused_at_once(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """With the reason, and without a place in the queue."""
    budgets = make_budgets(capacity_units_per_s=0.5)
    budgets.admit(load, BATCH, started_s=clock.now_s)
    late = Scope(job="nightly", priority=Priority.BATCH, deadline_monotonic_s=clock.now_s + 1.0)
    admission = budgets.admit(load, late, started_s=clock.now_s)
    assert admission.turn is None
    assert admission.refusal is not None
    assert "would pass the deadline" in admission.refusal
    assert budgets.snapshot()[0].waiting == 0


def test_whoever_waits_is_refused_once_the_wait_gets_too_long(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """A cut while waiting may make it hopeless: then it fails then, not at the deadline."""
    budgets = make_budgets(capacity_units_per_s=10.0, max_wait_s=2.0)
    for _ in range(20):
        turn = budgets.admit(load, BATCH, started_s=clock.now_s).turn
    assert turn is not None
    assert turn.ask() > 0
    clock.pass_(0.2)
    budgets.learn(load, BATCH, Lesson(THROTTLE, clock.now_s, retry_after_s=10.0))
    assert turn.ask() == 0.0
    assert turn.refusal is not None


def test_the_class_bounds_the_wait_of_a_call(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """Also without any deadline in the scope."""
    budgets = make_budgets(capacity_units_per_s=0.5, max_wait_s=1.0)
    budgets.admit(load, BATCH, started_s=clock.now_s)
    assert budgets.admit(load, BATCH, started_s=clock.now_s).refusal is not None
    assert budgets.admit(load, BATCH, started_s=clock.now_s - 5.0).refusal is not None


def test_a_statement_may_choose_the_class(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """A job that calls itself interactive is paced if the policy says so."""
    budgets = make_budgets(priority=Priority.BATCH)
    assert not budgets.is_untouched_by(SERVICE)
    throttle(budgets, load, clock, scope=SERVICE)
    assert must_wait(budgets, load, clock, SERVICE)
    assert budgets.snapshot()[0].priority is Priority.BATCH


def test_an_observed_budget_paces_nobody(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """It counts."""
    budgets = make_budgets(is_observed=True)
    throttle(budgets, load, clock)
    assert not must_wait(budgets, load, clock)
    assert budgets.part_size(load, BATCH) is None
    assert budgets.snapshot()[0].count_by_signal == {THROTTLE: 1}


def test_whole_batches_begin_softly(make_budgets: MakeBudgets, clock: Clock) -> None:
    """Without a rate dozens of them would be under way when the first is handed back."""
    budgets = make_budgets()
    batch = load_of(units=25.0)
    size = budgets.part_size(batch, BATCH)
    assert size is not None
    assert 1 <= size < 25
    assert budgets.part_size(batch, SERVICE) is None


def test_small_calls_wait_behind_batches_that_begin_softly(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """The rate of the table is theirs too, although nothing was throttled yet."""
    budgets = make_budgets()
    assert not must_wait(budgets, load, clock)

    for _ in range(10):
        budgets.admit(load_of(units=25.0), BATCH, started_s=clock.now_s)

    assert must_wait(budgets, load, clock)


def test_after_a_throttle_parts_are_small(make_budgets: MakeBudgets, clock: Clock) -> None:
    """Before it, one request for a batch of moderate size; from then on what goes in 20 ms."""
    budgets = make_budgets()
    batch = load_of(units=12.0)
    before = budgets.part_size(batch, BATCH)
    throttle(budgets, batch, clock)
    after = budgets.part_size(batch, BATCH)
    assert before is not None
    assert after is not None
    assert before >= 12
    assert after <= 3


def test_after_five_quiet_minutes_nothing_is_left(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """A service that was throttled once does not pay for budgets ever after."""
    budgets = make_budgets()
    assert budgets.is_untouched_by(SERVICE)
    throttle(budgets, load, clock, scope=SERVICE)
    assert not budgets.is_untouched_by(SERVICE)
    clock.pass_(QUIET_AFTER_S + 1)
    budgets.learn(load, SERVICE, Lesson(Signal.OK, clock.now_s))
    assert budgets.is_untouched_by(SERVICE)
    assert not must_wait(budgets, load, clock)


def test_lanes_and_buckets_are_bounded(make_budgets: MakeBudgets, clock: Clock) -> None:
    """The least recently used go."""
    budgets = make_budgets(max_buckets=4)
    for index in range(50):
        each = load_of(table=f"{TABLE}{index}")
        throttle(budgets, each, clock, Cause(Limit.RESOURCE, f"{TABLE}{index}/index/i"))
        throttle(budgets, each, clock, Cause(Limit.ACCOUNT, TABLE))
    assert len(budgets.snapshot()) == 4
    assert len(budgets._lanes) <= 4


def test_no_buckets_at_all_are_refused() -> None:
    """At least one."""
    with pytest.raises(ConfigurationError, match="max_buckets"):
        RetryBudgets((), max_buckets=0)


def test_a_turn_that_nobody_asks_blocks_nobody(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """A signal may strike before the wait begins: no place is taken until then."""
    budgets = make_budgets(capacity_units_per_s=10.0)
    assert must_wait(budgets, load, clock)
    abandoned = budgets.admit(load, BATCH, started_s=clock.now_s).turn
    assert abandoned is not None
    assert budgets.snapshot()[0].waiting == 0
    clock.pass_(10.0)
    assert budgets.admit(load, BATCH, started_s=clock.now_s).turn is None


def test_a_call_made_in_the_middle_of_another_does_not_hang(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """A signal handler that writes a checkpoint, say, while the lock is held."""
    budgets = make_budgets()
    with budgets._lock:
        assert budgets.admit(load, BATCH, started_s=clock.now_s).refusal is None
        budgets.learn(load, BATCH, Lesson(Signal.OK, clock.now_s))


def test_a_lane_keeps_the_capacity_of_whichever_statement_tells_it(clock: Clock) -> None:
    """Statements of other jobs, and those that only observe, tell none."""
    ref = StatementRef(sid="b")
    statements = (
        BudgetStatement(ref, jobs=("other",), max_tokens=3.0),
        BudgetStatement(ref, capacity_units_per_s=1.0, is_observed=True),
        BudgetStatement(ref, tables=("orders",), capacity_units_per_s=100.0),
    )
    budgets = RetryBudgets(statements, monotonic=clock, random=lambda: 0.5)
    other = load_of(job="other")
    budgets.admit(other, BATCH, started_s=clock.now_s)
    (shot,) = budgets.snapshot()
    assert shot.rate_per_s == 100.0


def test_a_share_does_not_stop_the_soft_start(make_budgets: MakeBudgets, clock: Clock) -> None:
    """Whole batches begin moderately and double, share or not."""
    budgets = make_budgets(max_share=0.9)
    batch = load_of(units=25.0)
    first = budgets.part_size(batch, BATCH)
    clock.pass_(2.0)
    later = budgets.part_size(batch, BATCH)
    assert first is not None
    assert later is not None
    assert later >= 2 * first


def test_a_pause_that_aws_asks_for_is_bounded(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """An hour would keep every job away from a table that is well again."""
    budgets = make_budgets()
    budgets.learn(load, BATCH, Lesson(Signal.THROTTLE, clock.now_s, retry_after_s=3600.0))
    turn = budgets.admit(load, BATCH, started_s=clock.now_s).turn
    assert turn is not None
    assert turn.ask() <= 20.5
    turn.leave()
