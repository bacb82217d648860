"""Who may run a runbook: asked before a task begins, so before anything is assumed.

Three have a say: the runbook's own principals, the policy's pin of it (content hash and
principals), and whoever has to approve its runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from dynaguard.access.tickets import TicketState, told
from dynaguard.call import Decision, Principal, StatementRef, Verdict
from dynaguard.errors import ApprovalRequired, ConfigurationError, PolicyDenied, TicketError
from dynaguard.hooks.lifecycle import current
from dynaguard.policy.principals import PrincipalClause, views_of

if TYPE_CHECKING:
    from dynaguard.access.approvals import Approvals
    from dynaguard.access.tickets import Ticket
    from dynaguard.guard import Guard
    from dynaguard.policy.model import ApprovalTerms, PolicyDocument, PrincipalPattern, RunbookPin
    from dynaguard.runbooks.bound import BoundRunbook
    from dynaguard.runbooks.model import Runbook

OPERATION = "RunRunbook"
"""How denials name the run of a runbook, which is no operation of AWS's."""
RefusalT = TypeVar("RefusalT", bound=PolicyDenied)


@dataclass(frozen=True, slots=True)
class RunApproval:
    """The approval of a run.

    Attributes:
        ticket: Id of the ticket; of several, the one that the policy's pin demands.
        ends_epoch_s: When the first of them ends, in seconds since the epoch.
    """

    ticket: str
    ends_epoch_s: float


SettleRun = Callable[["BoundRunbook", tuple["ApprovalTerms", ...], Principal], RunApproval]
"""Gives the approval of a run, or raises `ApprovalRequired`."""


def check_may_run(
    runbook: Runbook, document: PolicyDocument | None, principal: Principal | None
) -> None:
    """Refuses a run that the runbook or the policy does not give to who asks.

    Args:
        runbook: The runbook.
        document: The policy in force, or None.
        principal: Who asks; None where no guard is in force, so that nobody can tell.

    Raises:
        PolicyDenied: Its content is not what the policy trusts, or who asks is not (certainly)
            among those who may run it.
    """
    pin = _pin(runbook, document)
    if pin is not None and pin.sha256 != runbook.sha256:
        raise refusal(
            runbook.name,
            principal,
            f"the runbook is not the one that the policy trusts: its content hash is "
            f"`{runbook.sha256[:12]}`, `[runbooks.{runbook.name}]` has `{pin.sha256[:12]}`",
            "have the change reviewed, then put the new hash into the policy",
        )
    for source, patterns in (
        (f"runbook `{runbook.name}`", runbook.principals),
        (f"`[runbooks.{runbook.name}]` of the policy", pin.principals if pin else None),
    ):
        if patterns is not None and not _names(patterns, principal):
            raise refusal(
                runbook.name,
                principal,
                f"{source} does not name who asks among those who may run it",
                f"have it run by one of {', '.join(f'`{each.value}`' for each in patterns)}",
            )


def approvals_needed(
    runbook: Runbook, document: PolicyDocument | None
) -> tuple[ApprovalTerms, ...]:
    """What the runbook and the policy's pin demand, each once; empty: nobody has to approve."""
    pin = _pin(runbook, document)
    demanded = (runbook.access.approval, pin.approval if pin is not None else None)
    return tuple(dict.fromkeys(terms for terms in demanded if terms is not None))


def refusal(
    runbook: str,
    principal: Principal | None,
    reason: str,
    how_to_allow: str,
    *,
    kind: type[RefusalT] = PolicyDenied,  # type: ignore[assignment]
) -> RefusalT:
    """The denial of a run."""
    identity = "unknown" if principal is None else principal.name
    is_open = kind is ApprovalRequired
    return kind(
        f"the run of runbook `{runbook}` was refused for {identity}: {reason}; to allow it, "
        f"{how_to_allow}",
        operation=OPERATION,
        service="dynaguard",
        identity=identity,
        decision=Decision(
            Verdict.REQUIRE_APPROVAL if is_open else Verdict.DENY,
            statement=StatementRef(runbook, "runbook"),
            reason=reason,
            how_to_allow=how_to_allow,
        ),
    )


def settle_run(
    bound: BoundRunbook, needed: tuple[ApprovalTerms, ...], principal: Principal
) -> RunApproval:
    """The approval of a run; uses it up, since an approval is good for one run.

    Raises:
        ApprovalRequired: It is open; `.ticket` names it. Begun again once it is approved, by the
            same identity with the same parameters, the task begins.
        PolicyDenied: It was denied; or the approval was used by another run in between.
        ConfigurationError: Nobody can be asked, or who asks is not known.
        AccessStoreError: The store cannot be used.

    Effects: reads and changes the access store; never waits. Nothing is used up before all are
    approved.
    """
    approvals = approvals_of(current()[0], bound.runbook)
    why = f"run of {bound.runbook.name}"
    tickets = [approvals.ask_for_run(bound, principal, terms, reason=why) for terms in needed]
    now_s = approvals.asking.book.clock.for_end_s()
    for ticket in tickets:
        _check_approved(bound.runbook.name, principal, ticket, now_s)
    try:
        claimed = [
            approvals.runs.claim(ticket.id, bound.subject_sha256, principal) for ticket in tickets
        ]
    except TicketError as err:
        raise refusal(bound.runbook.name, principal, str(err), "begin it again") from err
    return RunApproval(claimed[-1].id, min(ticket.end_epoch_s for ticket in claimed))


def approvals_of(guard: Guard | None, runbook: Runbook) -> Approvals:
    """The guard's approvals, for a runbook that has to be approved.

    Raises:
        ConfigurationError: Nobody can be asked: no store is set, nobody is in a group that may
            approve, or the mode refuses nothing.
    """
    access = None if guard is None else guard.rooms.access
    if access is None or access.store is None:
        why = "there is no access store to ask people by; set `access_store`"
    elif access.approvals is None:
        why = "mode `observe` asks nobody; set `mode` to `enforce`"
    elif guard is None or guard.document is None:
        why = "without a policy nobody is in a group that may; name one with `[groups]`"
    else:
        return access.approvals
    raise ConfigurationError(f"runbook `{runbook.name}` has to be approved, and {why}")


def _check_approved(runbook: str, principal: Principal, ticket: Ticket, now_s: float) -> None:
    """Refuses a run whose ticket is open, or was not approved."""
    what = f"ticket `{ticket.id}` {told(ticket, now_s)}"
    state = ticket.state_at(now_s)
    if state is TicketState.PENDING:
        refused = refusal(
            runbook,
            principal,
            f"it has to be approved first; {what}",
            f"have it approved: `dynaguard approvals approve {ticket.id} --reason ...`",
            kind=ApprovalRequired,
        )
        refused.ticket = ticket.id
        raise refused
    if state is not TicketState.APPROVED:
        raise refusal(runbook, principal, what, "ask again later")


def _pin(runbook: Runbook, document: PolicyDocument | None) -> RunbookPin | None:
    """What the policy says of a runbook of that name."""
    return None if document is None else document.runbooks.get(runbook.name)


def _names(patterns: tuple[PrincipalPattern, ...], principal: Principal | None) -> bool:
    """Whether who asks is among those named, for certain; while somebody acts, both are."""
    if principal is None:
        return False
    clause = PrincipalClause(patterns)
    return all(clause.truth(view) is True for view in views_of(principal))
