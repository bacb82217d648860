"""`dynaguard runbook`: documents that execute, are enforced while they run, and compile to IAM."""

from __future__ import annotations

from typing import Final

import click

from dynaguard.cli.groups import LazyGroup

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


@click.group(
    "runbook",
    short_help="Writes, checks, tests and runs runbooks.",
    cls=LazyGroup,
    module_by_command=_MODULE_BY_COMMAND,
)
def command() -> None:
    """Runbooks: documents that execute and are enforced while they run.

    A NAME is a path, a file in the folder `runbooks` here or beside the policy document, or
    `library:NAME` of those that ship.
    """
