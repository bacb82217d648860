"""The value that a lint rule gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dynaguard.call import StatementRef

Severity = Literal["error", "warning", "note"]
"""`error`: it does not do what it says; `warning`: it does more, or less, than it seems to;
`note`: worth a look."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the author of a document will not have meant.

    Attributes:
        code: Of its rule, such as `DG101`.
        severity: That of its rule.
        message: What is so, and why; lower case, names in backticks.
        fix: What to write instead, one clause.
        ref: The statement, mask or budget.
        path: Where in it, such as `Action[1]`; empty for all of it.
    """

    code: str
    severity: Severity
    message: str
    fix: str
    ref: StatementRef
    path: str = ""

    def __str__(self) -> str:
        """`policy.toml:12: DG101 ReadAll: ...; fix: ...`."""
        place = f"{self.ref.source}:{self.ref.line}" if self.ref.line else self.ref.source
        within = f"{self.ref.sid}.{self.path}" if self.path else self.ref.sid
        return f"{place}: {self.code} {within}: {self.message}; fix: {self.fix}"
