"""A runbook with its parameters bound: one run's worth of it, ready to enforce and to execute."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dynaguard.boundary import Boundary
from dynaguard.runbooks.model import Runbook


@dataclass(frozen=True, slots=True)
class BoundRunbook:
    """What one run may do, and what it is told.

    Attributes:
        runbook: The runbook.
        values: Parameter values by name, of their types; defaults filled in.
        subject_sha256: Hash of the runbook's content and these values: what an approval is about.
        iam_statements: IAM statements (Allow alone) that its calls need, with AWS's own condition
            keys only: what its session policy says.
        statements: The same for the guard, with `dynaguard:` keys that IAM does not know.
        templates: Its calls, of the shape that `access/templates.py` gives.
    """

    runbook: Runbook
    values: Mapping[str, Any] = field(repr=False)
    subject_sha256: str
    iam_statements: tuple[Mapping[str, Any], ...] = field(repr=False)
    statements: tuple[Mapping[str, Any], ...]
    templates: tuple[Mapping[str, Any], ...] = field(repr=False)

    def boundary(
        self, task: str, *, expires_epoch_s: float, ticket: str | None = None
    ) -> Boundary:
        """The boundary of one run.

        Args:
            task: Id of the task.
            expires_epoch_s: When it ends, in seconds since the epoch.
            ticket: By which it was approved, or None.
        """
        limits = self.runbook.limits
        return Boundary(
            kind="runbook",
            name=self.runbook.name,
            task=task,
            runbook_sha256=self.runbook.sha256,
            statements=json.dumps(list(self.statements)),
            templates=json.dumps(list(self.templates)),
            subject_sha256=self.subject_sha256,
            ticket=ticket,
            expires_epoch_s=expires_epoch_s,
            max_items=limits.max_items,
            max_pages=limits.max_pages,
            read_units=limits.read_units,
            write_units=limits.write_units,
        )
