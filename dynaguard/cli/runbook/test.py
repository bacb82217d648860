"""`dynaguard runbook test`: do runbooks do what their tests expect."""

from __future__ import annotations

import dataclasses
import sys
from contextlib import nullcontext

import click

import dynaguard
from dynaguard.cli.output import FINDINGS, counted, output_option, print_json, reports_errors
from dynaguard.cli.runbook.options import POLICY_VARIABLE
from dynaguard.runbooks.finding import find_runbook
from dynaguard.testing import run_runbook_case, runbook_cases


@click.command("test", short_help="Runs the cases of `NAME.test.toml`.")
@click.argument("names", nargs=-1, required=True)
@click.option("--policy", type=click.Path(), help="Run them under this policy; none: all allowed.")
@click.option("--endpoint-url", help="An endpoint to run them at; none: an in-process DynamoDB.")
@output_option
@reports_errors
def command(
    names: tuple[str, ...], policy: str | None, endpoint_url: str | None, output: str
) -> None:
    """Runs the cases in `NAME.test.toml` beside each runbook, every one on tables of its own.

    Nothing reaches AWS. Cases with recorded answers need no endpoint.

    Exits 0 when every case holds, 1 when one does not, 2 when a file is not understood.
    """
    import os

    found = os.environ.get(POLICY_VARIABLE)
    cases = [case for name in names for case in runbook_cases(find_runbook(name, policy=found))]
    with dynaguard.install(policy) if policy is not None else nullcontext():
        results = [run_runbook_case(case, endpoint_url=endpoint_url) for case in cases]
    failed = [result for result in results if not result.holds]
    if output == "json":
        told = [
            {**dataclasses.asdict(result), "problems": list(result.problems)} for result in results
        ]
        print_json({"cases": len(results), "failed": len(failed), "results": told})
    else:
        for result in failed:
            click.echo(result.text)
        held = "all hold" if not failed else f"{len(failed)} of them not as expected"
        click.echo(f"{counted(len(results), 'case')}, {held}")
    if failed:
        sys.exit(FINDINGS)
