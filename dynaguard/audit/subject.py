"""What somebody asks of the audit: a task, ticket, grant, session or role; which lines it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dynaguard.audit.privileged import grants_of, tasks_of, tickets_of
from dynaguard.scope import check_name

SubjectKind = Literal["task", "ticket", "grant", "session", "role"]


@dataclass(frozen=True, slots=True)
class Subject:
    """One of these.

    Attributes:
        kind: What it is.
        id: Its id; of a session its name in CloudTrail, of a role its name.
    """

    kind: SubjectKind
    id: str

    def __post_init__(self) -> None:
        """Refuses what cannot be an id.

        Raises:
            ConfigurationError: It is empty, too long or does not print.
        """
        check_name(self.kind, self.id)

    def __str__(self) -> str:
        """``task `t-42` ``."""
        return f"{self.kind} `{self.id}`"

    def has(self, record: Mapping[str, Any]) -> bool:
        """Whether a line of an audit file, a record of a call or a change, belongs to it."""
        if self.kind == "task":
            return self.id in tasks_of(record)
        if self.kind == "ticket":
            return self.id in tickets_of(record)
        if self.kind == "grant":
            return self.id in grants_of(record)
        identity = record.get("identity") or {}
        if self.kind == "session":
            return bool(identity.get("session_name") == self.id)
        return f":assumed-role/{self.id}/" in (identity.get("arn") or "")

    def correlation_ids(self, records: Iterable[Mapping[str, Any]]) -> list[str]:
        """The correlation ids of the lines that belong to it, each once."""
        found = (record.get("correlation_id") for record in records if self.has(record))
        return [each for each in dict.fromkeys(found) if each]
