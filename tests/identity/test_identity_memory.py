"""What a resolver remembers, for how long, and when it asks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pytest

from dynaguard.call import CredentialFacts, Principal
from dynaguard.identity import IdentityResolver, lookup, resolver
from dynaguard.scope import EMPTY_SCOPE, Scope

ARN = "arn:aws:iam::123456789012:user/bob"
FACTS = CredentialFacts("AKIAIOSFODNN7EXAMPLE", "env", has_session_token=False)
ASSUMED = replace(FACTS, role_arn="arn:aws:iam::123456789012:role/etl", role_session_name="run")


@dataclass
class FakeSts:
    """Answers look-ups as told, and counts them by key."""

    answer: Callable[[CredentialFacts], str | None] = lambda _facts: ARN
    asked: list[str | None] = field(default_factory=list)

    def __call__(self, facts: CredentialFacts) -> str | None:
        self.asked.append(facts.access_key_id)
        return self.answer(facts)


@dataclass
class FakeClock:
    """A clock that is set by hand."""

    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s


def fail(_facts: CredentialFacts) -> str | None:
    """A look-up without a network."""
    raise ConnectionError("no route to AWS with key AKIA-SECRET")


def make(
    sts: FakeSts | None = None, clock: FakeClock | None = None, identity: str | None = None
) -> IdentityResolver:
    """A resolver without surroundings."""
    return IdentityResolver(
        identity=identity,
        account_id=None,
        groups={"people": ("arn:aws:iam::*:user/*",)},
        environ={},
        lookup=sts,
        monotonic=clock or FakeClock(),
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

    assert len(resolves._principal_by_facts) <= 3
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
    monkeypatch.setattr(lookup, "_MAX_KEYS", 3)
    sts = FakeSts()
    asks = lookup.CallerLookup(sts, FakeClock())

    for n in range(10):
        assert asks.ask(replace(FACTS, access_key_id=f"AKIA{n}")).arn == ARN

    assert len(asks._answer_by_key_id) <= 3
    assert len(asks._turn_by_key_id) <= 3


# --- threads -----------------------------------------------------------------------------------


def test_threads_that_need_the_same_answer_wait_for_one_look_up() -> None:
    """All get it; nobody asks twice; another key is not held up."""
    is_asked, may_answer = threading.Event(), threading.Event()

    def answer(facts: CredentialFacts) -> str | None:
        if facts.access_key_id == FACTS.access_key_id:
            is_asked.set()
            assert may_answer.wait(10)
        return ARN

    sts = FakeSts(answer)
    resolves = make(sts)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(resolves.resolve, FACTS, EMPTY_SCOPE) for _ in range(6)]
        assert is_asked.wait(10)
        other = pool.submit(resolves.resolve, replace(FACTS, access_key_id="B"), EMPTY_SCOPE)
        assert other.result(10).arn == ARN
        assert not any(one.done() for one in waiting)
        may_answer.set()
        found = {one.result(10).arn for one in waiting}

    assert found == {ARN}
    assert sts.asked.count(FACTS.access_key_id) == 1


def test_a_look_up_that_does_not_end_holds_up_nobody_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in a child forked while a thread of the parent was asking: unknown for this call."""
    monkeypatch.setattr(lookup, "MAX_WAIT_S", 0.01)
    asks = lookup.CallerLookup(FakeSts(), FakeClock())
    asks._turn_by_key_id["AKIAIOSFODNN7EXAMPLE"] = turn = threading.Lock()
    turn.acquire()

    first = asks.ask(FACTS)
    turn.release()
    second = asks.ask(FACTS)

    assert (first.arn, second.arn) == (None, ARN)


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
