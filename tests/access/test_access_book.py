"""What a process knows of grants: when it reads, how old it may be, what is read again."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import pytest

from dynaguard.access.book import AT_ONCE_AFTER_S, REFRESH_AFTER_S, start_thread
from dynaguard.access.store import RecordKind, StoredRecord
from dynaguard.forks import renew_all
from tests.access.desk import Desk


@pytest.fixture
def desk() -> Desk:
    """A desk with everything new."""
    return Desk()


def test_nothing_is_read_before_a_call_needs_it(desk: Desk) -> None:
    """Making the book costs nothing."""
    assert desk.store.uses == []
    assert desk.book.report() == {"grants": 0, "grants_read_s_ago": None, "unreadable": {}}


def test_a_call_that_would_be_refused_sees_a_grant_that_was_just_made(desk: Desk) -> None:
    """Once a quarter of a second has gone since the last look."""
    assert not desk.allows()

    desk.give()
    desk.passes(AT_ONCE_AFTER_S + 0.01)

    assert desk.allows()


def test_refusals_ask_the_store_no_more_often_than_four_times_a_second(desk: Desk) -> None:
    """A storm of them costs nothing more."""
    for _ in range(100):
        assert not desk.allows()
        desk.passes(0.02)

    assert len(desk.store.uses) <= 2 + 2.0 / AT_ONCE_AFTER_S


def test_a_revocation_is_seen_by_the_second_call_after_the_refresh_age(desk: Desk) -> None:
    """The first has it read in the background and goes on with what was known."""
    grant = desk.give()
    assert desk.allows()
    desk.revoke(grant)
    desk.passes(REFRESH_AFTER_S + 0.01)

    first = desk.decide()
    desk.work()
    second = desk.decide()

    assert (first.verdict.is_allowed, second.verdict.is_allowed) == (True, False)


def test_a_young_book_is_not_read_again(desk: Desk) -> None:
    """Calls that are granted do not touch the store."""
    desk.give()
    assert desk.allows()
    uses = len(desk.store.uses)

    for _ in range(50):
        assert desk.allows()
        desk.passes(REFRESH_AFTER_S / 60)

    assert (len(desk.store.uses), desk.waiting) == (uses, [])


def test_one_reader_at_a_time_works_in_the_background(desk: Desk) -> None:
    """However many calls find the book old."""
    desk.give()
    assert desk.allows()
    desk.passes(REFRESH_AFTER_S + 1)

    for _ in range(10):
        desk.decide()

    assert len(desk.waiting) == 1
    desk.work()
    desk.passes(REFRESH_AFTER_S + 1)
    desk.decide()
    assert len(desk.waiting) == 1


def test_documents_are_read_again_only_where_the_token_changed(desk: Desk) -> None:
    """A refresh without news costs one small question."""
    desk.give()
    assert desk.allows()
    desk.store.uses.clear()

    for _ in range(3):
        desk.passes(REFRESH_AFTER_S + 1)
        desk.decide()
        desk.work()

    assert desk.store.uses == ["change_token"] * 3


def test_a_machine_that_slept_does_not_trust_what_it_knew(desk: Desk) -> None:
    """The steady clock may have stood still; the wall clock tells."""
    grant = desk.give(duration_s=80_000.0)
    assert desk.allows()
    desk.revoke(grant)

    desk.wall_s += 3600

    assert not desk.decide().verdict.is_allowed


def test_a_wall_clock_put_back_makes_nothing_young(desk: Desk) -> None:
    """The steady clock tells."""
    grant = desk.give()
    assert desk.allows()
    desk.revoke(grant)

    desk.passes(40)
    desk.wall_s -= 3600

    assert not desk.decide().verdict.is_allowed


def test_many_threads_that_cannot_go_on_ask_the_store_once(desk: Desk) -> None:
    """Whoever waited takes the answer that another got."""
    desk.give()
    begin = threading.Barrier(16)
    found: list[bool] = []

    def use() -> None:
        begin.wait()
        found.append(desk.book.current() is not None)

    threads = [threading.Thread(target=use) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [True] * 16
    assert desk.store.uses.count("records") == 1


def test_a_forked_child_is_not_stuck_with_what_its_parent_did(desk: Desk) -> None:
    """A lock that another thread held at the fork, a reading that was under way."""
    desk.give()
    assert desk.allows()
    desk.passes(3)
    desk.decide()
    desk.book._lock.acquire()

    renew_all()

    assert desk.allows()
    desk.decide()
    assert len(desk.waiting) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_reads_for_itself(desk: Desk) -> None:
    """It gets its own lock; what it knew stays."""
    desk.give()
    assert desk.allows()
    lock = desk.book._lock

    pid = os.fork()
    if pid == 0:
        os._exit(0 if desk.book._lock is not lock and desk.allows() else 1)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0


def test_documents_that_did_not_change_are_taken_as_they_are(desk: Desk) -> None:
    """Reading a store of thousands again costs what changed."""
    kept = desk.give()
    assert desk.allows()
    before = desk.book.current()
    desk.give()
    desk.passes(3)

    assert desk.book.at_once()
    after = desk.book.current()

    assert before is not None
    assert after is not None
    assert after.by_id[kept.id] is before.by_id[kept.id]


def test_a_grant_that_lasts_longer_than_this_process_allows_does_not_count() -> None:
    """Whatever the setting of who made it."""
    desk = Desk(max_duration_s=600.0)
    desk.give(duration_s=900.0)

    assert not desk.allows()
    assert len(desk.book.unreadable) == 1


def test_a_grant_whose_document_was_replaced_is_the_new_one(desk: Desk) -> None:
    """An id that comes back with another version is read again."""
    grant = desk.give()
    assert desk.allows()
    record = desk.store.get("grant", grant.id)
    assert record is not None
    other = replace(grant, identity="somebody-else").to_record(record.version + 1)
    desk.store.replace(other)
    desk.passes(3)

    desk.book.at_once()

    assert not desk.allows()


def test_age_counts_from_before_the_store_was_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a slow store says is as old as the question."""
    records = desk.store.records

    def slow(kind: RecordKind, *, after_epoch_s: float) -> list[StoredRecord]:
        found = records(kind, after_epoch_s=after_epoch_s)
        desk.passes(7)
        return found

    monkeypatch.setattr(desk.store, "records", slow)

    desk.book.read_now()

    assert desk.book.age_s == pytest.approx(7)


def test_the_background_is_a_daemon_thread() -> None:
    """No exit of the interpreter waits for a store."""
    seen: list[bool] = []
    done = threading.Event()

    def work() -> None:
        seen.append(threading.current_thread().daemon)
        done.set()

    start_thread(work)

    assert done.wait(10)
    assert seen == [True]


def test_an_age_below_the_refresh_is_kept_to() -> None:
    """Who sets `access_max_age_s` to half a second gets nothing older."""
    desk = Desk(max_age_s=0.5)
    grant = desk.give()
    assert desk.allows()
    desk.revoke(grant)

    desk.passes(0.6)

    assert not desk.decide().verdict.is_allowed


def test_a_call_within_a_reading_goes_on_with_what_is_known(desk: Desk) -> None:
    """Of a signal handler, say: it waits for nobody, least of all for itself."""
    desk.give()
    ask = desk.store.records
    found: list[bool] = []

    def records(kind: RecordKind, *, after_epoch_s: float) -> list[StoredRecord]:
        found.append(desk.allows())
        return ask(kind, after_epoch_s=after_epoch_s)

    desk.store.records = records  # type: ignore[method-assign]
    thread = threading.Thread(target=lambda: found.append(desk.allows()), daemon=True)
    thread.start()
    thread.join(10)

    assert found == [False, True]


def test_a_use_that_is_told_before_anything_was_read_is_read_with_the_rest(desk: Desk) -> None:
    """As in a child that was just forked: there is nothing known yet that could be wrong."""
    given = desk.give()

    desk.book.spend(given.id)

    assert desk.allows()
