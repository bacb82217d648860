"""What tests of tickets share: a clock, a store, a book, a question to ask."""

from __future__ import annotations

import pytest

from dynaguard.access.clock import StrictClock
from dynaguard.access.persons import Person
from dynaguard.access.summaries import Summary
from dynaguard.access.ticket_book import TicketBook
from dynaguard.access.tickets import Demand, Terms, Ticket
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import Clock


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
