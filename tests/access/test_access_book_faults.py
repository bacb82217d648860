"""A store that cannot be read, and documents that cannot: nothing is granted by them."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from dynaguard.access.book import Book
from dynaguard.access.store import StoredRecord
from tests.access.desk import ETL, Desk, call


@pytest.fixture
def desk() -> Desk:
    """A desk with everything new."""
    return Desk()


def test_an_unreachable_store_is_survived_while_what_is_known_is_young(desk: Desk) -> None:
    """Up to `access_max_age_s`; then nothing is granted, and the denial says why."""
    desk.give()
    assert desk.allows()
    desk.store.problem = "the network is down"

    desk.passes(29)
    assert desk.allows()
    desk.passes(2)
    assert not desk.allows()

    told = desk.grants.told(call(), desk.decide(), ETL)
    assert told.reason.endswith(
        "whether a grant does is not known: access store `memory` cannot be used: the network is "
        "down"
    )


def test_a_store_that_comes_back_is_used_again(desk: Desk) -> None:
    """A second after the failure at the earliest."""
    desk.give()
    desk.store.problem = "the network is down"
    assert not desk.allows()
    desk.store.problem = None

    assert not desk.allows()
    desk.passes(1.01)

    assert desk.allows()
    assert desk.book.failure is None


def test_a_dead_store_is_asked_once_a_second(desk: Desk) -> None:
    """Calls that are refused anyway do not each wait for it."""
    desk.store.problem = "the network is down"

    for _ in range(100):
        assert not desk.allows()
        desk.passes(0.05)

    assert len(desk.store.uses) <= 6


def test_whatever_a_store_raises_nothing_is_granted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of a store is told by its kind alone, once until it is over."""

    def broken() -> str:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(desk.store, "change_token", broken)
    with caplog.at_level(logging.WARNING, "dynaguard.access"):
        assert not desk.allows()
        desk.passes(5)
        assert not desk.allows()

    assert desk.book.failure == "`memory` failed (ZeroDivisionError)"
    assert caplog.messages == ["grants cannot be read: `memory` failed (ZeroDivisionError)"]


def test_an_unreadable_document_is_told_once_and_hides_no_other(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """Each version of it, that is."""
    bad = desk.give()
    desk.give()
    record = desk.store.get("grant", bad.id)
    assert record is not None
    body = json.dumps({**json.loads(record.body), "identity": "*"})
    desk.store.replace(record.changed(body, record.expires_epoch_s))

    with caplog.at_level(logging.WARNING, "dynaguard.access"):
        assert desk.allows()
        desk.give()
        desk.passes(3)
        desk.decide()
        desk.work()

    assert [bad.id in message for message in caplog.messages] == [True]
    assert list(desk.book.report()["unreadable"]) == [bad.id]
    assert desk.book.report()["grants"] == 2


def test_no_thread_can_be_started(desk: Desk) -> None:
    """Then calls go on with what is known, until it is too old and they wait themselves."""

    def refuse(_work: object) -> None:
        raise RuntimeError("can't start new thread")

    book = Book(desk.store, desk.clock, max_age_s=30, max_duration_s=900, start=refuse)
    grant = desk.give()
    assert book.current() is not None
    desk.revoke(grant)

    desk.passes(5)
    known = book.current()
    desk.passes(30)
    asked = book.current()

    assert known is not None
    assert asked is not None
    assert not known.by_id[grant.id].grant.is_revoked
    assert asked.by_id[grant.id].grant.is_revoked


def test_what_was_told_is_remembered_up_to_a_number(desk: Desk) -> None:
    """A store full of rubbish does not fill the memory."""
    for number in range(1100):
        desk.store.add(StoredRecord("grant", f"grant-{number}", 1, "{}", 4e9))

    desk.book.read_now()

    assert len(desk.book.unreadable) == 1100
    assert len(desk.book._told) <= 1024


def test_what_a_signal_handler_raises_meanwhile_is_the_applications(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time limit for one; it is no failure of the store."""

    def handler(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("signal.getsignal", lambda _number: handler)
    monkeypatch.setattr(desk.store, "change_token", handler)

    with pytest.raises(TimeoutError):
        desk.book.at_once()
    assert desk.book.failure is None


def test_a_document_with_numbers_past_all_bounds_hides_no_other(desk: Desk) -> None:
    """It is no grant, and the next one is."""
    bad = desk.give()
    record = bad.to_record()
    body = {**json.loads(record.body), "not_before_epoch_s": 10**400}
    desk.store.replace(replace(record, version=2, body=json.dumps(body)))
    desk.give()

    assert desk.allows()
    assert list(desk.book.unreadable) == [bad.id]
