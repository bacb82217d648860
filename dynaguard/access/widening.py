"""Grants at work on one call: what they allow, the uses that it takes, what a refusal says.

Part of `Access`; loaded where a store is set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from dynaguard.access.book import Book
from dynaguard.access.changes import AccessChange, note_change
from dynaguard.access.claiming import claim_use
from dynaguard.access.snapshot import Snapshot, View
from dynaguard.access.terms import NOBODY
from dynaguard.call import Authorization, Call, Decision, GrantRef, Principal, Ruling, Verdict
from dynaguard.errors import AccessStoreError
from dynaguard.policy.advice import as_pattern, one_line

if TYPE_CHECKING:
    from dynaguard.policy.decision import LookupFor

_HELPED: Final = frozenset({Verdict.IMPLICIT_DENY, Verdict.REQUIRE_APPROVAL})


class Claimed(NamedTuple):
    """What came of taking the uses that a decision needs.

    Attributes:
        decision: The decision to go on with; None: a grant is used up, decide again.
        ids: Grants of which the call has a use by now.
    """

    decision: Decision | None
    ids: frozenset[str]


class Grants:
    """The grants of a store, as calls meet them. Thread-safe.

    Args:
        book: What is known of them.
        is_enforcing: Whether refusals are raised; otherwise calls use nothing up.
    """

    __slots__ = ("_is_enforcing", "_told", "book")

    def __init__(self, book: Book, *, is_enforcing: bool) -> None:
        self.book = book
        self._is_enforcing = is_enforcing
        self._told: set[str] = set()

    def rule(
        self,
        call: Call,
        need: Authorization,
        who: Principal,
        ruling: Ruling,
        lookup_for: LookupFor,
    ) -> Ruling | None:
        """The ruling of a grant instead of one that refuses, or None.

        A presigned URL outlives every count and end, so no grant allows to make one.
        """
        if ruling.verdict not in _HELPED or call.is_presign:
            return None
        snapshot = self.book.current()
        if snapshot is None or not snapshot.by_id:
            return None
        span_s = self.book.clock.span_s()
        return rule_by(snapshot, call, need, who, ruling, lookup_for, span_s)

    def learns_more(self, decision: Decision) -> bool:
        """Whether grants changed just now, so that a refused call is worth deciding again.

        Effects: may wait for the store, see `Book.at_once`.
        """
        return decision.verdict in _HELPED and self.book.at_once()

    def claimed(self, decision: Decision, held: frozenset[str], principal: Principal) -> Claimed:
        """Takes the uses that an allowed call needs, before it leaves.

        Args:
            decision: A decision that allows it.
            held: Grants of which it has a use already.
            principal: Who makes the call.

        Effects: changes the store, once for each counted grant; tells of break-glass.
        """
        if not self._is_enforcing:
            return Claimed(decision, held)
        for ref in decision.grants:
            if ref.id in held or not self._is_counted(ref):
                continue
            try:
                if not self._claim(ref, principal):
                    return Claimed(None, held)
            except AccessStoreError as err:
                return Claimed(_unclaimed(decision, ref, err), held)
            held |= {ref.id}
        for ref in decision.grants:
            if ref.is_break_glass and ref.id not in self._told:
                self._tell(ref, principal)
        return Claimed(decision, held)

    def is_still_granted(self, decision: Decision) -> bool:
        """Whether the grants behind a decision, one at least, still hold: for further attempts.

        A use that the call took stays its own, even if it was the last.
        """
        snapshot, now_s = self.book.current(), self.book.clock.for_end_s()
        if snapshot is None:
            return False
        for ref in decision.grants:
            live = snapshot.by_id.get(ref.id)
            if live is None or live.grant.is_revoked or now_s >= live.grant.expires_epoch_s:
                return False
        return True

    def told(self, call: Call, decision: Decision, principal: Principal) -> Decision:
        """A refusal that says how to ask for a grant, or why none counts."""
        need = decision.offending
        if decision.verdict is not Verdict.IMPLICIT_DENY or need is None or need.problem:
            return decision
        if call.is_presign:
            return decision  # no grant would help
        reason = decision.reason
        if self.book.failure is not None:
            reason += f"; whether a grant does is not known: {self.book.failure}"
        advice = f"{decision.how_to_allow}, or ask for a grant: `{_command(need, principal)}`"
        return decision._replace(reason=one_line(reason), how_to_allow=one_line(advice))

    def _is_counted(self, ref: GrantRef) -> bool:
        """Whether a grant is good for a number of calls."""
        snapshot = self.book.current()
        live = None if snapshot is None else snapshot.by_id.get(ref.id)
        return live is None or live.grant.uses is not None

    def _claim(self, ref: GrantRef, principal: Principal) -> bool:
        """Takes one use; False, and the grant is not asked again, where none is left."""
        book = self.book
        is_taken = claim_use(
            book.store,
            ref.id,
            book.clock,
            max_duration_s=book.max_duration_s,
            by=principal.name,
        )
        if not is_taken:
            book.spend(ref.id)
        return is_taken

    def _tell(self, ref: GrantRef, principal: Principal) -> None:
        """Tells once per process that a break-glass grant is in use."""
        self._told.add(ref.id)
        note_change(
            AccessChange(
                "break-glass used",
                ref.id,
                principal.name,
                reason=ref.reason,
                expires_epoch_s=ref.expires_epoch_s,
                is_break_glass=True,
            )
        )


def rule_by(
    snapshot: Snapshot,
    call: Call,
    need: Authorization,
    who: Principal,
    ruling: Ruling,
    lookup_for: LookupFor,
    span_s: tuple[float, float],
) -> Ruling | None:
    """The ruling of one of some grants instead of one that refuses, or None.

    What requires an approval is allowed by break-glass alone.

    Args:
        snapshot: The grants.
        call: The call.
        need: One authorisation that it needs.
        who: As whom: who signs, or who acts.
        ruling: What statements say: an implicit deny, or that an approval is required.
        lookup_for: Makes the context.
        span_s: Now, as `StrictClock.span_s` tells it.
    """
    signer = who.signer
    view = View(signer or who, call.scope.acting_name, signer is not None)
    is_emergency = ruling.verdict is Verdict.REQUIRE_APPROVAL
    return snapshot.rule(need, view, who, lookup_for, span_s, is_emergency=is_emergency)


def _command(need: Authorization, principal: Principal) -> str:
    """What would make the smallest grant for a call, once somebody has said why."""
    import shlex  # for refusals alone

    signer = principal.signer or principal
    words = {
        "--action": as_pattern(need.action),
        "--resource": as_pattern(need.resource),
        "--identity": _identity(signer),
        "--acting-as": principal.acting_name,
    }
    options = [f"{name} {shlex.quote(word)}" for name, word in words.items() if word]
    return f"dynaguard grants create {' '.join(options)} --expires 15m --reason ..."


def _identity(signer: Principal) -> str:
    """How a grant would name somebody; left to who asks where nothing is known to name."""
    if signer.arn:
        return as_pattern(signer.arn)
    return "..." if signer.name in NOBODY else signer.name


def _unclaimed(decision: Decision, ref: GrantRef, err: AccessStoreError) -> Decision:
    """The refusal of a call whose use could not be taken."""
    needs = decision.authorizations
    return decision._replace(
        verdict=Verdict.IMPLICIT_DENY,
        offending=needs[0] if needs else None,
        reason=one_line(f"grant `{ref.id}` is counted and no use of it could be taken: {err}"),
        how_to_allow="make the call again when the store can be reached",
        grants=(),
    )
