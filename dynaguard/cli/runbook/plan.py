"""`dynaguard runbook plan`: what a run would do. Sends nothing."""

from __future__ import annotations

import os

import click

from dynaguard.cli.output import output_option, print_json, reports_errors
from dynaguard.cli.runbook.options import named_runbook
from dynaguard.cli.runbook.values import (
    params_file_option,
    run_param_option,
    run_values,
    secret_option,
)
from dynaguard.runbooks.binding import bind
from dynaguard.runbooks.planning import plan_run


@click.command("plan", short_help="Lists what a run would do; sends nothing.")
@click.argument("name")
@run_param_option
@params_file_option
@secret_option
@click.option("--region", help="The region that its calls go to.")
@click.option("--account-id", help="The account, twelve digits.")
@output_option
@reports_errors
def command(
    name: str,
    params: tuple[str, ...],
    params_file: str | None,
    secrets: tuple[str, ...],
    region: str | None,
    account_id: str | None,
    output: str,
) -> None:
    """Lists the steps of a run with their calls and bounds; parameter values are masked.

    The same runbook with the same parameters gives the same plan, each time.
    """
    runbook = named_runbook(name)
    values = run_values(runbook, params, params_file, secrets, may_ask=True)
    region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    plan = plan_run(bind(runbook, values, region=region, account_id=account_id))
    if output == "json":
        print_json(plan.as_dict())
    else:
        click.echo(plan.as_text())
