"""Runs of runbooks that somebody has to approve: the runbook's content with its bound parameters.

A runbook that changed after its approval, or other parameters, have another hash: not approved.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dynaguard.access.persons import Person, is_known, person_of
from dynaguard.access.summaries import summary_of_values
from dynaguard.access.ticket_asking import terms_of
from dynaguard.access.tickets import Ticket, TicketState, claim, is_from_the_future, told
from dynaguard.errors import AccessStoreError, ConfigurationError, TicketError

if TYPE_CHECKING:
    from dynaguard.access.approvers import Approvers
    from dynaguard.access.clock import Mark
    from dynaguard.access.ticket_asking import Asking
    from dynaguard.call import Principal
    from dynaguard.policy.model import ApprovalTerms
    from dynaguard.runbooks.bound import BoundRunbook

RECENT_S: Final = 2.0
"""How long a look at a run's ticket holds, so that its calls do not each read the store."""
_MAX_REMEMBERED: Final = 256
_PASSING: Final = frozenset({TicketState.APPROVED, TicketState.USED_UP})


class RunApprovals:
    """Asks for approvals of runs and finds them. Thread-safe.

    Args:
        asking: Asks people.
        approvers: Who may approve by the policy in force.
    """

    __slots__ = ("_approvers", "_recent", "asking")

    def __init__(self, asking: Asking, approvers: Approvers) -> None:
        self.asking = asking
        self._approvers = approvers
        self._recent: dict[tuple[str, str, Person], tuple[Ticket, Mark]] = {}

    def ask(
        self, bound: BoundRunbook, principal: Principal, terms: ApprovalTerms, reason: str
    ) -> Ticket:
        """The ticket of a run: the one that stands, or a new one.

        Args:
            bound: The runbook with its parameters.
            principal: Who is to run it.
            terms: Whose approval it takes.
            reason: Why, one line; may be empty.

        Raises:
            ConfigurationError: Who asks is not known.
            AccessStoreError: The store cannot be used.
        """
        if not is_known(principal):
            raise ConfigurationError(
                "the run needs an approval, and who asks for it is not known: set `identity` "
                "(DYNAGUARD_IDENTITY) or `identity_lookup` (DYNAGUARD_IDENTITY_LOOKUP)"
            )
        runbook = bound.runbook
        asked = terms_of({f"runbook {runbook.name}": replace(terms, uses=1)})
        return self.asking.ask(
            Ticket(
                id="",
                kind="runbook",
                subject_sha256=bound.subject_sha256,
                summary=summary_of_values(
                    f"run of runbook {runbook.name} ({runbook.sha256[:12]})", bound.values
                ),
                requester=person_of(principal),
                reason=reason,
                terms=asked,
                created_epoch_s=self.asking.book.clock.for_end_s(),
                uses_left=asked.uses,
            )
        )

    def claim(self, ticket_id: str, subject_sha256: str, principal: Principal) -> Ticket:
        """Begins an approved run: an approval is good for one.

        Raises:
            TicketError: It is not approved for this run by this identity, or was begun already.
            AccessStoreError: The store cannot be used.
        """
        person, clock = person_of(principal), self.asking.book.clock

        def edit(ticket: Ticket) -> Ticket:
            if not _is_for(ticket, subject_sha256, person):
                raise TicketError(
                    f"ticket `{ticket.id}` is about another run, or asked by another identity"
                )
            if is_from_the_future(ticket, clock.for_beginning_s()):
                raise TicketError(f"ticket `{ticket.id}` is from the future: set the clocks right")
            claimed = claim(ticket, clock.for_end_s())
            if not self._approvers.would_approve(ticket):
                raise TicketError(
                    f"ticket `{ticket.id}` {told(ticket, clock.for_end_s())}, not by who may "
                    "approve it by the policy here"
                )
            return claimed

        return self.asking.book.change(ticket_id, edit)

    def is_approved(
        self,
        ticket_id: str | None,
        subject_sha256: str | None,
        person: Person,
        terms: ApprovalTerms | None = None,
    ) -> bool:
        """Whether a run is approved, right now; False where the store cannot tell.

        Args:
            ticket_id: The ticket that it goes by.
            subject_sha256: Hash of the runbook with its parameters, as they are now.
            person: Who runs it.
            terms: The terms of the policy, which the approval has to meet; None: those that it
                was asked on.
        """
        if ticket_id is None or subject_sha256 is None:
            return False
        clock = self.asking.book.clock
        try:
            ticket = self._looked_up(ticket_id, subject_sha256, person)
        except AccessStoreError:
            return False
        if ticket is None or not _is_for(ticket, subject_sha256, person):
            return False
        if terms is not None:
            name = ticket.terms.demands[0].statement
            if ticket.terms != terms_of({name: replace(terms, uses=1)}):
                return False
        if is_from_the_future(ticket, clock.for_beginning_s()):
            return False
        is_passing = ticket.state_at(clock.for_end_s()) in _PASSING
        return is_passing and self._approvers.would_approve(ticket)

    def _looked_up(self, ticket_id: str, subject_sha256: str, person: Person) -> Ticket | None:
        """The ticket; as of a moment ago where it was approved then."""
        book, key = self.asking.book, (ticket_id, subject_sha256, person)
        recent = self._recent.get(key)
        if recent is not None and book.clock.since_s(recent[1]) < RECENT_S:
            return recent[0]
        mark = book.clock.mark()
        ticket = book.find(ticket_id)
        if ticket is not None and ticket.approved_epoch_s is not None:
            if len(self._recent) >= _MAX_REMEMBERED:
                self._recent.clear()
            self._recent[key] = ticket, mark
        return ticket


def _is_for(ticket: Ticket, subject_sha256: str, person: Person) -> bool:
    """Whether a ticket is about this run, asked by this identity."""
    return (
        ticket.kind == "runbook"
        and ticket.subject_sha256 == subject_sha256
        and ticket.requester == person
    )
