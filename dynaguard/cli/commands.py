"""The command group: one module per command, imported when it is asked for."""

from __future__ import annotations

from typing import Final

import click

from dynaguard.cli.lazy import lazy
from dynaguard.cli.recording import record_changes

_COMMANDS: Final = (
    *("access", "alarms", "approvals", "audit", "check", "demo", "drill", "explain", "grants"),
    *("init", "key-hash", "run", "runbook", "session", "status", "test", "top", "who-can"),
)


@click.group(
    cls=lazy("dynaguard.cli", *_COMMANDS), context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="dynaguard")
@click.pass_context
def cli(context: click.Context) -> None:
    """Guards AWS calls from inside the Python process that makes them.

    Exit codes: 0 all is well, 1 findings, 2 wrong usage or unusable input.
    """
    record_changes(context)
