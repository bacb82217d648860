"""Who gets masks: `unless` and `only` of a `[[mask]]` entry against the calling identity.

INVARIANT: what is not known never shows a value. An `unless` needs a certain match to leave an
identity out; an `only` is left out by a certain mismatch alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from dynaguard.call import UNKNOWN_CHAR, UNKNOWN_RUN, Principal
from dynaguard.policy.model import MaskStatement, PrincipalPattern
from dynaguard.policy.patterns import arn_matches


def is_masked_for(statement: MaskStatement, principal: Principal) -> bool:
    """Whether the entry applies to an identity."""
    if statement.unless is not None and _match_any(statement.unless, principal) is True:
        return False
    return statement.only is None or _match_any(statement.only, principal) is not False


def _match_any(patterns: Iterable[PrincipalPattern], principal: Principal) -> bool | None:
    """Whether one of the patterns names the identity; None when that cannot be known."""
    answers = [_match(pattern, principal) for pattern in patterns]
    if True in answers:
        return True
    return None if None in answers else False


def _match(pattern: PrincipalPattern, principal: Principal) -> bool | None:
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
    return True if is_match else (False if _are_arns_known(principal) else None)


def _are_arns_known(principal: Principal) -> bool:
    """Whether every ARN of the identity is known, to the last character."""
    return principal.arns_complete and not any(
        UNKNOWN_CHAR in arn or UNKNOWN_RUN in arn for arn in principal.arns
    )
