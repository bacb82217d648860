"""The grants of a store as they were read at one moment, ready to be asked about a call.

Grants are found by whom they are for, once per identity: labels, groups and ARNs without wildcards
by a look-up, patterns one after the other. Those of one identity that are in force together make
one compiled policy, so that a call asks one policy however many grants there are.

Immutable but for memos and for what is known to be used up. Thread-safe without locks, as the
policy's own memos are: entries depend on the snapshot alone, two threads can only store the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from dynaguard.access.grants import Grant
from dynaguard.access.terms import GROUP_PREFIX, read_statements
from dynaguard.call import Authorization, Principal, Ruling, StatementRef, Verdict
from dynaguard.policy.decision import LookupFor
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.policy.model import PolicyDocument, Statement
from dynaguard.policy.patterns import parse_arn_pattern
from dynaguard.policy.principals import PrincipalFacts, facts_of

_MAX_REMEMBERED: Final = 256
"""Identities that a snapshot remembers, dropped whole when full; a process has one or two."""
_MAX_NAMED: Final = 8
"""Identities that one grant remembers."""
_ViewKey = tuple[PrincipalFacts, str, str | None, bool]


@dataclass(frozen=True, slots=True)
class LiveGrant:
    """A grant that was read.

    Attributes:
        grant: The grant.
        statements: Its statements; the `source` of each is its id.
        version: Version of its document.
    """

    grant: Grant
    statements: tuple[Statement, ...]
    version: int
    _named: dict[tuple[str, ...], bool] = field(default_factory=dict, compare=False, repr=False)

    def names_one(self, arns: tuple[str, ...]) -> bool:
        """Whether its pattern surely names one of an identity's ARNs.

        Remembered with the grant, which stays the same from snapshot to snapshot: reading a store
        of thousands again costs what changed.
        """
        found = self._named.get(arns)
        if found is None:
            pattern = parse_arn_pattern(self.grant.identity)
            found = any(pattern.truth(arn) for arn in arns)
            if len(self._named) >= _MAX_NAMED:
                self._named.clear()
            self._named[arns] = found
        return found


@dataclass(frozen=True, slots=True)
class View:
    """For whom grants are asked for: the identity that signs, or who acts with it.

    Attributes:
        signer: The identity that signs.
        acting_name: Who acts with it, or None.
        is_acting: Whether it is asked for who acts; the signer is asked for alone otherwise.
    """

    signer: Principal
    acting_name: str | None
    is_acting: bool

    @property
    def key(self) -> _ViewKey:
        """All that grants ask of it."""
        return facts_of(self.signer), self.signer.name, self.acting_name, self.is_acting

    def is_for(self, grant: Grant) -> bool:
        """Whether a grant for the identity is for this view of it.

        What the identity holds is not for who acts with it; what is for who acts is for the signer
        too meanwhile, or nobody could ever use it.
        """
        if grant.acting_as is None:
            return not self.is_acting
        return grant.acting_as == self.acting_name


class Snapshot:
    """Grants that were read together.

    Args:
        live: Those that were read, by id; revoked ones and those that are used up, too.
    """

    __slots__ = ("_by_name", "_memo", "_patterns", "_spent", "by_id")

    def __init__(self, live: Mapping[str, LiveGrant]) -> None:
        self.by_id = live
        self._by_name: dict[str, list[LiveGrant]] = {}
        self._patterns: list[LiveGrant] = []
        self._memo: dict[_ViewKey, _Held] = {}
        self._spent: set[str] = set()
        for each in live.values():
            grant = each.grant
            if grant.is_revoked or grant.is_used_up:
                continue
            if grant.identity.startswith("arn:") and (
                "*" in grant.identity or "?" in grant.identity
            ):
                self._patterns.append(each)
            else:
                self._by_name.setdefault(grant.identity, []).append(each)

    def rule(
        self,
        need: Authorization,
        view: View,
        who: Principal,
        lookup_for: LookupFor,
        span_s: tuple[float, float],
        *,
        is_emergency: bool,
    ) -> Ruling | None:
        """The ruling of a grant that allows one authorisation, or None.

        Args:
            need: What is needed.
            view: For whom grants are asked for.
            who: As whom the context of the call is read.
            lookup_for: Makes the context.
            span_s: Now, as `StrictClock.span_s` tells it.
            is_emergency: Whether break-glass grants alone count.

        Cost: one look-up for an identity that nothing is granted to; else up to four policies.
        """
        key = view.key
        held = self._memo.get(key)
        if held is None:
            held = _Held(sorted(self._grants_of(view), key=_end))
            if len(self._memo) >= _MAX_REMEMBERED:
                self._memo.clear()
            self._memo[key] = held
        if not held.grants:
            return None
        return held.in_force(span_s, self._spent).rule(
            need, who, lookup_for, is_emergency=is_emergency
        )

    def held_by(self, view: View) -> list[Grant]:
        """The grants that surely are for somebody, what ends first first; some may be over."""
        return [each.grant for each in sorted(self._grants_of(view), key=_end)]

    def spend(self, id: str) -> None:
        """Takes in that nothing is left of a grant."""
        self._spent.add(id)
        self._memo.clear()

    def _grants_of(self, view: View) -> Iterator[LiveGrant]:
        """The grants that surely are for somebody, each once."""
        signer = view.signer
        names = {*signer.arns, *(f"{GROUP_PREFIX}{name}" for name in signer.groups)}
        if not signer.name.startswith((GROUP_PREFIX, "arn:")):
            names.add(signer.name)  # a label that looks like a group is not one's membership
        for name in names:
            yield from (each for each in self._by_name.get(name, ()) if view.is_for(each.grant))
        for each in self._patterns:
            if view.is_for(each.grant) and each.names_one(signer.arns):
                yield each


def snapshot_of(grants: Iterable[Grant]) -> Snapshot:
    """A snapshot of grants that somebody else has read: for explanations and reports.

    Raises:
        PolicySyntaxError: One of them is no grant that could have been made.
    """
    return Snapshot(
        {
            grant.id: LiveGrant(
                grant,
                read_statements(grant.terms, source=grant.id, max_duration_s=math.inf),
                1,
            )
            for grant in grants
        }
    )


def _end(live: LiveGrant) -> tuple[float, str]:
    """Orders grants so that what ends first is used first."""
    return live.grant.expires_epoch_s, live.grant.id


class _Held:
    """What one identity was granted; what of it is in force changes with time alone."""

    __slots__ = ("_now", "grants")

    def __init__(self, grants: list[LiveGrant]) -> None:
        self.grants = grants
        self._now: _InForce | None = None

    def in_force(self, span_s: tuple[float, float], spent: set[str]) -> _InForce:
        """The grants in force; compiled anew when one begins or ends."""
        now = self._now
        if now is None or not now.holds_at(span_s):
            self._now = now = _InForce(self.grants, span_s, spent)
        return now


class _InForce:
    """Grants that are in force together, and how long this stays so.

    Args:
        grants: What the identity was granted, in the order in which it is to be used.
        span_s: Now, as `StrictClock.span_s` tells it.
        spent: Ids of grants of which nothing is left.
    """

    __slots__ = ("_begun_s", "_next_begin_s", "_next_end_s", "_policies", "_ruling_by_id")

    def __init__(
        self, grants: list[LiveGrant], span_s: tuple[float, float], spent: set[str]
    ) -> None:
        end_s, beginning_s = span_s
        left = [each for each in grants if end_s < each.grant.expires_epoch_s]
        begun = [each for each in left if each.grant.not_before_epoch_s <= beginning_s]
        self._begun_s = max((each.grant.not_before_epoch_s for each in begun), default=-math.inf)
        self._next_begin_s = min(
            (
                each.grant.not_before_epoch_s
                for each in left
                if each.grant.not_before_epoch_s > beginning_s
            ),
            default=math.inf,
        )
        self._next_end_s = min((each.grant.expires_epoch_s for each in begun), default=math.inf)
        usable = [each for each in begun if each.grant.id not in spent]
        self._policies = tuple(_policies(usable))
        self._ruling_by_id = {each.grant.id: _ruling_of(each.grant) for each in usable}

    def holds_at(self, span_s: tuple[float, float]) -> bool:
        """Whether the same grants are in force at another moment."""
        end_s, beginning_s = span_s
        return end_s < self._next_end_s and self._begun_s <= beginning_s < self._next_begin_s

    def rule(
        self, need: Authorization, who: Principal, lookup_for: LookupFor, *, is_emergency: bool
    ) -> Ruling | None:
        """The ruling of the first grant that allows an authorisation for certain."""
        for is_break_glass, policy in self._policies:
            if is_emergency and not is_break_glass:
                continue
            ruling = policy.rule(need, who, lookup_for(need, who))
            if ruling.verdict is Verdict.ALLOW and ruling.statement is not None:
                return self._ruling_by_id[ruling.statement.source]
        return None


def _policies(grants: Iterable[LiveGrant]) -> Iterator[tuple[bool, CompiledPolicy]]:
    """The policies to ask, one after the other, and whether each is of break-glass grants.

    What costs least is used first: a grant without a count before a counted one, and break-glass
    only where nothing else will do.
    """
    by_rank: dict[tuple[bool, bool], list[Statement]] = {}
    for each in grants:
        rank = each.grant.is_break_glass, each.grant.uses is not None
        by_rank.setdefault(rank, []).extend(each.statements)
    for rank in sorted(by_rank):
        document = PolicyDocument(default="deny", govern=None, statements=tuple(by_rank[rank]))
        yield rank[0], CompiledPolicy(document)


def _ruling_of(grant: Grant) -> Ruling:
    """What a decision says that rests on a grant."""
    return Ruling(Verdict.ALLOW, StatementRef(grant.id, "grant"), grant=grant.ref)
