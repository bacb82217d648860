"""`dynaguard runbook list`: the runbooks that can be named here."""

from __future__ import annotations

import os
from typing import Any

import click

from dynaguard.cli.output import console, output_option, print_json, reports_errors, table
from dynaguard.cli.runbook.options import POLICY_VARIABLE
from dynaguard.errors import PolicySyntaxError
from dynaguard.runbooks.finding import FoundRunbook, list_runbooks
from dynaguard.runbooks.python_source import PYTHON
from dynaguard.runbooks.reading import read_runbook


@click.command("list")
@output_option
@reports_errors
def command(output: str) -> None:
    """Lists the runbooks that can be named here, and what each is for.

    Python runbooks are named and not read: to read one is to execute it.
    """
    rows = [_row(found) for found in list_runbooks(policy=os.environ.get(POLICY_VARIABLE))]
    if output == "json":
        print_json({"runbooks": rows})
        return
    listed = table("name", "owner", "purpose")
    for row in rows:
        listed.add_row(row["name"], row["owner"], row["purpose"])
    console().print(listed)


def _row(found: FoundRunbook) -> dict[str, Any]:
    """One runbook; of one that cannot be read, how many problems it has."""
    row = {"name": found.name, "path": str(found.path), "owner": "", "purpose": ""}
    if found.path.suffix == PYTHON:
        return {**row, "purpose": "(a Python runbook, not read)"}
    try:
        runbook = read_runbook(found.path)
    except PolicySyntaxError as err:
        return {**row, "purpose": f"({len(err.problems)} problems, see `runbook check`)"}
    return {**row, "owner": runbook.owner, "purpose": runbook.purpose}
