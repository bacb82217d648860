"""Where commands put changes in access on record: the audit target of the settings.

A command installs no guard. What it changes (a grant, a ticket) is written by a writer of its own,
which is opened with the first change and ends with the command.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynaguard.access_change import AccessChange, receive_otherwise

if TYPE_CHECKING:
    from dynaguard.audit.log import AuditLog


class CommandAudit:
    """The audit log of one command, opened when it is first needed."""

    def __init__(self) -> None:
        self._log: AuditLog | None = None

    def __call__(self, change: AccessChange) -> None:
        """Records a change. May raise; the caller says that it is not on record."""
        if self._log is None:
            self._log = self._opened()
        self._log.change(change)

    def close(self) -> None:
        """Ends the writer, if there is one."""
        if self._log is not None:
            self._log.close()

    def _opened(self) -> AuditLog:
        from dynaguard.assembly import open_audit, read_configuration
        from dynaguard.audit.log import AuditLog
        from dynaguard.hooks.shipping import ship_to

        configuration = read_configuration(
            None, {}, environ=os.environ, working_directory=Path.cwd()
        )
        if configuration.is_off:
            return AuditLog("off", mode="best-effort")
        return open_audit(configuration, ship=ship_to)


def record_changes(context: click.Context) -> None:
    """Has the changes that a command makes put on record, until it ends."""
    audit = CommandAudit()
    receive_otherwise(audit, "cli")

    def end() -> None:
        receive_otherwise(None, "process")
        audit.close()

    context.call_on_close(end)
