"""Tickets in a store: one per case, whoever asks, decides or edits by hand."""

from __future__ import annotations

import dataclasses
import json

import pytest

from dynaguard.access import tickets
from dynaguard.access.clock import StrictClock
from dynaguard.access.store import StoredRecord
from dynaguard.access.ticket_book import TicketBook
from dynaguard.access.tickets import Demand, Terms, TicketState
from dynaguard.errors import AccessStoreError, TicketError
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import Clock, approve, deciding_of, deny, lead
from tests.access.ticket_drafts import book, clock, draft, store

__all__ = ["book", "clock", "store"]  # fixtures


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


def test_other_askers_have_tickets_of_their_own(book: TicketBook, clock: Clock) -> None:
    """The same question by another identity is another case."""
    first, _ = book.ask(draft(clock))
    second, is_new = book.ask(draft(clock, "other"))

    assert is_new
    assert tickets.case_of(first) != tickets.case_of(second)


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
