"""Tickets in an access store: asked, found and changed, whatever others do meanwhile.

A case (the same question by the same identity on the same terms) is one document, under the id of
the case. It holds the case's latest ticket, so there are never two open ones of a case. When a
new one takes its place, the ended one is first copied under its own id; it does not change any
more, so whoever is killed in between leaves at most a copy of what is there anyhow.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dynaguard.access.ids import new_id
from dynaguard.access.store import MAX_TRIES, StoredRecord, change
from dynaguard.access.ticket_texts import read_ticket, ticket_text
from dynaguard.access.tickets import Ticket, TicketState, case_of, case_of_id
from dynaguard.errors import AccessStoreError, TicketError
from dynaguard.policy.advice import one_line

if TYPE_CHECKING:
    from dynaguard.access.clock import StrictClock
    from dynaguard.access.store import AccessStore

_KIND: Final = "ticket"
_HISTORY_S: Final = 30 * 86_400.0


class TicketBook:
    """The tickets of a store. Thread-safe, and safe across processes; every method does I/O.

    Every method raises `AccessStoreError` where the store cannot be used, or what it holds is no
    ticket.

    Args:
        store: The store.
        clock: Tells what has ended.
        random_bytes: Where the last group of a ticket's id comes from.
    """

    __slots__ = ("_random_bytes", "clock", "store")

    def __init__(
        self,
        store: AccessStore,
        clock: StrictClock,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.store = store
        self.clock = clock
        self._random_bytes = random_bytes

    def ask(self, draft: Ticket) -> tuple[Ticket, bool]:
        """The ticket of a question: the one that stands, or a new one; and whether it is new.

        One that is open or approved stands, and a denied one until its time is up, so that asking
        again and again changes nothing.

        Args:
            draft: The ticket as it would be, without an id.
        """
        case = case_of(draft)
        new = replace(draft, id=self._next_id(case))
        for _ in range(MAX_TRIES):
            found = self.store.get(_KIND, case)
            if found is None:
                if self.store.add(_record(case, new)):
                    return new, True
                continue
            ticket = self._read(found)
            if self._stands(ticket):
                return ticket, False
            self.store.add(_record(ticket.id, ticket))
            if self.store.replace(found.changed(ticket_text(new), new.end_epoch_s)):
                return new, True
        raise AccessStoreError(f"ticket `{case}` was overtaken {MAX_TRIES} times, try again")

    def find(self, ticket_id: str) -> Ticket | None:
        """The ticket of an id as it is now, or None."""
        for id_ in (case_of_id(ticket_id), ticket_id):
            found = self.store.get(_KIND, id_) if id_ else None
            ticket = self._read(found) if found is not None else None
            if ticket is not None and ticket.id == ticket_id:
                return ticket
        return None

    def change(self, ticket_id: str, edit: Callable[[Ticket], Ticket]) -> Ticket:
        """Changes a ticket as of its latest state.

        Args:
            ticket_id: Its id.
            edit: A transition (`tickets.py`); may be called several times.

        Returns:
            The ticket as it is in the store afterwards.

        Raises:
            TicketError: There is none of that id, it was followed by another; or what `edit`
                raises.
        """
        edited: list[Ticket] = []

        def edit_record(record: StoredRecord) -> StoredRecord | None:
            before = self._read(record)
            if before.id != ticket_id:
                raise TicketError(f"ticket `{ticket_id}` is over, `{before.id}` followed it")
            after = edit(before)
            edited[:] = [after]
            if after == before:
                return None
            return record.changed(ticket_text(after), after.end_epoch_s)

        case = case_of_id(ticket_id)
        if not case or change(self.store, _KIND, case, edit_record) is None:
            raise TicketError(f"there is no ticket `{ticket_id}` in `{self.store.name}`")
        return edited[0]

    def tickets(self, *, with_ended: bool = False) -> list[Ticket]:
        """All tickets that matter, oldest first; with the ended ones of a month as kept."""
        return self.listing(with_ended=with_ended)[0]

    def listing(self, *, with_ended: bool = False) -> tuple[list[Ticket], list[str]]:
        """The same, and what is wrong with documents that are no tickets: these hide no other."""
        now_s = self.clock.for_end_s()
        after_s = now_s - _HISTORY_S if with_ended else now_s
        by_id, problems = {}, []
        for record in self.store.records(_KIND, after_epoch_s=after_s):
            try:
                ticket = self._read(record)
            except AccessStoreError as err:
                problems.append(str(err))
            else:
                by_id[ticket.id] = ticket
        found = sorted(by_id.values(), key=lambda each: (each.created_epoch_s, each.id))
        return found, problems

    def _stands(self, ticket: Ticket) -> bool:
        """Whether a question that is asked again gets this ticket."""
        now_s = self.clock.for_end_s()
        state = ticket.state_at(now_s)
        if state is TicketState.DENIED:
            return now_s < ticket.open_until_epoch_s
        return state is TicketState.PENDING or state is TicketState.APPROVED

    def _read(self, record: StoredRecord) -> Ticket:
        """The ticket of a document."""
        try:
            ticket = read_ticket(record.body)
        except (ValueError, RecursionError) as err:
            raise self._unreadable(record, str(err)) from err
        if record.id not in (ticket.id, case_of_id(ticket.id)):
            raise self._unreadable(record, "it is stored under another id")
        return ticket

    def _unreadable(self, record: StoredRecord, why: str) -> AccessStoreError:
        """Why a document is no ticket, on one line whatever somebody wrote into it."""
        return AccessStoreError(
            one_line(
                f"the document `{record.id}` in `{self.store.name}` is no ticket and approves "
                f"nothing: {why}"
            )
        )

    def _next_id(self, case: str) -> str:
        """An id for a new ticket of a case."""
        letters = new_id("", self._random_bytes)
        return f"{case}-{letters[-4:]}"


def _record(id_: str, ticket: Ticket) -> StoredRecord:
    """The first version of a ticket's document."""
    return StoredRecord(_KIND, id_, 1, ticket_text(ticket), ticket.end_epoch_s)
