"""Who gets masks: `unless`, `only` and `unseal` of a `[[mask]]` entry against the caller.

INVARIANT: what is not known never shows a value. An `unless` needs a certain match to leave an
identity out; an `only` is left out by a certain mismatch alone. `acting_as()` never shows one
either: who acts sees no more than the signer would without.
"""

from __future__ import annotations

from dynaguard.call import Principal
from dynaguard.policy.model import MaskStatement, PrincipalPattern
from dynaguard.policy.patterns import arn_matches, has_marks
from dynaguard.policy.principals import views_of
from dynaguard.policy.truth import Truth, any_of


def is_masked_for(statement: MaskStatement, principal: Principal) -> bool:
    """Whether the entry applies to an identity; while somebody acts, to the signer or to them."""
    return any(_is_masked_alone(statement, each) for each in views_of(principal))


def is_trusted_by(statement: MaskStatement, principal: Principal) -> bool:
    """Whether the entry gives the values of its tokens back to an identity; for certain only."""
    return all(
        any(_match(pattern, each) is True for pattern in statement.unseal or ())
        for each in views_of(principal)
    )


def _is_masked_alone(statement: MaskStatement, principal: Principal) -> bool:
    """Whether the entry applies to one identity."""
    unless, only = (
        None if patterns is None else any_of(_match(pattern, principal) for pattern in patterns)
        for patterns in (statement.unless, statement.only)
    )
    return unless is not True and only is not False


def _match(pattern: PrincipalPattern, principal: Principal) -> Truth:
    """Whether a pattern names the identity; None when that cannot be known."""
    if pattern.kind == "account":
        known = principal.account_id
        return None if known is None else known == pattern.value
    if pattern.kind == "group":
        is_match = pattern.value in principal.groups
    else:
        is_match = pattern.value == "*" or any(
            arn_matches(pattern.value, arn) for arn in principal.arns
        )
    if is_match:
        return True
    return False if _are_arns_known(principal) else None


def _are_arns_known(principal: Principal) -> bool:
    """Whether every ARN of the identity is known, to the last character."""
    return principal.arns_complete and not any(map(has_marks, principal.arns))
