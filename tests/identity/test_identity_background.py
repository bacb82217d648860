"""A resolver asks in the background: no call waits but one that needs the answer."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from dynaguard.call import CredentialFacts, Principal
from dynaguard.identity import lookup, resolver
from dynaguard.identity.lookup import Caller, CallerLookup
from dynaguard.scope import EMPTY_SCOPE, Scope
from tests.identity.resolvers import ARN, FACTS, KEY_ID, Background, FakeClock, FakeSts, make

# --- in the background -------------------------------------------------------------------------


def test_no_call_waits_for_the_answer() -> None:
    """Until it is there, the identity is what is known offline; then the next call has it."""
    sts, later = FakeSts(), Background()
    resolves = make(sts, start=later)

    before = [resolves.resolve(FACTS, EMPTY_SCOPE) for _ in range(3)]
    asked_before = list(sts.asked)
    later.run()
    after = resolves.resolve(FACTS, EMPTY_SCOPE)

    assert asked_before == []
    assert {(one.arn, one.arns_complete) for one in before} == {(None, False)}
    assert (after.arn, after.arns_complete, after.groups) == (ARN, True, {"people"})
    assert sts.asked == [FACTS.access_key_id]


def test_a_call_may_wait_for_the_answer_that_it_needs() -> None:
    """Until it comes, in another thread; and only where one is under way."""
    is_asked, may_answer = threading.Event(), threading.Event()

    def answer(_facts: CredentialFacts) -> str | None:
        is_asked.set()
        assert may_answer.wait(10)
        return ARN

    resolves = make(FakeSts(answer), start=lookup.start_thread)
    assert resolves.settled(FACTS, EMPTY_SCOPE) is None
    assert resolves.resolve(FACTS, EMPTY_SCOPE).arn is None
    assert is_asked.wait(10)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(resolves.settled, FACTS, EMPTY_SCOPE) for _ in range(4)]
        may_answer.set()
        found = [one.result(10) for one in waiting]

    # Who came when the answer was there had nothing to wait for, and would ask again.
    assert {one.arn for one in found if one is not None} <= {ARN}
    assert resolves.resolve(FACTS, EMPTY_SCOPE).arn == ARN
    assert resolves.settled(FACTS, EMPTY_SCOPE) is None


def test_nobody_waits_past_a_deadline() -> None:
    """A look-up that does not end leaves the caller unknown."""
    clock, later = FakeClock(), Background()
    resolves = make(FakeSts(), clock, start=later)
    unknown = resolves.resolve(FACTS, EMPTY_SCOPE)

    found = resolves.settled(FACTS, Scope(deadline_monotonic_s=clock.now_s - 1))

    assert found is unknown


def test_without_a_look_up_there_is_nothing_to_wait_for() -> None:
    """The default."""
    resolves = make()
    resolves.resolve(FACTS, EMPTY_SCOPE)

    assert not resolves.asks
    assert resolves.settled(FACTS, EMPTY_SCOPE) is None


def test_a_forked_child_asks_anew() -> None:
    """What a thread of the parent was asking goes on in the parent alone."""
    sts, later = FakeSts(), Background()
    asks = CallerLookup(sts, FakeClock(), later)
    assert asks.answer(KEY_ID, FACTS).is_pending
    asks._lock.acquire()

    asks.renew()
    later.works.clear()
    assert asks.answer(KEY_ID, FACTS).is_pending
    later.run()

    assert asks.answer(KEY_ID, FACTS).caller == Caller(ARN)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_real_fork_leaves_no_lock_closed() -> None:
    """The child neither hangs nor waits for a thread that it does not have."""
    later = Background()
    asks = CallerLookup(FakeSts(), FakeClock(), later)
    assert asks.answer(KEY_ID, FACTS).is_pending
    asks._lock.acquire()
    child = os.fork()
    if child == 0:
        later.works.clear()
        asks.answer(KEY_ID, FACTS)
        os._exit(0 if later.works else 1)

    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0


def test_a_thread_that_cannot_start_is_started_later() -> None:
    """Too many threads, or an interpreter that is about to end."""
    sts, starts = FakeSts(), iter([RuntimeError("can't start new thread"), None])

    def start(work: Callable[[], None]) -> None:
        problem = next(starts)
        if problem is not None:
            raise problem
        work()

    asks = CallerLookup(sts, FakeClock(), start)

    assert asks.answer(KEY_ID, FACTS).is_pending
    assert asks.answer(KEY_ID, FACTS).caller == Caller(ARN)


# --- threads -----------------------------------------------------------------------------------


def test_a_key_is_asked_for_by_one_thread_at_a_time() -> None:
    """However many calls are made meanwhile."""
    is_asked, may_answer = threading.Event(), threading.Event()

    def answer(facts: CredentialFacts) -> str | None:
        is_asked.set()
        assert may_answer.wait(10)
        return f"{ARN}-{facts.access_key_id}"

    sts = FakeSts(answer)
    resolves = make(sts, start=lookup.start_thread)
    other = replace(FACTS, access_key_id="B")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda facts: resolves.resolve(facts, EMPTY_SCOPE), [FACTS] * 40))
        assert is_asked.wait(10)
        found += pool.map(lambda facts: resolves.resolve(facts, EMPTY_SCOPE), [other] * 40)
        may_answer.set()
    for facts in (FACTS, other):
        resolves.settled(facts, EMPTY_SCOPE)

    assert {one.arn for one in found} <= {None, f"{ARN}-{FACTS.access_key_id}", f"{ARN}-B"}
    assert resolves.resolve(FACTS, EMPTY_SCOPE).arn == f"{ARN}-{FACTS.access_key_id}"
    assert resolves.resolve(other, EMPTY_SCOPE).arn == f"{ARN}-B"
    assert sorted(map(str, sts.asked)) == [FACTS.access_key_id, "B"]


def test_threads_share_a_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under contention, with a memory that is always full, each gets its own answer."""
    monkeypatch.setattr(resolver, "MAX_REMEMBERED", 4)
    resolves = make(FakeSts(lambda facts: f"{ARN}-{facts.access_key_id}"))

    def work(seed: int) -> list[Principal]:
        wrong = []
        for n in range(300):
            key, name = f"AKIA{(seed + n) % 7}", f"bot{(seed * n) % 5}"
            found = resolves.resolve(
                replace(FACTS, access_key_id=key), Scope(acting_name=name, acting_kind="agent")
            )
            if (found.arn, found.acting_name) != (f"{ARN}-{key}", name):
                wrong.append(found)
        return wrong

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, range(4)))

    assert found == [[], [], [], []]
