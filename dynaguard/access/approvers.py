"""Whether those who decided are still in the groups that a policy asks for, where it is enforced.

A decision keeps the groups that its person was in by the policy of the machine where it was made.
That may be an older policy, or one that the person wrote. So who enforces an approval asks its own
policy, by the ARN that decided: a group that surely does not hold that ARN here does not count.
What an ARN cannot tell, the claims of somebody's token, is left as it was decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from dynaguard.access.persons import Person
from dynaguard.access.tickets import Ticket, TicketDecision
from dynaguard.identity.arns import NamedIdentity, read_identity_arn
from dynaguard.policy.members import OIDC, is_claim, read_claim
from dynaguard.policy.patterns import arn_may_match, text_matches

_EVERYBODY: Final = "*"


class Approvers:
    """The groups of the policy in force, asked about people who decided. Immutable.

    Args:
        members_by_group: `[groups]` of a checked document.
    """

    __slots__ = ("_members_by_group",)

    def __init__(self, members_by_group: Mapping[str, tuple[str, ...]]) -> None:
        self._members_by_group = members_by_group

    def would_approve(self, ticket: Ticket) -> bool:
        """Whether the decisions of an approved ticket are an approval by this policy too."""
        here = tuple(self._seen_here(each) for each in ticket.decisions)
        return replace(ticket, decisions=here).approved_epoch_s is not None

    def _seen_here(self, decision: TicketDecision) -> TicketDecision:
        """A decision with those of its groups that this policy may put its person into."""
        identity = _identity_of(decision.person)
        groups = tuple(each for each in decision.groups if self._may_hold(each, identity))
        return replace(decision, groups=groups)

    def _may_hold(self, group: str, identity: NamedIdentity | None) -> bool:
        """Whether somebody may be in a group."""
        members = self._members_by_group.get(group, ())
        return any(_may_mean(each, identity) for each in members)


def _may_mean(member: str, identity: NamedIdentity | None) -> bool:
    """Whether a member of a group may mean an identity."""
    if member == _EVERYBODY or member.startswith(OIDC):
        return True
    if identity is None:
        return False
    if not is_claim(member):
        return any(arn_may_match(member, arn) for arn in identity.arns)
    claim = read_claim(member)
    if claim is None or identity.permission_set is None:
        return False
    value = {
        "sso:role": identity.permission_set,
        "sso:account": identity.account_id,
        "sso:person": identity.session_name,
    }[claim.claim]
    return value is None or text_matches(claim.pattern, value)


def _identity_of(person: Person) -> NamedIdentity | None:
    """What a person's ARN tells; None where there is none, or it is no identity's."""
    arn = person.session_arn
    return None if arn is None else read_identity_arn(arn)
