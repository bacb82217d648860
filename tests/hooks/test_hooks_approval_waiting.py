"""Calls that wait for their approval: until it is given or denied, and no longer than allowed."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from dynaguard import ApprovalRequired, PolicyDenied
from dynaguard.access.approvals import Approvals
from dynaguard.access.boundaries import Boundaries
from dynaguard.access.clock import StrictClock
from dynaguard.access.ticket_asking import Asking
from dynaguard.access.ticket_book import TicketBook
from dynaguard.boundary import Boundary
from dynaguard.hooks.clients import ClientRegistry
from dynaguard.hooks.lifecycle import current
from dynaguard.scope import current_scope
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import Clock, approve, deciding_of, deny, document
from tests.hooks.approved_calls import delete, installed, store

__all__ = ["installed", "store"]  # fixtures


class Waiting:
    """A guard whose calls wait, by a clock that sleeping moves."""

    def __init__(self, guard: Any, store: MemoryStore, wait_s: float) -> None:
        self.clock = Clock()
        self.store = store
        book = TicketBook(store, StrictClock(self.clock.time, self.clock.time))
        asking = Asking(book, monotonic=self.clock.time, sleep=self.clock.sleep)
        guard.rooms.access.approvals = Approvals(asking, document(), wait_s=wait_s)

    def only_ticket(self) -> Any:
        """The one that stands."""
        (ticket,) = deciding_of(self.store, self.clock.time).book.tickets()
        return ticket


@pytest.fixture
def waiting(store: MemoryStore, installed: Any) -> Waiting:
    """Calls wait for 100 seconds."""
    return Waiting(installed(), store, 100.0)


def test_a_waiting_call_goes_on_once_it_is_approved(
    client: Any, wire: Any, waiting: Waiting
) -> None:
    """It looks ever less often meanwhile."""

    def somebody_approves() -> None:
        if len(waiting.clock.naps) == 4:
            approve(waiting.store, waiting.only_ticket().id, clock=waiting.clock.time)

    waiting.clock.while_asleep = somebody_approves

    delete(client)

    assert len(wire.sent) == 1
    assert waiting.clock.naps == pytest.approx([0.2, 0.3, 0.45, 0.675])


def test_a_waiting_call_is_refused_when_it_is_denied(
    client: Any, wire: Any, waiting: Waiting
) -> None:
    """At once, with the reason."""
    waiting.clock.while_asleep = lambda: (
        deny(waiting.store, waiting.only_ticket().id, clock=waiting.clock.time)
        if len(waiting.clock.naps) == 2
        else None
    )

    with pytest.raises(PolicyDenied, match="not today"):
        delete(client)

    assert wire.sent == []


def test_a_waiting_call_ends_with_its_time(client: Any, waiting: Waiting) -> None:
    """The ticket stays open, and the call can be made again."""
    with pytest.raises(ApprovalRequired):
        delete(client)

    assert sum(waiting.clock.naps) == pytest.approx(100)
    assert max(waiting.clock.naps) == 5.0


def test_an_interrupted_wait_leaves_the_ticket_open(
    client: Any, wire: Any, waiting: Waiting
) -> None:
    """`KeyboardInterrupt` is not dynaguard's."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    waiting.clock.while_asleep = interrupt

    with pytest.raises(KeyboardInterrupt):
        delete(client)

    assert waiting.only_ticket().state_at(waiting.clock.now_s) == "pending"
    assert wire.sent == []


def test_a_store_that_is_gone_for_a_while_does_not_end_the_wait(
    client: Any, wire: Any, waiting: Waiting
) -> None:
    """It is asked again."""

    def hiccup() -> None:
        waiting.store.problem = "gone" if len(waiting.clock.naps) < 3 else None
        if len(waiting.clock.naps) == 4:
            approve(waiting.store, waiting.only_ticket().id, clock=waiting.clock.time)

    waiting.clock.while_asleep = hiccup

    delete(client)

    assert len(wire.sent) == 1


def test_what_was_approved_by_a_clock_that_runs_ahead_does_not_count(
    client: Any, wire: Any, waiting: Waiting
) -> None:
    """An hour in the future is no time to have approved at."""
    waiting.clock.while_asleep = lambda: (
        approve(waiting.store, waiting.only_ticket().id, clock=lambda: waiting.clock.now_s + 300)
        if len(waiting.clock.naps) == 1
        else None
    )

    with pytest.raises(PolicyDenied, match="in the future, by this clock"):
        delete(client)

    assert wire.sent == []


def test_where_waiting_would_block_others_a_call_does_not_wait(
    client: Any, waiting: Waiting
) -> None:
    """Asynchronous clients, requests that are decided late or while they are signed."""
    guard, _ = current()
    assert guard is not None
    call = ClientRegistry().facts_of(client).call("Scan", {"TableName": "orders"}, None)

    with pytest.raises(ApprovalRequired):
        guard.enter(call, may_wait=False)

    assert waiting.clock.naps == []


def test_a_wait_ends_with_the_deadline_of_its_scope(client: Any, waiting: Waiting) -> None:
    """Whichever comes first."""
    scope = replace(current_scope(), deadline_monotonic_s=waiting.clock.now_s + 3)
    guard, _ = current()
    assert guard is not None
    call = ClientRegistry().facts_of(client).call("Scan", {"TableName": "orders"}, None)

    with pytest.raises(ApprovalRequired):
        guard.enter(call._replace(scope=scope))

    assert sum(waiting.clock.naps) == pytest.approx(3)


def test_what_changed_during_the_wait_counts(client: Any, wire: Any, waiting: Waiting) -> None:
    """The call is decided anew: a boundary that ended meanwhile refuses what was approved."""
    ends = Boundary("agent", "triage", "task-1", expires_epoch_s=time.time() + 3600)
    guard, _ = current()
    assert guard is not None
    now = Clock(time.time())
    guard.rooms.access.boundaries = Boundaries(StrictClock(now.time, now.time))
    scope = replace(current_scope(), boundaries=(ends,))
    call = ClientRegistry().facts_of(client).call("Scan", {"TableName": "orders"}, None)

    def somebody_approves_late() -> None:
        if len(waiting.clock.naps) == 1:
            approve(waiting.store, waiting.only_ticket().id, clock=waiting.clock.time)
            now.now_s += 3601

    waiting.clock.while_asleep = somebody_approves_late

    with pytest.raises(PolicyDenied, match="it ended at"):
        guard.enter(call._replace(scope=scope))

    assert waiting.only_ticket().uses_left == 1


def test_an_expired_ticket_says_that_nobody_decided(client: Any, waiting: Waiting) -> None:
    """And the next call opens another one."""
    waiting.clock.while_asleep = None
    with pytest.raises(ApprovalRequired) as first:
        delete(client)
    waiting.clock.now_s += 450
    with pytest.raises(PolicyDenied, match="was decided by nobody until"):
        delete(client)

    with pytest.raises(ApprovalRequired) as caught:
        delete(client)

    assert caught.value.ticket != first.value.ticket
