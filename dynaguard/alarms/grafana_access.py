"""What the Grafana dashboard shows of grants, approvals, boundaries, tasks and runs."""

from __future__ import annotations

from typing import Final

from dynaguard.alarms.grafana_values import Panel, Row, Target, quantiles, rates
from dynaguard.alarms.prometheus import TABLE, counter, matchers, summed_increase
from dynaguard.telemetry import names

_WHO: Final = names.IDENTITY_NAME
_OF_BOTH: Final = matchers(_WHO, TABLE)

ACCESS_ROW: Final = Row(
    "Grants, approvals, tasks",
    (
        Panel(
            "Break-glass uses",
            "Calls per second that a break-glass grant let: each of them is to be looked at.",
            rates(names.BREAK_GLASS_METRIC, _OF_BOTH, _WHO, TABLE),
            "reqps",
        ),
        Panel(
            "Calls by grants and approvals",
            "Calls per second that nothing else let.",
            (
                *rates(names.GRANT_USES_METRIC, _OF_BOTH, _WHO, TABLE),
                *rates(names.APPROVAL_USES_METRIC, _OF_BOTH, _WHO, TABLE),
            ),
            "reqps",
        ),
        Panel(
            "Waits for an approval",
            "How long calls waited, and what came of it.",
            quantiles(names.APPROVAL_WAIT_METRIC, matchers(), names.APPROVAL_STATE),
            "s",
        ),
        Panel(
            "Calls refused by boundaries",
            "Per second: a runbook's run or a task wanted more than it may.",
            rates(
                names.BOUNDARY_REFUSED_METRIC,
                matchers(TABLE),
                names.BOUNDARY_KIND,
                names.BOUNDARY_NAME,
            ),
            "reqps",
        ),
        Panel(
            "Grants, tickets, tasks and runs",
            "Over the whole time range: made, revoked, opened, decided, begun, ended.",
            (
                Target(
                    "",
                    summed_increase(
                        counter(names.ACCESS_CHANGES_METRIC),
                        matchers(),
                        names.ACCESS_CHANGE,
                        names.ACCESS_CHANNEL,
                        names.BREAK_GLASS,
                        names.RUNBOOK,
                    ),
                ),
            ),
            view="table",
            width=24,
        ),
    ),
)
