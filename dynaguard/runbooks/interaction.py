"""Whom a run talks to, and what it waits on: people, clocks, approvers. All of it given.

A run that nobody attends never asks: whatever would wait for a person is refused before its first
step.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from dynaguard.policy.model import ApprovalTerms, PolicyDocument
from dynaguard.runbooks.bound import BoundRunbook
from dynaguard.runbooks.model import ApprovalStep, Loop, Pause, Runbook, Step
from dynaguard.runbooks.permission import approvals_needed
from dynaguard.runbooks.results import RunEvent


@dataclass(frozen=True, slots=True)
class ApprovalQuestion:
    """What a run asks to have approved.

    Attributes:
        bound: The runbook with its parameters: what the approval is bound to.
        terms: Who, how many, how long.
        task: Id of the run.
        step: The step that asks; None: the run as a whole.
        message: What is approved, for who decides.
        summary: Names and counts of what the run did until there; no values.
    """

    bound: BoundRunbook
    terms: ApprovalTerms
    task: str
    step: str | None = None
    message: str = ""
    summary: tuple[str, ...] = ()


class AskApproval(Protocol):
    """Has a run approved, or a step of it."""

    def __call__(self, question: ApprovalQuestion, /) -> str | None:
        """The id of the ticket by which it is approved.

        Raises:
            ApprovalRequired: It is not yet; the error names the ticket.
        """
        ...


def _nobody(_event: RunEvent) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """What surrounds a run.

    Attributes:
        confirm: Asks who runs it to go on: gets a message, gives whether. None where nobody can be
            asked.
        ask_approval: Has things approved; None: by the guard's access store.
        on_event: Hears how the run goes. What it raises ends the run.
        time_s: The wall clock, in seconds since the epoch.
        monotonic: The clock of durations.
        sleep: Waits so many seconds.
    """

    confirm: Callable[[str], bool] | None = None
    ask_approval: AskApproval | None = None
    on_event: Callable[[RunEvent], Any] = _nobody
    time_s: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def waits_for_people(runbook: Runbook) -> tuple[str, ...]:
    """Steps that go on only when who runs the runbook says so."""
    return tuple(step.name for step in _all(runbook.steps) if _is_open_pause(step))


def needs_approval(runbook: Runbook, document: PolicyDocument | None) -> bool:
    """Whether a run, or a step of it, has to be approved."""
    return bool(approvals_needed(runbook, document)) or has_approval_step(runbook)


def has_approval_step(runbook: Runbook) -> bool:
    """Whether a step of a run has to be approved."""
    return any(isinstance(step.action, ApprovalStep) for step in runbook.steps)


def _all(steps: tuple[Step, ...]) -> list[Step]:
    """Every step, those in loops too."""
    found: list[Step] = []
    for step in steps:
        found.append(step)
        if isinstance(step.action, Loop):
            found += _all(step.action.steps)
    return found


def _is_open_pause(step: Step) -> bool:
    return isinstance(step.action, Pause) and step.action.seconds is None
