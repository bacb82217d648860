"""One audit record as a mapping: who called what, what was decided, how it ended.

INVARIANT: nothing here reads `Call.params` or `Authorization.member`, so no item value can get
into a record.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final, Literal

from dynaguard.boundary import Boundary
from dynaguard.call import (
    ApprovalRef,
    Authorization,
    BudgetState,
    Call,
    Decision,
    GrantRef,
    Outcome,
    Principal,
    StatementRef,
)
from dynaguard.errors import readable_arn
from dynaguard.scope import Scope
from dynaguard.values import dataclass

SCHEMA_VERSION: Final = 3
"""Version 1 had no chain: its `writer` tells service, pid and version alone. Version 2 had neither
tasks, boundaries, grants and approvals nor lines of the phase `access`."""
Phase = Literal["intent", "outcome"]
MAX_FREE_TEXT: Final = 200
"""Characters of what people wrote that a record holds."""
_LAST_EPOCH_S: Final = 253_402_300_799
"""9999-12-31T23:59:59Z, after which no text of an instant is left."""


@dataclass(frozen=True, slots=True)
class WriterFacts:
    """Which process writes a record.

    Attributes:
        service: Name of the service, or None.
        pid: Process id.
        version: dynaguard's version.
        writer_id: Its id in the chain.
        sequence: The number of the record.
        previous_sha256: Of the writer's line before it; None for the first.
        attempted_sha256: Of lines after that of which the writer does not know if they arrived.
        lost_count: Records that the writer lost so far.
    """

    service: str | None
    pid: int
    version: str
    writer_id: str
    sequence: int
    previous_sha256: str | None
    attempted_sha256: tuple[str, ...]
    lost_count: int


def build_record(
    *,
    phase: Phase,
    time_ns: int,
    writer: WriterFacts,
    call: Call,
    principal: Principal,
    decision: Decision | None,
    outcome: Outcome | None,
    mode: str,
    policy_digest: str | None,
) -> dict[str, Any]:
    """The record of one call.

    Args:
        phase: `intent` before the call leaves, `outcome` after it ended.
        time_ns: When, in nanoseconds since the epoch.
        writer: Who writes it.
        call: The call.
        principal: Who makes it.
        decision: What was decided; None when the call failed before.
        outcome: How it ended; None for an intent.
        mode: The mode in force (`enforce`, `observe`).
        policy_digest: SHA-256 of the policy in force, or None.

    Returns:
        **Shape**: `audit-record.schema.json`; every key is present, JSON's own types only.

    Cost: linear in the call's authorisations. `encoding.Encoder` makes the same, faster.
    """
    authorizations = decision.authorizations if decision else ()
    return {
        "schema_version": SCHEMA_VERSION,
        "phase": phase,
        "time": format_time(time_ns),
        "correlation_id": call.correlation_id,
        "request_id": outcome.request_id if outcome else None,
        "service": call.service,
        "operation": call.operation,
        "region": call.region,
        "identity": identity_part(principal),
        **scope_part(call.scope),
        "authorizations": authorizations_part(authorizations),
        "tables": tables_part(authorizations),
        "decision": decision_part(decision) if decision else None,
        "mode": mode,
        "policy_digest": policy_digest,
        "outcome": outcome_part(outcome) if outcome else None,
        "writer": writer_part(writer),
    }


def format_time(time_ns: int) -> str:
    """RFC 3339 in UTC with microseconds, cut, not rounded: `2026-11-20T12:00:00.000000Z`."""
    seconds, below_ns = divmod(time_ns, 1_000_000_000)
    return f"{format_second(seconds)}.{below_ns // 1000:06d}Z"


def format_second(seconds: int) -> str:
    """A whole second since the epoch: `2026-11-20T12:00:00`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def identity_part(principal: Principal) -> dict[str, Any]:
    """The identity behind a call. Of the signing key's id only a fingerprint is told."""
    return {
        "name": principal.name,
        "kind": principal.kind.value,
        "arn": readable_arn(principal.arn) if principal.arn else None,
        "account_id": principal.account_id,
        "session_name": principal.session_name,
        "source": principal.source,
        "groups": sorted(principal.groups),
        "acting_as": principal.acting_name,
        "is_static_key": principal.is_static_key,
        "owner": principal.owner,
        "function_version": principal.function_version,
        "service_account": principal.service_account,
        "subject": principal.subject,
        "key_fingerprint": principal.key_fingerprint,
        "key_created_at": _instant(principal.key_created_at),
        "expires_at": _instant(principal.expires_at),
        "findings": list(principal.findings),
    }


def _instant(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC, whole seconds, cut: `2026-11-20T12:00:00Z`."""
    if moment is None:
        return None
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def scope_part(scope: Scope) -> dict[str, Any]:
    """What surrounds a call."""
    return {
        "job": scope.job,
        "run_id": scope.run_id,
        "stage": scope.stage,
        "runbook": scope.runbook,
        "priority": scope.priority.value,
        "task": scope.task,
        "boundaries": [_boundary_part(each) for each in scope.boundaries],
    }


def _boundary_part(boundary: Boundary) -> dict[str, Any]:
    """Which boundary it was; what it allowed stands in the runbook of that hash."""
    return {
        "kind": boundary.kind,
        "name": boundary.name,
        "task": boundary.task,
        "runbook_sha256": boundary.runbook_sha256,
        "ticket": boundary.ticket,
    }


def authorizations_part(authorizations: tuple[Authorization, ...]) -> list[dict[str, Any]]:
    """What the call needed, each permission once, in request order."""
    needed = dict.fromkeys((each.action, each.resource, each.problem) for each in authorizations)
    return [
        {
            "action": readable_arn(action),
            "resource": readable_arn(resource),
            **({"problem": problem} if problem else {}),
        }
        for action, resource, problem in needed
    ]


def tables_part(authorizations: tuple[Authorization, ...]) -> list[str]:
    """The tables that the call touches, each once, in request order."""
    names = dict.fromkeys(each.table_name for each in authorizations)
    return [readable_arn(name) for name in names if name is not None]


def decision_part(decision: Decision) -> dict[str, Any]:
    """What was decided, by which statement and why."""
    return {
        "verdict": decision.verdict.value,
        **_statement_part(decision.statement),
        "reason": decision.reason,
        "how_to_allow": decision.how_to_allow,
        "observed": [_statement_part(each) for each in decision.observed],
        "unknown_keys": list(decision.unknown_keys),
        "is_enforced": decision.is_enforced,
        "grants": [grant_part(each) for each in decision.grants],
        "approval": approval_part(decision.approval) if decision.approval else None,
    }


def grant_part(grant: GrantRef) -> dict[str, Any]:
    """A grant that a call needed."""
    return {
        "id": grant.id,
        "owner": free_text(grant.owner),
        "reason": free_text(grant.reason),
        "expires": format_epoch(grant.expires_epoch_s),
        "is_break_glass": grant.is_break_glass,
    }


def approval_part(approval: ApprovalRef) -> dict[str, Any]:
    """The approval that a call had."""
    return {
        "ticket": approval.ticket,
        "subject_sha256": approval.subject_sha256,
        "approvers": [free_text(each) for each in approval.approvers],
        "approved": format_epoch(approval.approved_epoch_s),
        "expires": format_epoch(approval.expires_epoch_s),
    }


def free_text(text: str) -> str:
    """What people wrote, as a record may hold it: on one line, printable, of bounded length."""
    cut = text if len(text) <= MAX_FREE_TEXT else f"{text[: MAX_FREE_TEXT - 3]}..."
    if cut.isprintable():
        return cut
    return "".join([char if char.isprintable() else "?" for char in cut])


def format_epoch(epoch_s: float) -> str:
    """An instant in seconds since the epoch: RFC 3339 in UTC, whole seconds, cut."""
    return f"{format_second(int(min(max(0.0, epoch_s), _LAST_EPOCH_S)))}Z"


def outcome_part(outcome: Outcome) -> dict[str, Any]:
    """How the call ended; times in seconds, to the microsecond."""
    return {
        "status": outcome.status.value,
        "error_code": outcome.error_code,
        "http_status": outcome.http_status,
        "attempts": outcome.attempts,
        "throttles": outcome.throttles,
        "wait_s": round(outcome.wait_s, 6),
        "latency_s": round(outcome.elapsed_s, 6),
        "masked": [
            {
                "table": each.table,
                "attribute": each.attribute,
                "strategy": each.strategy,
                "detector": each.detector,
                "count": each.value_count,
            }
            for each in outcome.masked
        ],
        "consumed_capacity": [
            {
                "table": each.table,
                "read_units": each.read_units,
                "write_units": each.write_units,
                "total_units": each.total_units,
                "index": each.index,
            }
            for each in outcome.capacity
        ],
        "item_count": outcome.item_count,
        "unprocessed_count": outcome.unprocessed_count,
        "budget_refusal": outcome.budget_refusal,
        "budget": budget_part(outcome.budget) if outcome.budget else None,
        "scanned_count": outcome.scanned_count,
        "warnings": list(outcome.warnings),
    }


def budget_part(budget: BudgetState) -> dict[str, Any]:
    """The retry budget of a call that had trouble."""
    rate_per_s = budget.rate_per_s
    return {
        "bucket": readable_arn(budget.bucket),
        "tokens_left": round(budget.tokens_left, 3),
        "throttle_ratio": round(budget.throttle_ratio, 6),
        "rate_per_s": None if rate_per_s is None else round(rate_per_s, 3),
    }


def writer_part(writer: WriterFacts) -> dict[str, Any]:
    """The process that writes."""
    return {
        "service": writer.service,
        "pid": writer.pid,
        "version": writer.version,
        "id": writer.writer_id,
        "sequence": writer.sequence,
        "previous_sha256": writer.previous_sha256,
        "attempted_sha256": list(writer.attempted_sha256),
        "lost": writer.lost_count,
    }


def checkpoint_text(
    *, time: str, is_final: bool, key_id: str | None, signature: str | None
) -> str:
    """A checkpoint without its place in the chain, as `Chain.link` takes it.

    Args:
        time: As `format_time` gives it.
        is_final: Whether the writer ends with it.
        key_id: Names the key that vouches for it, or None.
        signature: What that key signed, or None.

    Returns:
        **Shape**: `audit-checkpoint.schema.json` without `writer`.
    """
    checkpoint = {"is_final": is_final, "key_id": key_id, "signature": signature}
    start = {"schema_version": SCHEMA_VERSION, "phase": "checkpoint", "time": time}
    return json.dumps({**start, "checkpoint": checkpoint}, separators=(",", ":"))[:-1]


def _statement_part(statement: StatementRef | None) -> dict[str, Any]:
    """Name and place of a statement; nulls for the document's default."""
    if statement is None:
        return {"statement": None, "source": None, "line": None}
    return {"statement": statement.sid, "source": statement.source, "line": statement.line}
