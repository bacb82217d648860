"""Threads share one budget without losing a token; a forked child starts afresh."""

from __future__ import annotations

import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dynaguard.budgets.budget import BucketKey, RetryBudgets
from dynaguard.budgets.signals import Signal
from dynaguard.call import StatementRef
from dynaguard.policy.model import BudgetStatement
from dynaguard.scope import Priority, Scope

THREADS = 8
ROUNDS = 1500
BATCH = Scope(priority=Priority.BATCH)
KEY = BucketKey("nightly", "orders", is_write=True)


def make_budgets(*, max_tokens: float, max_buckets: int = 1024) -> RetryBudgets:
    """Budgets that earn 1/8 per success (exact in binary) and drip nothing; the clock stands."""
    budget = BudgetStatement(
        ref=StatementRef(sid="budget[0]"),
        max_tokens=max_tokens,
        retry_ratio=0.125,
        min_retries_per_s=0.0,
    )
    return RetryBudgets((budget,), monotonic=lambda: 100.0, max_buckets=max_buckets)


def test_eight_threads_spend_each_token_once() -> None:
    """Grants are exactly what was there and earned, whoever asked."""
    budgets = make_budgets(max_tokens=1e6)
    start = threading.Barrier(THREADS)

    def work(_: int) -> int:
        start.wait()
        granted = 0
        for _round in range(ROUNDS):
            budgets.learn(KEY, Signal.OK)
            ruling = budgets.rule_retry(
                KEY, BATCH, attempt=1, signal=Signal.TRANSIENT, suggested_delay_s=0.1
            )
            granted += ruling.is_granted
        return granted

    with ThreadPoolExecutor(THREADS) as pool:
        granted = sum(pool.map(work, range(THREADS)))

    (shot,) = budgets.snapshot()
    assert granted == shot.retries_granted == THREADS * ROUNDS
    assert shot.count_by_signal == {Signal.OK: THREADS * ROUNDS}
    # every token is in steps of 1/8, so the sum is exact; a full bucket cuts what is earned
    assert 1e6 - granted <= shot.tokens <= 1e6 - granted * 0.875 + THREADS


def test_eight_threads_share_one_empty_bucket() -> None:
    """Together they get what one thread would have got."""
    budgets = make_budgets(max_tokens=50.0)

    def work(_: int) -> int:
        return sum(
            budgets.rule_retry(
                KEY, BATCH, attempt=1, signal=Signal.THROTTLE, suggested_delay_s=0.0
            ).is_granted
            for _ in range(100)
        )

    with ThreadPoolExecutor(THREADS) as pool:
        assert sum(pool.map(work, range(THREADS))) == 50


def test_everything_at_once_with_few_buckets() -> None:
    """Admissions, rulings, answers, evictions and snapshots interleave without an error."""
    budgets = make_budgets(max_tokens=5.0, max_buckets=3)
    keys = [BucketKey("job", f"table-{index}", is_write=True) for index in range(6)]

    def work(seed: int) -> None:
        generator = random.Random(seed)
        for _ in range(ROUNDS):
            key = generator.choice(keys)
            signal = generator.choice(list(Signal))
            budgets.learn(key, signal)
            assert 0.0 <= budgets.admit(key, BATCH).wait_s <= 5.0
            ruling = budgets.rule_retry(
                key, BATCH, attempt=1, signal=signal, suggested_delay_s=0.1
            )
            assert 0.0 <= ruling.tokens_left <= 5.0
            if generator.random() < 0.05:
                assert len(budgets.snapshot()) <= 3

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_does_not_inherit_a_held_lock() -> None:
    """A lock that the parent held at the fork does not stop the child."""
    budgets = make_budgets(max_tokens=5.0)
    budgets.learn(KEY, Signal.THROTTLE)

    with budgets._lock, budgets._pacer._lock:  # as another thread of the parent would
        pid = os.fork()
        if pid == 0:  # pragma: no cover - runs in the child
            is_fresh = budgets.snapshot() == () and budgets.admit(KEY, BATCH).wait_s == 0.0
            os._exit(0 if is_fresh else 1)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert len(budgets.snapshot()) == 1


def test_budgets_are_not_kept_alive_for_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fork hook holds its object weakly and does nothing once it is gone."""
    hooks = []
    monkeypatch.setattr(
        os,
        "register_at_fork",
        lambda *, after_in_child: hooks.append(after_in_child),
    )
    budgets = make_budgets(max_tokens=5.0)
    budgets.learn(KEY, Signal.OK)

    hooks[0]()
    assert budgets.snapshot() == ()

    del budgets
    hooks[0]()


def test_platforms_without_fork_need_no_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no fork nothing is registered."""
    monkeypatch.delattr(os, "register_at_fork", raising=False)

    assert make_budgets(max_tokens=5.0).snapshot() == ()
