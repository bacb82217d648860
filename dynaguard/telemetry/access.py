"""Metrics of access just in time: grants, approvals, break-glass, boundaries, and their changes.

Attributes are bounded as those of every metric here are; ids of grants and tickets, of which there
is no end, stand on spans and in records only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from dynaguard.boundary import BoundaryKind
from dynaguard.call import Call, Decision, Principal, Verdict
from dynaguard.telemetry import names
from dynaguard.telemetry.attributes import Attributes, add
from dynaguard.telemetry.measures import call_measure
from dynaguard.telemetry.series import Counted, Recorded

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

    from dynaguard.access_change import AccessChange

_KINDS: Final = frozenset(get_args(BoundaryKind))


class AccessMetrics:
    """Counters and a histogram of one guard. Thread-safe.

    Args:
        meter: Makes the instruments.
    """

    __slots__ = ("_approvals", "_break_glass", "_changes", "_grants", "_refusals", "_waits")

    def __init__(self, meter: Meter) -> None:
        self._grants = Counted(
            meter.create_counter(names.GRANT_USES_METRIC, "{call}", "Calls that a grant let.")
        )
        self._break_glass = Counted(
            meter.create_counter(
                names.BREAK_GLASS_METRIC, "{call}", "Calls that a break-glass grant let."
            )
        )
        self._approvals = Counted(
            meter.create_counter(
                names.APPROVAL_USES_METRIC, "{call}", "Calls that an approval let."
            )
        )
        self._refusals = Counted(
            meter.create_counter(
                names.BOUNDARY_REFUSED_METRIC, "{call}", "Calls that a boundary refused."
            )
        )
        self._waits = Recorded(
            meter.create_histogram(
                names.APPROVAL_WAIT_METRIC, "s", "Waits of calls for an approval."
            )
        )
        self._changes = Counted(
            meter.create_counter(
                names.ACCESS_CHANGES_METRIC, "{change}", "Changes of grants, tickets, tasks, runs."
            )
        )

    def count(self, call: Call, principal: Principal, decision: Decision) -> None:
        """Adds a call that a grant or approval let, or a boundary refused. May raise.

        Cost: three comparisons for every other call.
        """
        if decision.grants:
            measure = _who(call, principal, decision)
            self._grants.add(1, measure)
            if any(grant.is_break_glass for grant in decision.grants):
                self._break_glass.add(1, measure)
        if decision.approval is not None:
            self._approvals.add(1, _who(call, principal, decision))
        if call.scope.boundaries and decision.verdict is Verdict.DENY:
            self._count_refusal(call, decision)

    def _count_refusal(self, call: Call, decision: Decision) -> None:
        """Adds a refused call, if it was a boundary that refused it."""
        statement = decision.statement
        if statement is not None and statement.source in _KINDS:
            refused: Attributes = {
                names.BOUNDARY_KIND: statement.source,
                names.BOUNDARY_NAME: statement.sid,
            }
            self._refusals.add(1, call_measure(call, decision) | refused)

    def count_change(self, change: AccessChange) -> None:
        """Adds a change. May raise."""
        measure: Attributes = {
            names.ACCESS_CHANGE: change.kind,
            names.BREAK_GLASS: change.is_break_glass,
        }
        add(measure, names.ACCESS_CHANNEL, change.channel)
        add(measure, names.RUNBOOK, change.runbook)
        self._changes.add(1, measure)

    def record_wait(self, wait_s: float, state: str) -> None:
        """Adds the wait of a call for an approval, and what came of it. May raise."""
        self._waits.record(wait_s, {names.APPROVAL_STATE: state})


def _who(call: Call, principal: Principal, decision: Decision) -> Attributes:
    """What uses are split by: the call, and who made it."""
    return call_measure(call, decision) | {names.IDENTITY_NAME: principal.name}
