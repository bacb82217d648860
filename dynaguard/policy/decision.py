"""The decision for a whole call: every authorisation that it needs must be allowed.

An explicit Deny of any of them beats a missing Allow of another. Services that the policy does not
govern pass, whether the call is to them or only one of its further authorisations is. While
somebody acts (`acting_as()`), each must be allowed for the signer alone and for who acts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from dynaguard.call import (
    Authorization,
    Call,
    ContextLookup,
    Decision,
    GrantRef,
    Principal,
    Ruling,
    StatementRef,
    Verdict,
)
from dynaguard.errors import readable_arn
from dynaguard.policy.advice import how_to_allow, one_line, reason_for
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.policy.residual import Residual

LookupFor = Callable[[Authorization, Principal], ContextLookup]
"""Makes the context of one authorisation as one identity has it."""

Widen = Callable[[Authorization, Principal, Ruling], Ruling | None]
"""What allows, for a while, what the statements do not: a better ruling, or None for none.

Asked for one authorisation and one identity, with the statements' ruling: an implicit deny, or
that an approval is required. An explicit Deny is never asked about. Where an implicit deny is
widened and statements may require an approval too, that is asked about next.
"""

_SEVERITY: Final = {
    Verdict.ALLOW: 0,
    Verdict.REQUIRE_APPROVAL: 1,
    Verdict.IMPLICIT_DENY: 2,
    Verdict.DENY: 3,
}
_WIDENED: Final = frozenset({Verdict.IMPLICIT_DENY, Verdict.REQUIRE_APPROVAL})
_LET_THROUGH: Final = frozenset({Verdict.ALLOW, Verdict.REQUIRE_APPROVAL})


def decide(
    policy: CompiledPolicy,
    call: Call,
    principal: Principal,
    authorizations: tuple[Authorization, ...],
    lookup_for: LookupFor,
    widen: Widen | None = None,
) -> Decision:
    """Decides a call.

    Args:
        policy: The policy in force.
        call: The call; only its service matters here.
        principal: Who makes it.
        authorizations: All that it needs. A call that needs nothing is allowed.
        lookup_for: Makes the context of one authorisation for one identity; asked only where it
            matters.
        widen: What may allow that which no statement does, or None.

    Returns:
        The worst ruling with its statement and the first authorisation that it is about; reason
        and advice are written for refusals alone.

    Cost: O(authorisations); see `CompiledPolicy.rule`. Reads no clock, calls nothing.
    """
    if not policy.governs(call.service_prefix or call.service):
        return Decision(Verdict.UNGOVERNED, authorizations)
    if not authorizations:
        return Decision(Verdict.ALLOW)
    if len(authorizations) == 1:
        asked: Sequence[Authorization] = authorizations
    else:
        asked = _governed(policy, authorizations)
    granted: list[GrantRef] = []
    if widen is not None:
        widen = _noting(widen, granted)
    rulings = [(each, _rule(policy, each, principal, lookup_for, widen)) for each in asked]
    offending, worst = rulings[0]
    unknown_keys, observed = worst.unknown_keys, worst.observed
    if len(rulings) > 1:
        offending, worst = max(rulings, key=_severity)
        unknown_keys = tuple(dict.fromkeys(k for _, each in rulings for k in each.unknown_keys))
        observed = tuple(dict.fromkeys(ref for _, each in rulings for ref in each.observed))
    verdict, statement = worst.verdict, worst.statement
    if verdict is Verdict.ALLOW:
        decision = Decision(
            verdict, authorizations, None, statement, "", "", unknown_keys, observed
        )
        decision = decision if widen is None else _with_required(decision, rulings)
        return _with_grants(decision, granted) if granted else decision
    reason = reason_for(offending, worst) + _others_refused(rulings)
    advice = how_to_allow(offending, worst)
    decision = Decision(
        verdict, authorizations, offending, statement, reason, advice, unknown_keys, observed
    )
    if verdict is Verdict.REQUIRE_APPROVAL:
        decision = _with_required(decision, rulings)
    return _with_grants(decision, granted) if granted else decision


def _with_required(decision: Decision, rulings: list[tuple[Authorization, Ruling]]) -> Decision:
    """The decision with the statements that require an approval, below a threshold or not.

    What is below one counts where another part of the call is not: a call is approved whole, and
    only one that needs no approval at all is counted.
    """
    required_by = tuple(dict.fromkeys(ref for _, each in rulings for ref in each.required_by))
    return decision._replace(required_by=required_by) if required_by else decision


def _noting(widen: Widen, granted: list[GrantRef]) -> Widen:
    """What widens, each grant noted, and what was observed kept.

    While somebody acts one ruling stands for two, and may hide the grant that the other needs.
    """

    def noting(need: Authorization, who: Principal, ruling: Ruling) -> Ruling | None:
        found = widen(need, who, ruling)
        if found is None:
            return None
        if found.grant is not None:
            granted.append(found.grant)
        return replace(found, observed=ruling.observed) if ruling.observed else found

    return noting


def _with_grants(decision: Decision, granted: list[GrantRef]) -> Decision:
    """The decision with the grants that it rests on; a refusal rests on none."""
    if decision.verdict not in _LET_THROUGH:
        return decision
    return decision._replace(grants=tuple(dict.fromkeys(granted)))


def _governed(
    policy: CompiledPolicy, authorizations: tuple[Authorization, ...]
) -> Sequence[Authorization]:
    """Those that the policy governs.

    A call of a governed service that only needs actions of others (S3's `s3express:`) is decided
    by those; it must not pass because nothing was asked.
    """
    governed = [each for each in authorizations if policy.governs(each.action.partition(":")[0])]
    return governed or authorizations


def denial_message(call: Call, principal: Principal, decision: Decision) -> str:
    """What a refusal tells the caller: what, for whom, by which statement, what would allow it.

    One line, names only; unknown parts of an ARN are shown as `<unknown>`.
    """
    offending = decision.offending
    if offending is None:
        what = f"{call.service_prefix or call.service}:{call.operation}"
    else:
        what = f"{readable_arn(offending.action)} on {readable_arn(offending.resource)}"
    advice = f"; to allow it, {decision.how_to_allow}" if decision.how_to_allow else ""
    return one_line(f"{what} was refused for {principal.name}: {decision.reason}{advice}")


def _rule(
    policy: CompiledPolicy,
    authorization: Authorization,
    principal: Principal,
    lookup_for: LookupFor,
    widen: Widen | None,
) -> Ruling:
    """The ruling for one authorisation; while somebody acts, the worse of two."""
    ruling = _rule_alone(policy, authorization, principal, lookup_for, widen)
    if principal.signer is None:
        return ruling
    signers = _rule_alone(policy, authorization, principal.signer, lookup_for, widen)
    # The signer's comes first: where both refuse, what it lacks has to be settled anyway.
    worse = max((signers, ruling), key=lambda each: _SEVERITY[each.verdict])
    observed = tuple(dict.fromkeys((*signers.observed, *ruling.observed)))
    required_by: tuple[StatementRef, ...] = ()
    if worse.verdict in _LET_THROUGH:
        required_by = tuple(dict.fromkeys((*signers.required_by, *ruling.required_by)))
    if observed == worse.observed and required_by == worse.required_by:
        return worse
    return replace(worse, observed=observed, required_by=required_by)


def _rule_alone(
    policy: CompiledPolicy,
    authorization: Authorization,
    principal: Principal,
    lookup_for: LookupFor,
    widen: Widen | None,
) -> Ruling:
    """The ruling for one identity; what is not understood is allowed by no Allow."""
    answer = policy.answer(authorization, principal)
    if type(answer) is Residual:
        ruling = answer.settle(lookup_for(authorization, principal))
    else:
        ruling = answer
    if authorization.problem is None:
        if widen is None or ruling.verdict not in _WIDENED:
            return ruling
        return _widened(widen, authorization, principal, ruling)
    if ruling.verdict not in _LET_THROUGH or policy.document.default == "allow":
        return ruling
    return Ruling(Verdict.IMPLICIT_DENY, observed=ruling.observed)


def _widened(
    widen: Widen, authorization: Authorization, principal: Principal, ruling: Ruling
) -> Ruling:
    """The ruling with what widens it; an approval that is required stays required.

    An implicit deny may hide that a statement, doubtful as it is, requires an approval. What
    widens takes the place of an Allow, which does not do without it either.
    """
    better = widen(authorization, principal, ruling)
    if better is None:
        return ruling
    is_covered = better.grant is not None and better.grant.is_break_glass
    hidden = ruling.required_by if ruling.verdict is Verdict.IMPLICIT_DENY else ()
    if not hidden or is_covered or better.verdict is not Verdict.ALLOW:
        return better
    asking = Ruling(
        Verdict.REQUIRE_APPROVAL,
        hidden[0],
        ruling.unknown_keys,
        ruling.observed,
        better.grant,
        hidden,
    )
    return widen(authorization, principal, asking) or asking


def _severity(ruled: tuple[Authorization, Ruling]) -> int:
    """How bad a ruling is; `max` by it gives the first of the worst."""
    return _SEVERITY[ruled[1].verdict]


def _others_refused(rulings: list[tuple[Authorization, Ruling]]) -> str:
    """How many further authorisations were refused, for a reason's end."""
    count = sum(ruling.verdict is not Verdict.ALLOW for _, ruling in rulings)
    return f" (the first of {count} refused of {len(rulings)})" if count > 1 else ""
