"""The calls of a runbook, wherever they stand: steps, loops, Python steps, metric checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dynaguard.runbooks.model import (
    CallTemplate,
    Check,
    Loop,
    MetricQuery,
    Origin,
    PythonStep,
    Reference,
    Runbook,
    Step,
)

START: Final = Reference(Origin.ANY, ("timestamp",), "timestamp")
"""Begin and end of a metric's window: known when the check runs."""


@dataclass(frozen=True, slots=True)
class StepCall:
    """A call and the step that makes it.

    Attributes:
        step: The step.
        template: The call.
        loop: The loop around the step, or None.
    """

    step: Step
    template: CallTemplate
    loop: Loop | None = None


def calls_of(runbook: Runbook) -> Iterator[StepCall]:
    """Every call that a run may make, in the order of the steps."""
    yield from _of_steps(runbook.steps, None)


def _of_steps(steps: tuple[Step, ...], loop: Loop | None) -> Iterator[StepCall]:
    """The calls of some steps."""
    for step in steps:
        action = step.action
        if isinstance(action, CallTemplate):
            yield StepCall(step, action, loop)
        elif isinstance(action, Loop):
            yield from _of_steps(action.steps, action)
        elif isinstance(action, PythonStep):
            yield from (StepCall(step, call, loop) for call in action.calls)
        elif isinstance(action, Check) and isinstance(action.subject, MetricQuery):
            yield StepCall(step, metric_call(action.subject), loop)


def metric_call(query: MetricQuery) -> CallTemplate:
    """The call that a metric check makes; `StartTime` and `EndTime` are filled when it runs.

    Source: CloudWatch API reference, GetMetricStatistics.
    """
    return CallTemplate(
        "cloudwatch",
        "GetMetricStatistics",
        {
            "Namespace": query.namespace,
            "MetricName": query.name,
            "Dimensions": [
                {"Name": name, "Value": value} for name, value in query.dimensions.items()
            ],
            "StartTime": START,
            "EndTime": START,
            "Period": query.window_s,
            "Statistics": [query.statistic],
        },
    )
