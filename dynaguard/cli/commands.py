"""The command group: one module per command, imported when it is asked for."""

from __future__ import annotations

from typing import Final

import click

from dynaguard.cli.groups import LazyGroup
from dynaguard.cli.recording import record_changes

_MODULE_BY_COMMAND: Final = {
    "access": "dynaguard.cli.access",
    "alarms": "dynaguard.cli.alarms",
    "approvals": "dynaguard.cli.approvals",
    "audit": "dynaguard.cli.audit",
    "check": "dynaguard.cli.check",
    "compile": "dynaguard.cli.compile",
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


@click.group(
    cls=LazyGroup,
    module_by_command=_MODULE_BY_COMMAND,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="dynaguard")
@click.pass_context
def cli(context: click.Context) -> None:
    """Guards AWS calls from inside the Python process that makes them.

    Exit codes: 0 all is well, 1 findings, 2 wrong usage or unusable input. `runbook run` also has
    3, it waits for an approval, and 4, it was refused.
    """
    record_changes(context)
