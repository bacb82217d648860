"""People decide tickets: who they are, in which groups, and what their decision does.

Whoever decides is who their credentials say, in the groups that the policy of *their* process
names; a ticket is not asked who may decide it. A decision is one change of one document, so of two
who decide at once one comes second, and sees what the first decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dynaguard.access.changes import AccessChange, ChangeKind, note_change
from dynaguard.access.clock import SKEW_TOLERANCE_S
from dynaguard.access.persons import Person, is_known, is_same_person, person_of
from dynaguard.access.tickets import Cancellation, Ticket, TicketDecision, TicketState
from dynaguard.access.tickets import cancel as cancelled
from dynaguard.access.tickets import decide as decided
from dynaguard.access.wishes import check_terms_of_wish, ensure_grant, revoke_granted
from dynaguard.errors import TicketError

if TYPE_CHECKING:
    from dynaguard.access.ticket_asking import Notify
    from dynaguard.access.ticket_book import TicketBook
    from dynaguard.call import Principal
    from dynaguard.policy.model import ApprovalTerms

MAX_WHY_LENGTH: Final = 512


@dataclass(frozen=True, slots=True)
class Decider:
    """Who decides.

    Attributes:
        person: Who.
        groups: The groups of the policy that the person is in.
    """

    person: Person
    groups: tuple[str, ...]


def decider_of(principal: Principal) -> Decider:
    """Who decides, as the resolver knows them.

    Raises:
        TicketError: It does not know them.
    """
    if not is_known(principal):
        raise TicketError(
            "who decides is not known: use credentials that STS can name, or set `identity` "
            "(DYNAGUARD_IDENTITY)"
        )
    return Decider(person_of(principal), tuple(sorted(principal.groups)))


class Deciding:
    """Decides tickets of a store. Thread-safe; every method reads and changes the store.

    Args:
        book: The tickets.
        access_terms: The terms of access wishes, from the policy; None: nobody may grant them.
        max_duration_s: Longest that a grant may last, in seconds.
        notify: Is told what becomes of tickets, or None.
    """

    __slots__ = ("_access_terms", "_max_duration_s", "_notify", "book")

    def __init__(
        self,
        book: TicketBook,
        *,
        access_terms: ApprovalTerms | None,
        max_duration_s: float,
        notify: Notify | None = None,
    ) -> None:
        self.book = book
        self._access_terms = access_terms
        self._max_duration_s = max_duration_s
        self._notify = notify

    def decide(
        self, ticket_id: str, decider: Decider, *, is_approval: bool, why: str, channel: str
    ) -> Ticket:
        """Approves or denies a ticket in a person's name.

        Args:
            ticket_id: Its id.
            decider: Who decides.
            is_approval: Whether it is approved; else it is denied.
            why: Why, one line.
            channel: How the decision came: `cli`, `library`, `slack` ...

        Returns:
            The ticket with the decision; in the store when this returns.

        Raises:
            TicketError: This person may not decide it, or it is not open.
            AccessStoreError: The store cannot be used.
        """
        check_why(why)

        def edit(ticket: Ticket) -> Ticket:
            if ticket.kind == "access":
                check_terms_of_wish(ticket, self._access_terms)
            decision = TicketDecision(
                decider.person, decider.groups, is_approval, why, self._now_s(ticket), channel
            )
            return decided(ticket, decision, self.book.clock.for_end_s())

        ticket = self.book.change(ticket_id, edit)
        state = ticket.state_at(self.book.clock.for_end_s())
        self._tell(ticket, "ticket approved" if is_approval else "ticket denied", decider, why)
        if state is TicketState.APPROVED and ticket.kind == "access":
            self.repair(ticket)
        return ticket

    def cancel(self, ticket_id: str, decider: Decider, *, why: str) -> Ticket:
        """Takes back a ticket, or an approval that was given: who asked, or who may decide it.

        The grant of an access request is revoked with it.

        Raises:
            TicketError: This person may not, or it is over.
            AccessStoreError: The store cannot be used.
        """
        check_why(why)

        def edit(ticket: Ticket) -> Ticket:
            person = decider.person
            may_decide = person.acting_as is None and any(
                demand.admits(decider.groups) for demand in ticket.terms.demands
            )
            if not may_decide and not is_same_person(person, ticket.requester):
                raise TicketError(
                    f"{person} may not take back ticket `{ticket.id}`: neither asked for it nor "
                    "may decide it"
                )
            cancellation = Cancellation(person, why, self._now_s(ticket))
            return cancelled(ticket, cancellation, self.book.clock.for_end_s())

        ticket = self.book.change(ticket_id, edit)
        self._tell(ticket, "ticket cancelled", decider, why)
        if ticket.kind == "access":
            revoke_granted(self.book, ticket, max_duration_s=self._max_duration_s)
        return ticket

    def repair(self, ticket: Ticket) -> None:
        """Makes the grant of an approved access ticket where it is missing.

        Raises:
            TicketError: The ticket's terms are not those of the policy.
            AccessStoreError: The store cannot be used.
        """
        check_terms_of_wish(ticket, self._access_terms)
        ensure_grant(self.book, ticket, max_duration_s=self._max_duration_s)

    def _now_s(self, ticket: Ticket) -> float:
        """When a decision is made, by the earlier clock, so that no approval lasts longer."""
        earlier_s = self.book.clock.for_beginning_s() - SKEW_TOLERANCE_S
        is_skew = ticket.created_epoch_s - SKEW_TOLERANCE_S <= earlier_s < ticket.created_epoch_s
        return ticket.created_epoch_s if is_skew else earlier_s

    def _tell(self, ticket: Ticket, kind: ChangeKind, decider: Decider, why: str) -> None:
        """Notes what was decided."""
        note_change(
            AccessChange(
                kind,
                ticket.id,
                str(decider.person),
                identity=str(ticket.requester),
                reason=why,
                expires_epoch_s=ticket.end_epoch_s,
                subject_sha256=ticket.subject_sha256,
                by_arn=decider.person.arn,
            )
        )
        if self._notify is not None:
            self._notify(ticket, kind)


def check_why(why: str) -> None:
    """A reason is one line that says something.

    Raises:
        TicketError: It is not.
    """
    if not why.strip() or len(why) > MAX_WHY_LENGTH or not why.isprintable():
        raise TicketError(
            f"a decision needs a reason of one line, 1 to {MAX_WHY_LENGTH} characters"
        )
