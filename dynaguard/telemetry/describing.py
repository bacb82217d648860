"""Everything that is known of a call that ended, as attributes; parts that recur are kept.

Who calls, in which job, for which table and by which statement comes back thousands of times: one
look-up finds all of it. What differs from call to call (ids, counts, times) is added.

INVARIANT: what is kept never leads to an `Authorization.member`, which holds item values.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from dynaguard.call import Call, Decision, Outcome, Principal
from dynaguard.telemetry import names
from dynaguard.telemetry.attributes import (
    Attributes,
    decision_attributes,
    identity_attributes,
    outcome_attributes,
    request_attributes,
    scope_attributes,
    target_attributes,
)

MAX_PARTS: Final = 1024
"""Most parts that are kept; then all are forgotten and the next are made anew."""


class Descriptions:
    """Describes the calls of one guard. Thread-safe: two threads may make one part twice."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        # Each entry keeps the objects alive whose addresses are in its key.
        self._parts: dict[Hashable, tuple[Attributes, object, object]] = {}

    def of(
        self, call: Call, principal: Principal, decision: Decision | None, outcome: Outcome
    ) -> Attributes:
        """All attributes of a call that ended.

        Cost: one look-up and one merge; linear in the call's authorisations.
        """
        return {
            **self._recurring(call, principal, decision),
            names.CORRELATION_ID: call.correlation_id,  # in place of that of the first call
            **request_attributes(call),
            **outcome_attributes(call, outcome),
        }

    def _recurring(
        self, call: Call, principal: Principal, decision: Decision | None
    ) -> Attributes:
        """Scope, identity, target and decision; kept unless the decision has more to say."""
        if decision is None or decision.reason or decision.observed:
            return _recurring(call, principal, decision)
        scope, statement = call.scope, decision.statement
        key = (
            call.service,
            id(principal),
            id(statement),
            decision.verdict,
            decision.is_enforced,
            scope.job,
            scope.run_id,
            scope.stage,
            scope.runbook,
            scope.priority,
            tuple([(need.table_name, need.index_name) for need in decision.authorizations]),
        )
        entry = self._parts.get(key)
        if entry is None:
            if len(self._parts) >= MAX_PARTS:
                self._parts.clear()
            made = _recurring(call, principal, decision)
            entry = self._parts[key] = (made, principal, statement)
        return entry[0]


def _recurring(call: Call, principal: Principal, decision: Decision | None) -> Attributes:
    """The same, made anew."""
    return {
        **scope_attributes(call),
        **identity_attributes(principal),
        **target_attributes(call, principal, decision),
        **decision_attributes(decision),
    }
