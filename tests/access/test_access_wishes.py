"""Access that was asked for: what approvers see, and that nothing else is granted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynaguard.access import tickets
from dynaguard.access.clock import StrictClock
from dynaguard.access.deciding import Deciding
from dynaguard.access.persons import Person
from dynaguard.access.ticket_book import TicketBook
from dynaguard.access.tickets import Ticket, TicketDecision
from dynaguard.access.wishes import wish_ticket
from dynaguard.errors import AccessStoreError
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import ETL_ARN, Clock, approve, deciding_of, document, lead

READ: dict[str, Any] = {
    "Effect": "Allow",
    "Action": "dynamodb:GetItem",
    "Resource": "arn:aws:dynamodb:eu-west-1:111122223333:table/orders",
}


@pytest.fixture
def clock() -> Clock:
    """The time."""
    return Clock()


@pytest.fixture
def store() -> MemoryStore:
    """Where tickets and grants are kept."""
    return MemoryStore()


@pytest.fixture
def deciding(store: MemoryStore, clock: Clock) -> Deciding:
    """What decides."""
    return deciding_of(store, clock.time)


def asked(store: MemoryStore, clock: Clock, *, ahead_s: float = 0.0, **more: Any) -> Ticket:
    """A wish to read one table for ten minutes."""
    draft = wish_ticket(
        [{**READ, **more}],
        requester=Person("etl", ETL_ARN),
        reason="INC-4711",
        duration_s=600.0,
        uses=None,
        approval=document().access_requests,
        now_epoch_s=clock.now_s + ahead_s,
        max_duration_s=86_400.0,
    )
    return TicketBook(store, StrictClock(clock.time, clock.time)).ask(draft)[0]


def approved_alone(store: MemoryStore, clock: Clock, ticket: Ticket) -> Ticket:
    """The ticket once it is approved by somebody who was killed before the grant was made."""
    decision = TicketDecision(
        lead().person, ("leads",), True, "fine", ticket.created_epoch_s, "cli"
    )
    book = TicketBook(store, StrictClock(clock.time, clock.time))
    return book.change(ticket.id, lambda each: tickets.decide(each, decision, clock.now_s))


def granted(store: MemoryStore) -> list[Any]:
    """What the documents of grants say."""
    return [json.loads(each.body) for each in store.records("grant", after_epoch_s=0)]


def test_approvers_see_the_keys_of_conditions_and_no_value(
    store: MemoryStore, clock: Clock
) -> None:
    """A value of a condition may be a customer's."""
    condition = {
        "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": "customer-4711"},
        "Bool": {"aws:SecureTransport": "true"},
    }

    summary = asked(store, clock, Condition=condition).summary

    assert dict(summary.facts) == {
        "duration": "600 s from the approval",
        "calls": "any number",
        "with conditions on": "aws:SecureTransport, dynamodb:LeadingKeys",
    }


def test_a_wish_that_was_exchanged_after_it_was_asked_is_not_granted(
    store: MemoryStore, clock: Clock, deciding: Deciding
) -> None:
    """What approvers saw is what is bound; whoever may write the store does not get more."""
    ticket = asked(store, clock)
    record = store.get("ticket", tickets.case_of_id(ticket.id))
    assert record is not None
    body = json.loads(record.body)
    body["wish"] = body["wish"].replace("dynamodb:GetItem", "dynamodb:*")
    store.replace(record.changed(json.dumps(body), record.expires_epoch_s))

    with pytest.raises(AccessStoreError, match="its wish is not the one that was approved"):
        approve(store, ticket.id, clock=clock.time)

    assert granted(store) == []


def test_an_approved_wish_whose_grant_is_missing_gets_it(
    store: MemoryStore, clock: Clock, deciding: Deciding
) -> None:
    """Once, however often it is repaired."""
    ticket = approved_alone(store, clock, asked(store, clock))
    assert granted(store) == []

    deciding.repair(ticket)
    deciding.repair(ticket)

    (grant,) = granted(store)
    assert grant["ticket"] == ticket.id


def test_a_wish_that_is_not_approved_is_not_repaired_into_a_grant(
    store: MemoryStore, clock: Clock, deciding: Deciding
) -> None:
    """Nor one that is approved in the future, by this clock."""
    deciding.repair(asked(store, clock))
    early = asked(store, clock, ahead_s=3600.0, Resource="*")
    deciding.repair(approved_alone(store, clock, early))

    assert granted(store) == []


def test_a_wish_that_is_taken_back_before_anybody_decides_leaves_no_grant(
    store: MemoryStore, clock: Clock, deciding: Deciding
) -> None:
    """Not even a revoked one: there was nothing to revoke."""
    ticket = asked(store, clock)

    deciding.cancel(ticket.id, lead(), why="not needed any more")

    assert granted(store) == []
