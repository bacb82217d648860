"""Executes the steps of one run in their order; every step ends with a record.

What makes a run safe stands elsewhere: the boundary of its scope (the guard refuses any other
call), the journal (writes are made once), the spending (limits). This module knows the order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from dynaguard.boundary import Boundary
from dynaguard.errors import ApprovalRequired, DynaguardError, GuardFailure, PolicyDenied
from dynaguard.runbooks import checks
from dynaguard.runbooks.calling import Calls, Request, Tally, code_of
from dynaguard.runbooks.interaction import ApprovalQuestion
from dynaguard.runbooks.lookup import Known, Unfilled, asked_results, simple
from dynaguard.runbooks.model import (
    ApprovalStep,
    CallTemplate,
    Check,
    Loop,
    MetricQuery,
    Pause,
    PythonStep,
    Step,
)
from dynaguard.runbooks.python_steps import StepContext, load_function
from dynaguard.runbooks.results import RunEvent, StepKind, StepOutcome, StepRecord, line_of
from dynaguard.scope import ScopeManager

if TYPE_CHECKING:
    from dynaguard.runbooks.state import RunState
    from dynaguard.scope import Scope

MAX_KEPT: Final = 1_000
"""Most outputs that are kept of a step that runs once for each item."""
_KIND: Final[Mapping[type, StepKind]] = {
    CallTemplate: "call",
    Check: "check",
    Pause: "pause",
    Loop: "loop",
    PythonStep: "python",
    ApprovalStep: "approval",
}


class Engine:
    """Executes one run. One thread.

    Args:
        state: The run.
        record: Writes the record of a step, wherever records are kept.
    """

    __slots__ = ("_asked", "_calls", "_record", "_state")

    def __init__(self, state: RunState, record: Callable[[StepRecord], None]) -> None:
        self._state = state
        self._record = record
        self._calls = Calls(state)
        self._asked = asked_results(state.bound.runbook.steps)

    def run(self) -> None:
        """Runs every step.

        Raises:
            RunbookError: A step failed or a limit was reached.
            ApprovalRequired: A step has to be approved first.
        """
        state = self._state
        steps = state.bound.runbook.steps
        for number, step in enumerate(steps, 1):
            state.place = number, len(steps)
            state.tell(RunEvent("began", step.name, *state.place))
            self._run_step(step, Known(state.bound.values, state.results))

    def _run_step(self, step: Step, known: Known) -> None:
        """One step of the runbook itself, and its record."""
        state = self._state
        tally = Tally()
        inner: dict[str, Tally] = {}
        started_s = state.interaction.monotonic()
        outcome: StepOutcome = "failed"
        error: str | None = None
        try:
            state.spending.check_time(step.name)
            outcome = self._act(step, known, tally, inner)
            state.journal.note("step", step=step.name)
        except ApprovalRequired as err:
            outcome, error = "waiting", type(err).__name__
            raise
        except BaseException as err:
            outcome = "refused" if _is_refusal(err) else "failed"
            error = code_of(err.__cause__ or err)
            raise
        finally:
            elapsed_s = state.interaction.monotonic() - started_s
            for name, each in inner.items():
                self._close(f"{step.name}/{name}", "call", outcome, each, 0.0, None)
            self._close(step.name, _KIND[type(step.action)], outcome, tally, elapsed_s, error)

    def _close(
        self,
        name: str,
        kind: StepKind,
        outcome: StepOutcome,
        tally: Tally,
        elapsed_s: float,
        error: str | None,
    ) -> None:
        """The record of a step's end."""
        record = StepRecord(
            step=name,
            kind=kind,
            outcome=outcome,
            operation=tally.operation,
            repeat_class=tally.repeat_class,
            tables=tuple(tally.tables),
            calls=tally.calls,
            skipped_calls=tally.skipped_calls,
            pages=tally.pages,
            items=tally.items,
            attributes=tuple(sorted(tally.attributes)),
            elapsed_s=elapsed_s,
            error=error,
        )
        self._state.records.append(record)
        self._record(record)
        self._state.tell(RunEvent("ended", name, *self._state.place, record=record))

    def _act(self, step: Step, known: Known, tally: Tally, inner: dict[str, Tally]) -> StepOutcome:
        """Does what a step says."""
        state, action = self._state, step.action
        try:
            if isinstance(action, CallTemplate):
                self._keep(step, *self._call(step, action, known, tally))
            elif isinstance(action, Check):
                return self._check(step, action, known, tally)
            elif isinstance(action, Pause):
                return self._pause(step, action)
            elif isinstance(action, Loop):
                self._loop(step, action, known, tally, inner)
            elif isinstance(action, PythonStep):
                self._python(step, action, known, tally)
            else:
                self._approve(step, action)
        except Unfilled as err:
            raise state.error(f"step `{step.name}`: {err}", step.name) from None
        return "done"

    # --- calls ---------------------------------------------------------------------------------

    def _request(self, step: Step, action: CallTemplate, known: Known) -> Request:
        """The call of a step, its places filled."""
        return Request(
            step=step,
            service=action.service,
            operation=action.operation,
            params=known.fill(action.params),
            region=action.region,
            max_pages=action.max_pages,
            max_items=action.max_items,
        )

    def _call(
        self, step: Step, action: CallTemplate, known: Known, tally: Tally
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The answer of a step's call, and what of it may be shown."""
        request = self._request(step, action, known)
        answer = self._calls.make(request, tally, keeps_result=step.name in self._asked)
        shown = self._state.masks.shown(request.service, request.operation, request.params, answer)
        return answer, shown

    def _keep(self, step: Step, result: Any, shown: Any) -> None:
        """Keeps what a step gave."""
        self._state.results[step.name] = result
        self._state.outputs[step.name] = shown

    # --- checks and pauses ---------------------------------------------------------------------

    def _check(self, step: Step, action: Check, known: Known, tally: Tally) -> StepOutcome:
        """A check; one that held before the run was cut off is not made again."""
        state = self._state
        if step.name in state.known_steps:
            return "skipped"
        subject = action.subject
        if isinstance(subject, MetricQuery):
            params = checks.metric_params(subject, known, state.interaction.time_s())
            request = Request(step, "cloudwatch", "GetMetricStatistics", params)
            answer = self._calls.make(request, tally, keeps_result=False)
            value: Any = checks.metric_value(subject, answer)
            self._keep(step, {"Value": value}, {"Value": value})
        else:
            value = checks.subject_of(action, known)
        if not checks.holds(action, value, known):
            raise state.error(
                action.message or f"the check of step `{step.name}` does not hold", step.name
            )
        return "done"

    def _pause(self, step: Step, action: Pause) -> StepOutcome:
        """A wait; one that was over before the run was cut off is not waited for again."""
        state = self._state
        if step.name in state.known_steps:
            return "skipped"
        if action.seconds is not None:
            state.spending.check_time(step.name, action.seconds)
            state.interaction.sleep(action.seconds)
            return "done"
        confirm = state.interaction.confirm
        if confirm is None or not confirm(action.message or f"go on with `{step.name}`?"):
            raise state.error(f"step `{step.name}` was not confirmed", step.name)
        return "done"

    # --- loops ---------------------------------------------------------------------------------

    def _loop(
        self, step: Step, action: Loop, known: Known, tally: Tally, inner: dict[str, Tally]
    ) -> None:
        """Steps once for each item."""
        state = self._state
        items = simple(known.find(action.items))
        if not isinstance(items, list | tuple):
            raise Unfilled(f"`{'.'.join(action.items.path)}` is no list")
        if len(items) > action.max_items:
            raise state.error(
                f"step `{step.name}` was given {len(items)} items, its limit `max_items` is "
                f"{action.max_items}, none of them was touched",
                step.name,
            )
        for each in action.steps:
            inner[each.name] = Tally()
            state.outputs.setdefault(each.name, [])
        for count, item in enumerate(items, 1):
            self._iterate(action, known.with_item(item), inner)
            state.tell(RunEvent("item", step.name, *state.place, count=count))
        for counted in inner.values():
            tally.calls += counted.calls
            tally.items += counted.items
            tally.skipped_calls += counted.skipped_calls
        self._keep(step, {"Count": len(items)}, {"Count": len(items)})

    def _iterate(self, action: Loop, known: Known, inner: dict[str, Tally]) -> None:
        """The steps of a loop for one item."""
        state = self._state
        if state.journal.done and self._is_complete(action, known, inner):
            return
        for each in action.steps:
            state.spending.check_time(each.name)
            if isinstance(each.action, CallTemplate):
                answer, shown = self._call(each, each.action, known, inner[each.name])
                state.results[each.name] = answer
                if len(state.outputs[each.name]) < MAX_KEPT:
                    state.outputs[each.name].append(shown)
            elif isinstance(each.action, Check):
                self._check(each, each.action, known, inner[each.name])

    def _is_complete(self, action: Loop, known: Known, inner: dict[str, Tally]) -> bool:
        """Whether an earlier start of the run has made every write of an item.

        Then its checks are not made again either: they would look at what the writes left.
        """
        writes: list[tuple[Step, Request]] = []
        for each in action.steps:
            if not isinstance(each.action, CallTemplate):
                continue
            try:
                request = self._request(each, each.action, known)
            except Unfilled:  # needs the answer of another step of the loop
                return False
            if request.is_write:
                writes.append((each, request))
        if not writes or not all(self._calls.is_written(request) for _, request in writes):
            return False
        for each, request in writes:
            self._calls.make(request, inner[each.name], keeps_result=False)
        return True

    # --- Python and approvals ------------------------------------------------------------------

    def _python(self, step: Step, action: PythonStep, known: Known, tally: Tally) -> None:
        """A callable, within a boundary of its own calls."""
        state = self._state
        function = load_function(state.bound.runbook, action, step.name)

        def call(request: Request) -> dict[str, Any]:
            answer = self._calls.make(request, tally, keeps_result=True)
            shown = state.masks.shown(request.service, request.operation, request.params, answer)
            for name in ("LastEvaluatedKey", "NextToken"):
                if name in answer:
                    shown[name] = answer[name]
            return shown

        context = StepContext(
            known.values, dict(state.outputs), state.task, step, call, state.clients.client
        )
        try:
            with self._own_calls(step):
                result = function(context)
        except (DynaguardError, Unfilled):
            raise
        except Exception as err:
            raise state.error(
                f"step `{step.name}` failed ({type(err).__name__})", step.name
            ) from err
        self._keep(step, result, result)

    @contextmanager
    def _own_calls(self, step: Step) -> Iterator[None]:
        """A scope whose calls are those that a step declares."""
        templates = [each for each in self._state.bound.templates if each["step"] == step.name]
        boundary = Boundary(
            kind="runbook",
            name=self._state.bound.runbook.name,
            task=self._state.task,
            templates=json.dumps(templates),
        )

        def derive(scope: Scope) -> Scope:
            return replace(scope, boundaries=(*scope.boundaries, boundary))

        with ScopeManager(derive):
            yield

    def _approve(self, step: Step, action: ApprovalStep) -> None:
        """Goes on only where it is approved; asked again when the run is resumed."""
        state = self._state
        ask = state.interaction.ask_approval
        if ask is None:
            raise state.error(
                f"step `{step.name}` has to be approved, and no access store is set", step.name
            )
        question = ApprovalQuestion(
            bound=state.bound,
            terms=action.terms,
            task=str(state.journal.head.get("task", state.task)),
            step=step.name,
            message=action.message,
            summary=tuple(line_of(record) for record in state.records),
        )
        ticket = ask(question)
        self._keep(step, {"Ticket": ticket}, {"Ticket": ticket})


def _is_refusal(err: BaseException) -> bool:
    """Whether the guard refused, rather than AWS or the step itself failed."""
    return isinstance(err.__cause__ or err, PolicyDenied | GuardFailure)
