"""`request_access()`, `approval()`: ask people, wait for them, go on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dynaguard.access.persons import is_known, person_of
from dynaguard.access.ticket_asking import Asking
from dynaguard.access.tickets import Ticket, TicketState, told
from dynaguard.access.wishes import wish_ticket
from dynaguard.errors import ConfigurationError, TicketError
from dynaguard.hooks.ticket_desk import TicketDesk, open_desk
from dynaguard.scope import current_scope

if TYPE_CHECKING:
    from dynaguard.access.store import AccessStore


class Approval:
    """A ticket, as who asked sees it.

    Attributes:
        id: Its id, for `dynaguard.approval()`, in this process or another.
    """

    __slots__ = ("_store", "_ticket", "id")

    def __init__(
        self, ticket: Ticket, store: str | os.PathLike[str] | AccessStore | None = None
    ) -> None:
        self.id = ticket.id
        self._ticket = ticket
        self._store = store

    def __repr__(self) -> str:
        """Its id alone: where it stands takes a look at the store."""
        return f"Approval({self.id!r})"

    @property
    def state(self) -> str:
        """Where it stands now: `pending`, `approved`, `denied`, `expired`, `cancelled`, `used_up`.

        Effects: reads the store; adds the grant of an approved access request where it is missing.

        Raises:
            AccessStoreError: The store cannot be used.
        """
        with open_desk(self._store) as desk:
            return self._look(desk).value

    @property
    def is_approved(self) -> bool:
        """Whether what was asked for may be done now. Effects: as `state`."""
        return self.state == TicketState.APPROVED

    def wait(self, timeout_s: float | timedelta | None = None) -> str:
        """Waits until somebody has decided, or its time is up.

        Args:
            timeout_s: How long at most, in seconds or as a `timedelta`; None: as long as it is
                open. The scope's deadline counts too.

        Returns:
            Its state then; `pending` where nobody has decided in time.

        Raises:
            AccessStoreError: The store cannot be read at the end.

        Effects: blocks; reads the store again and again. Not for event loops: wait in a thread.
        """
        with open_desk(self._store) as desk:
            left_s = self._ticket.open_until_epoch_s - desk.book.clock.for_end_s()
            if isinstance(timeout_s, timedelta):
                timeout_s = timeout_s.total_seconds()
            limit_s = left_s if timeout_s is None else min(timeout_s, left_s)
            asking = Asking(desk.book)
            deadline_s = current_scope().deadline_monotonic_s
            self._ticket, _ = asking.wait(self._ticket, max(0.0, limit_s), deadline_s)
            return self._look(desk).value

    def explain(self) -> str:
        """Where it stands, in one clause: until when it is open, or who decided what and why.

        Effects: as `state`.
        """
        with open_desk(self._store) as desk:
            self._look(desk)
            return told(self._ticket, desk.book.clock.for_end_s())

    def _look(self, desk: TicketDesk) -> TicketState:
        """Its state in the store; repairs what a killed process may have left undone."""
        self._ticket = desk.book.find(self.id) or self._ticket
        state = self._ticket.state_at(desk.book.clock.for_end_s())
        if state is TicketState.APPROVED and self._ticket.kind == "access":
            with suppress(TicketError):  # this process has another policy: who decided has ours
                desk.deciding().repair(self._ticket)
            _see_at_once(desk)
        return state


def request_access(
    statements: str | Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    *,
    actions: str | Sequence[str] = (),
    resources: str | Sequence[str] = (),
    reason: str,
    duration_s: float | timedelta,
    uses: int | None = None,
    store: str | os.PathLike[str] | AccessStore | None = None,
) -> Approval:
    """Asks people for access for a while; once they approve, it is a grant for who asked.

    Who may approve, and how long it may last at most, says `[access_requests]` of the policy.
    While somebody acts, it is asked for who acts. Asked again meanwhile, it is the same ticket.

    Args:
        statements: What, as Allow statements of IAM: a mapping, a list of them, or JSON text.
        actions: The short form instead: actions of one statement.
        resources: Resources of that statement.
        reason: Why, one line; approvers see it, and it stands in every record.
        duration_s: How long, from the approval, in seconds or as a `timedelta`.
        uses: How many calls it is to be good for; None: any number.
        store: Where tickets are kept: a store, or its location; not given: as the settings say.

    Returns:
        The ticket: look at its `state`, `wait()`, go on.

    Raises:
        ConfigurationError: The policy lets nobody ask, no store is set, who asks is not known; or
            (`PolicySyntaxError`, with `.problems`) anything is wrong with what is asked.
        AccessStoreError: The store cannot be used.

    Effects: reads and changes the store; may block.
    """
    wanted = _statements(statements, actions, resources)
    if isinstance(duration_s, timedelta):
        duration_s = duration_s.total_seconds()
    with open_desk(store) as desk:
        principal = desk.asker()
        if not is_known(principal):
            raise ConfigurationError(
                "who asks is not known: set `identity` (DYNAGUARD_IDENTITY) or `identity_lookup` "
                "(DYNAGUARD_IDENTITY_LOOKUP)"
            )
        document = desk.document
        draft = wish_ticket(
            wanted,
            requester=person_of(principal),
            reason=reason,
            duration_s=duration_s,
            uses=uses,
            approval=None if document is None else document.access_requests,
            now_epoch_s=desk.book.clock.for_end_s(),
            max_duration_s=desk.settings.access_max_duration_s,
        )
        return Approval(Asking(desk.book, notify=desk.notify).ask(draft), store)


def approval(
    ticket_id: str, *, store: str | os.PathLike[str] | AccessStore | None = None
) -> Approval:
    """A ticket that was opened before: by a refused call (`ApprovalRequired.ticket`), or asked.

    Args:
        ticket_id: Its id.
        store: As for `request_access()`.

    Raises:
        TicketError: There is none of that id.
        AccessStoreError: The store cannot be used.
    """
    with open_desk(store) as desk:
        ticket = desk.book.find(ticket_id)
        if ticket is None:
            raise TicketError(f"there is no ticket `{ticket_id}` in `{desk.book.store.name}`")
        return Approval(ticket, store)


def _statements(
    statements: str | Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
    actions: str | Sequence[str],
    resources: str | Sequence[str],
) -> list[Mapping[str, Any]]:
    """What is asked for, as a list of statements."""
    if statements is None:
        listed = [[each] if isinstance(each, str) else [*each] for each in (actions, resources)]
        return [{"Effect": "Allow", "Action": listed[0], "Resource": listed[1]}]
    if actions or resources:
        raise ConfigurationError("both `statements` and `actions` are given, keep one")
    if isinstance(statements, str):
        try:
            statements = json.loads(statements)
        except ValueError:
            raise ConfigurationError("`statements` is no JSON") from None
    found = [statements] if isinstance(statements, Mapping) else statements
    if not isinstance(found, Sequence) or not all(isinstance(each, Mapping) for each in found):
        raise ConfigurationError("`statements` must be a statement, or a list of them")
    return list(found)


def _see_at_once(desk: TicketDesk) -> None:
    """What this process was granted, its next call sees."""
    guard = desk.guard
    if guard is not None and guard.rooms.access.grants is not None:
        guard.rooms.access.grants.book.read_now()
