"""The command group: one module per command, imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from dynaguard.cli.recording import record_changes

_MODULE_BY_COMMAND: Final = {
    "access": "dynaguard.cli.access",
    "alarms": "dynaguard.cli.alarms",
    "approvals": "dynaguard.cli.approvals",
    "audit": "dynaguard.cli.audit",
    "check": "dynaguard.cli.check",
    "demo": "dynaguard.cli.demo",
    "drill": "dynaguard.cli.drill",
    "explain": "dynaguard.cli.explain",
    "grants": "dynaguard.cli.grants",
    "init": "dynaguard.cli.init",
    "key-hash": "dynaguard.cli.key_hash",
    "run": "dynaguard.cli.run",
    "session": "dynaguard.cli.session",
    "runbook": "dynaguard.cli.runbook",
    "status": "dynaguard.cli.status",
    "test": "dynaguard.cli.test",
    "top": "dynaguard.cli.top",
    "who-can": "dynaguard.cli.who_can",
}


class _LazyGroup(click.Group):
    """Imports a command's module when the command is named or listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return sorted(_MODULE_BY_COMMAND)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        module = _MODULE_BY_COMMAND.get(cmd_name)
        if module is None:
            return None
        command: click.Command = import_module(module).command
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dynaguard")
@click.pass_context
def cli(context: click.Context) -> None:
    """Guards AWS calls from inside the Python process that makes them.

    Exit codes: 0 all is well, 1 findings, 2 wrong usage or unusable input.
    """
    record_changes(context)
