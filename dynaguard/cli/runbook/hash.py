"""`dynaguard runbook hash`: what a policy writes to trust a runbook."""

from __future__ import annotations

import json

import click

from dynaguard.cli.output import output_option, print_json, reports_errors
from dynaguard.cli.runbook.options import named_runbook


@click.command("hash")
@click.argument("name")
@output_option
@reports_errors
def command(name: str, output: str) -> None:
    """Prints the entry by which a policy document pins a runbook.

    White space and comments do not change the hash; everything else does, and so do the files of
    its Python steps.
    """
    runbook = named_runbook(name)
    if output == "json":
        print_json({"name": runbook.name, "sha256": runbook.sha256})
        return
    click.echo(f"[runbooks.{json.dumps(runbook.name)}]")
    click.echo(f'sha256 = "{runbook.sha256}"')
