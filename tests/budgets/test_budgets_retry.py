"""Whether a failed call may be repeated, after which wait, and what the refusal says."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaguard.budgets.budget import BucketKey, RetryBudgets, RetryRuling
from dynaguard.budgets.signals import Signal
from dynaguard.call import StatementRef
from dynaguard.errors import ConfigurationError
from dynaguard.policy.model import BudgetStatement
from dynaguard.scope import Priority, Scope

KEY = BucketKey(job="nightly-rollup", resource="orders", is_write=True)
INTERACTIVE = Scope()
BATCH = Scope(job="nightly-rollup", priority=Priority.BATCH)


@dataclass
class Clock:
    """A clock that the test moves."""

    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s


def statement(**changes: object) -> BudgetStatement:
    """A budget of two tokens without drip, for everything."""
    values = {"max_tokens": 2.0, "min_retries_per_s": 0.0, "retry_ratio": 0.1, **changes}
    return BudgetStatement(ref=StatementRef(sid="budget[0]"), **values)  # type: ignore[arg-type]


def make_budgets(
    *statements: BudgetStatement,
    clock: Clock | None = None,
    share: float = 0.5,
    max_buckets: int = 1024,
) -> RetryBudgets:
    """Budgets with a fake clock and a fixed random share."""
    return RetryBudgets(
        statements,
        monotonic=clock or Clock(),
        random=lambda: share,
        max_buckets=max_buckets,
    )


def rule(
    budgets: RetryBudgets,
    scope: Scope = BATCH,
    *,
    key: BucketKey = KEY,
    attempt: int = 1,
    signal: Signal = Signal.THROTTLE,
    delay_s: float | None = 0.4,
) -> RetryRuling:
    """One ruling on a throttled call."""
    return budgets.rule_retry(
        key, scope, attempt=attempt, signal=signal, suggested_delay_s=delay_s
    )


def test_grants_with_the_suggested_wait() -> None:
    """A batch call is repeated after the wait that botocore suggests, for one token."""
    assert rule(make_budgets(statement())) == RetryRuling(True, 0.4, None, 1.0)


def test_a_spent_budget_refuses_and_says_so() -> None:
    """The refusal names tokens, job, table and direction."""
    budgets = make_budgets(statement())
    rule(budgets)
    rule(budgets)
    for _ in range(3):
        budgets.learn(KEY, Signal.OK)

    ruling = rule(budgets)

    assert ruling.is_granted is False
    assert ruling.wait_s == 0.0
    assert ruling.refusal == (
        "retry budget spent: 0.3 of 2 tokens left for job `nightly-rollup` on `orders` (write)"
    )


def test_almost_a_token_does_not_read_as_one() -> None:
    """Tokens are cut, not rounded, in the refusal."""
    budgets = make_budgets(statement(max_tokens=1.0, retry_ratio=0.97))
    rule(budgets)
    budgets.learn(KEY, Signal.OK)

    assert "0.9 of 1 tokens" in str(rule(budgets).refusal)


def test_reads_are_named_and_counted_apart() -> None:
    """Reads of the same table by the same job have a bucket of their own."""
    budgets = make_budgets(statement(max_tokens=0.0))
    read = BucketKey("nightly-rollup", "orders", is_write=False)

    assert str(rule(budgets, key=read).refusal).endswith("on `orders` (read)")


def test_what_botocore_would_not_repeat_is_not_refused_by_the_budget() -> None:
    """Without a suggested delay nothing is granted, and there is nothing to refuse."""
    ruling = rule(make_budgets(statement()), delay_s=None)

    assert ruling == RetryRuling(False, 0.0, None, 2.0)


@pytest.mark.parametrize("signal", [Signal.OK, Signal.FATAL])
def test_a_redirect_is_no_retry(signal: Signal) -> None:
    """botocore's immediate re-send to another region costs nothing, even when all is spent."""
    ruling = rule(make_budgets(statement(max_tokens=0.0)), signal=signal, delay_s=0.0)

    assert ruling == RetryRuling(True, 0.0, None, 0.0)


@pytest.mark.parametrize("signal", [Signal.THROTTLE, Signal.TRANSIENT, Signal.CONFLICT])
def test_an_immediate_retry_costs_a_token(signal: Signal) -> None:
    """No delay does not make a retry free."""
    assert rule(make_budgets(statement()), signal=signal, delay_s=0.0).tokens_left == 1.0


def test_a_negative_delay_is_no_wait() -> None:
    """Whatever is suggested, the wait is never negative."""
    assert rule(make_budgets(statement()), delay_s=-3.0).wait_s == 0.0


def test_time_brings_tokens_back() -> None:
    """The drip lets a job go on whose every call fails."""
    clock = Clock()
    budgets = make_budgets(statement(max_tokens=1.0, min_retries_per_s=0.5), clock=clock)
    rule(budgets)
    assert rule(budgets).is_granted is False

    clock.now_s += 2.0

    assert rule(budgets).is_granted is True


# --- classes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempt", "wait_s"), [(0, 0.01), (1, 0.02), (2, 0.04), (4, 0.16), (9, 1.0), (5000, 1.0)]
)
def test_interactive_retries_wait_briefly(attempt: int, wait_s: float) -> None:
    """Under a budget, an interactive call's wait doubles from 20 ms up to one second."""
    budgets = make_budgets(statement(), share=1.0)

    assert rule(budgets, INTERACTIVE, attempt=attempt, delay_s=9.0).wait_s == wait_s


def test_interactive_retries_never_wait_longer_than_suggested() -> None:
    """A shorter suggestion is kept."""
    assert rule(make_budgets(statement(), share=1.0), INTERACTIVE, delay_s=0.001).wait_s == 0.001


def test_without_a_statement_interactive_calls_are_only_observed() -> None:
    """The default budget counts interactive retries beyond it and refuses none."""
    budgets = make_budgets()

    rulings = [rule(budgets, INTERACTIVE) for _ in range(25)]

    assert all(ruling.is_granted and ruling.refusal is None for ruling in rulings)
    assert {ruling.wait_s for ruling in rulings} == {0.4}
    (shot,) = budgets.snapshot()
    assert (shot.statement.sid, shot.retries_granted, shot.retries_overdrawn) == (
        "default budget",
        25,
        5,
    )


@pytest.mark.parametrize("priority", [Priority.BATCH, Priority.BACKGROUND])
def test_without_a_statement_batches_are_limited(priority: Priority) -> None:
    """The default budget holds 20 tokens and refuses batch and background calls beyond."""
    budgets = make_budgets()

    rulings = [rule(budgets, Scope(priority=priority)) for _ in range(21)]

    assert [ruling.is_granted for ruling in rulings] == [True] * 20 + [False]


def test_an_observed_statement_never_refuses() -> None:
    """`Mode = "observe"` grants everything, past the deadline too, and counts it."""
    budgets = make_budgets(statement(max_tokens=1.0, is_observed=True))
    scope = Scope(priority=Priority.BATCH, deadline_monotonic_s=0.0)

    rulings = [rule(budgets, scope) for _ in range(3)]

    assert [(ruling.is_granted, ruling.wait_s) for ruling in rulings] == [(True, 0.4)] * 3
    (shot,) = budgets.snapshot()
    assert shot.is_observed
    assert (shot.retries_granted, shot.retries_refused, shot.retries_overdrawn) == (3, 0, 2)


# --- deadline ----------------------------------------------------------------------------


@pytest.mark.parametrize("priority", list(Priority))
def test_a_wait_past_the_deadline_is_refused(priority: Priority) -> None:
    """No class waits beyond the scope's deadline; no token is spent on it."""
    scope = Scope(priority=priority, deadline_monotonic_s=100.25)

    ruling = rule(make_budgets(), scope)

    assert ruling == RetryRuling(
        False,
        0.0,
        "a wait of 0.40 s would pass the deadline, 0.25 s left for job `nightly-rollup` on "
        "`orders` (write)",
        20.0,
    )


def test_after_the_deadline_nothing_is_repeated() -> None:
    """An immediate retry too comes too late once the deadline has passed."""
    scope = Scope(priority=Priority.BATCH, deadline_monotonic_s=99.0)

    ruling = rule(make_budgets(statement()), scope, delay_s=0.0)

    assert ruling.is_granted is False
    assert "0.00 s left" in str(ruling.refusal)


def test_a_wait_within_the_deadline_is_granted() -> None:
    """Time enough is time enough."""
    scope = Scope(priority=Priority.BATCH, deadline_monotonic_s=100.5)

    assert rule(make_budgets(statement()), scope).is_granted is True


# --- statements --------------------------------------------------------------------------

ORDERS_ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/dev-orders"


@pytest.mark.parametrize(
    ("job", "resource", "max_tokens"),
    [
        ("nightly-rollup", "dev-orders", 7.0),
        ("nightly-rollup", ORDERS_ARN, 7.0),
        ("nightly-rollup", f"{ORDERS_ARN}/index/by_status", 7.0),
        ("nightly-rollup", "dev-customers", 9.0),
        ("hourly", "dev-orders", 9.0),
        ("hourly", "arn:aws:s3:::bucket", 9.0),
        ("weekly", "dev-orders", 20.0),
    ],
)
def test_the_first_matching_statement_counts(job: str, resource: str, max_tokens: float) -> None:
    """Patterns select by job and by table, ARNs by the table's name in them."""
    budgets = make_budgets(
        statement(jobs=("nightly-*",), tables=("*-orders",), max_tokens=7.0),
        statement(jobs=("hourly", "nightly-*"), max_tokens=9.0),
    )
    key = BucketKey(job, resource, is_write=True)

    budgets.learn(key, Signal.OK)

    assert budgets.snapshot()[0].max_tokens == max_tokens


# --- counts and bounds -------------------------------------------------------------------


def test_snapshot_shows_tokens_waits_and_counts() -> None:
    """`status()` sees what was learnt and ruled, as of now."""
    clock = Clock()
    budgets = make_budgets(statement(min_retries_per_s=0.25), clock=clock)
    for signal in (Signal.OK, Signal.OK, Signal.THROTTLE):
        budgets.learn(KEY, signal)
    for _ in range(3):
        rule(budgets)
    clock.now_s += 2.0

    (shot,) = budgets.snapshot()

    assert shot.key == KEY
    assert shot.count_by_signal == {Signal.OK: 2, Signal.THROTTLE: 1}
    assert (shot.retries_granted, shot.retries_refused) == (2, 1)
    assert shot.tokens == pytest.approx(0.5)
    assert shot.max_wait_s == 0.05


def test_snapshots_become_json() -> None:
    """`status --output json` prints them without help."""
    budgets = make_budgets(statement())
    budgets.learn(KEY, Signal.THROTTLE)

    printed = json.loads(json.dumps(dataclasses.asdict(budgets.snapshot()[0])))

    assert printed["count_by_signal"] == {"throttle": 1}
    assert printed["key"] == {"job": "nightly-rollup", "resource": "orders", "is_write": True}


def test_buckets_are_bounded() -> None:
    """The least recently used bucket makes room."""
    budgets = make_budgets(max_buckets=2)

    for table in ("a", "b", "a", "c"):
        budgets.learn(BucketKey("job", table, is_write=True), Signal.OK)

    assert {shot.key.resource for shot in budgets.snapshot()} == {"a", "c"}


def test_room_for_no_bucket_is_an_error() -> None:
    """A bound below one cannot work and says so."""
    with pytest.raises(ConfigurationError, match="`max_buckets` is `0`, it must be 1 or more"):
        make_budgets(max_buckets=0)


@settings(max_examples=200, deadline=None)
@given(
    failure_shares=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40),
    steps_s=st.lists(st.floats(-5.0, 5.0), min_size=40, max_size=40),
    chance=st.floats(0.0, 1.0),
    ratio=st.floats(0.0, 1.0),
    drip=st.floats(0.0, 2.0),
)
def test_amplification_is_bounded(
    failure_shares: list[float], steps_s: list[float], chance: float, ratio: float, drip: float
) -> None:
    """However many attempts fail, retries stay within start, earnings and drip."""
    clock = Clock()
    budget = statement(max_tokens=5.0, retry_ratio=ratio, min_retries_per_s=drip)
    budgets = make_budgets(budget, clock=clock)
    retries = successes = 0
    latest_s = clock.now_s
    for share, step_s in zip(failure_shares, steps_s, strict=False):
        for attempt in range(1, 12):
            if share >= chance:
                budgets.learn(KEY, Signal.OK)
                successes += 1
                break
            budgets.learn(KEY, Signal.THROTTLE)
            if not rule(budgets, attempt=attempt).is_granted:
                break
            retries += 1
        clock.now_s += step_s
        latest_s = max(latest_s, clock.now_s)

    assert retries <= 5.0 + ratio * successes + drip * (latest_s - 100.0) + 1
