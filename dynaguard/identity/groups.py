"""Which groups of a document an identity belongs to, and who answers for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dynaguard.call import Principal
from dynaguard.identity.claims import Claims
from dynaguard.policy.members import ClaimMember, is_claim, read_claim
from dynaguard.policy.model import PrincipalPattern
from dynaguard.policy.patterns import arn_matches, arn_may_match, text_matches
from dynaguard.policy.principals import PrincipalClause
from dynaguard.policy.truth import Truth, any_of

_EVERYBODY: Final = "*"


class Groups:
    """The groups of a document, their members sorted into ARN patterns and claims once.

    Args:
        members_by_group: `[groups]` of a checked document.
    """

    __slots__ = ("_members",)

    def __init__(self, members_by_group: Mapping[str, tuple[str, ...]]) -> None:
        self._members: dict[str, tuple[tuple[str, ...], tuple[ClaimMember, ...]]] = {}
        for group, members in members_by_group.items():
            globs = tuple(member for member in members if not is_claim(member))
            claims = [read_claim(member) for member in members if is_claim(member)]
            self._members[group] = (globs, tuple(claim for claim in claims if claim))

    def of(self, arns: tuple[str, ...], claims: Claims) -> tuple[frozenset[str], bool]:
        """The groups that an identity surely belongs to, and whether it may belong to another."""
        member_of = []
        is_in_doubt = False
        for group, (globs, wanted) in self._members.items():
            truth = any_of([_names_one(globs, arns), *(_has(each, claims) for each in wanted)])
            if truth:
                member_of.append(group)
            is_in_doubt |= truth is None
        return frozenset(member_of), is_in_doubt


class Owners:
    """Who answers for which identities.

    Args:
        identities_by_owner: `[owners]` of a checked document, in its order.
        fallback: Who answers for everybody else, from the settings; or None.
    """

    __slots__ = ("_clause_by_owner", "_fallback")

    def __init__(
        self,
        identities_by_owner: Mapping[str, tuple[PrincipalPattern, ...]],
        fallback: str | None,
    ) -> None:
        self._clause_by_owner = {
            owner: PrincipalClause(patterns) for owner, patterns in identities_by_owner.items()
        }
        self._fallback = fallback

    def of(self, principal: Principal) -> str | None:
        """The first owner whose entry surely names the identity, else the fallback."""
        for owner, clause in self._clause_by_owner.items():
            if clause.truth(principal):
                return owner
        return self._fallback


def _names_one(globs: tuple[str, ...], arns: tuple[str, ...]) -> Truth:
    """Whether one of the patterns names one of the ARNs; None where it may."""
    if any(glob == _EVERYBODY or any(arn_matches(glob, arn) for arn in arns) for glob in globs):
        return True
    return None if any(arn_may_match(glob, arn) for glob in globs for arn in arns) else False


def _has(wanted: ClaimMember, claims: Claims) -> Truth:
    """Whether a claim has such a value; None where its values are not known."""
    values = claims.of(wanted.claim)
    if values is None:
        return None
    return any(text_matches(wanted.pattern, value) for value in values)
