"""What changes in who may do what is told, at one place: created, revoked, approved, denied.

INVARIANT: ids, names, reasons and times only; never the parameters of a call.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final, Literal

from dynaguard.access.clock import iso_utc

ChangeKind = Literal[
    "grant created",
    "grant revoked",
    "break-glass used",
    "ticket opened",
    "ticket approved",
    "ticket denied",
    "ticket cancelled",
    "ticket expired",
    "session opened",
    "session ended",
]

_log: Final = logging.getLogger("dynaguard.access")


@dataclass(frozen=True, slots=True)
class AccessChange:
    """One change.

    Attributes:
        kind: What happened.
        id: Id of the grant, ticket or session that it happened to.
        by: Who did it, as records name people.
        identity: Whom it opens or closes access for, or None.
        reason: Why, one line; empty where nobody had to say.
        expires_epoch_s: When that access ends, in seconds since the epoch; None: not known yet.
        is_break_glass: Whether it was done in an emergency, without anybody's approval.
        subject_sha256: Hash of what a ticket is about, or None.
    """

    kind: ChangeKind
    id: str
    by: str
    identity: str | None = None
    reason: str = ""
    expires_epoch_s: float | None = None
    is_break_glass: bool = False
    subject_sha256: str | None = None

    def __str__(self) -> str:
        """One line, such as ``grant created: `grant-...` by `ada`, for ... until ...: reason``."""
        text = f"{self.kind}: `{self.id}` by `{self.by}`"
        if self.identity is not None:
            text += f", for `{self.identity}`"
        if self.expires_epoch_s is not None:
            text += f", until {iso_utc(self.expires_epoch_s)}"
        return f"{text}: {self.reason}" if self.reason else text


def note_change(change: AccessChange) -> None:
    """Tells of a change that is in the store already. Never raises.

    Logs at INFO on `dynaguard.access`, what has to do with break-glass at WARNING.
    """
    level = logging.WARNING if change.is_break_glass else logging.INFO
    loud = "BREAK-GLASS " if change.is_break_glass else ""
    _log.log(level, "%s%s", loud, change)
