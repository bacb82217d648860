"""What changes in who may do what is told, at one place: created, revoked, approved, denied.

It is in the store already when it is told. It goes to the log and to whoever keeps records in this
process: the guard in force, or for a command the audit target of the settings.

INVARIANT: ids, names, reasons and times only; never the parameters of a call.
"""

from __future__ import annotations

import logging
from typing import Final

from dynaguard.access_change import AccessChange, ChangeKind, tell

__all__ = ["AccessChange", "ChangeKind", "note_change"]

_log: Final = logging.getLogger("dynaguard.access")


def note_change(change: AccessChange) -> None:
    """Tells of a change that is in the store already. Never raises.

    Logs at INFO on `dynaguard.access`, what has to do with break-glass at WARNING.
    """
    level = logging.WARNING if change.is_break_glass else logging.INFO
    loud = "BREAK-GLASS " if change.is_break_glass else ""
    _log.log(level, "%s%s", loud, change)
    tell(change)
