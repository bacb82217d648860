"""Tickets in a store: one per case, whoever asks, overtakes, is killed or edits by hand."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from dynaguard.access import tickets
from dynaguard.access.clock import StrictClock
from dynaguard.access.persons import Person
from dynaguard.access.sqlite_store import SqliteStore
from dynaguard.access.store import StoredRecord
from dynaguard.access.summaries import Summary
from dynaguard.access.ticket_book import TicketBook
from dynaguard.access.tickets import Demand, Terms, Ticket, TicketState
from dynaguard.errors import AccessStoreError, TicketError
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import Clock, approve, deciding_of, deny, lead


@pytest.fixture
def clock() -> Clock:
    """The time."""
    return Clock()


@pytest.fixture
def store() -> MemoryStore:
    """Where tickets are kept."""
    return MemoryStore()


@pytest.fixture
def book(store: MemoryStore, clock: Clock) -> TicketBook:
    """The tickets."""
    return TicketBook(store, StrictClock(clock.time, clock.time))


def draft(clock: Clock, asker: str = "etl", uses: int | None = 1) -> Ticket:
    """A question."""
    return Ticket(
        id="",
        kind="call",
        subject_sha256="ab" * 32,
        summary=Summary("dynamodb DeleteItem"),
        requester=Person(asker, f"arn:aws:iam::1:role/{asker}"),
        reason="",
        terms=Terms((Demand("s", 1, ("leads",)),), 600.0, 300.0, uses),
        created_epoch_s=clock.now_s,
        uses_left=uses,
    )


def test_a_question_is_asked_once(book: TicketBook, clock: Clock) -> None:
    """While it is open, approved, or denied and its time not up."""
    first, is_new = book.ask(draft(clock))
    clock.now_s += 100

    again, is_newer = book.ask(draft(clock))

    assert (is_new, is_newer) == (True, False)
    assert again == first


def test_a_new_question_follows_an_ended_one_which_is_kept(
    book: TicketBook, store: MemoryStore, clock: Clock
) -> None:
    """Under its own id, with its decisions; it cannot be decided any more."""
    first, _ = book.ask(draft(clock))
    deny(store, first.id, clock=clock.time)
    clock.now_s += 601

    second, is_new = book.ask(draft(clock))

    assert is_new
    assert second.id != first.id
    kept = book.find(first.id)
    assert kept is not None
    assert kept.denial is not None
    assert [each.id for each in book.tickets(with_ended=True)] == [first.id, second.id]
    with pytest.raises(TicketError, match="followed it"):
        approve(store, first.id, clock=clock.time)


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


def test_other_askers_have_tickets_of_their_own(book: TicketBook, clock: Clock) -> None:
    """The same question by another identity is another case."""
    first, _ = book.ask(draft(clock))
    second, is_new = book.ask(draft(clock, "other"))

    assert is_new
    assert tickets.case_of(first) != tickets.case_of(second)


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


def test_a_replayed_decision_is_refused(
    book: TicketBook, store: MemoryStore, clock: Clock
) -> None:
    """The same person, the same verdict: decided already."""
    wanted = draft(clock)
    terms = dataclasses.replace(wanted.terms, demands=(Demand("s", 2, ("leads",)),))
    ticket, _ = book.ask(dataclasses.replace(wanted, terms=terms))
    approve(store, ticket.id, clock=clock.time)

    with pytest.raises(TicketError, match="has decided ticket"):
        approve(store, ticket.id, clock=clock.time)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("requester", {"name": "x", "arn": None, "acting_as": None, "account": None}),
        ("uses_left", -5),
        ("uses_left", 2),
        ("uses_left", None),
        ("created_epoch_s", 10**400),
        ("created_epoch_s", 1e12),
        ("id", "ticket-0000-0000-0000-0000-0000"),
        ("kind", "grant"),
    ],
)
def test_a_record_that_was_edited_is_no_ticket(
    book: TicketBook, store: MemoryStore, clock: Clock, part: str, value: object
) -> None:
    """It approves nothing, and says so."""
    ticket, _ = book.ask(draft(clock))
    record = store.get("ticket", tickets.case_of(ticket))
    assert record is not None
    body = json.dumps({**json.loads(record.body), part: value})
    store.replace(record.changed(body, record.expires_epoch_s))

    with pytest.raises(AccessStoreError, match="is no ticket and approves nothing"):
        book.find(ticket.id)


def decided(**changes: object) -> dict[str, object]:
    """A decision of ann's, as it is kept."""
    ann = {"name": "Leads", "arn": "arn:aws:sts::1:assumed-role/Leads/ann"}
    return {
        "person": {**ann, "acting_as": None, "account": "1"},
        "groups": ["leads"],
        "is_approval": True,
        "why": "x",
        "decided_epoch_s": Clock().now_s,
        "channel": "cli",
        **changes,
    }


ASKER = {"name": "etl", "arn": "arn:aws:iam::1:role/etl", "acting_as": None, "account": "1"}
AGENT = {"name": "bob", "arn": "arn:aws:iam::1:user/bob", "acting_as": "x", "account": "1"}
BOB = {**AGENT, "acting_as": None}


@pytest.mark.parametrize(
    ("decisions", "why"),
    [
        ([decided(), decided()], "the same person decided it twice"),
        ([decided(person=ASKER)], "who asked decided it"),
        ([decided(person=AGENT)], "who acts for somebody"),
        ([decided(groups=["devs"])], "who may not"),
        ([decided(decided_epoch_s=Clock().now_s + 600)], "after its time"),
        ([decided(is_approval=False), decided(person=BOB)], "after it was decided"),
    ],
)
def test_decisions_that_nobody_can_have_made_make_no_ticket(
    book: TicketBook,
    store: MemoryStore,
    clock: Clock,
    decisions: list[dict[str, object]],
    why: str,
) -> None:
    """Whoever wrote them there; two by two people are fine."""
    wanted = draft(clock)
    two = dataclasses.replace(wanted.terms, demands=(Demand("s", 2, ("leads",)),))
    ticket, _ = book.ask(dataclasses.replace(wanted, terms=two))
    record = store.get("ticket", tickets.case_of(ticket))
    assert record is not None
    as_kept = json.loads(record.body)

    def put(found: list[dict[str, object]], version: int) -> None:
        body = json.dumps({**as_kept, "decisions": found})
        store.replace(StoredRecord("ticket", record.id, version, body, record.expires_epoch_s))

    put([decided(), decided(person=BOB)], 2)
    found = book.find(ticket.id)
    assert found is not None
    assert found.state_at(clock.now_s) is TicketState.APPROVED

    put(decisions, 3)
    with pytest.raises(AccessStoreError, match=why):
        book.find(ticket.id)


def test_a_ticket_that_nobody_has_to_approve_is_none(
    book: TicketBook, store: MemoryStore, clock: Clock
) -> None:
    """One decision of anybody would make it approved."""
    ticket, _ = book.ask(
        dataclasses.replace(draft(clock), terms=Terms((), 600.0, 300.0, 1), uses_left=1)
    )

    with pytest.raises(AccessStoreError, match="nobody has to approve it"):
        book.find(ticket.id)


def test_a_ticket_copied_to_another_case_is_none(
    book: TicketBook, store: MemoryStore, clock: Clock
) -> None:
    """An approval of one thing does not become one of another by moving the record."""
    ticket, _ = book.ask(draft(clock))
    approve(store, ticket.id, clock=clock.time)
    record = store.get("ticket", tickets.case_of(ticket))
    assert record is not None
    other = dataclasses.replace(draft(clock, "other"), id="")
    case = tickets.case_of(other)
    store.add(StoredRecord("ticket", case, 1, record.body, record.expires_epoch_s))

    with pytest.raises(AccessStoreError, match="stored under another id"):
        book.ask(other)


@pytest.mark.parametrize("ticket_id", ["", "x", "ticket-1", "ticket-a-b-c-d-e", "../x-y"])
def test_an_id_of_nothing_finds_nothing(book: TicketBook, ticket_id: str) -> None:
    """Nor can it be changed."""
    assert book.find(ticket_id) is None
    with pytest.raises(TicketError, match="there is no ticket"):
        book.change(ticket_id, lambda ticket: ticket)


def test_a_clock_that_is_put_back_revives_nothing(store: MemoryStore) -> None:
    """The wall goes back a day; what ended has ended."""
    clock, wall = Clock(), Clock()
    book = TicketBook(store, StrictClock(wall.time, clock.time))
    ticket, _ = book.ask(draft(wall))
    deciding_of(store, wall.time).decide(
        ticket.id, lead(), is_approval=True, why="ok", channel="cli"
    )
    clock.now_s += 301
    wall.now_s -= 86_400

    found = book.find(ticket.id)

    assert found is not None
    assert found.state_at(book.clock.for_end_s()) is TicketState.EXPIRED
    with pytest.raises(TicketError, match="which ended at"):
        tickets.claim(found, book.clock.for_end_s())


KILLED = """
import os, sys
from tests.access.test_access_ticket_book import draft
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


def test_a_ticket_that_may_be_used_any_number_of_times_is_not_written_by_a_use(
    book: TicketBook, store: MemoryStore, clock: Clock
) -> None:
    """There is nothing to count."""
    ticket, _ = book.ask(draft(clock, uses=None))
    approve(store, ticket.id, clock=clock.time)
    store.uses.clear()

    used = book.change(ticket.id, lambda each: tickets.claim(each, clock.now_s))

    assert used.state_at(clock.now_s) is TicketState.APPROVED
    assert store.uses == ["get"]
