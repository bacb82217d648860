"""`dynaguard runbook compile`: the permissions of one run, for IAM, a session, or the guard."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from dynaguard.cli.output import fail, reports_errors
from dynaguard.cli.runbook.options import named_runbook, param_option
from dynaguard.cli.runbook.values import run_values
from dynaguard.runbooks.binding import bind

_MOST_SESSION: Final = 2048
"""Characters of a session policy. Source: STS API reference, AssumeRole, `Policy`."""


@click.command("compile", short_help="Prints the permissions that a run needs.")
@click.argument("target", type=click.Choice(["iam", "session", "guard"]))
@click.argument("name")
@param_option
@click.option("--region", help="The region that its calls go to.")
@click.option("--account-id", help="The account, twelve digits.")
@click.option("--partition", default="aws", show_default=True, help="The partition.")
@reports_errors
def command(
    target: str,
    name: str,
    params: tuple[str, ...],
    region: str | None,
    account_id: str | None,
    partition: str,
) -> None:
    """Prints the permissions that one run of a runbook needs, and no others.

    `iam`: a policy with AWS's own condition keys. `session`: the same on one line, as a session
    policy takes it. `guard`: statements for a dynaguard policy, with its own keys, and without
    the values of keys, which the guard compares by the runbook itself.

    Without a region or account, `*` stands in their place.
    """
    runbook = named_runbook(name)
    values = run_values(runbook, params, None, (), may_ask=True)
    bound = bind(runbook, values, region=region, account_id=account_id, partition=partition)
    statements = bound.statements if target == "guard" else bound.iam_statements
    policy: dict[str, Any] = {"Version": "2012-10-17", "Statement": list(statements)}
    if target != "session":
        click.echo(json.dumps(policy, indent=2))
        return
    text = json.dumps(policy, separators=(",", ":"))
    if len(text) > _MOST_SESSION:
        fail(f"the session policy has {len(text)} characters, STS takes {_MOST_SESSION}")
    click.echo(text)
