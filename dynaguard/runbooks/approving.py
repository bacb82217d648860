"""Approvals of runs and of their steps, by the tickets of the guard's access store.

A run is approved as its content with its parameters; a step of it as that, in that one run. Each
approval begins one thing: the run that claimed it goes on with it when it is resumed, as long as
the approval lasts; no other run does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dynaguard.access.canonical import sha256_of
from dynaguard.access.tickets import TicketState
from dynaguard.errors import ApprovalRequired, TicketError
from dynaguard.runbooks.permission import refusal

if TYPE_CHECKING:
    from dynaguard.access.approvals import Approvals
    from dynaguard.call import Principal
    from dynaguard.policy.model import ApprovalTerms
    from dynaguard.runbooks.bound import BoundRunbook
    from dynaguard.runbooks.interaction import ApprovalQuestion
    from dynaguard.runbooks.journal import Journal


class StoreApprovals:
    """Asks for approvals by the access store. One thread.

    Args:
        approvals: The guard's approvals.
        principal: Who runs the runbook.
        journal: Keeps the tickets that the run claimed.
    """

    __slots__ = ("_approvals", "_journal", "_principal")

    def __init__(self, approvals: Approvals, principal: Principal, journal: Journal) -> None:
        self._approvals = approvals
        self._principal = principal
        self._journal = journal

    def __call__(self, question: ApprovalQuestion, /) -> str | None:
        """The ticket by which something is approved, see `AskApproval`.

        Raises:
            ApprovalRequired: It is not yet.
            AccessStoreError: The store cannot be used.
            ConfigurationError: Who asks is not known.
        """
        bound = _subject(question)
        claimed = self._claimed_before(bound, question.terms)
        if claimed is not None:
            return claimed
        terms, reason = question.terms, question.message
        ticket = self._approvals.ask_for_run(bound, self._principal, terms, reason)
        now_s = self._approvals.asking.book.clock.for_end_s()
        state = ticket.state_at(now_s)
        if state is TicketState.APPROVED:
            try:
                self._approvals.runs.claim(ticket.id, bound.subject_sha256, self._principal)
            except TicketError:  # another run began with it in between: this one asks anew
                ticket = self._approvals.ask_for_run(bound, self._principal, terms, reason)
                state = ticket.state_at(now_s)
            else:
                self._journal.note("claimed", ticket=ticket.id)
                return ticket.id
        raise self._required(question, ticket.id, state)

    def end_epoch_s(self, ticket: str | None) -> float:
        """When the approval by a ticket ends, in seconds since the epoch; 0.0 without one."""
        found = self._approvals.asking.book.find(ticket) if ticket is not None else None
        return 0.0 if found is None else found.end_epoch_s

    def _claimed_before(self, bound: BoundRunbook, terms: ApprovalTerms) -> str | None:
        """The ticket that this run claimed on these terms, where its approval still lasts."""
        for ticket in self._journal.claimed:
            subject = bound.subject_sha256
            if self._approvals.is_run_approved(ticket, subject, self._principal, terms):
                return ticket
        return None

    def _required(
        self, question: ApprovalQuestion, ticket: str, state: TicketState
    ) -> ApprovalRequired:
        """The error that ends the run until it is approved."""
        what = f"its step `{question.step}`" if question.step else "it"
        err = refusal(
            question.bound.runbook.name,
            self._principal,
            f"{what} has to be approved first; ticket `{ticket}` is {state.value}",
            f"have it approved (`dynaguard approvals approve {ticket} --reason ...`), then resume "
            "the run",
            kind=ApprovalRequired,
        )
        err.ticket = ticket
        return err


def _subject(question: ApprovalQuestion) -> BoundRunbook:
    """What is approved: the run, or one step of this one run."""
    bound = question.bound
    if question.step is None:
        return bound
    subject = sha256_of([bound.subject_sha256, question.task, question.step])
    return replace(bound, subject_sha256=subject)
