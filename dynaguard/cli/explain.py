"""`dynaguard explain`: what a policy says about a call, statement by statement."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from dynaguard.cli.held_grants import held_grants
from dynaguard.cli.output import FINDINGS, console, fail, output_option, print_json, reports_errors
from dynaguard.explaining import ExplainedAuthorization, Explanation, explain
from dynaguard.hooks.models import known_operation, parameter_faults
from dynaguard.policy.suggestion import statement_toml

_IN_WORDS = {
    "allow": "allowed",
    "ungoverned": "allowed",
    "require_approval": "refused until it is approved, as required",
}


@click.command("explain")
@click.argument("service")
@click.argument("operation")
@click.argument("params", default="{}")
@click.option("--policy", type=click.Path(), help="Instead of DYNAGUARD_POLICY.")
@click.option("--region", help="The region called.")
@click.option("--identity", help="Name or ARN of the caller.")
@click.option("--account-id", help="The account called, twelve digits.")
@click.option(
    "--expires-in",
    type=click.FloatRange(min=0, min_open=True),
    default=24.0,
    show_default=True,
    metavar="HOURS",
    help="How long a suggested statement holds.",
)
@click.option("--all", "show_all", is_flag=True, help="Also list statements that do not match.")
@output_option
@reports_errors
def command(
    service: str,
    operation: str,
    params: str,
    policy: str | None,
    region: str | None,
    identity: str | None,
    account_id: str | None,
    expires_in: float,
    show_all: bool,
    output: str,
) -> None:
    """Says what would be decided about a call, and why. Sends nothing.

    PARAMS are the parameters as JSON, `@FILE` reads them from a file and `-` from standard input:

      dynaguard explain dynamodb Scan '{"TableName": "prod-orders"}'

    OPERATION is the operation or the client's method (`Scan`, `scan`). Parameters that botocore
    would refuse are named as warnings.

    Exits 0 when the call would be allowed, 1 when it would be refused or needs an approval.
    """
    operation = known_operation(service, operation)
    given = _read_params(params)
    for fault in parameter_faults(service, operation, given):
        click.echo(f"warning: {fault}, botocore would not send this call", err=True)
    found = explain(
        service,
        operation,
        given,
        policy=policy,
        region=region,
        identity=identity,
        account_id=account_id,
        expires_in=timedelta(hours=expires_in),
        grants=held_grants(policy),
    )
    if output == "json":
        print_json(found.as_dict())
    else:
        _print_text(found, show_all=show_all)
    if not found.is_allowed:
        sys.exit(FINDINGS)


def _read_params(text: str) -> dict[str, Any]:
    """The parameters; ends the command when they are no JSON object."""
    place = "PARAMS"
    if text == "-":
        place, text = "standard input", sys.stdin.read()
    elif text.startswith("@"):
        place = text[1:]
        try:
            text = Path(place).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as err:
            fail(f"`{place}` cannot be read ({getattr(err, 'strerror', 'not UTF-8')})")
    try:
        params = json.loads(text)
    except ValueError as err:
        position = f", line {err.lineno}" if isinstance(err, json.JSONDecodeError) else ""
        fail(f'{place} is no JSON{position}, write for example \'{{"TableName": "orders"}}\'')
    if not isinstance(params, dict):
        fail(f"{place} is a JSON {type(params).__name__}, it must be an object")
    return params


def _print_text(found: Explanation, *, show_all: bool) -> None:
    """For people."""
    out = console()
    verdict = _IN_WORDS.get(found.verdict, "refused")
    by = f" by {found.statement}" if found.statement else ", by the default"
    if found.verdict == "ungoverned":
        by = ", the policy does not govern this service"
    out.print(f"{found.service} {found.operation} for {found.identity}: {verdict}{by}")
    if found.message:
        out.print(f"  {found.message}", markup=False)
    for approval in found.approvals:
        out.print(f"  approval for {approval}", markup=False)
    for authorization in found.authorizations:
        _print_authorization(authorization, show_all=show_all)
    if found.grants:
        out.print("\nGrants:")
    for grant in found.grants:
        needed = "the call rests on it" if grant.is_needed else "not needed, or not for this"
        text = f"  {grant.id} until {grant.expires} ({grant.owner}: {grant.reason}): {needed}"
        out.print(text, markup=False)
    if found.suggestions:
        out.print("\nThe smallest addition that would allow it:")
    for statement in found.suggestions:
        out.print()
        out.print(statement_toml(statement), markup=False, highlight=False, soft_wrap=True, end="")


def _print_authorization(authorization: ExplainedAuthorization, *, show_all: bool) -> None:
    """One permission and the statements that bear on it."""
    out = console()
    out.print(f"\n  {authorization.action} on {authorization.resource}", markup=False)
    if authorization.problem:
        out.print(f"    not understood: {authorization.problem}", markup=False)
    shown = 0
    for statement in authorization.statements:
        is_about_action = statement.why != "action does not match"
        if statement.match == "no" and not (show_all or is_about_action):
            continue
        shown += 1
        sign = "+" if statement.counts else "-"
        why = f" ({statement.why})" if statement.why else ""
        observed = ", observed only" if statement.is_observed else ""
        text = f"    {sign} {statement.effect} {statement.statement}{why}{observed}"
        out.print(text, markup=False)
    if not shown:
        out.print("    no statement names this action")
    if authorization.nearest is not None:
        parts = ", ".join(authorization.nearest.failing)
        text = f"    nearest: {authorization.nearest.statement}; what does not match: {parts}"
        out.print(text, markup=False)
