"""A refusal as data, for programs and agents that ask, wait and go on instead of reading text.

The shape is `denial.schema.json` beside this file; within its version members are only added.
INVARIANT: names alone, no item value, no parameter value, no secret.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any, Final

from dynaguard.call import UNKNOWN_CHAR, UNKNOWN_RUN, Verdict

if TYPE_CHECKING:
    from dynaguard.errors import _LocalRefusal as LocalRefusal

SCHEMA_VERSION: Final = 1
_UNKNOWN: Final = re.compile(f"[{UNKNOWN_CHAR}{UNKNOWN_RUN}]+")


def denial_dict(denial: LocalRefusal) -> dict[str, Any]:
    """What was refused, why, and how to ask for it.

    Returns:
        **Shape**: see `denial.schema.json`; JSON's own types alone.
    """
    decision = denial.decision
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
        "acting_as": denial.acting_as,
        "task": denial.task,
        "runbook": denial.runbook,
        "correlation_id": denial.correlation_id,
        "how_to_allow": denial.how_to_allow,
        "how_to_ask": _how_to_ask(denial),
    }


def denial_json(denial: LocalRefusal) -> str:
    """The same as one line of JSON."""
    return json.dumps(denial_dict(denial), separators=(",", ":"), ensure_ascii=False)


def _how_to_ask(denial: LocalRefusal) -> dict[str, Any]:
    """What asking could do: what the program may call itself, what a person runs to let it."""
    ticket = getattr(denial, "ticket", None)
    statements = None if ticket is not None else _missing(denial)
    asked: dict[str, Any] = {
        "can_be_approved": ticket is not None,
        "can_be_granted": statements is not None,
        "ticket": ticket,
        "statements": statements,
        "call": None,
        "command": None,
    }
    if ticket is not None:
        asked["call"] = f"dynaguard.approval({ticket!r}).wait()"
        asked["command"] = f"dynaguard approvals approve {shlex.quote(ticket)} --reason WHY"
    elif statements is not None:
        asked["call"] = (
            f"dynaguard.request_access({statements!r}, reason='WHY', duration_s=900).wait()"
        )
        asked["command"] = _grant_command(denial, statements)
    return asked


def _grant_command(denial: LocalRefusal, statements: list[dict[str, Any]]) -> str:
    """What somebody runs who may grant it."""
    words = ["dynaguard", "grants", "create", "--identity", denial.identity]
    if denial.acting_as is not None:
        words += ["--acting-as", denial.acting_as]
    for statement in statements:
        words += ["--action", statement["Action"], "--resource", statement["Resource"]]
    return shlex.join([*words, "--expires", "15m", "--reason", "WHY"])


def _missing(denial: LocalRefusal) -> list[dict[str, Any]] | None:
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
            "Resource": _UNKNOWN.sub("*", need.resource),
        }
        for need in needs
    ]
