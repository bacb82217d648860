"""Whether a call may go: what it needs, who makes it, and what the policy says of both.

Part of the guard, split from it for size. Works on a passage. It waits for an identity look-up
only where the answer makes a difference, and asks again when other credentials sign than those
that were decided about.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dynaguard.aws.analysis import authorizations, tables_of
from dynaguard.call import (
    Authorization,
    Call,
    ContextLookup,
    CredentialFacts,
    Decision,
    Principal,
    Verdict,
)
from dynaguard.policy.decision import decide
from dynaguard.policy.principals import facts_of

if TYPE_CHECKING:
    from dynaguard.access.access import Access
    from dynaguard.access.lasting import Ended
    from dynaguard.access.thresholds import Allowance
    from dynaguard.access.widening import Grants
    from dynaguard.aws.context import ContextSource
    from dynaguard.identity.resolver import IdentityResolver
    from dynaguard.passage import Passage
    from dynaguard.policy.matcher import CompiledPolicy

Refuse = Callable[["Passage", Decision], None]
"""Raises the denial, or notes that the mode lets the call through."""
_REFUSED: Final = frozenset({Verdict.DENY, Verdict.IMPLICIT_DENY})
_UNGOVERNED: Final = Decision(Verdict.UNGOVERNED)
_MAX_CLAIMS: Final = 16
"""Grants that one call finds used up before it is refused."""


class Authorising:
    """The policy of a guard at work. Thread-safe.

    Args:
        resolver: Tells who calls.
        policy: The policy, or None.
        context: Where condition keys get their values.
        access: What widens and narrows the policy's answer for a while.
        refuse: What a refusal does.
        limit: Takes what a call asks for of the limits of its task's boundaries.
    """

    __slots__ = ("_access", "_context", "_limit", "_policy", "_refuse", "_resolver")

    def __init__(
        self,
        resolver: IdentityResolver,
        policy: CompiledPolicy | None,
        context: ContextSource,
        access: Access,
        refuse: Refuse,
        limit: Callable[[Passage], None],
    ) -> None:
        self._resolver = resolver
        self._policy = policy
        self._context = context
        self._access = access
        self._refuse = refuse
        self._limit = limit

    def authorise(self, passage: Passage) -> None:
        """Step: what the call needs, and whether the policy allows all of it.

        Raises:
            PolicyDenied: It does not, or the call's task has used up a limit.
        """
        access = self._access
        decision = self._decide(passage)
        if not decision.verdict.is_allowed and self._knows_more(passage):
            decision = self._decide(passage)
        if not decision.verdict.is_allowed and access.learns_more(decision):
            decision = self._decide(passage)
        if passage.call.scope.boundaries and decision.verdict not in _REFUSED:
            self._limit(passage)  # before anything of a grant or an approval is used up
        if decision.verdict is Verdict.REQUIRE_APPROVAL and access.approvals is not None:
            decision = access.approvals.settle(passage, decision, lambda: self._decide(passage))
            passage.decision = decision
        if decision.grants and decision.verdict.is_allowed and access.grants is not None:
            decision = self._with_uses(passage, decision, access.grants)
        if not decision.verdict.is_allowed:
            passage.decision = decision = access.told(passage.call, decision, passage.principal)
            self._refuse(passage, decision)

    def name_table(self, passage: Passage) -> None:
        """Step without policy and audit: the table is all that anybody will ask for.

        Raises:
            PolicyDenied: The call belongs to a task, and is none of those that it may make.
        """
        if passage.call.scope.boundaries:
            self.authorise(passage)
            return
        name = passage.call.params.get("TableName")
        if type(name) is str:
            passage.tables = (name,)
        passage.decision = _UNGOVERNED

    def await_identity(self, passage: Passage) -> None:
        """Step where masks name identities and a look-up may tell who calls."""
        self._knows_more(passage)

    def is_another(self, passage: Passage, credentials: CredentialFacts) -> bool:
        """Whether credentials that botocore refreshed meanwhile are another identity's.

        The passage goes on with them: records tell the key that signed.
        """
        before, call = passage.principal, passage.call
        passage.call = call._replace(credentials=credentials)
        passage.principal = after = self._resolver.resolve(credentials, call.scope)
        return _told(before) != _told(after)

    def ended(self, passage: Passage) -> Ended | None:
        """What ended meanwhile of that which let a call; None: it may still be sent.

        A refusal that the mode let through lasts.
        """
        decision = passage.decision
        if decision is None or not decision.is_enforced:
            return None
        return self._access.ended(passage.call, decision)

    def _decide(self, passage: Passage) -> Decision:
        """The decision for the passage's principal, which is noted in it."""
        call, principal = passage.call, passage.principal
        needs = passage.needs
        if needs is None:
            needs = authorizations(call, principal.account_id)
        passage.tables = tables_of(needs)
        policy, context, access = self._policy, self._context, self._access

        def lookup_for(authorization: Authorization, who: Principal) -> ContextLookup:
            return context.lookup_for(call, who, authorization)

        if policy is not None and access.is_idle and not call.scope.boundaries:
            decision = passage.decision = decide(policy, call, principal, needs, lookup_for)
            return decision

        def decided(allowance: Allowance | None) -> Decision:
            if policy is None:
                decision = Decision(Verdict.UNGOVERNED, needs)
            else:
                widen = access.widen_for(call, lookup_for, allowance)
                decision = decide(policy, call, principal, needs, lookup_for, widen)
            return access.narrowed(call, principal, decision, lookup_for)

        allowance = access.allowance_for(call)
        decision = decided(allowance)
        if allowance is not None:
            decision = self._taken(passage, decision, allowance, decided)
        passage.decision = decision
        return decision

    def _taken(
        self,
        passage: Passage,
        decision: Decision,
        allowance: Allowance,
        decided: Callable[[None], Decision],
    ) -> Decision:
        """The decision, once what goes without an approval is counted: whole or not at all."""
        if decision.verdict is Verdict.ALLOW and not allowance.take():
            decision = decided(None)  # other calls were faster
        if decision.verdict is Verdict.REQUIRE_APPROVAL and allowance.excess is not None:
            reason = f"{decision.reason}: {allowance.excess}"
            return decision._replace(reason=reason)
        if decision.verdict is Verdict.ALLOW and decision.required_by:
            thresholds = self._access.thresholds
            passage.is_limited = thresholds is not None and thresholds.counts_units
        return decision

    def _with_uses(self, passage: Passage, decision: Decision, grants: Grants) -> Decision:
        """The decision once the uses of grants that it needs are taken.

        Where a grant turns out to be used up, another one may do.
        """
        for _ in range(_MAX_CLAIMS):
            claimed = grants.claimed(decision, passage.claimed, passage.principal)
            passage.claimed = claimed.ids
            if claimed.decision is not None:
                return claimed.decision
            decision = _approved_as(decision, self._decide(passage))
            if not (decision.verdict.is_allowed and decision.grants):
                return decision
        return decision._replace(
            verdict=Verdict.IMPLICIT_DENY,
            offending=decision.authorizations[0],
            reason="each grant that would allow it was used up in between",
            how_to_allow="make the call again",
            grants=(),
        )

    def _knows_more(self, passage: Passage) -> bool:
        """Whether an identity look-up that was under way now tells more of who calls.

        Waits for it, a few seconds at most: only where the call is refused without, or masks name
        identities. What is not known never allows, so that others have nothing to wait for.
        """
        call: Call = passage.call
        before = passage.principal
        passage.principal = self._resolver.settled(call.credentials, call.scope) or before
        return passage.principal is not before


def _approved_as(before: Decision, again: Decision) -> Decision:
    """A decision that was made again, with the approval that the call has got already."""
    if before.approval is None or again.verdict is not Verdict.REQUIRE_APPROVAL:
        return again
    if again.required_by != before.required_by:
        return again
    return again._replace(
        verdict=Verdict.ALLOW, offending=None, reason="", how_to_allow="", approval=before.approval
    )


def _told(principal: Principal) -> tuple[object, ...]:
    """All that statements and masks can ask of an identity."""
    return principal.name, principal.arn, facts_of(principal)
