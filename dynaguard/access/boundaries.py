"""What boundaries say of one call: a task's calls have to be among those that it may make.

A boundary without statements (an agent's) asks the time alone; what it limits in items, pages and
capacity units is counted elsewhere. One of a runbook names its calls twice: as IAM statements, the
same that its session policy has, and as templates, down to each parameter.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from dynaguard.access.lives import has_ended
from dynaguard.call import Authorization, Call, Decision, Principal, StatementRef, Verdict
from dynaguard.errors import PolicySyntaxError
from dynaguard.policy.matcher import CompiledPolicy

if TYPE_CHECKING:
    from dynaguard.access.clock import StrictClock
    from dynaguard.access.templates import Templates
    from dynaguard.boundary import Boundary
    from dynaguard.policy.decision import LookupFor

_MAX_COMPILED: Final = 256
"""Boundaries that are kept compiled, dropped whole when full; mostly there are one or two."""
_ValueT = TypeVar("_ValueT")


class Boundaries:
    """Reads boundaries and holds calls against them. Thread-safe.

    Args:
        clock: Tells when they end.
    """

    __slots__ = ("_policies", "_templates", "clock")

    def __init__(self, clock: StrictClock) -> None:
        self.clock = clock
        self._policies: dict[str, CompiledPolicy] = {}
        self._templates: dict[str, Templates] = {}

    def refusal(
        self, call: Call, principal: Principal, decision: Decision, lookup_for: LookupFor
    ) -> Decision | None:
        """The decision instead of one that allows, where a boundary of the scope does not.

        Args:
            call: The call.
            principal: Who makes it.
            decision: What the policy says.
            lookup_for: Makes the context of one authorisation.

        Cost: for each boundary, two look-ups per authorisation once it is compiled, its
        conditions, and one walk over the parameters.
        """
        for boundary in call.scope.boundaries:
            found = self._refusal(boundary, call, principal, decision, lookup_for)
            if found is not None:
                return found
        return None

    def allows(
        self,
        boundary: Boundary,
        authorization: Authorization,
        principal: Principal,
        lookup_for: LookupFor,
    ) -> bool:
        """Whether the statements of a boundary allow one authorisation, for certain.

        A boundary without statements allows nothing by itself.
        """
        if boundary.statements is None:
            return False
        try:
            policy = self._policy(boundary.statements)
        except (PolicySyntaxError, ValueError):
            return False  # what cannot be read allows nothing, whatever `on_error` says
        lookup = lookup_for(authorization, principal)
        ruling = policy.rule(authorization, principal, lookup)
        return ruling.verdict is Verdict.ALLOW and authorization.problem is None

    def is_over(self, boundary: Boundary) -> bool:
        """Whether a boundary's time has come, or its task was ended."""
        end_s = boundary.expires_epoch_s
        if has_ended(boundary.task):
            return True
        return end_s is not None and self.clock.for_end_s() >= end_s

    def _refusal(
        self,
        boundary: Boundary,
        call: Call,
        principal: Principal,
        decision: Decision,
        lookup_for: LookupFor,
    ) -> Decision | None:
        """The refusal of one boundary, or None."""
        needs = decision.authorizations
        if self.is_over(boundary):
            ended = datetime.fromtimestamp(boundary.expires_epoch_s or 0, UTC)
            reason = f"it ended at {ended:%Y-%m-%dT%H:%M:%SZ}"
            if has_ended(boundary.task):
                reason = "it has ended"
            return _refused(boundary, decision, needs[:1], reason, "start it again")
        if call.is_presign and boundary.expires_epoch_s is not None:
            reason = "a presigned URL could be used after its end"
            return _refused(boundary, decision, needs[:1], reason, "make the call itself")
        if boundary.statements is not None:
            for need in needs or _without_permission(boundary, call):
                if not self.allows(boundary, need, principal, lookup_for):
                    return _outside(boundary, decision, (need,), call.operation)
        if boundary.templates is not None:
            mismatch = self._mismatch(boundary.templates, call)
            if mismatch is not None:
                return _refused(boundary, decision, needs[:1], mismatch)
        return None

    def _policy(self, text: str) -> CompiledPolicy:
        """The statements, compiled when they are first asked."""
        return _made(self._policies, text, _compile)

    def _mismatch(self, text: str, call: Call) -> str | None:
        """Why no template allows the call; templates that cannot be read allow none."""
        try:
            return self._templates_of(text).mismatch(call)
        except (ValueError, KeyError, TypeError, AttributeError):
            return "its templates cannot be read"

    def _templates_of(self, text: str) -> Templates:
        """The templates, read when they are first asked."""
        from dynaguard.access.templates import Templates  # only runs of runbooks need it

        return _made(self._templates, text, Templates)


def _made(kept: dict[str, _ValueT], text: str, make: Callable[[str], _ValueT]) -> _ValueT:
    """What a text says; equal texts are read once, and twice where two threads are first."""
    found = kept.get(text)
    if found is None:
        found = make(text)
        if len(kept) >= _MAX_COMPILED:
            kept.clear()
        kept[text] = found
    return found


def _compile(text: str) -> CompiledPolicy:
    """IAM statements as a policy of their own: default deny, every service governed."""
    source = {"Version": "2012-10-17", "Statement": json.loads(text)}
    from dynaguard.policy.loading import load_policy  # few processes draw boundaries

    return CompiledPolicy(load_policy(source, environ={}))


def _without_permission(boundary: Boundary, call: Call) -> tuple[Authorization, ...]:
    """What statements are asked of a call that IAM asks no permission for.

    Such a call is refused unless it is named, as any other: `GetSessionToken` is one. Templates
    name calls themselves; statements alone name them as an action on `*`.
    """
    if boundary.templates is not None:
        return ()
    return (Authorization(f"{call.service_prefix}:{call.operation}", "*"),)


def _outside(
    boundary: Boundary, decision: Decision, offending: tuple[Authorization, ...], operation: str
) -> Decision:
    """The refusal of a call that the statements of a boundary do not allow."""
    if boundary.kind == "runbook":
        reason = f"no step of it needs `{operation}` like this"
        return _refused(boundary, decision, offending, reason)
    reason = f"its statements do not allow `{operation}` like this"
    how_to_allow = "make the call outside of it, or have its statements name it"
    return _refused(boundary, decision, offending, reason, how_to_allow)


def _refused(
    boundary: Boundary,
    decision: Decision,
    offending: tuple[Authorization, ...],
    reason: str,
    how_to_allow: str = "make the call outside of it, or add a step",
) -> Decision:
    """The decision of a boundary: nothing that a statement says changes it."""
    what = f"{boundary.kind} `{boundary.name}`"
    return decision._replace(
        verdict=Verdict.DENY,
        offending=offending[0] if offending else None,
        statement=StatementRef(boundary.name, boundary.kind),
        reason=f"outside of the {what} (task `{boundary.task}`): {reason}",
        how_to_allow=how_to_allow,
    )
