"""Threads share one budget without losing a token; a forked child starts afresh."""

from __future__ import annotations

import gc
import os
import random
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from dynaguard import forks
from dynaguard.budgets.budget import RetryBudgets
from dynaguard.budgets.load import Lesson, Load, Part
from dynaguard.budgets.rulings import Asked
from dynaguard.budgets.signals import Signal
from dynaguard.call import StatementRef
from dynaguard.hooks.waiting import wait_for_turn
from dynaguard.policy.model import BudgetStatement
from dynaguard.scope import Priority, Scope

THREADS = 8
ROUNDS = 1500
SERVICE = Scope()
BATCH = Scope(priority=Priority.BATCH)
LOAD = Load("nightly", (Part("arn:aws:dynamodb:eu-west-1:111122223333:table/orders"),), True)


def make_budgets(*, max_tokens: float, max_buckets: int = 1024) -> RetryBudgets:
    """Budgets that earn 1/8 per success (exact in binary) and drip nothing; the clock stands."""
    budget = BudgetStatement(
        ref=StatementRef(sid="budget[0]"),
        max_tokens=max_tokens,
        retry_ratio=0.125,
        min_retries_per_s=0.0,
    )
    return RetryBudgets((budget,), monotonic=lambda: 100.0, max_buckets=max_buckets)


def ask(budgets: RetryBudgets, load: Load = LOAD, scope: Scope = SERVICE) -> bool:
    """Whether a retry after a conflict is granted: one token, and no lane has a part in it."""
    asked = Asked(Signal.CONFLICT, 1, started_s=100.0)
    return budgets.rule_retry(load, scope, asked).is_granted


def test_eight_threads_spend_each_token_once() -> None:
    """Grants are exactly what was there and earned, whoever asked."""
    budgets = make_budgets(max_tokens=1e6)
    start = threading.Barrier(THREADS)

    def work(_: int) -> int:
        start.wait()
        granted = 0
        for _round in range(ROUNDS):
            budgets.learn(LOAD, SERVICE, Lesson(Signal.OK, 99.0))
            granted += ask(budgets)
        return granted

    with ThreadPoolExecutor(THREADS) as pool:
        granted = sum(pool.map(work, range(THREADS)))

    (shot,) = budgets.snapshot()
    assert granted == shot.retries_granted == THREADS * ROUNDS
    assert shot.count_by_signal == {Signal.OK: THREADS * ROUNDS}
    # every token is in steps of 1/8, so the sum is exact; a full bucket cuts what is earned
    assert 1e6 - granted <= shot.tokens <= 1e6 - granted * 0.875 + THREADS


def test_eight_threads_share_one_bucket_that_runs_dry() -> None:
    """Together they get what one thread would have got."""
    budgets = make_budgets(max_tokens=50.0)

    def work(_: int) -> int:
        return sum(ask(budgets) for _ in range(100))

    with ThreadPoolExecutor(THREADS) as pool:
        assert sum(pool.map(work, range(THREADS))) == 50


def test_everything_at_once_with_few_buckets() -> None:
    """Admissions, rulings, answers, evictions and snapshots interleave without an error."""
    budgets = make_budgets(max_tokens=5.0, max_buckets=3)
    loads = [LOAD._replace(parts=(Part(f"arn:x:table/t{index}"),)) for index in range(6)]

    def work(seed: int) -> None:
        generator = random.Random(seed)
        for _ in range(ROUNDS):
            load = generator.choice(loads)
            scope = generator.choice([SERVICE, BATCH])
            budgets.learn(load, scope, Lesson(generator.choice(list(Signal)), 99.0))
            admission = budgets.admit(load, scope, started_s=100.0)
            if admission.turn is not None:
                admission.turn.leave()
            ask(budgets, load, scope)
            if generator.random() < 0.05:
                assert len(budgets.snapshot()) <= 3

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))


def test_waiting_threads_go_in_the_order_they_came() -> None:
    """Real threads on a real lane: first come, first served, at the lane's rate."""
    statement = BudgetStatement(StatementRef(sid="budget[0]"), capacity_units_per_s=100.0)
    budgets = RetryBudgets((statement,))
    order: list[int] = []

    def work(index: int) -> None:
        admission = budgets.admit(LOAD, BATCH, started_s=time.monotonic())
        if admission.turn is not None:
            wait_for_turn(admission.turn)
        order.append(index)

    for _ in range(3):  # what the tolerance lets go at once
        budgets.admit(LOAD, BATCH, started_s=time.monotonic())
    threads = [threading.Thread(target=work, args=(index,)) for index in range(12)]
    begun_s = time.monotonic()
    for index, thread in enumerate(threads):
        thread.start()
        while not order and budgets._lanes.items()[0][1].waiting < index:
            threading.Event().wait(0.0001)
    for thread in threads:
        thread.join()

    assert order == sorted(order)
    assert time.monotonic() - begun_s >= 0.08


def test_an_interrupted_wait_gives_its_place_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever came later does not wait for somebody who has gone."""
    statement = BudgetStatement(StatementRef(sid="budget[0]"), capacity_units_per_s=0.1)
    budgets = RetryBudgets((statement,))
    budgets.admit(LOAD, BATCH, started_s=time.monotonic())
    turn = budgets.admit(LOAD, BATCH, started_s=time.monotonic()).turn
    assert turn is not None

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Event, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        wait_for_turn(turn)

    assert budgets.snapshot()[0].waiting == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_does_not_inherit_a_held_lock() -> None:
    """A lock that the parent held at the fork does not stop the child."""
    budgets = make_budgets(max_tokens=5.0)
    budgets.learn(LOAD, BATCH, Lesson(Signal.THROTTLE, 99.0))

    with budgets._lock:  # as another thread of the parent would
        pid = os.fork()
        if pid == 0:  # pragma: no cover - runs in the child
            is_fresh = budgets.snapshot() == () and budgets.is_quiet
            os._exit(0 if is_fresh else 1)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert len(budgets.snapshot()) == 1


def test_budgets_are_not_kept_alive_for_forks() -> None:
    """Those that are kept start afresh in a child; those that are gone stay gone."""
    budgets = make_budgets(max_tokens=5.0)
    budgets.learn(LOAD, SERVICE, Lesson(Signal.OK, 99.0))
    gone = weakref.ref(budgets)

    forks.renew_all()
    assert budgets.snapshot() == ()

    del budgets
    gc.collect()  # its parts know each other
    forks.renew_all()
    assert gone() is None


def test_platforms_without_fork_need_no_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no fork nothing is registered."""
    monkeypatch.delattr(os, "register_at_fork", raising=False)
    forks._watch_forks.__wrapped__()

    assert make_budgets(max_tokens=5.0).snapshot() == ()
