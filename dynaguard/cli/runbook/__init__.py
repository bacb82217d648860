"""`dynaguard runbook`: documents that execute, are enforced while they run, and compile to IAM."""

from __future__ import annotations

from typing import Final

import click

from dynaguard.cli.lazy import lazy

_COMMANDS: Final = (
    *("check", "compile", "hash", "init", "list", "plan", "run", "runs", "show", "test"),
)


@click.group("runbook", cls=lazy("dynaguard.cli.runbook", *_COMMANDS))
def command() -> None:
    """Runbooks: documents that execute and are enforced while they run.

    A NAME is a path, a file in the folder `runbooks` here or beside the policy document, or
    `library:NAME` of those that ship.
    """
