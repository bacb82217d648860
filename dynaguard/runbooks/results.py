"""What a run gives: one record for each step, and the outputs that a person may see.

INVARIANT: a record holds names and counts, never a value of an item, a parameter or a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

StepKind = Literal["call", "check", "pause", "loop", "python", "approval"]
StepOutcome = Literal["done", "skipped", "failed", "refused", "waiting"]
RepeatClass = Literal["read", "repeatable", "additive"]
"""Whether a failed call may be made again: reads and writes that set a state may, those that add
to what is there may not once they may have taken effect."""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of a run, for the record.

    Attributes:
        step: Its name; steps within a loop as `loop/step`, all its items together.
        kind: What it does.
        outcome: How it ended; `skipped` where an earlier start of the run had completed it,
            `waiting` where an approval is missing.
        operation: Such as `dynamodb:Query`; None for steps that call nothing.
        repeat_class: Of its calls, the least repeatable; None for steps that call nothing.
        tables: Tables that its calls name.
        calls: Calls that it made.
        skipped_calls: Writes that it left out, since an earlier start had completed them.
        pages: Pages that it read.
        items: Items that it read and wrote.
        attributes: Names of the attributes that were returned, sorted; at most 100.
        elapsed_s: Seconds.
        error: Code or kind of the error that ended it, or None.
    """

    step: str
    kind: StepKind
    outcome: StepOutcome
    operation: str | None = None
    repeat_class: RepeatClass | None = None
    tables: tuple[str, ...] = ()
    calls: int = 0
    skipped_calls: int = 0
    pages: int = 0
    items: int = 0
    attributes: tuple[str, ...] = ()
    elapsed_s: float = 0.0
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """**Shape**: its attributes by name, JSON's own types."""
        return {
            **asdict(self),
            "tables": list(self.tables),
            "attributes": list(self.attributes),
            "elapsed_s": round(self.elapsed_s, 6),
        }


@dataclass(frozen=True, slots=True)
class RunEvent:
    """What a run tells while it is under way.

    Attributes:
        kind: `began` and `ended` for a step, `page` and `item` for progress within one.
        step: Name of the step.
        number: Its number in the runbook, from 1.
        total: How many steps the runbook has.
        record: How the step ended; for `ended` alone.
        count: Pages or items so far; for `page` and `item` alone.
    """

    kind: Literal["began", "page", "item", "ended"]
    step: str
    number: int
    total: int
    record: StepRecord | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run that came to its end.

    Attributes:
        runbook: Name of the runbook.
        sha256: Its content hash.
        task: Id of the run, by which it is found in every record.
        who: Label of the identity that ran it.
        correlation_id: The incident or ticket that it belonged to.
        steps: Every step, in the order of their ends.
        outputs: What each step gave by its name, after the masks of policy and runbook.
        elapsed_s: Seconds from begin to end.
    """

    runbook: str
    sha256: str
    task: str
    who: str
    correlation_id: str
    steps: tuple[StepRecord, ...]
    outputs: Mapping[str, Any] = field(repr=False)
    elapsed_s: float

    @property
    def items(self) -> int:
        """Items that all its calls read and wrote; a loop's are those of its steps."""
        return sum(step.items for step in self.steps if step.kind != "loop")

    def as_dict(self) -> dict[str, Any]:
        """**Shape**: its attributes by name, JSON's own types; bytes as text."""
        return {
            "runbook": self.runbook,
            "sha256": self.sha256,
            "task": self.task,
            "who": self.who,
            "correlation_id": self.correlation_id,
            "outcome": "done",
            "elapsed_s": round(self.elapsed_s, 6),
            "steps": [step.as_dict() for step in self.steps],
            "outputs": plain(self.outputs),
        }

    def as_text(self) -> str:
        """One line for the run and one for each step."""
        head = f"{self.runbook}: done in {self.elapsed_s:.2f} s, task {self.task}"
        return "\n".join([head, *(f"  {line_of(step)}" for step in self.steps)])

    def as_markdown(self) -> str:
        """A table of the steps, for a ticket or a log of an incident."""
        lines = [
            f"## Run of `{self.runbook}`",
            "",
            f"- task `{self.task}`, by `{self.who}`, for `{self.correlation_id}`",
            f"- content hash `{self.sha256}`",
            f"- {self.items} items in {self.elapsed_s:.2f} s",
            "",
            "| step | outcome | call | tables | items | pages | seconds |",
            "|---|---|---|---|---:|---:|---:|",
        ]
        lines += [
            f"| {step.step} | {step.outcome} | {step.operation or ''} | {', '.join(step.tables)} "
            f"| {step.items} | {step.pages} | {step.elapsed_s:.2f} |"
            for step in self.steps
        ]
        return "\n".join(lines) + "\n"


def line_of(step: StepRecord) -> str:
    """`find: done, dynamodb:Query on orders, 12 items in 2 pages, 0.03 s`."""
    parts = [f"{step.step}: {step.outcome}"]
    if step.operation:
        tables = f" on {', '.join(step.tables)}" if step.tables else ""
        parts.append(f"{step.operation}{tables}")
    if step.calls:
        items, calls = (("" if n == 1 else "s") for n in (step.items, step.calls))
        parts.append(f"{step.items} item{items} in {step.calls} call{calls}")
    if step.skipped_calls:
        parts.append(f"{step.skipped_calls} completed before")
    if step.error:
        parts.append(step.error)
    parts.append(f"{step.elapsed_s:.2f} s")
    return ", ".join(parts)


def plain(value: Any) -> Any:
    """A value in JSON's own types, for who reads it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(each) for each in value), key=str)
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, bytes | bytearray | memoryview):
        import base64

        return base64.b64encode(bytes(value)).decode("ascii")
    return str(value)
