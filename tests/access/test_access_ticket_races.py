"""Tickets whose askers and approvers come at once, overtake each other or are killed."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from dynaguard.access import tickets
from dynaguard.access.clock import StrictClock
from dynaguard.access.sqlite_store import SqliteStore
from dynaguard.access.store import StoredRecord
from dynaguard.access.ticket_book import TicketBook
from dynaguard.access.tickets import Demand, Ticket
from dynaguard.errors import AccessStoreError, TicketError
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import Clock, deciding_of, lead
from tests.access.ticket_drafts import book, clock, draft, store

__all__ = ["book", "clock", "store"]  # fixtures


def test_killed_before_the_new_one_stands_there_is_one_of_each(
    book: TicketBook, store: MemoryStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy of the ended one is there already; it is listed once, and asked again follows."""
    first, _ = book.ask(draft(clock))
    clock.now_s += 601
    monkeypatch.setattr(store, "replace", lambda _: (_ for _ in ()).throw(SystemExit(9)))
    with pytest.raises(SystemExit):
        book.ask(draft(clock))
    monkeypatch.undo()

    assert [each.id for each in book.tickets(with_ended=True)] == [first.id]
    second, is_new = book.ask(draft(clock))
    assert is_new
    assert len(book.tickets(with_ended=True)) == 2
    assert book.find(second.id) == second


def test_a_hundred_who_ask_at_once_get_one_ticket(tmp_path: Path) -> None:
    """Over a real store."""
    clock, found = Clock(), []
    store = SqliteStore(tmp_path / "access.sqlite")
    book = TicketBook(store, StrictClock(clock.time, clock.time))
    begin = threading.Barrier(50)

    def ask() -> None:
        begin.wait()
        found.append(book.ask(draft(clock)))

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({ticket.id for ticket, _ in found}) == 1
    assert sum(is_new for _, is_new in found) == 1


def test_two_approvers_at_once_are_both_kept(tmp_path: Path) -> None:
    """Of ten leads, as many as the quorum wants decide it; the others come late."""
    clock, outcomes = Clock(), []
    store = SqliteStore(tmp_path / "access.sqlite")
    book = TicketBook(store, StrictClock(clock.time, clock.time))
    wanted = draft(clock)
    terms = dataclasses.replace(wanted.terms, demands=(Demand("s", 3, ("leads",)),))
    ticket, _ = book.ask(dataclasses.replace(wanted, terms=terms))
    deciding = deciding_of(store, clock.time)
    begin = threading.Barrier(10)

    def decide(number: int) -> None:
        begin.wait()
        try:
            deciding.decide(
                ticket.id, lead(f"lead-{number}"), is_approval=True, why="ok", channel="cli"
            )
        except TicketError:
            outcomes.append(None)
        else:
            outcomes.append(f"lead-{number}")

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = book.find(ticket.id)
    assert found is not None
    names = [str(each.person.arn).rpartition("/")[2] for each in found.decisions]
    assert sorted(filter(None, outcomes)) == sorted(names)
    assert len(names) == 3


KILLED = """
import os, sys
from tests.access.ticket_drafts import draft
from tests.access.approving import Clock, approve
from dynaguard.access.clock import StrictClock
from dynaguard.access.sqlite_store import SqliteStore
from dynaguard.access.ticket_book import TicketBook

clock = Clock(float(sys.argv[2]))
store = SqliteStore(sys.argv[1])
book = TicketBook(store, StrictClock(clock.time, clock.time))
ticket, _ = book.ask(draft(clock))
approve(store, ticket.id, clock=clock.time)
os.write(1, ticket.id.encode())
os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs kill")
def test_killed_between_approval_and_use_the_approval_is_there(
    tmp_path: Path, clock: Clock
) -> None:
    """Another process uses it, once."""
    path = tmp_path / "access.sqlite"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, str(path), str(clock.now_s)],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -9, done.stderr
    book = TicketBook(SqliteStore(path), StrictClock(clock.time, clock.time))

    used = book.change(done.stdout, lambda each: tickets.claim(each, clock.now_s))

    assert used.uses_left == 0
    with pytest.raises(TicketError, match="is used up"):
        book.change(done.stdout, lambda each: tickets.claim(each, clock.now_s))


class Overtaken(MemoryStore):
    """A store in which somebody else is a moment earlier, so many times."""

    def __init__(self, times: int, earlier: Callable[[], object]) -> None:
        super().__init__()
        self.times = times
        self._earlier = earlier

    def add(self, record: StoredRecord) -> bool:
        """After somebody else."""
        self._let_go_first()
        return super().add(record)

    def replace(self, record: StoredRecord) -> bool:
        """After somebody else."""
        self._let_go_first()
        return super().replace(record)

    def _let_go_first(self) -> None:
        if self.times > 0:
            self.times -= 1
            left, self.times = self.times, 0
            self._earlier()
            self.times = left


def test_who_asks_a_moment_later_gets_the_ticket_of_who_was_first(clock: Clock) -> None:
    """The same question at once from two processes is one ticket."""
    others: list[Ticket] = []
    store = Overtaken(1, lambda: others.append(book.ask(draft(clock))[0]))
    book = TicketBook(store, StrictClock(clock.time, clock.time))

    ticket, is_new = book.ask(draft(clock))

    assert not is_new
    assert [ticket] == others == book.tickets()


def test_who_follows_an_ended_ticket_a_moment_later_gets_the_one_that_stands(
    clock: Clock,
) -> None:
    """Two processes that find the same ended ticket do not both put a new one in its place."""
    others: list[Ticket] = []
    store = Overtaken(0, lambda: others.append(book.ask(draft(clock))[0]))
    book = TicketBook(store, StrictClock(clock.time, clock.time))
    first, _ = book.ask(draft(clock))
    clock.now_s += 601
    store.times = 1

    ticket, is_new = book.ask(draft(clock))

    assert not is_new
    assert [ticket] == others == book.tickets()
    assert [each.id for each in book.tickets(with_ended=True)] == [first.id, ticket.id]


def test_a_question_that_is_overtaken_again_and_again_ends_in_an_error(clock: Clock) -> None:
    """Bounded; whoever asks may ask again."""

    class Refusing(MemoryStore):
        def add(self, record: StoredRecord) -> bool:
            return False  # somebody else's, who takes it away again

    book = TicketBook(Refusing(), StrictClock(clock.time, clock.time))

    with pytest.raises(AccessStoreError, match=r"was overtaken .* times, try again"):
        book.ask(draft(clock))
