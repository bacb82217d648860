"""`dynaguard runbook runs`: runs of this machine, and which of them can be resumed."""

from __future__ import annotations

import os
from pathlib import Path

import click

from dynaguard.cli.output import console, output_option, print_json, reports_errors, table
from dynaguard.runbooks.journal import summaries
from dynaguard.runbooks.starting import runs_directory


@click.command("runs", short_help="Lists runs: ended, cut off, waiting.")
@click.option("--runs", "directory", type=click.Path(file_okay=False), help="Folder of journals.")
@output_option
@reports_errors
def command(directory: str | None, output: str) -> None:
    """Lists runs, oldest first: what came to its end, what was cut off or waits for a ticket."""
    found = summaries(Path(directory) if directory else runs_directory(os.environ))
    if output == "json":
        print_json({"runs": found})
        return
    shown = table("run", "runbook", "began", "state", "tickets")
    for run in found:
        told = (run["task"], run["runbook"], run["began"], run["state"], ", ".join(run["tickets"]))
        shown.add_row(*map(str, told))
    console().print(shown)
