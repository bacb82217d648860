"""Calls that somebody else has to approve: asked for once, waited for, used as often as approved.

Only asked about a call that an approval lets through: no statement denies it, no boundary does.
The store is read anew each time, since this is enforcement; where it cannot be read, the call is
refused and nothing is lost.

INVARIANT: an approval counts for the request, the identity and the terms that it was given for:
those of the call and of the policy in force now, never those that a record claims.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from dynaguard.access.approvers import Approvers
from dynaguard.access.changes import AccessChange, note_change
from dynaguard.access.persons import is_known, person_of
from dynaguard.access.run_approvals import RunApprovals
from dynaguard.access.subjects import SubjectError, subject_of_call
from dynaguard.access.summaries import summary_of_call
from dynaguard.access.ticket_asking import Asking, terms_of
from dynaguard.access.ticket_book import TicketBook
from dynaguard.access.tickets import (
    Ticket,
    TicketState,
    case_of,
    claim,
    is_from_the_future,
    told,
    who_may_decide,
)
from dynaguard.access.walks import current_walk
from dynaguard.call import ApprovalRef, Decision, StatementRef, Verdict
from dynaguard.errors import AccessStoreError, TicketError
from dynaguard.policy.advice import one_line
from dynaguard.policy.bundle_statements import asking_statements
from dynaguard.settings import Mode

if TYPE_CHECKING:
    from dynaguard.access.clock import StrictClock
    from dynaguard.access.store import AccessStore
    from dynaguard.call import Principal
    from dynaguard.passage import Passage
    from dynaguard.policy.model import ApprovalTerms, PolicyDocument
    from dynaguard.runbooks.bound import BoundRunbook
    from dynaguard.scope import Scope
    from dynaguard.settings import Settings

_MAX_ROUNDS: Final = 3
"""How often others may take the last use of an approval before the call is refused."""
_PASSING: Final = frozenset({TicketState.APPROVED, TicketState.USED_UP})
DecideAgain = Callable[[], Decision]


class Approvals:
    """Settles calls that need an approval. Thread-safe.

    Args:
        asking: Asks people.
        document: The policy, for the terms of its statements; None: it demands nothing.
        wait_s: How long a call waits for its approval, in seconds; None: not at all.
    """

    __slots__ = ("_approvers", "_terms_by_ref", "_wait_s", "asking", "runs")

    def __init__(
        self, asking: Asking, document: PolicyDocument | None, *, wait_s: float | None = None
    ) -> None:
        self.asking = asking
        self._approvers = Approvers({} if document is None else document.groups)
        self.runs = RunApprovals(asking, self._approvers)
        self._terms_by_ref = {
            statement.ref: statement.approval
            for statement in (() if document is None else asking_statements(document.statements))
            if statement.approval is not None
        }
        self._wait_s = wait_s

    def settle(self, passage: Passage, decision: Decision, decide_again: DecideAgain) -> Decision:
        """The decision once people were asked: allowed with its approval, or refused.

        Args:
            passage: The call; gets the ticket that is open, and the time waited.
            decision: Its decision, whose verdict is that an approval is required.
            decide_again: Decides it anew, after a wait in which anything may have changed.

        Effects: reads and changes the store; may block as long as calls wait.
        """
        try:
            for _ in range(_MAX_ROUNDS):
                try:
                    return self._settle(passage, decision, decide_again)
                except TicketError:
                    # Another call of the same kind took its last use, or somebody took it back.
                    continue
        except AccessStoreError as err:
            return _refused(
                decision, f"its approval cannot be looked up: {err}", "make the call again later"
            )
        return _refused(
            decision, "each approval of it was used up in between", "make the call again"
        )

    def ask_for_run(
        self, bound: BoundRunbook, principal: Principal, terms: ApprovalTerms, reason: str
    ) -> Ticket:
        """As `RunApprovals.ask`."""
        return self.runs.ask(bound, principal, terms, reason)

    def is_run_approved(
        self,
        ticket_id: str | None,
        subject_sha256: str | None,
        principal: Principal,
        terms: ApprovalTerms | None = None,
    ) -> bool:
        """As `RunApprovals.is_approved`."""
        return self.runs.is_approved(ticket_id, subject_sha256, person_of(principal), terms)

    def _settle(self, passage: Passage, decision: Decision, decide_again: DecideAgain) -> Decision:
        """One try; errors of the store pass, and that a ticket changed in between."""
        draft = self._draft(passage, decision)
        if isinstance(draft, Decision):
            return draft
        continued = self._continued(passage, draft, decision)
        if continued is not None:
            return continued
        ticket = self.asking.ask(draft)
        if self._is_to_wait(passage, ticket):
            scope = passage.call.scope
            ticket, waited_s = self.asking.wait(
                ticket, self._wait_s or 0.0, scope.deadline_monotonic_s
            )
            passage.wait_s += waited_s
            if passage.span is not None:
                state = ticket.state_at(self.asking.book.clock.for_end_s())
                passage.span.add_approval_wait(ticket.id, waited_s, state.value)
            passage.may_wait = False
            decision = decide_again()
            if decision.verdict is not Verdict.REQUIRE_APPROVAL:
                return decision
            again = self._draft(passage, decision)
            if isinstance(again, Decision):
                return again
            if case_of(again) != case_of(ticket):
                ticket = self.asking.ask(again)
        return self._answered(passage, ticket, decision)

    def _draft(self, passage: Passage, decision: Decision) -> Ticket | Decision:
        """The ticket of the call as it would be asked; a refusal where nothing can be asked."""
        call, principal = passage.call, passage.principal
        if not is_known(principal):
            return _refused(
                decision,
                f"{decision.reason}, and who asks for it is not known",
                "set `identity` (DYNAGUARD_IDENTITY) or `identity_lookup` "
                "(DYNAGUARD_IDENTITY_LOOKUP)",
            )
        unseen = _unseen(passage)
        if unseen is not None:
            return _refused(decision, f"{decision.reason}, and {unseen}", "change the request")
        approvals = {
            _name_of(ref, decision.required_by): self._terms_by_ref[ref]
            for ref in decision.required_by
            if ref in self._terms_by_ref
        }
        if not approvals or len(approvals) < len(set(decision.required_by)):
            return _refused(decision, "the terms of its approval are not known", "report this")
        try:
            subject = subject_of_call(call, principal.account_id)
        except SubjectError as err:
            return _refused(decision, f"{decision.reason}, and {err}", "change the request")
        terms = terms_of(approvals)
        return Ticket(
            id="",
            kind="call",
            subject_sha256=subject,
            summary=summary_of_call(call, decision.authorizations),
            requester=person_of(principal),
            reason=_reason_of(call.scope),
            terms=terms,
            created_epoch_s=self.asking.book.clock.for_end_s(),
            uses_left=terms.uses,
        )

    def _continued(self, passage: Passage, draft: Ticket, decision: Decision) -> Decision | None:
        """The decision for a further page, whose first page claimed a use; or None."""
        walk, book = current_walk.get(), self.asking.book
        if walk is None or (passage.call.page_number or 1) == 1:
            return None
        claimed = walk.get(case_of(draft))
        ticket = book.find(claimed) if claimed is not None else None
        if ticket is None or ticket.state_at(book.clock.for_end_s()) not in _PASSING:
            return None
        return _allowed(decision, ticket) if self._approvers.would_approve(ticket) else None

    def _is_to_wait(self, passage: Passage, ticket: Ticket) -> bool:
        """Whether the call waits for its ticket."""
        is_open = ticket.state_at(self.asking.book.clock.for_end_s()) is TicketState.PENDING
        return is_open and passage.may_wait and self._wait_s is not None

    def _answered(self, passage: Passage, ticket: Ticket, decision: Decision) -> Decision:
        """What a ticket means for the call; claims a use of one that is approved.

        Raises:
            TicketError: Somebody else took the last use in between.
        """
        book = self.asking.book
        now_s = book.clock.for_end_s()
        if ticket.state_at(now_s) is TicketState.PENDING:
            passage.ticket = ticket.id
            return decision._replace(
                reason=one_line(
                    f"{decision.reason}; ticket `{ticket.id}` {told(ticket, now_s)}: "
                    f"{who_may_decide(ticket.terms)}"
                ),
                how_to_allow=(
                    f"have it approved: `dynaguard approvals approve {ticket.id} --reason ...`, "
                    "and make the call again"
                ),
            )
        refusal = self._refusal(ticket, decision, now_s)
        if refusal is not None:
            return refusal
        used = book.change(ticket.id, lambda each: claim(each, book.clock.for_end_s()))
        if used.uses_left == 0:
            sha256, requester = used.subject_sha256, str(used.requester)
            note_change(AccessChange("ticket used up", used.id, requester, subject_sha256=sha256))
        walk = current_walk.get()
        if walk is not None:
            walk[case_of(used)] = used.id
        return _allowed(decision, used)

    def _refusal(self, ticket: Ticket, decision: Decision, now_s: float) -> Decision | None:
        """Why a ticket that is decided or over is no approval here; None where it is one."""
        if ticket.state_at(now_s) is not TicketState.APPROVED:
            return _refused(
                decision, f"{decision.reason}; ticket `{ticket.id}` {told(ticket, now_s)}", ""
            )
        if is_from_the_future(ticket, self.asking.book.clock.for_beginning_s()):
            return _refused(
                decision,
                f"ticket `{ticket.id}` was asked or approved in the future, by this clock",
                "set the clocks right",
            )
        if not self._approvers.would_approve(ticket):
            return _refused(
                decision,
                f"ticket `{ticket.id}` {told(ticket, now_s)}, and by the policy here these are "
                f"not who may: {who_may_decide(ticket.terms)}",
                f"take it back, `dynaguard approvals cancel {ticket.id} --reason ...`, make the "
                "call again and have it approved by who may",
            )
        return None


def make_approvals(
    document: PolicyDocument | None,
    settings: Settings,
    store: AccessStore,
    clock: StrictClock,
    monotonic: Callable[[], float],
) -> Approvals | None:
    """The approvals of a guard; None where its mode refuses nothing, so that nobody is asked."""
    if settings.mode is not Mode.ENFORCE:
        return None
    notify = None
    if settings.approval_webhooks is not None:
        from dynaguard.access.webhooks import make_notifier  # only where webhooks are named

        notify = make_notifier(settings.approval_webhooks)
    asking = Asking(TicketBook(store, clock), monotonic=monotonic, notify=notify)
    return Approvals(asking, document, wait_s=settings.approval_wait_s)


def ref_of(ticket: Ticket) -> ApprovalRef:
    """What decisions and records say of an approval."""
    return ApprovalRef(
        ticket.id,
        ticket.subject_sha256,
        tuple(str(each.person) for each in ticket.decisions if each.is_approval),
        ticket.approved_epoch_s or 0.0,
        ticket.end_epoch_s,
    )


def _unseen(passage: Passage) -> str | None:
    """Why nobody can approve a call: its parameters do not say what it does. None: they do."""
    call = passage.call
    if passage.needs is not None:
        return "its parameters cannot be read, so that nobody can approve it"
    if call.is_presign and (call.service, call.operation) == ("s3", "CreateBucket"):
        # botocore makes forms for uploads as that, without what they let be uploaded.
        return "a form for uploads does not tell what it is for, so that nobody can approve it"
    return None


def _allowed(decision: Decision, ticket: Ticket) -> Decision:
    """The decision with its approval."""
    return decision._replace(
        verdict=Verdict.ALLOW,
        offending=None,
        reason="",
        how_to_allow="",
        approval=ref_of(ticket),
    )


def _refused(decision: Decision, reason: str, how_to_allow: str) -> Decision:
    """A refusal that no ticket is open for: to wait for one would be in vain."""
    statement = decision.statement or StatementRef("approval")
    return decision._replace(
        verdict=Verdict.DENY,
        statement=statement,
        reason=one_line(reason),
        how_to_allow=how_to_allow,
    )


def _name_of(ref: StatementRef, others: tuple[StatementRef, ...]) -> str:
    """A statement as tickets name it: Sid and file, but neither its folder nor its line.

    The same policy is deployed to several places, and lines move when others are edited.
    """
    name = PurePath(ref.source).name
    is_one_of_two = any(
        each != ref and (each.sid, PurePath(each.source).name) == (ref.sid, name)
        for each in others
    )
    return f"{ref.sid} ({ref.source if is_one_of_two else name})"


def _reason_of(scope: Scope) -> str:
    """What the scope tells of why a call is made."""
    parts = {
        "job": scope.job,
        "run": scope.run_id,
        "stage": scope.stage,
        "runbook": scope.runbook,
        "task": scope.task,
        "correlation id": scope.correlation_id,
    }
    return ", ".join(f"{name} `{text}`" for name, text in parts.items() if text)
