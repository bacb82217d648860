"""Asks people: opens tickets, tells of them, waits for what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from dynaguard.access.changes import AccessChange, ChangeKind, note_change
from dynaguard.access.tickets import Demand, Terms, Ticket, TicketState
from dynaguard.errors import AccessStoreError

if TYPE_CHECKING:
    from dynaguard.access.ticket_book import TicketBook
    from dynaguard.policy.model import ApprovalTerms

FIRST_POLL_S: Final = 0.2
LONGEST_POLL_S: Final = 5.0
_GROWTH: Final = 1.5

Notify = Callable[[Ticket, ChangeKind], None]
"""Is told of a ticket and what happened to it. Best effort: never blocks, never raises."""


class Asking:
    """Asks for approvals. Thread-safe.

    Args:
        book: The tickets.
        monotonic: The clock of waiting, in seconds; that of `Scope.deadline_monotonic_s`.
        sleep: Waits some seconds.
        notify: Is told of tickets that open and expire, or None.
    """

    __slots__ = ("_monotonic", "_notify", "_sleep", "book")

    def __init__(
        self,
        book: TicketBook,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        notify: Notify | None = None,
    ) -> None:
        self.book = book
        self._monotonic, self._sleep = monotonic, sleep
        self._notify = notify

    def ask(self, draft: Ticket) -> Ticket:
        """The ticket of a question: the one that stands, or a new one, which is told of.

        Raises:
            AccessStoreError: The store cannot be used.
        """
        ticket, is_new = self.book.ask(draft)
        if is_new:
            self._tell(ticket, "ticket opened", ticket.open_until_epoch_s)
        return ticket

    def wait(
        self, ticket: Ticket, timeout_s: float, deadline_monotonic_s: float | None = None
    ) -> tuple[Ticket, float]:
        """The ticket once it is decided or over, or the time is up; and the seconds waited.

        Effects: blocks; reads the store again and again, ever less often. A store that cannot be
        read meanwhile is asked again; `KeyboardInterrupt` and time limits pass through, and the
        ticket stays open.

        Raises:
            AccessStoreError: The store cannot be read at the end.
        """
        started_s = now_s = self._monotonic()
        until_s = started_s + timeout_s
        if deadline_monotonic_s is not None:
            until_s = min(until_s, deadline_monotonic_s)
        pause_s = FIRST_POLL_S
        while now_s < until_s and self._is_open(ticket):
            self._sleep(min(pause_s, until_s - now_s))
            pause_s = min(pause_s * _GROWTH, LONGEST_POLL_S)
            now_s = self._monotonic()
            with suppress(AccessStoreError):
                ticket = self.book.find(ticket.id) or ticket
        found = self.book.find(ticket.id) or ticket
        if found.state_at(self.book.clock.for_end_s()) is TicketState.EXPIRED:
            self._tell(found, "ticket expired", found.end_epoch_s)
        return found, now_s - started_s

    def _is_open(self, ticket: Ticket) -> bool:
        """Whether it is still to be decided."""
        return ticket.state_at(self.book.clock.for_end_s()) is TicketState.PENDING

    def _tell(self, ticket: Ticket, kind: ChangeKind, expires_epoch_s: float) -> None:
        """Notes that a ticket was opened, or expired."""
        note_change(
            AccessChange(
                kind,
                ticket.id,
                str(ticket.requester),
                reason=ticket.reason,
                expires_epoch_s=expires_epoch_s,
                subject_sha256=ticket.subject_sha256,
                by_arn=ticket.requester.arn,
            )
        )
        if self._notify is not None:
            self._notify(ticket, kind)


def terms_of(approvals: dict[str, ApprovalTerms]) -> Terms:
    """The terms of a ticket that has to meet those of several statements.

    Each statement keeps whom it wants; of times and uses the smallest holds.

    Args:
        approvals: The terms by what demands them, such as a statement's Sid and source.
    """
    uses = [each.uses for each in approvals.values() if each.uses is not None]
    return Terms(
        demands=tuple(
            Demand(name, each.quorum, each.any_of, each.all_of) for name, each in approvals.items()
        ),
        timeout_s=min(each.timeout_s for each in approvals.values()),
        duration_s=min(each.duration_s for each in approvals.values()),
        uses=min(uses) if uses else None,
    )
