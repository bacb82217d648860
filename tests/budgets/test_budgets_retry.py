"""Rulings on retries: what helps, what it costs, how long it waits, when it is refused."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaguard.budgets.budget import RetryBudgets
from dynaguard.budgets.classes import RULES, rules_for
from dynaguard.budgets.load import Cause, Lesson, Limit, Load
from dynaguard.budgets.rulings import Asked, RetryRuling
from dynaguard.budgets.signals import Signal
from dynaguard.call import UNKNOWN_ACCOUNT, StatementRef
from dynaguard.errors import readable_arn
from dynaguard.policy.model import BudgetStatement
from dynaguard.scope import Priority, Scope
from tests.budgets.conftest import Clock, MakeBudgets, load_of

BATCH = Scope(job="nightly", priority=Priority.BATCH)
SERVICE = Scope()


def ask(
    budgets: RetryBudgets,
    load: Load,
    clock: Clock,
    scope: Scope = SERVICE,
    signal: Signal = Signal.THROTTLE,
    **more: object,
) -> RetryRuling:
    """The ruling on a first attempt that just failed."""
    asked = Asked(signal, 1, started_s=clock.now_s)._replace(**more)  # type: ignore[arg-type]
    return budgets.rule_retry(load, scope, asked)


@pytest.mark.parametrize(
    "signal", [Signal.THROTTLE, Signal.LEFTOVERS, Signal.CONFLICT, Signal.TRANSIENT]
)
def test_what_may_pass_is_repeated_although_botocore_would_not(
    make_budgets: MakeBudgets, clock: Clock, load: Load, signal: Signal
) -> None:
    """For DynamoDB: transactions that were cancelled by a conflict, leftovers ..."""
    assert ask(make_budgets(), load, clock, signal=signal).is_granted


def test_what_is_hopeless_is_not_repeated(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """A failed condition stays failed; no reason of ours is given."""
    ruling = ask(make_budgets(), load, clock, signal=Signal.FATAL)
    assert not ruling.is_granted
    assert ruling.refusal is None


def test_what_botocore_knows_to_pass_is_repeated_at_its_pace(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """Modelled retryable errors that nobody here has heard of."""
    ruling = ask(make_budgets(), load, clock, signal=Signal.FATAL, suggested_s=0.7)
    assert ruling.is_granted
    assert ruling.wait_s == 0.7


def test_a_redirect_is_part_of_the_first_try(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """S3's are suggested with no delay; they cost nothing and are never refused."""
    budgets = make_budgets(max_tokens=1.0, min_retries_per_s=0.0)
    for _ in range(5):
        ruling = ask(budgets, load, clock, signal=Signal.FATAL, suggested_s=0)
        assert ruling.is_granted
        assert ruling.tokens_left == 1.0


def test_other_services_keep_botocores_word(make_budgets: MakeBudgets, clock: Clock) -> None:
    """Their failures are repeated if botocore would, after its delay at least."""
    load = Load("job", (load_of().parts[0]._replace(resource="sqs:SendMessage@x"),), True)
    budgets = make_budgets()
    for signal in (Signal.TRANSIENT, Signal.THROTTLE):
        assert not ask(budgets, load, clock, signal=signal, is_dynamodb=False).is_granted
        assert not ask(budgets, load, clock, BATCH, signal, is_dynamodb=False).is_granted
    ruling = ask(budgets, load, clock, signal=Signal.THROTTLE, is_dynamodb=False, suggested_s=0.9)
    assert ruling.wait_s == 0.9


def test_interactive_calls_are_repeated_soon_and_few_times(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """Milliseconds at first; eight attempts at most, or what the application set."""
    budgets = make_budgets()
    assert ask(budgets, load, clock).wait_s < 0.01
    assert ask(budgets, load, clock, attempt=3).wait_s > 0.02
    assert not ask(budgets, load, clock, attempt=8).is_granted
    assert not ask(budgets, load, clock, attempt=1, max_attempts=1).is_granted
    assert ask(budgets, load, clock, attempt=8, max_attempts=10).is_granted


def test_batches_may_exceed_any_number_of_attempts(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """Until their time is up; a statement may bound them."""
    assert ask(make_budgets(), load, clock, BATCH, attempt=50, max_attempts=4).is_granted
    bounded = make_budgets(max_attempts=3)
    assert not ask(bounded, load, clock, BATCH, attempt=3).is_granted
    assert not ask(bounded, load, clock, attempt=3, max_attempts=10).is_granted


def test_a_throttled_batch_waits_for_its_turn_and_not_beside_it(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """The lane paces it; where none can, the call backs off alone."""
    budgets = make_budgets()
    ruling = ask(budgets, load, clock, BATCH)
    assert ruling.is_paced
    assert ruling.wait_s == 0.0
    assert ask(budgets, load, clock, BATCH, is_paced_by_lane=False, attempt=5).wait_s > 0.1


def test_an_empty_budget_defers(make_budgets: MakeBudgets, clock: Clock, load: Load) -> None:
    """Each next retry waits for its own token."""
    budgets = make_budgets(max_tokens=1.0, min_retries_per_s=2.0)
    waits = [ask(budgets, load, clock, BATCH).wait_s for _ in range(3)]
    assert waits == [0.0, pytest.approx(0.5), pytest.approx(1.0)]


def test_an_empty_budget_refuses_what_cannot_wait(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """An interactive call waits two seconds at most; the reason tells of the budget."""
    budgets = make_budgets(max_tokens=1.0, min_retries_per_s=0.1)
    assert ask(budgets, load, clock).is_granted
    ruling = ask(budgets, load, clock)
    assert not ruling.is_granted
    assert ruling.refusal is not None
    assert "retry budget spent: 0.0 of 1 tokens left for job `nightly`" in ruling.refusal


def test_failures_of_the_service_cost_more(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """Two tokens: load makes them worse."""
    budgets = make_budgets(max_tokens=10.0, min_retries_per_s=0.0)
    before = ask(budgets, load, clock).tokens_left
    assert ask(budgets, load, clock, signal=Signal.TRANSIENT).tokens_left == before - 2.0


def test_conflicts_are_repeated_four_times(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """And cut no rate."""
    budgets = make_budgets()
    budgets.learn(load, BATCH, Lesson(Signal.CONFLICT, clock.now_s))
    assert ask(budgets, load, clock, BATCH, Signal.CONFLICT, attempt=4).is_granted
    assert not ask(budgets, load, clock, BATCH, Signal.CONFLICT, attempt=5).is_granted
    assert budgets.snapshot()[0].rate_per_s is None


def test_a_write_that_may_have_taken_effect_is_not_repeated(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """Unless a statement allows it."""
    ruling = ask(make_budgets(), load, clock, signal=Signal.TRANSIENT, is_ambiguous=True)
    assert not ruling.is_granted
    assert ruling.refusal == "the write may have taken effect and would add to it again"
    allowing = make_budgets(repeats_ambiguous_writes=True)
    assert ask(allowing, load, clock, signal=Signal.TRANSIENT, is_ambiguous=True).is_granted


def test_while_the_circuit_is_open_failures_are_not_repeated(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """Throttles still are."""
    budgets = make_budgets()
    for _ in range(30):
        budgets.learn(load, BATCH, Lesson(Signal.TRANSIENT, clock.now_s))
    ruling = ask(budgets, load, clock, BATCH, Signal.TRANSIENT)
    assert not ruling.is_granted
    assert ruling.refusal is not None
    assert "circuit is open" in ruling.refusal
    assert budgets.snapshot()[0].is_breaker_open
    assert ask(budgets, load, clock, BATCH).is_granted


def test_a_pause_that_aws_asks_for_is_kept(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """By the call itself and by the whole lane; longer than twenty seconds for nobody."""
    budgets = make_budgets()
    lesson = Lesson(Signal.THROTTLE, clock.now_s, retry_after_s=1.5)
    budgets.learn(load, BATCH, lesson)
    assert ask(budgets, load, clock, retry_after_s=1.5).wait_s == 1.5
    turn = budgets.admit(load, BATCH, started_s=clock.now_s).turn
    assert turn is not None
    assert turn.ask() == pytest.approx(1.5, abs=0.1)
    assert ask(budgets, load, clock, BATCH, retry_after_s=900.0).wait_s == 20.0


def test_a_retry_past_the_deadline_is_refused(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """At once, with the time that is left."""
    scope = Scope(deadline_monotonic_s=clock.now_s + 1.0)
    ruling = ask(make_budgets(), load, clock, scope, retry_after_s=1.5)
    assert not ruling.is_granted
    assert ruling.refusal is not None
    assert "1.00 s left" in ruling.refusal
    assert ruling.tokens_left == RULES[Priority.INTERACTIVE].max_tokens


def test_an_observed_budget_leaves_it_to_botocore(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """Its delay, its number of attempts, also without a token."""
    budgets = make_budgets(is_observed=True, max_tokens=1.0)
    for _ in range(3):
        assert ask(budgets, load, clock, suggested_s=0.3) == RetryRuling(
            True,
            0.3,
            False,
            None,
            pytest.approx(0.0, abs=1.1),  # type: ignore[arg-type]
        )
    assert not ask(budgets, load, clock).is_granted


def test_successes_earn(make_budgets: MakeBudgets, clock: Clock, load: Load) -> None:
    """At the statement's ratio."""
    budgets = make_budgets(max_tokens=1.0, retry_ratio=0.5, min_retries_per_s=0.0)
    assert ask(budgets, load, clock).is_granted
    assert not ask(budgets, load, clock).is_granted
    for _ in range(2):
        budgets.learn(load, SERVICE, Lesson(Signal.OK, clock.now_s))
    assert ask(budgets, load, clock).is_granted


def test_each_job_and_table_and_direction_has_its_own_tokens(
    make_budgets: MakeBudgets, clock: Clock
) -> None:
    """One that is spent leaves the others alone."""
    budgets = make_budgets(max_tokens=1.0, min_retries_per_s=0.0)
    assert ask(budgets, load_of(), clock).is_granted
    assert not ask(budgets, load_of(), clock).is_granted
    for other in (load_of(job="x"), load_of(table="arn:y"), load_of(is_write=False)):
        assert ask(budgets, other, clock).is_granted


def test_the_first_statement_that_matches_counts(clock: Clock) -> None:
    """By job and table; numbers that it does not give are the class's."""
    wide = BudgetStatement(StatementRef("Wide"), jobs=("nightly-*",), max_tokens=3.0)
    narrow = BudgetStatement(StatementRef("Orders"), tables=("orders",), max_tokens=2.0)
    budgets = RetryBudgets((narrow, wide), monotonic=clock, random=lambda: 0.5)
    for load in (load_of(job="nightly-x"), load_of(job="nightly-x", table="arn:a:table/b")):
        budgets.learn(load, BATCH, Lesson(Signal.OK, clock.now_s))
    budgets.learn(load_of(job="y", table="arn:a:table/c"), BATCH, Lesson(Signal.OK, clock.now_s))
    found = {shot.statement.sid: shot.max_tokens for shot in budgets.snapshot()}
    assert found == {"Orders": 2.0, "Wide": 3.0, "default budget": 20.0}
    assert rules_for(wide, Priority.BATCH) == dataclasses.replace(
        RULES[Priority.BATCH], max_tokens=3.0
    )


def test_a_snapshot_tells_the_rate_and_who_waits(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """What `status()` and `dynaguard top` show."""
    budgets = make_budgets()
    for index in range(20):
        sent_s = clock.now_s
        clock.pass_(0.01)
        budgets.learn(load, BATCH, Lesson(Signal.OK, sent_s))
        if index == 10:
            budgets.learn(load, BATCH, Lesson(Signal.THROTTLE, sent_s))
    budgets.note_wait(load, BATCH, 1.25)
    (shot,) = budgets.snapshot()
    assert shot.rate_per_s is not None
    assert 0 < shot.rate_per_s < 100
    assert shot.throttle_ratio == pytest.approx(1 / 21)
    assert shot.wait_s == 1.25
    assert str(shot.key) == "job `nightly` on `table/orders` (write)"


def test_consumed_capacity_corrects_the_estimate(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """An item of ten units takes ten from the lane, where answers tell."""
    budgets = make_budgets(capacity_units_per_s=10.0)
    budgets.admit(load, BATCH, started_s=clock.now_s)
    budgets.learn(load, BATCH, Lesson(Signal.OK, clock.now_s, consumed=10.0))
    turn = budgets.admit(load, BATCH, started_s=clock.now_s).turn
    assert turn is not None
    assert turn.ask() == pytest.approx(1.0, abs=0.1)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 3.0),
            st.sampled_from([Signal.OK, Signal.CONFLICT, Signal.FATAL, "retry"]),
        ),
        max_size=80,
    ),
    st.floats(1.0, 20.0),
    st.floats(0.0, 1.0),
    st.floats(0.0, 5.0),
)
def test_retries_stay_within_the_budget(
    events: list[tuple[float, str]], max_tokens: float, ratio: float, drip: float
) -> None:
    """Granted and due <= max + ratio * successes + drip * elapsed, for any history."""
    clock = Clock()
    statement = BudgetStatement(
        StatementRef("b"), max_tokens=max_tokens, retry_ratio=ratio, min_retries_per_s=drip
    )
    budgets = RetryBudgets((statement,), monotonic=clock, random=lambda: 0.5)
    load, start_s, successes = load_of(), clock.now_s, 0
    due: list[float] = []
    for gap_s, event in events:
        clock.pass_(gap_s)
        if event == "retry":
            ruling = ask(budgets, load, clock, signal=Signal.CONFLICT)
            if ruling.is_granted:
                due.append(clock.now_s + ruling.wait_s)
        else:
            successes += event is Signal.OK
            budgets.learn(load, SERVICE, Lesson(Signal(event), clock.now_s))
    end_s = clock.now_s
    gone = sum(1 for instant_s in due if instant_s <= end_s)
    assert gone <= max_tokens + ratio * successes + drip * (end_s - start_s) + 1e-6
    assert all(math.isfinite(instant_s) for instant_s in due)


def test_a_cause_without_a_lane_is_no_error(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """Whatever ARN AWS writes into a reason."""
    budgets = make_budgets()
    for resource in ("", "nonsense", "arn:aws:dynamodb:x:y:table/other/index/z"):
        causes = (Cause(Limit.RESOURCE, resource),)
        budgets.learn(load, BATCH, Lesson(Signal.THROTTLE, clock.now_s, causes))
    assert budgets.snapshot()[0].count_by_signal[Signal.THROTTLE] == 3


def test_a_snapshot_shows_what_is_not_known_of_an_arn_as_a_star(
    make_budgets: MakeBudgets, clock: Clock
) -> None:
    """The account, mostly."""
    budgets = make_budgets()
    table = f"arn:aws:dynamodb:eu-west-1:{UNKNOWN_ACCOUNT}:table/orders"
    budgets.learn(load_of(table=table), BATCH, Lesson(Signal.OK, clock.now_s))
    (shot,) = budgets.snapshot()
    assert shot.key.resource == readable_arn(table)
    assert "\ufdd0" not in str(shot)


def test_a_task_has_the_budget_that_it_adopted(
    make_budgets: MakeBudgets, clock: Clock, load: Load
) -> None:
    """Its own, of its own bucket; others keep the document's, and so does the task afterwards."""
    budgets = make_budgets(max_attempts=5)
    task = Scope(job="nightly", priority=Priority.BATCH, task="run-1")
    own = BudgetStatement(StatementRef("runbook"), max_attempts=1)

    budgets.adopt("run-1", own)

    assert not ask(budgets, load, clock, task).is_granted
    assert ask(budgets, load, clock, BATCH).is_granted
    budgets.adopt("run-1", None)
    assert ask(budgets, load, clock, task).is_granted
