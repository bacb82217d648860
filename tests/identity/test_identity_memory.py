"""What a resolver remembers, for how long, and whom it asks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from dynaguard.call import CredentialFacts
from dynaguard.identity import lookup, resolver
from dynaguard.identity.lookup import Caller, CallerLookup
from dynaguard.scope import EMPTY_SCOPE, Scope
from tests.identity.resolvers import (
    ARN,
    ASSUMED,
    FACTS,
    Background,
    FakeClock,
    FakeSts,
    at_once,
    fail,
    make,
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
