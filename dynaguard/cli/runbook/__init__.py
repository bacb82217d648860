"""`dynaguard runbook`: documents that execute, are enforced while they run, and compile to IAM."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

_MODULE_BY_COMMAND: Final = {
    "check": "dynaguard.cli.runbook.check",
    "compile": "dynaguard.cli.runbook.compile",
    "hash": "dynaguard.cli.runbook.hash",
    "init": "dynaguard.cli.runbook.init",
    "list": "dynaguard.cli.runbook.list",
    "plan": "dynaguard.cli.runbook.plan",
    "run": "dynaguard.cli.runbook.run",
    "runs": "dynaguard.cli.runbook.runs",
    "show": "dynaguard.cli.runbook.show",
    "test": "dynaguard.cli.runbook.test",
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


@click.group("runbook", cls=_LazyGroup)
def command() -> None:
    """Runbooks: documents that execute and are enforced while they run.

    A NAME is a path, a file in the folder `runbooks` here or beside the policy document, or
    `library:NAME` of those that ship.
    """
