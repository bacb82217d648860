"""Who may run a runbook: asked before a task begins, so before anything is assumed.

Three have a say: the runbook's own principals, the policy's pin of it (content hash and
principals), and whoever has to approve its runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dynaguard.call import Decision, Principal, StatementRef, Verdict
from dynaguard.errors import ConfigurationError, PolicyDenied
from dynaguard.policy.principals import PrincipalClause, views_of

if TYPE_CHECKING:
    from dynaguard.policy.model import ApprovalTerms, PolicyDocument, PrincipalPattern, RunbookPin
    from dynaguard.runbooks.bound import BoundRunbook
    from dynaguard.runbooks.model import Runbook

OPERATION = "RunRunbook"
"""How denials name the run of a runbook, which is no operation of AWS's."""
SettleRun = Callable[["BoundRunbook", "ApprovalTerms", Principal], str]
"""Gives the ticket by which a run is approved, waits or raises `ApprovalRequired`."""


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
    runbook: str, principal: Principal | None, reason: str, how_to_allow: str
) -> PolicyDenied:
    """The denial of a run."""
    identity = "unknown" if principal is None else principal.name
    return PolicyDenied(
        f"the run of runbook `{runbook}` was refused for {identity}: {reason}; to allow it, "
        f"{how_to_allow}",
        operation=OPERATION,
        service="dynaguard",
        identity=identity,
        decision=Decision(
            Verdict.DENY,
            statement=StatementRef(runbook, "runbook"),
            reason=reason,
            how_to_allow=how_to_allow,
        ),
    )


def no_approvals(bound: BoundRunbook, terms: ApprovalTerms, _: Principal) -> str:
    """Where nobody can be asked, a run that has to be approved does not begin.

    Raises:
        ConfigurationError: Always.
    """
    raise ConfigurationError(
        f"runbook `{bound.runbook.name}` has to be approved by {terms.quorum} of others before "
        "it runs, and no access store is set to ask them by; set `access_store`"
    )


def _pin(runbook: Runbook, document: PolicyDocument | None) -> RunbookPin | None:
    """What the policy says of a runbook of that name."""
    return None if document is None else document.runbooks.get(runbook.name)


def _names(patterns: tuple[PrincipalPattern, ...], principal: Principal | None) -> bool:
    """Whether who asks is among those named, for certain; while somebody acts, both are."""
    if principal is None:
        return False
    clause = PrincipalClause(patterns)
    return all(clause.truth(view) is True for view in views_of(principal))
