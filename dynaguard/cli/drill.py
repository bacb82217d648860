"""`dynaguard drill list | NAME`: injects a known failure and shows what dynaguard does."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import click

from dynaguard.cli.output import (
    FINDINGS,
    console,
    output_option,
    print_json,
    reports_errors,
    table,
)
from dynaguard.demo.endpoint import embedded_endpoint
from dynaguard.drills.catalogue import DRILLS, find_drill
from dynaguard.drills.running import DrillResult, run_drill


@click.command("drill", short_help="Injects a failure, and runs what meets it.")
@click.argument("name", metavar="list|all|NAME")
@output_option
@reports_errors
def command(name: str, output: str) -> None:
    """Runs a drill: a known failure mode, its runbook, and what must come of it.

    It takes seconds, against an embedded DynamoDB (extra `demo`); nothing reaches AWS. `list`
    names every drill, `all` runs them one after another.

    Exits 0 when dynaguard did what it must, 1 when not, 2 on wrong usage.
    """
    if name == "list":
        _list(output)
        return
    drills = list(DRILLS.values()) if name == "all" else [find_drill(name)]
    with embedded_endpoint() as endpoint:
        results = [run_drill(drill, endpoint_url=endpoint.url) for drill in drills]
    if output == "json":
        told = [_as_dict(result) for result in results]
        print_json(told[0] if name != "all" else {"drills": told})
    else:
        for result in results:
            click.echo(result.as_text())
    if not all(result.passed for result in results):
        sys.exit(FINDINGS)


def _list(output: str) -> None:
    """Every drill."""
    if output == "json":
        print_json(
            {
                "drills": [
                    {
                        "name": drill.name,
                        "mode": drill.mode,
                        "injection": drill.injection,
                        "expectation": drill.expectation,
                    }
                    for drill in DRILLS.values()
                ]
            }
        )
        return
    shown = table("drill", "failure mode", "expected")
    for drill in DRILLS.values():
        shown.add_row(drill.name, drill.mode, drill.expectation)
    console().print(shown)


def _as_dict(result: DrillResult) -> dict[str, Any]:
    """A result for programs."""
    lists = {"happened": list(result.happened), "problems": list(result.problems)}
    return {**asdict(result), **lists, "passed": result.passed}
