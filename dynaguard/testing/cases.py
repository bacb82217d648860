"""One case of a policy test: a call, who makes it, under which policy, and what is expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from dynaguard.call import Authorization, Call, Principal
from dynaguard.policy.model import PolicyDocument, TableSchema

EXPECTATIONS: Final = (
    "allow",
    "deny",
    "implicit_deny",
    "require_approval",
    "fail_closed",
    "ungoverned",
)
"""What a case can expect; `fail_closed` is anything but a call that goes on."""


@dataclass(frozen=True, slots=True)
class ExpectedAuthorization:
    """A permission that a call must need.

    Attributes:
        action, resource: What is needed.
        context: Values that condition keys must have, by key as written.
        absent: Keys that must be known to be absent.
    """

    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A case, ready to run.

    Attributes:
        name: As the file names it.
        place: File and line, or file and number of the line of a JSONL file.
        document: The policy.
        principal: Who calls.
        expect: One of `EXPECTATIONS`.
        call: The call; None where an action on a resource is asked about instead.
        authorization: That action on a resource, or None.
        context: Known condition keys; for an authorisation, all there is to know.
        environment: Value of `dynaguard:Environment`, or None.
        tables: Key schemas by table name.
        now: The clock.
        statement: Sid of the statement that must decide, or None.
        authorizations: Permissions that the call must need.
        refusal: Why the policy itself is refused, so that nothing would be installed; or None.
    """

    name: str
    place: str
    document: PolicyDocument
    principal: Principal
    expect: str
    call: Call | None = None
    authorization: Authorization | None = None
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    environment: str | None = None
    tables: Mapping[str, TableSchema] = field(default_factory=dict)
    now: datetime | None = None
    statement: str | None = None
    authorizations: tuple[ExpectedAuthorization, ...] = ()
    refusal: str | None = None

    def __str__(self) -> str:
        """Its name; for test ids."""
        return self.name


def as_values(value: Any) -> tuple[str, ...]:
    """Values of a condition key as text: `True` is `true`, a list is several."""
    entries = value if isinstance(value, list) else [value]
    return tuple(
        str(entry).lower() if isinstance(entry, bool) else str(entry) for entry in entries
    )
