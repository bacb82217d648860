"""Everything that is known of a call that ended, as attributes; parts that recur are kept.

Who calls, in which job, for which table and by which statement comes back thousands of times: one
look-up finds all of it. What differs from call to call (ids, counts, times) is added.

INVARIANT: what is kept never leads to an `Authorization.member`, which holds item values.
"""

from __future__ import annotations

import operator
from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

from dynaguard.call import Call, Decision, Outcome, Principal, Status
from dynaguard.telemetry import names
from dynaguard.telemetry.attributes import (
    TELLING_REQUESTS,
    Attributes,
    decision_attributes,
    identity_attributes,
    masked_count,
    outcome_attributes,
    request_attributes,
    scope_attributes,
    target_attributes,
    target_key,
)

if TYPE_CHECKING:
    from dynaguard.call import MaskedValues
    from dynaguard.telemetry.handover import Counts
    from dynaguard.telemetry.series import Series

MAX_PARTS: Final = 1024
"""Most parts that are kept; then all are forgotten and the next are made anew."""


_PLAIN: Final = Outcome(Status.OK)
_OWN: Final = frozenset(
    {"http_status", "request_id", "attempts", "elapsed_s", "item_count", "masked", "scanned_count"}
)
_plain_fields = operator.itemgetter(
    *[index for index, name in enumerate(Outcome._fields) if name not in _OWN]
)
_PLAIN_FIELDS: Final = _plain_fields(_PLAIN)


class Part:
    """What recurs of a call: attributes of its span, and the series that it counts in.

    Attributes:
        attributes: Those of the span that recur, once a span asked for them; not to be changed.
        is_plain: Whether the outcome is nothing but plain, and is among them.
        decided: The series of its decision, once it was counted.
        masked: The series of masks, by all of `MaskedValues` but the count.
        counted: The masks of the last such call, None before there was one, and what it counted
            by these series. One value: threads that read two would mix up two calls.
        timed: The series of its duration, where it ended well, once it was measured.
        owners: Objects whose addresses are in the key under which it is kept.
    """

    __slots__ = (
        "attributes",
        "counted",
        "decided",
        "is_plain",
        "masked",
        "owners",
        "timed",
    )

    def __init__(self, *, is_plain: bool, owners: tuple[object, ...]) -> None:
        self.attributes: Attributes | None = None
        self.is_plain = is_plain
        self.decided: Series | None = None
        self.masked: dict[tuple[object, ...], Series] = {}
        self.counted: tuple[tuple[MaskedValues, ...] | None, Counts] = (None, ())
        self.timed: Series | None = None
        self.owners = owners


class Descriptions:
    """Describes the calls of one guard. Thread-safe: two threads may make one part twice."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: dict[Hashable, Part] = {}

    def of(
        self, call: Call, principal: Principal, decision: Decision | None, outcome: Outcome
    ) -> Attributes:
        """All attributes of a call that ended.

        Cost: one look-up and one copy for a call that went well; linear in its authorisations.
        """
        part = self.part(call, principal, decision, outcome)
        recurring = self.recurring(part, call, principal, decision, outcome)
        return recurring | self.own(part, call, outcome)

    def part(
        self, call: Call, principal: Principal, decision: Decision | None, outcome: Outcome
    ) -> Part:
        """What recurs of a call that ended."""
        is_plain = _plain_fields(outcome) == _PLAIN_FIELDS
        return self._part(call, principal, decision, outcome if is_plain else None)

    def recurring(
        self,
        part: Part,
        call: Call,
        principal: Principal,
        decision: Decision | None,
        outcome: Outcome,
    ) -> Attributes:
        """The attributes of a part that was found for a call that ended; not to be changed."""
        found = part.attributes
        if found is None:
            plain = outcome if part.is_plain else None
            found = part.attributes = _recurring(call, principal, decision, plain)
        return found

    def own(self, part: Part, call: Call, outcome: Outcome) -> Attributes:
        """The attributes that are the call's own; they go over those that recur."""
        own: Attributes = {names.CORRELATION_ID: call.correlation_id}
        if not part.is_plain:
            own.update(outcome_attributes(call, outcome))
        else:
            if outcome.request_id is not None:
                own[names.AWS_REQUEST_ID] = outcome.request_id
            if call.service == "dynamodb":  # written out, as it is on the path of every call
                if outcome.item_count is not None:
                    own[names.DB_RESPONSE_RETURNED_ROWS] = outcome.item_count
                if outcome.scanned_count is not None:
                    own[names.AWS_DYNAMODB_SCANNED_COUNT] = outcome.scanned_count
            if outcome.masked:
                own[names.MASKED_COUNT] = masked_count(outcome)
        if call.operation in TELLING_REQUESTS:
            own.update(request_attributes(call))
        return own

    def of_start(self, call: Call, principal: Principal, decision: Decision | None) -> Attributes:
        """All attributes of a call that was decided and has not ended."""
        part = self._part(call, principal, decision, None)
        if part.attributes is None:
            part.attributes = _recurring(call, principal, decision, None)
        return {
            **part.attributes,
            names.CORRELATION_ID: call.correlation_id,
            **request_attributes(call),
        }

    def _part(
        self,
        call: Call,
        principal: Principal,
        decision: Decision | None,
        outcome: Outcome | None,
    ) -> Part:
        """Scope, identity, target, decision and a plain outcome.

        Kept unless the decision has more to say than its verdict, statement and what let it.
        """
        if decision is None or decision.reason or decision.observed:
            return Part(is_plain=outcome is not None, owners=())
        target = target_key(call, decision)
        if target is None:
            return Part(is_plain=outcome is not None, owners=())
        scope, statement = call.scope, decision.statement
        key = (
            call.service,
            call.operation,
            call.endpoint_url,
            id(principal),
            id(statement),
            decision.verdict,
            decision.is_enforced,
            # What the scope says, not which it is: each request may have one of its own.
            scope.job,
            scope.run_id,
            scope.stage,
            scope.runbook,
            scope.priority,
            scope.task,
            tuple([each.name for each in scope.boundaries]) if scope.boundaries else None,
            decision.grants,
            decision.approval,
            outcome and (outcome.http_status, outcome.attempts),
            target,
        )
        part = self._parts.get(key)
        if part is None:
            if len(self._parts) >= MAX_PARTS:
                self._parts.clear()
            part = Part(is_plain=outcome is not None, owners=(principal, statement))
            self._parts[key] = part
        return part


def _recurring(
    call: Call, principal: Principal, decision: Decision | None, outcome: Outcome | None
) -> Attributes:
    """The same, made anew; of the outcome what is no call's own."""
    made: Attributes = {
        **scope_attributes(call),
        **identity_attributes(principal),
        **target_attributes(call, principal, decision),
        **decision_attributes(decision),
    }
    if outcome is not None:
        common = _PLAIN._replace(http_status=outcome.http_status, attempts=outcome.attempts)
        made |= outcome_attributes(call, common)
    return made
