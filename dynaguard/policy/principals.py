"""Whether a statement's `Principal` or `NotPrincipal` names the identity behind a call.

An identity that is only partly known is never taken for another one: an entry that does not
match may still have matched in truth, so its answer is not known (`None`).

Source: IAM User Guide, IAM JSON policy elements: Principal, NotPrincipal.
"""

from __future__ import annotations

from dynaguard.call import Principal
from dynaguard.policy.model import PrincipalPattern
from dynaguard.policy.patterns import parse_arn_pattern
from dynaguard.policy.truth import Truth, any_of, negated
from dynaguard.values import dataclass

PrincipalFacts = tuple[tuple[str, ...], frozenset[str], bool, str | None]
"""All that a policy asks of a principal: ARNs, groups, whether these are all, account."""


def facts_of(principal: Principal) -> PrincipalFacts:
    """What a policy asks of a principal, as a key for memos."""
    return principal.arns, principal.groups, principal.arns_complete, principal.account_id


def views_of(principal: Principal) -> tuple[Principal, ...]:
    """Whom a policy is asked about: while somebody acts, the signer alone, then who acts.

    A call has to be allowed for each. So `acting_as()` only ever narrows: whatever name and groups
    a program gives, it may do no more than its credentials may without.
    """
    return (principal,) if principal.signer is None else (principal.signer, principal)


@dataclass(frozen=True, slots=True)
class PrincipalClause:
    """The `Principal` or `NotPrincipal` of a statement."""

    patterns: tuple[PrincipalPattern, ...]
    is_negated: bool = False

    def truth(self, principal: Principal) -> Truth:
        """Whether the clause holds for an identity; None when that is not known."""
        named = any_of(_truth(pattern, principal) for pattern in self.patterns)
        return negated(named) if self.is_negated else named

    def doubts(self, principal: Principal) -> tuple[str, ...]:
        """Which facts would settle a clause that is not known: `aws:PrincipalArn`, `account`."""
        return tuple(
            dict.fromkeys(
                "account" if pattern.kind == "account" else "aws:PrincipalArn"
                for pattern in self.patterns
                if _truth(pattern, principal) is None
            )
        )


def _truth(pattern: PrincipalPattern, principal: Principal) -> Truth:
    """Whether one entry names an identity."""
    if pattern.kind == "account":
        known = principal.account_id
        return None if known is None else known == pattern.value
    if pattern.kind == "group":
        named: Truth = pattern.value in principal.groups
    else:
        named = _names_an_arn(pattern.value, principal)
    return named if named is not False or principal.arns_complete else None


def _names_an_arn(value: str, principal: Principal) -> Truth:
    """Whether an ARN pattern names one of the known ARNs; `*` names everybody."""
    pattern = parse_arn_pattern(value)
    return pattern.is_any or any_of(pattern.truth(arn) for arn in principal.arns)
