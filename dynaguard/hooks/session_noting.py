"""Tells that the session of a task was opened, refreshed and ended: whose, which role, until when.

INVARIANT: names, ARNs and times only; no key, secret or token reaches a change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dynaguard.access.changes import AccessChange, ChangeKind, note_change

if TYPE_CHECKING:
    from dynaguard.access.lives import TaskLife
    from dynaguard.access.sessions import SessionRequest
    from dynaguard.scope import Scope


class SessionLog:
    """Tells of the session of one task.

    Used under the lock of botocore's credentials while the task lives, and once at its end.

    Args:
        scope: The scope of the task.
        life: The task's.
        started_by: Name of who started it, as records name identities.
    """

    __slots__ = ("_last", "_life", "_scope", "started_by")

    def __init__(self, scope: Scope, life: TaskLife, started_by: str) -> None:
        self._scope = scope
        self._life = life
        self.started_by = started_by
        self._last: AccessChange | None = None

    def had(self, request: SessionRequest, answer: Mapping[str, Any]) -> None:
        """Tells that STS gave credentials: the first of the session, or the next. Never raises.

        Args:
            request: What was asked for.
            answer: STS's answer; its keys are not read.
        """
        kind: ChangeKind = "session opened" if self._last is None else "session refreshed"
        expires_s = answer["Credentials"]["Expiration"].timestamp()
        self._last = AccessChange(
            kind,
            request.session_name,
            self.started_by,
            identity=answer.get("AssumedRoleUser", {}).get("Arn"),
            # The session policy ends with the task, however long the credentials last.
            expires_epoch_s=min(expires_s, self._life.ends_epoch_s),
            acting_as=self._scope.acting_name,
            task=self._scope.task,
            role_arn=request.role_arn,
            correlation_id=self._scope.correlation_id,
        )
        note_change(self._last)

    def ended(self) -> None:
        """Tells that nothing is signed with it any more, if it was ever opened. Never raises.

        What was handed to others is good at AWS until the end that is told.
        """
        last, self._last = self._last, None
        if last is not None:
            note_change(replace(last, kind="session ended"))
