"""What a run would do, without doing it: its steps, calls and bounds. Sends nothing.

Equal runbooks, parameters and places give equal plans, down to the byte: recovery is a sequence
that is known before it is needed.

INVARIANT: values of parameters are shown by their type and length alone; those of an enum, which
are the runbook's own words, as they are.
Source: requirement line S1.27.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dynaguard.runbooks.answers import tables_in
from dynaguard.runbooks.calling import Request
from dynaguard.runbooks.calls import metric_call
from dynaguard.runbooks.model import (
    ApprovalStep,
    CallTemplate,
    Check,
    Loop,
    MetricQuery,
    Origin,
    ParameterType,
    Pause,
    PythonStep,
    Reference,
    Step,
)
from dynaguard.runbooks.secrets import Secret

if TYPE_CHECKING:
    from dynaguard.policy.model import ApprovalTerms
    from dynaguard.runbooks.bound import BoundRunbook


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of a plan.

    Attributes:
        name: Its name; within a loop `loop/step`.
        does: What it does, in one line.
        operation: Such as `dynamodb:Query`; None for steps that call nothing.
        params: Parameters of its call; places that are filled later by where from.
        tables: Tables that it names.
        repeat_class: `read`, `repeatable` or `additive`.
        calls_at_most: How many calls at most; None: not bounded by the document.
        wait_s: Seconds that it waits; None: until somebody goes on.
    """

    name: str
    does: str
    operation: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    repeat_class: str | None = None
    calls_at_most: int | None = 0
    wait_s: float | None = 0.0


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What one run would do.

    Attributes:
        runbook: Name of the runbook.
        sha256: Its content hash.
        subject_sha256: Hash of it with these parameters: what an approval is about.
        values: Parameter values by name, masked.
        steps: In order.
        at_most_s: Seconds after which the run ends, whatever it does.
        limits: What it may take, by name; those that are not set left out.
        approval: Who has to approve it before it begins, in one line; None: nobody.
    """

    runbook: str
    sha256: str
    subject_sha256: str
    values: Mapping[str, str]
    steps: tuple[PlannedStep, ...]
    at_most_s: float
    limits: Mapping[str, float]
    approval: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """**Shape**: its attributes by name, JSON's own types."""
        steps = [{**asdict(step), "tables": list(step.tables)} for step in self.steps]
        return {
            "runbook": self.runbook,
            "sha256": self.sha256,
            "subject_sha256": self.subject_sha256,
            "values": dict(self.values),
            "approval": self.approval,
            "at_most_s": self.at_most_s,
            "limits": dict(self.limits),
            "steps": steps,
        }

    def as_text(self) -> str:
        """A line for the run, one for each step and each parameter of its call."""
        lines = [f"{self.runbook}: {len(self.steps)} steps, at most {self.at_most_s:g} s"]
        if self.limits:
            told = ", ".join(f"{name} {value:g}" for name, value in self.limits.items())
            lines.append(f"  limits: {told}")
        if self.approval:
            lines.append(f"  first: {self.approval}")
        lines += [f"  {name} = {value}" for name, value in self.values.items()]
        for number, step in enumerate(self.steps, 1):
            lines.append(f"{number}. {step.name}: {step.does}")
            lines += [f"     {name} = {_told(value)}" for name, value in step.params.items()]
        return "\n".join(lines)


def plan_run(bound: BoundRunbook) -> RunPlan:
    """The plan of a run.

    Args:
        bound: The runbook with its parameters.

    Cost: linear in the steps.
    """
    runbook = bound.runbook
    limits = runbook.limits
    named = {
        "max_items": limits.max_items,
        "max_pages": limits.max_pages,
        "read_units": limits.read_units,
        "write_units": limits.write_units,
    }
    approval = runbook.access.approval
    enums = {each.name for each in runbook.parameters if each.type is ParameterType.ENUM}
    shown = {
        name: str(value) if name in enums else masked(value)
        for name, value in bound.values.items()
    }
    return RunPlan(
        runbook=runbook.name,
        sha256=runbook.sha256,
        subject_sha256=bound.subject_sha256,
        values=shown,
        steps=tuple(_planned(runbook.steps, shown, "", 1)),
        at_most_s=limits.duration_s,
        limits={name: value for name, value in named.items() if value is not None},
        approval=None if approval is None else _approval_line(approval),
    )


def masked(value: Any) -> str:
    """A value by its type and length: `<string, 4 characters>`."""
    if isinstance(value, Secret):
        return "<secret>"
    if isinstance(value, bool):
        return "<boolean>"
    if isinstance(value, str):
        return f"<string, {len(value)} characters>"
    if isinstance(value, int | float | Decimal):
        return "<number>"
    if isinstance(value, list | tuple):
        return f"<list, {len(value)} elements>"
    return f"<{type(value).__name__}>"


def _planned(
    steps: tuple[Step, ...], values: Mapping[str, str], prefix: str, times: int
) -> Iterator[PlannedStep]:
    """The plan of some steps, those of loops after their loop."""
    for step in steps:
        name, action = f"{prefix}{step.name}", step.action
        if isinstance(action, CallTemplate):
            yield _planned_call(name, step, action, values, times)
        elif isinstance(action, Check) and isinstance(action.subject, MetricQuery):
            yield _planned_call(name, step, metric_call(action.subject), values, times)
        elif isinstance(action, Loop):
            does = f"for each of {_place(action.items, values)}, at most {action.max_items}"
            yield PlannedStep(name, does)
            yield from _planned(action.steps, values, f"{step.name}/", action.max_items)
        elif isinstance(action, PythonStep):
            operations = ", ".join(f"{each.service}:{each.operation}" for each in action.calls)
            does = f"Python `{action.target}`, which may call {operations or 'nothing'}"
            yield PlannedStep(name, does, operation=operations or None, calls_at_most=None)
        else:
            yield PlannedStep(name, _does(action), wait_s=_wait_s(action))


def _does(action: Check | Pause | ApprovalStep | Any) -> str:
    """What a step that calls nothing does."""
    if isinstance(action, Check):
        wanted = f" {masked_place(action.value)}" if action.value is not None else ""
        subject = ".".join(getattr(action.subject, "path", ()))
        return f"check that `{subject}` {action.comparison.replace('_', ' ')}{wanted}"
    if isinstance(action, Pause):
        if action.seconds is None:
            return "wait until somebody goes on"
        return f"wait {action.seconds:g} s"
    return _approval_line(action.terms)


def masked_place(value: Any) -> str:
    """What a document has in a place; a reference by where it comes from."""
    if isinstance(value, Reference):
        return f"<{value.origin.value} {'.'.join(value.path) or 'itself'}>"
    return str(value)


def _wait_s(action: Any) -> float | None:
    """How long a step waits."""
    if isinstance(action, Pause):
        return action.seconds
    return None if isinstance(action, ApprovalStep) else 0.0


def _planned_call(
    name: str, step: Step, action: CallTemplate, values: Mapping[str, str], times: int
) -> PlannedStep:
    """The plan of a call."""
    params = {key: _filled(value, values) for key, value in action.params.items()}
    request = Request(step, action.service, action.operation, dict(action.params))
    pages = action.max_pages or 1
    told = [f"{action.service}:{action.operation}"]
    tables = tables_in(params)
    if tables:
        told.append(f"on {', '.join(tables)}")
    if action.max_pages is not None:
        told.append(f"at most {pages} pages")
    if action.max_items is not None:
        told.append(f"at most {action.max_items} items")
    if times > 1:
        told.append(f"at most {times} times")
    if request.is_write:
        told.append(f"a write that is {request.repeat_class}")
    return PlannedStep(
        name=name,
        does=", ".join(told),
        operation=f"{action.service}:{action.operation}",
        params=params,
        tables=tables,
        repeat_class=request.repeat_class,
        calls_at_most=times * pages,
    )


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    """Parameters for people: places by where they are filled from, and what with."""
    if isinstance(value, Reference):
        return _place(value, values)
    if isinstance(value, Mapping):
        return {str(name): _filled(each, values) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(each, values) for each in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _place(reference: Reference, values: Mapping[str, str]) -> str:
    """`<param customer_id: string, 4 characters>`; the value of an enum."""
    told = masked_place(reference)
    name = reference.path[0] if reference.path else ""
    if reference.origin is not Origin.PARAMETER or name not in values:
        return told
    shown = values[name]
    return f"{told[:-1]}: {shown[1:]}" if shown.startswith("<") else shown


def _approval_line(terms: ApprovalTerms) -> str:
    """Who has to approve."""
    groups = [*terms.any_of, *terms.all_of]
    of = f" of {', '.join(groups)}" if groups else ""
    return f"approval by {terms.quorum} other{'s' if terms.quorum > 1 else ''}{of}"


def _told(value: Any) -> str:
    """A parameter on one line."""
    import json

    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
