"""The policy evaluated the plain way: every statement, every pattern, every time.

This is the yardstick of the compiled matcher: tests decide random policies by both and compare.
It shares values with the rest of the room and no code: its own globs, variables, readers of
numbers and instants, its own logic. Speed is no concern here; being obviously right is.

Truth is a level: `NO`, `MAYBE` (not known), `YES`. *And* is the least of the levels, *or* the
greatest, *not* turns the scale around.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from dynaguard.call import Authorization, ContextLookup, Principal, Ruling, StatementRef, Verdict
from dynaguard.policy.model import Condition, PolicyDocument, PrincipalPattern, Statement
from dynaguard.policy.reference_conditions import condition_doubts, condition_level
from dynaguard.policy.reference_patterns import (
    MAYBE,
    NO,
    YES,
    arn_doubts,
    arn_level,
    glob_level,
    read_signs,
)


def rule(
    document: PolicyDocument,
    authorization: Authorization,
    principal: Principal,
    lookup: ContextLookup,
) -> Ruling:
    """The policy's answer for one authorisation, as `CompiledPolicy.rule` gives it.

    Returns:
        The verdict; the first certain statement behind it, else the first doubtful Deny. The
        compiled matcher may name another certain one. What requires an approval comes between
        Deny and Allow; all such statements are named.

    Cost: O(statements x patterns x text).
    """
    found = [_evaluate(each, authorization, principal, lookup) for each in document.statements]
    acting = [finding for finding in found if not finding.statement.is_observed]
    observed = tuple(
        finding.statement.ref
        for finding in found
        if finding.statement.is_observed and finding.takes_effect
    )
    effective = sorted(
        (finding for finding in acting if finding.takes_effect), key=lambda each: -each.level
    )
    denying, asking, allowing = (
        [finding for finding in effective if finding.statement.effect == effect]
        for effect in ("Deny", "RequireApproval", "Allow")
    )
    if denying:
        return Ruling(Verdict.DENY, denying[0].statement.ref, denying[0].keys, observed)
    required_by = tuple(finding.statement.ref for finding in asking)
    # What asks for an approval allows by itself only where it is certain that it matches.
    is_allowed = document.default == "allow" or bool(allowing)
    is_allowed = is_allowed or any(finding.level == YES for finding in asking)
    if not is_allowed:
        missed = tuple(dict.fromkeys(key for finding in acting for key in finding.keys))
        return Ruling(Verdict.IMPLICIT_DENY, None, missed, observed, required_by=required_by)
    if asking:
        keys = tuple(dict.fromkeys(key for finding in asking for key in finding.keys))
        return Ruling(
            Verdict.REQUIRE_APPROVAL, required_by[0], keys, observed, required_by=required_by
        )
    if allowing:
        return Ruling(Verdict.ALLOW, allowing[0].statement.ref, (), observed)
    return Ruling(Verdict.ALLOW, observed=observed)


def rule_in_scope(
    document: PolicyDocument,
    authorization: Authorization,
    principal: Principal,
    lookup_for: Callable[[Principal], ContextLookup],
) -> Ruling:
    """The answer while somebody may act: the signer alone and who acts must both be allowed.

    Args:
        document: The policy.
        authorization: An action on a resource.
        principal: Who asks; with a `signer` while somebody acts.
        lookup_for: The context as each of them has it.
    """
    asked = [principal] if principal.signer is None else [principal.signer, principal]
    rulings = [rule(document, authorization, each, lookup_for(each)) for each in asked]
    observed = tuple(dict.fromkeys(ref for each in rulings for ref in each.observed))
    order = [Verdict.ALLOW, Verdict.REQUIRE_APPROVAL, Verdict.IMPLICIT_DENY, Verdict.DENY]
    worst = max(rulings, key=lambda ruling: order.index(ruling.verdict))
    required_by: tuple[StatementRef, ...] = ()
    if worst.verdict is Verdict.REQUIRE_APPROVAL:
        required_by = tuple(dict.fromkeys(ref for each in rulings for ref in each.required_by))
    return replace(worst, observed=observed, required_by=required_by)


@dataclass(frozen=True, slots=True)
class _Finding:
    """What came of one statement; `keys` are the unknown ones of a doubtful statement."""

    statement: Statement
    level: int
    keys: tuple[str, ...]

    @property
    def takes_effect(self) -> bool:
        """An Allow acts only when certain, any other unless it certainly does not match."""
        return self.level > (MAYBE if self.statement.effect == "Allow" else NO)


def _evaluate(
    statement: Statement,
    authorization: Authorization,
    principal: Principal,
    lookup: ContextLookup,
) -> _Finding:
    """Asks every part of a statement."""
    variables = lookup if statement.has_variables else None
    parts = [
        _action(statement, authorization.action),
        _resource(statement, authorization.resource, variables),
        _principal(statement, principal),
        *(_condition(each, lookup, variables) for each in statement.conditions),
    ]
    level = min(part for part, _ in parts)
    keys = [key for part, doubts in parts if part == level == MAYBE for key in doubts]
    return _Finding(statement, level, tuple(dict.fromkeys(keys)))


# --- action, resource, principal --------------------------------------------------------------


def _action(statement: Statement, action: str) -> tuple[int, Iterable[str]]:
    """The level of `Action` or `NotAction`."""
    level = max((_one_action(pattern, action) for pattern in statement.actions), default=NO)
    return YES - level if statement.is_not_action else level, ["action"]


def _one_action(pattern: str, action: str) -> int:
    """The level of one action pattern."""
    if pattern in {"*", "*:*"}:
        return YES
    if not re.match(r"[^:*?]*:", pattern) or ":" not in action:
        return NO
    (service, name), (called, called_name) = pattern.split(":", 1), action.split(":", 1)
    if service.lower() != called.lower():
        return NO
    return glob_level(read_signs(name.lower(), None)[0], called_name.lower())


def _resource(
    statement: Statement, resource: str, variables: ContextLookup | None
) -> tuple[int, Iterable[str]]:
    """The level of `Resource` or `NotResource`."""
    levels: list[int] = []
    doubts: list[str] = []
    for text in statement.resources:
        signs, missing = read_signs(text, variables)
        level = arn_level(signs, resource)
        if missing is not None:
            # Without a text for its variable a pattern is at most possible; in `NotResource`
            # even a pattern of another shape leaves the statement in doubt.
            level = MAYBE if statement.is_not_resource else min(MAYBE, level)
        levels.append(level)
        if level == MAYBE:
            doubts += [*(missing or ()), *arn_doubts(signs, resource)]
    level = max(levels, default=NO)
    return YES - level if statement.is_not_resource else level, doubts


def _principal(statement: Statement, principal: Principal) -> tuple[int, Iterable[str]]:
    """The level of `Principal` or `NotPrincipal`."""
    if statement.principals is None:
        return YES, ()
    levels = [_one_principal(pattern, principal) for pattern in statement.principals]
    doubts = [
        "account" if pattern.kind == "account" else "aws:PrincipalArn"
        for pattern, level in zip(statement.principals, levels, strict=True)
        if level == MAYBE
    ]
    level = max(levels, default=NO)
    return YES - level if statement.is_not_principal else level, doubts


def _one_principal(pattern: PrincipalPattern, principal: Principal) -> int:
    """The level of one entry."""
    if pattern.kind == "account":
        if principal.account_id is None:
            return MAYBE
        return YES if principal.account_id == pattern.value else NO
    if pattern.kind == "group":
        known = YES if pattern.value in principal.groups else NO
    else:
        signs, _ = read_signs(pattern.value, None)
        is_everybody = bool(signs) and set(signs) == {("*", "wild")}
        known = max((arn_level(signs, arn) for arn in principal.arns), default=NO)
        known = YES if is_everybody else known
    return known if principal.arns_complete else max(known, MAYBE)


def _condition(
    condition: Condition, lookup: ContextLookup, variables: ContextLookup | None
) -> tuple[int, Iterable[str]]:
    """The level of one condition, and the unknown keys that it reads."""
    level = condition_level(condition, lookup, variables)
    return level, condition_doubts(condition, lookup, variables)
