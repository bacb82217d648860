"""A refusal as data, for programs and agents that ask, wait and go on instead of reading text.

The shape is `denial.schema.json` beside this file; within its version members are only added.
INVARIANT: names alone, no item value, no parameter value, no secret.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, Final

from dynaguard.call import UNKNOWN_CHAR, UNKNOWN_RUN, Verdict

if TYPE_CHECKING:
    from dynaguard.errors import ApprovalRequired, PolicyDenied

SCHEMA_VERSION: Final = 1
_UNKNOWN: Final = str.maketrans(UNKNOWN_CHAR + UNKNOWN_RUN, "**")


def denial_dict(denial: PolicyDenied) -> dict[str, Any]:
    """What was refused, why, and how to ask for it.

    Returns:
        **Shape**: see `denial.schema.json`; JSON's own types alone.
    """
    decision, scope = denial.decision, denial.scope
    offending = decision.offending if decision is not None else None
    statement = denial.statement
    return {
        "schema_version": SCHEMA_VERSION,
        "error": type(denial).__name__,
        "code": denial.response["Error"]["Code"],
        "message": denial.response["Error"]["Message"],
        "service": denial.service,
        "operation": denial.operation,
        "action": offending.action if offending is not None else None,
        "resource": denial.resource,
        "verdict": decision.verdict.value if decision is not None else None,
        "reason": denial.reason,
        "statement": None
        if statement is None
        else {"sid": statement.sid, "source": statement.source, "line": statement.line},
        "unknown_keys": list(decision.unknown_keys) if decision is not None else [],
        "identity": denial.identity,
        "acting_as": scope.acting_name if scope is not None else None,
        "task": scope.task if scope is not None else None,
        "runbook": scope.runbook if scope is not None else None,
        "correlation_id": denial.correlation_id,
        "how_to_allow": denial.how_to_allow,
        "how_to_ask": _how_to_ask(denial),
    }


def denial_json(denial: PolicyDenied) -> str:
    """The same as one line of JSON."""
    return json.dumps(denial_dict(denial), separators=(",", ":"), ensure_ascii=False)


def _how_to_ask(denial: PolicyDenied) -> dict[str, Any]:
    """What asking could do, and the words for it: a command and a call of the library."""
    ticket = getattr(denial, "ticket", None)
    if ticket is not None:
        return {
            "can_be_approved": True,
            "can_be_granted": False,
            "ticket": ticket,
            "command": f"dynaguard approvals show {shlex.quote(ticket)}",
            "call": f"dynaguard.wait_for_approval({ticket!r}, timeout_s=600)",
        }
    statements = _missing(denial)
    if statements is None:
        return {
            "can_be_approved": False,
            "can_be_granted": False,
            "ticket": None,
            "command": None,
            "call": None,
        }
    text = json.dumps(statements, separators=(",", ":"))
    return {
        "can_be_approved": False,
        "can_be_granted": True,
        "ticket": None,
        "command": f"dynaguard approvals request --statements {shlex.quote(text)} --reason WHY",
        "call": f"dynaguard.request_access({statements!r}, reason=WHY)",
    }


def _missing(denial: PolicyDenied) -> list[dict[str, Any]] | None:
    """The statement that a grant would need; None where no grant would let the call through.

    A grant widens what no statement allows; it helps against no Deny, no boundary, and not where
    the request was not understood.
    """
    decision = denial.decision
    if decision is None or decision.verdict is not Verdict.IMPLICIT_DENY:
        return None
    if any(need.problem is not None for need in decision.authorizations):
        return None
    needs = decision.authorizations if decision.offending is None else (decision.offending,)
    if not needs:
        return None
    return [
        {
            "Effect": "Allow",
            "Action": need.action,
            "Resource": need.resource.translate(_UNKNOWN),
        }
        for need in needs
    ]
