"""Rules about what a runbook changes, and what it looks at before it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dynaguard.aws.analysis import is_write
from dynaguard.aws.dynamodb.repeats import is_additive
from dynaguard.call import StatementRef
from dynaguard.policy.lint import Finding
from dynaguard.runbooks.calls import StepCall, calls_of
from dynaguard.runbooks.lint.access import ref_of
from dynaguard.runbooks.lint.rules import RUNBOOK_RULES
from dynaguard.runbooks.model import ApprovalStep, CallTemplate, Check, Pause, Runbook, Step

_CONDITIONS: Final = ("ConditionExpression", "Expected")


def check_risk(runbook: Runbook) -> Iterator[Finding]:
    """The findings about the writes of a runbook, and about its first steps."""
    yield from _person_first(runbook)
    asked = runbook.access.approval is not None
    looked_at = _steps_after(runbook, (Check, ApprovalStep), is_after=False)
    approved = _steps_after(runbook, (ApprovalStep,), is_after=asked)
    for call in calls_of(runbook):
        template = call.template
        if is_write(template.service, template.operation, template.params):
            yield from _of_write(
                call,
                ref_of(call, runbook),
                is_looked_at=call.step.name in looked_at,
                is_approved=call.step.name in approved,
            )


def _flat(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Steps in the order in which they run first."""
    for step in steps:
        yield step
        yield from _flat(getattr(step.action, "steps", ()))


def _steps_after(runbook: Runbook, kinds: tuple[type, ...], *, is_after: bool) -> set[str]:
    """Names of the steps before which one of a kind stands, or something else (`is_after`)."""
    found = set()
    for step in _flat(runbook.steps):
        is_after = is_after or isinstance(step.action, kinds)
        if is_after:
            found.add(step.name)
    return found


def _person_first(runbook: Runbook) -> Iterator[Finding]:
    """DGR204."""
    first = runbook.steps[0] if runbook.steps else None
    if first is not None and isinstance(first.action, Pause) and first.action.seconds is None:
        ref = StatementRef(first.name, runbook.source, first.line)
        yield RUNBOOK_RULES["DGR204"].finding(
            ref, "waits for a person before anything was looked at", "begin with calls and checks"
        )


def _of_write(
    call: StepCall, ref: StatementRef, *, is_looked_at: bool, is_approved: bool
) -> Iterator[Finding]:
    """DGR201 to DGR203."""
    template, rules = call.template, RUNBOOK_RULES
    is_dynamodb = template.service == "dynamodb"
    adds = is_dynamodb and is_additive(template.operation, template.params)
    if adds and call.step.retries == "safe":
        yield rules["DGR201"].finding(
            ref, "adds to what is there, without a condition", 'write `retries = "never"`'
        )
    if not is_looked_at and not any(name in template.params for name in _CONDITIONS):
        yield rules["DGR202"].finding(
            ref, f"nothing is checked before this {template.operation}", "add a `check` before it"
        )
    if is_dynamodb and not is_approved and _deletes_many(call):
        yield rules["DGR203"].finding(
            ref, "deletes many items and nobody else approves", "add an `approval` step before it"
        )


def _deletes_many(call: StepCall) -> bool:
    """Whether a call deletes in a loop, or several items at once."""
    if call.template.operation == "DeleteItem":
        return call.loop is not None
    return _has_delete(call.template)


def _has_delete(template: CallTemplate) -> bool:
    """Whether a batch or transaction deletes."""
    if template.operation not in ("BatchWriteItem", "TransactWriteItems"):
        return False
    return _holds_delete(template.params)


def _holds_delete(value: Any) -> bool:
    """Whether `Delete` or `DeleteRequest` stands anywhere in some parameters."""
    if isinstance(value, Mapping):
        names = {"Delete", "DeleteRequest"}
        return bool(names & value.keys()) or any(_holds_delete(each) for each in value.values())
    return isinstance(value, list | tuple) and any(_holds_delete(each) for each in value)
