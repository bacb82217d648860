"""One line of the phase `access`: a grant, ticket, task or run began, changed or ended.

It stands in the same file and the same chain as the records of calls, so that one verification
covers who was let as well as what was done.
"""

from __future__ import annotations

import json
from typing import Any, Final

from dynaguard.access_change import AccessChange
from dynaguard.audit.record import SCHEMA_VERSION, format_epoch, format_time, free_text

MAX_PARAMETERS: Final = 64
"""Names of parameters that a line holds."""


def change_part(change: AccessChange) -> dict[str, Any]:
    """The change. **Shape**: `change` of `audit-access.schema.json`."""
    expires_s = change.expires_epoch_s
    return {
        "kind": change.kind,
        "id": change.id,
        "by": free_text(change.by),
        "by_arn": change.by_arn,
        "acting_as": change.acting_as,
        "channel": change.channel,
        "identity": change.identity,
        "reason": free_text(change.reason),
        "expires": None if expires_s is None else format_epoch(expires_s),
        "is_break_glass": change.is_break_glass,
        "task": change.task,
        "ticket": change.ticket,
        "runbook": change.runbook,
        "runbook_sha256": change.runbook_sha256,
        "parameters": [free_text(name) for name in change.parameters[:MAX_PARAMETERS]],
        "subject_sha256": change.subject_sha256,
        "status": change.status,
    }


def change_text(change: AccessChange, time_ns: int, policy_digest: str | None) -> str:
    """The line of a change in ASCII, as `Chain.link` takes it: open at the end.

    Args:
        change: The change.
        time_ns: When, in nanoseconds since the epoch.
        policy_digest: SHA-256 of the policy in force, or None.
    """
    line = {
        "schema_version": SCHEMA_VERSION,
        "phase": "access",
        "time": format_time(time_ns),
        "correlation_id": change.correlation_id,
        "change": change_part(change),
        "policy_digest": policy_digest,
    }
    return json.dumps(line, separators=(",", ":"))[:-1]
