"""Checks `[[step]]`: what a run does, in order."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Literal, cast

from dynaguard.policy.collecting import Findings, readable_path
from dynaguard.policy.lines import Path_
from dynaguard.runbooks import models
from dynaguard.runbooks.call_section import CALL_KEYS, check_call
from dynaguard.runbooks.checks_section import check_check
from dynaguard.runbooks.model import (
    ApprovalStep,
    CallTemplate,
    Loop,
    Origin,
    ParameterType,
    Pause,
    PythonStep,
    Reference,
    Step,
    StepAction,
)
from dynaguard.runbooks.numbers import seconds, text, whole
from dynaguard.runbooks.references import Known, is_reference, read_reference
from dynaguard.runbooks.terms_section import check_terms

STEP_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
TARGET: Final = re.compile(r"(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)?:[A-Za-z_]\w*", re.ASCII)
_COMMON: Final = ("name", "description", "retries")
KEYS_BY_KIND: Final[Mapping[str, tuple[str, ...]]] = {
    "call": CALL_KEYS,
    "check": ("check",),
    "pause": ("pause",),
    "loop": ("loop", "step"),
    "python": ("python", "calls"),
    "approval": ("approval",),
}
KINDS_IN_LOOPS: Final = ("call", "check")
LONGEST_PAUSE_S: Final = 3600.0
MOST_LOOPS: Final = 1_000_000


class StepsChecker:
    """Checks the steps of one runbook.

    Args:
        findings: Takes the problems.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._names: set[str] = set()

    def check_all(self, value: Any, path: Path_, known: Known) -> tuple[Step, ...]:
        """The steps of a list, in order; each knows the results of those before it."""
        steps = []
        for place, table in self._findings.tables(value, path):
            step = self._step(place, table, known)
            if step is None:
                # What a step with a problem would give is not reported as missing on top.
                known = known.after(str(table.get("name")), ())
                continue
            steps.append(step)
            known = known.after(step.name, _members(step)) if _gives(step) else known
        return tuple(steps)

    def _step(self, path: Path_, table: Mapping[str, Any], known: Known) -> Step | None:
        """One step."""
        kinds = [kind for kind in KEYS_BY_KIND if kind in table]
        if len(kinds) != 1:
            listed = ", ".join(f"`{kind}`" for kind in KEYS_BY_KIND)
            self._findings.check_keys(table, path, {*_COMMON, *sum(KEYS_BY_KIND.values(), ())})
            self._findings.add(path, f"must do one thing, write one of {listed}")
            return None
        kind = kinds[0]
        self._findings.check_keys(table, path, (*_COMMON, *KEYS_BY_KIND[kind]))
        if known.is_looped and kind not in KINDS_IN_LOOPS:
            self._findings.add((*path, kind), "does not stand in a loop, calls and checks do")
        name = self._name(table, path)
        retries = self._findings.choice(
            table.get("retries", "safe"), (*path, "retries"), ("safe", "never")
        )
        action = self._action_of(kind)(table, path, known)
        if action is None:
            return None
        return Step(
            name=name,
            action=action,
            description=text(self._findings, table, (*path, "description")),
            retries=cast(Literal["safe", "never"], retries or "safe"),
            path=readable_path(path),
            line=self._findings.source.line(path),
        )

    def _name(self, table: Mapping[str, Any], path: Path_) -> str:
        """The name, unique in the runbook."""
        name = table.get("name")
        if not isinstance(name, str) or not STEP_NAME.fullmatch(name):
            self._findings.add(
                (*path, "name"),
                "every step has a name: a letter, then letters, digits, `-` and `_`, at most 64",
            )
            return f"step{len(self._names)}"
        if name in self._names:
            self._findings.add((*path, "name"), f"another step is called `{name}`")
        self._names.add(name)
        return name

    def _action_of(
        self, kind: str
    ) -> Callable[[Mapping[str, Any], Path_, Known], StepAction | None]:
        """What reads a step of a kind."""
        return {
            "call": lambda table, path, known: check_call(self._findings, table, path, known),
            "check": lambda table, path, known: check_check(
                self._findings, table["check"], (*path, "check"), known
            ),
            "pause": self._pause,
            "loop": self._loop,
            "python": self._python,
            "approval": self._approval,
        }[kind]

    def _pause(self, table: Mapping[str, Any], path: Path_, _known: Known) -> Pause:
        """`pause = 5`, `pause = "look at the board"`, or a table of both."""
        value, place = table["pause"], (*path, "pause")
        if isinstance(value, str):
            return Pause(None, value)
        if not isinstance(value, Mapping):
            found = seconds(self._findings, table, place, most=LONGEST_PAUSE_S)
            return Pause(found or 1.0)
        self._findings.check_keys(value, place, ("seconds", "message"))
        length = seconds(self._findings, value, (*place, "seconds"), most=LONGEST_PAUSE_S)
        return Pause(length, text(self._findings, value, (*place, "message")))

    def _loop(self, table: Mapping[str, Any], path: Path_, known: Known) -> Loop | None:
        """`loop = { over = { "$result" = "find.Items" }, at_most = 100 }` and its steps."""
        place = (*path, "loop")
        loop = self._findings.table(table["loop"], place)
        self._findings.check_keys(loop, place, ("over", "at_most"))
        most = whole(self._findings, loop, (*place, "at_most"), most=MOST_LOOPS)
        if "at_most" not in loop:
            self._findings.add(place, "`at_most` is missing, write how many items at most")
        items = self._items(loop.get("over"), (*place, "over"), known)
        if items is None:
            return None
        listed = known.parameters[items.path[0]] if items.origin is Origin.PARAMETER else None
        inner = replace(known, is_looped=True, items=listed)
        steps = self.check_all(table.get("step", []), (*path, "step"), inner)
        if not table.get("step"):
            self._findings.add(path, "a loop has steps of its own, write `[[step.step]]`")
        return Loop(items, most or 1, steps)

    def _items(self, value: Any, path: Path_, known: Known) -> Reference | None:
        """What a loop goes over: a result, or a list parameter."""
        if not is_reference(value):
            self._findings.add(path, 'must be `{ "$result" = "find.Items" }` or a list parameter')
            return None
        found = read_reference(self._findings, value, path, known)
        if found is None:
            return None
        if found.origin not in (Origin.RESULT, Origin.PARAMETER):
            self._findings.add(path, "must be a result or a parameter")
            return None
        if found.origin is Origin.PARAMETER:
            parameter = known.parameters[found.path[0]]
            if parameter.type is not ParameterType.LIST:
                self._findings.add(path, f"`{parameter.name}` is no list")
                return None
        return found

    def _python(self, table: Mapping[str, Any], path: Path_, known: Known) -> PythonStep:
        """`python = ":function"` and the calls that it may make."""
        target = table["python"]
        if not isinstance(target, str) or not TARGET.fullmatch(target):
            self._findings.add(
                (*path, "python"), "must be `module:function`, or `:function` of a Python runbook"
            )
            target = ""
        calls = []
        inner = replace(known, takes_any=True)
        listed = table.get("calls", [])
        for place, entry in self._findings.tables(listed, (*path, "calls")):
            self._findings.check_keys(entry, place, CALL_KEYS)
            calls.append(check_call(self._findings, entry, place, inner))
        return PythonStep(target, tuple(call for call in calls if call is not None))

    def _approval(self, table: Mapping[str, Any], path: Path_, _known: Known) -> ApprovalStep:
        """`approval = { quorum = 1, any_of = ["leads"], message = "..." }`."""
        place = (*path, "approval")
        value = self._findings.table(table["approval"], place)
        message = text(self._findings, value, (*place, "message"))
        terms = {name: each for name, each in value.items() if name != "message"}
        return ApprovalStep(check_terms(self._findings, terms, place), message)


def _gives(step: Step) -> bool:
    """Whether a step has a result."""
    return isinstance(step.action, CallTemplate | Loop | PythonStep)


def _members(step: Step) -> tuple[str, ...]:
    """What a step's result holds at its top; empty where that is not known."""
    action = step.action
    if isinstance(action, CallTemplate):
        return models.answer_members(action.service, action.operation)
    return ()
