"""What a resolver remembers, for how long, and when it asks."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pytest

from dynaguard.call import CredentialFacts, Principal
from dynaguard.identity import IdentityResolver, lookup, resolver
from dynaguard.identity.lookup import Caller, CallerLookup
from dynaguard.scope import EMPTY_SCOPE, Scope

ARN = "arn:aws:iam::123456789012:user/bob"
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
FACTS = CredentialFacts(KEY_ID, "env", has_session_token=False)
ASSUMED = replace(FACTS, role_arn="arn:aws:iam::123456789012:role/etl", role_session_name="run")


@dataclass
class FakeSts:
    """Answers look-ups as told, and counts them by key."""

    answer: Callable[[CredentialFacts], str | None] = lambda _facts: ARN
    asked: list[str | None] = field(default_factory=list)

    def __call__(self, facts: CredentialFacts) -> Caller | None:
        self.asked.append(facts.access_key_id)
        arn = self.answer(facts)
        return None if arn is None else Caller(arn)


@dataclass
class FakeClock:
    """A clock that is set by hand."""

    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Background:
    """Work that runs when the test says so."""

    works: list[Callable[[], None]] = field(default_factory=list)

    def __call__(self, work: Callable[[], None]) -> None:
        self.works.append(work)

    def run(self) -> None:
        """Runs what was started meanwhile."""
        works, self.works = self.works, []
        for work in works:
            work()


def at_once(work: Callable[[], None]) -> None:
    """A background that is faster than the caller."""
    work()


def fail(_facts: CredentialFacts) -> str | None:
    """A look-up without a network."""
    raise ConnectionError("no route to AWS with key AKIA-SECRET")


def make(
    sts: FakeSts | None = None,
    clock: FakeClock | None = None,
    identity: str | None = None,
    start: Callable[[Callable[[], None]], None] = at_once,
) -> IdentityResolver:
    """A resolver without surroundings, whose look-ups answer at once unless said otherwise."""
    return IdentityResolver(
        identity=identity,
        account_id=None,
        groups={"people": ("arn:aws:iam::*:user/*",)},
        environ={},
        lookup=sts,
        monotonic=clock or FakeClock(),
        start=start,
    )


# --- memory ------------------------------------------------------------------------------------


def test_the_same_identity_gives_the_same_object() -> None:
    """With and without somebody acting; equal facts of another client too."""
    resolves = make()
    acting = Scope(acting_name="bot", acting_kind="agent")

    assert resolves.resolve(FACTS, EMPTY_SCOPE) is resolves.resolve(replace(FACTS), Scope(job="j"))
    assert resolves.resolve(FACTS, acting) is resolves.resolve(FACTS, replace(acting, job="j"))


@pytest.mark.parametrize(
    "scope",
    [
        Scope(acting_name="other", acting_kind="agent"),
        Scope(acting_name="bot", acting_kind="user"),
        Scope(acting_name="bot", acting_kind="agent", acting_groups=frozenset({"g"})),
        EMPTY_SCOPE,
    ],
)
def test_who_acts_is_part_of_the_identity(scope: Scope) -> None:
    """Name, kind and groups."""
    resolves = make()
    bot = resolves.resolve(FACTS, Scope(acting_name="bot", acting_kind="agent"))

    found = resolves.resolve(FACTS, scope)

    assert found != bot
    assert found.acting_name == scope.acting_name


def test_a_rotated_key_is_another_identity() -> None:
    """Until it is known otherwise: a provider may have changed more than the key."""
    sts = FakeSts()
    resolves = make(sts)

    first = resolves.resolve(FACTS, EMPTY_SCOPE)
    second = resolves.resolve(replace(FACTS, access_key_id="AKIANEW"), EMPTY_SCOPE)

    assert (first.access_key_id, second.access_key_id) == (FACTS.access_key_id, "AKIANEW")
    assert sts.asked == [FACTS.access_key_id, "AKIANEW"]


@pytest.mark.parametrize("is_acting", [False, True])
def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, is_acting: bool) -> None:
    """Full, it starts anew; what it gives stays right."""
    monkeypatch.setattr(resolver, "MAX_REMEMBERED", 3)
    resolves = make()

    for n in range(10):
        facts = FACTS if is_acting else replace(FACTS, access_key_id=f"AKIA{n}")
        scope = Scope(acting_name=str(n)) if is_acting else EMPTY_SCOPE
        found = resolves.resolve(facts, scope)
        assert (found.acting_name if is_acting else found.access_key_id[4:]) == str(n)  # type: ignore[index]

    assert len(resolves._entry_by_facts) <= 3
    assert len(resolves._acting_by_key) <= 3


# --- asking ------------------------------------------------------------------------------------


def test_a_key_is_asked_for_once() -> None:
    """Whoever acts, and whatever else the facts say."""
    sts = FakeSts()
    resolves = make(sts)

    for facts in (FACTS, replace(FACTS, account_id="123456789012"), FACTS):
        for scope in (EMPTY_SCOPE, Scope(acting_name="bot")):
            found = resolves.resolve(facts, scope)
            assert (found.arn, found.source, found.groups) == (ARN, "sts", {"people"})

    assert sts.asked == [FACTS.access_key_id]


@pytest.mark.parametrize(
    ("facts", "identity"), [(ASSUMED, None), (FACTS, ARN)], ids=["provider", "explicit"]
)
def test_nobody_is_asked_what_is_known_offline(
    facts: CredentialFacts, identity: str | None
) -> None:
    """Even on opt-in."""
    sts = FakeSts()

    make(sts, identity=identity).resolve(facts, EMPTY_SCOPE)

    assert sts.asked == []


def test_an_explicit_name_still_asks_for_the_arn() -> None:
    """A label names nothing that a policy can match."""
    sts = FakeSts()

    found = make(sts, identity="loader").resolve(FACTS, EMPTY_SCOPE)

    assert (found.name, found.arn, found.source) == ("loader", ARN, "explicit")


def test_a_function_s_arn_still_asks_for_its_role() -> None:
    """The role signs; the function's ARN stays known."""
    function = "arn:aws:lambda:eu-west-1:123456789012:function:nightly"
    session = "arn:aws:sts::123456789012:assumed-role/etl/nightly"

    found = make(FakeSts(lambda _facts: session), identity=function).resolve(FACTS, EMPTY_SCOPE)

    assert (found.name, found.arn, found.arns_complete) == ("nightly", session, True)
    assert found.arns[:2] == (function, session)


def test_without_a_key_nobody_is_asked() -> None:
    """Deferred credentials have none before their first use; the next call may have one."""
    sts = FakeSts()
    resolves = make(sts)

    before = resolves.resolve(replace(FACTS, access_key_id=None), EMPTY_SCOPE)
    after = resolves.resolve(FACTS, EMPTY_SCOPE)

    assert (before.arn, after.arn) == (None, ARN)
    assert sts.asked == [FACTS.access_key_id]


@pytest.mark.parametrize(
    "answer",
    [fail, lambda _facts: None, lambda _facts: "bob", lambda _facts: "arn:aws:s3:::bucket"],
    ids=["raises", "none", "no ARN", "ARN of a thing"],
)
def test_a_failed_look_up_leaves_the_identity_unknown_for_a_minute(
    answer: Callable[[CredentialFacts], str | None], caplog: pytest.LogCaptureFixture
) -> None:
    """Counted, logged once by its kind, asked again later; calls go on meanwhile."""
    sts, clock = FakeSts(answer), FakeClock()
    resolves = make(sts, clock)

    with caplog.at_level(logging.WARNING, "dynaguard"):
        found = [resolves.resolve(FACTS, EMPTY_SCOPE) for _ in range(3)]
        clock.now_s += lookup.RETRY_AFTER_S - 0.1
        found.append(resolves.resolve(replace(FACTS, account_id="123456789012"), EMPTY_SCOPE))
        assert sts.asked == [FACTS.access_key_id]
        clock.now_s += 0.1
        found.append(resolves.resolve(FACTS, EMPTY_SCOPE))

    assert all(
        (one.arn, one.arns_complete, one.source) == (None, False, "key_id") for one in found
    )
    assert len(sts.asked) == resolves.lookup_failures == 2
    assert len(caplog.records) == 1
    assert "SECRET" not in caplog.text


def test_a_later_answer_is_kept_also_for_who_acts() -> None:
    """What was remembered without it is not given any more."""
    sts, clock = FakeSts(fail), FakeClock()
    resolves = make(sts, clock)
    acting = Scope(acting_name="bot")
    assert resolves.resolve(FACTS, acting).arn is None

    sts.answer = lambda _facts: ARN
    clock.now_s += lookup.RETRY_AFTER_S

    assert resolves.resolve(FACTS, acting).arn == ARN
    assert resolves.resolve(FACTS, EMPTY_SCOPE).arn == ARN
    assert resolves.lookup_failures == 1


def test_without_a_look_up_nothing_failed() -> None:
    """The count is for `status()`."""
    assert make().lookup_failures == 0


def test_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys rotate as long as the process lives."""
    monkeypatch.setattr(lookup, "MAX_KEYS", 3)
    asks = CallerLookup(FakeSts(), FakeClock(), at_once)

    for n in range(10):
        answer = asks.answer(f"AKIA{n}", FACTS)
        assert answer.caller == Caller(ARN)

    assert len(asks._answers) <= 3
    assert not asks._waiting


def test_look_ups_under_way_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one does not end, few others queue behind it; those left out are asked later."""
    monkeypatch.setattr(lookup, "MAX_KEYS", 3)
    sts, later = FakeSts(), Background()
    asks = CallerLookup(sts, FakeClock(), later)

    def ask(n: int) -> bool:
        facts = replace(FACTS, access_key_id=f"AKIA{n}")
        return asks.answer(f"AKIA{n}", facts).is_pending

    assert all(ask(n) for n in range(5))
    assert len(asks._waiting) == 3
    assert not asks.wait("AKIA4", 0)
    later.run()
    assert ask(4)
    later.run()

    assert sts.asked == ["AKIA0", "AKIA1", "AKIA2", "AKIA4"]


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
