"""Access just in time, one object for the guard: what widens, what narrows, who must approve."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dynaguard.access.boundaries import Boundaries
from dynaguard.call import Authorization, Call, Decision, Principal, Ruling, StatementRef, Verdict
from dynaguard.policy.principals import PrincipalClause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynaguard.access.approvals import Approvals
    from dynaguard.access.lasting import Ended
    from dynaguard.access.store import AccessStore
    from dynaguard.access.thresholds import Allowance, Thresholds
    from dynaguard.access.widening import Grants
    from dynaguard.boundary import Boundary
    from dynaguard.policy.decision import LookupFor, Widen
    from dynaguard.policy.model import ApprovalTerms, RunbookPin


class Access:
    """What changes a policy's answer for a while. Thread-safe.

    Args:
        boundaries: Holds calls against the boundaries of their scope.
        runbooks: The runbooks that the policy trusts, by name.
        store: Where grants and tickets are kept; None: there are none.
        grants: The grants of the store; None without one.
        approvals: Has people asked where an approval is required; None where nobody can be.
        thresholds: What goes without an approval; None where every statement wants one at once.

    Attributes:
        is_idle: Whether nothing widens the policy's answer, whatever the call.
    """

    __slots__ = (
        *("_runbooks", "approvals", "boundaries", "grants", "is_idle", "store", "thresholds"),
    )

    def __init__(
        self,
        boundaries: Boundaries,
        runbooks: Mapping[str, RunbookPin],
        store: AccessStore | None = None,
        grants: Grants | None = None,
        approvals: Approvals | None = None,
        thresholds: Thresholds | None = None,
    ) -> None:
        self.approvals = approvals
        self.boundaries = boundaries
        self.store = store
        self.grants = grants
        self.thresholds = thresholds
        self.is_idle = grants is None and thresholds is None and not runbooks
        self._runbooks = runbooks

    def widen_for(
        self, call: Call, lookup_for: LookupFor, allowance: Allowance | None = None
    ) -> Widen | None:
        """What may allow that which no statement does; None where nothing can.

        Args:
            call: The call.
            lookup_for: Makes the context of one authorisation.
            allowance: What the call may do without an approval, see `allowance_for`.
        """
        grants = self.grants
        has_runbooks = bool(self._runbooks and call.scope.boundaries)
        if grants is None and not has_runbooks:
            return None if allowance is None else allowance.widen

        def widen(need: Authorization, who: Principal, ruling: Ruling) -> Ruling | None:
            found = self._by_runbook(call, need, who, ruling, lookup_for) if has_runbooks else None
            if found is None and allowance is not None:
                found = allowance.widen(need, who, ruling)
            # Break-glass, which stands in for an approval too, serves where nothing else does.
            if found is None and grants is not None:
                found = grants.rule(call, need, who, ruling, lookup_for)
            return found

        return widen

    def allowance_for(self, call: Call) -> Allowance | None:
        """What a call may do without an approval, to be taken once it is allowed; or None."""
        return None if self.thresholds is None else self.thresholds.allowance(call)

    def learns_more(self, decision: Decision) -> bool:
        """Whether what widens changed just now, so that a refused call may be allowed after all.

        Effects: may wait for the store.
        """
        return self.grants is not None and self.grants.learns_more(decision)

    def is_still_granted(self, decision: Decision) -> bool:
        """Whether the grants behind a decision still hold: for further attempts of its call.

        Effects: as a call's own look at the grants: waits only where what is known is too old.
        """
        return not decision.grants or (
            self.grants is not None and self.grants.is_still_granted(decision)
        )

    def ended(self, call: Call, decision: Decision) -> Ended | None:
        """What ended meanwhile of that which let a call; None: it may still be sent.

        Effects: as `is_still_granted`. Cost: three looks for a call that nothing special lets.
        """
        boundaries = call.scope.boundaries
        if not (boundaries or decision.grants or decision.approval):
            return None
        from dynaguard.access.lasting import ended  # calls by special leave alone need it

        held = self.boundaries
        return ended(decision, boundaries, held.clock, held.is_over, self.is_still_granted)

    def told(self, call: Call, decision: Decision, principal: Principal) -> Decision:
        """A refusal that also says how to ask for a grant."""
        return decision if self.grants is None else self.grants.told(call, decision, principal)

    def narrowed(
        self, call: Call, principal: Principal, decision: Decision, lookup_for: LookupFor
    ) -> Decision:
        """The decision within the boundaries of the call's scope."""
        if not call.scope.boundaries or decision.verdict in _REFUSED:
            return decision
        refusal = self.boundaries.refusal(call, principal, decision, lookup_for)
        return decision if refusal is None else refusal

    def _by_runbook(
        self,
        call: Call,
        need: Authorization,
        who: Principal,
        ruling: Ruling,
        lookup_for: LookupFor,
    ) -> Ruling | None:
        """The ruling of a runbook that the policy trusts, while it runs.

        A presigned URL outlives the run, so no runbook allows to make one.
        """
        if ruling.verdict is not Verdict.IMPLICIT_DENY or call.is_presign:
            return None
        for boundary in call.scope.boundaries:
            pin = self._runbooks.get(boundary.name) if boundary.kind == "runbook" else None
            if pin is None or not _is_trusted(pin, boundary, who):
                continue
            if pin.approval is not None and not self._is_approved(
                pin.approval, boundary, call, who
            ):
                continue
            if self.boundaries.allows(boundary, need, who, lookup_for):
                return Ruling(Verdict.ALLOW, StatementRef(pin.name, "runbook"))
        return None

    def _is_approved(
        self, terms: ApprovalTerms, boundary: Boundary, call: Call, who: Principal
    ) -> bool:
        """Whether the run that a boundary is of was approved, for who runs it.

        While somebody acts, the one approval is for both whom the call is decided for.
        """
        if self.approvals is None:
            return False
        acting = replace(who, acting_name=call.scope.acting_name)
        ticket, subject = boundary.ticket, boundary.subject_sha256
        return self.approvals.is_run_approved(ticket, subject, acting, terms)


def _is_trusted(pin: RunbookPin, boundary: Boundary, who: Principal) -> bool:
    """Whether a boundary is of the runbook as it was pinned, run by who may."""
    if pin.sha256 != boundary.runbook_sha256:
        return False
    return pin.principals is None or PrincipalClause(pin.principals).truth(who) is True


_REFUSED = frozenset({Verdict.DENY, Verdict.IMPLICIT_DENY})
