"""What a scope may do at most: the boundary that a runbook or an agent's task draws around calls.

A call inside has to be allowed by the policy and by every boundary of its scope, as IAM has it
with session policies. A boundary is plain text and numbers, so that it travels: in a `Scope`,
through pickles, and in an environment variable to subprocesses. `access/` reads what it says.

INVARIANT: boundaries only ever narrow. To lose one widens, so who derives a scope keeps them all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from dynaguard.values import dataclass

BoundaryKind = Literal["runbook", "agent", "task"]


@dataclass(frozen=True, slots=True)
class Boundary:
    """One boundary.

    Attributes:
        kind: Who draws it: the run of a `runbook`, `acting_as()` for an `agent`, or a `task()`
            without a runbook.
        name: Name of the runbook, of who acts, or of the task.
        task: Id of the task; what is used of the limits is counted by it. Unique per run.
        runbook_sha256: Content hash of the runbook, hexadecimal; None for agents.
        statements: IAM statements (Allow alone) as JSON text; None: any call that the policy
            allows.
        templates: Operation templates as JSON text, see `access/templates.py`: the parameters that
            calls may have; None: any.
        subject_sha256: Hash of the runbook with its bound parameters: what an approval is about.
        ticket: Id of the ticket by which that was approved, or None.
        expires_epoch_s: When it ends; from then on no call in it is allowed. None: never.
        max_items: Items that its calls may read and write together, or None.
        max_pages: Pages that its Query and Scan calls may read together, or None.
        read_units: Read capacity units that they may consume, or None.
        write_units: Write capacity units that they may consume, or None.
    """

    kind: BoundaryKind
    name: str
    task: str
    runbook_sha256: str | None = None
    statements: str | None = field(default=None, repr=False)
    templates: str | None = field(default=None, repr=False)
    subject_sha256: str | None = None
    ticket: str | None = None
    expires_epoch_s: float | None = None
    max_items: int | None = None
    max_pages: int | None = None
    read_units: float | None = None
    write_units: float | None = None

    @property
    def has_limits(self) -> bool:
        """Whether anything that its calls use is counted."""
        limits = (self.max_items, self.max_pages, self.read_units, self.write_units)
        return any(limit is not None for limit in limits)

    def as_dict(self) -> dict[str, Any]:
        """**Shape**: its attributes by name, those that are None left out; JSON's own types."""
        return {
            name: value for name, value in dataclasses.asdict(self).items() if value is not None
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Boundary:
        """What `as_dict` gave.

        Raises:
            TypeError: An attribute is missing, or one is not known.
        """
        return cls(**data)
