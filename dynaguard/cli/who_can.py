"""`dynaguard who-can ACTION [RESOURCE]`: who can do something, when and why."""

from __future__ import annotations

import os
from pathlib import Path

import click

from dynaguard.assembly import read_configuration
from dynaguard.cli.held_grants import held_grants
from dynaguard.cli.output import console, output_option, print_json, reports_errors
from dynaguard.errors import ConfigurationError
from dynaguard.policy.collecting import hint
from dynaguard.policy.lint.actions import ACTIONS
from dynaguard.policy.reaching import Reach, Way, reach_of

_TITLES = {
    "denying": "Refused, whatever else stands here:",
    "asking": "Only after an approval:",
    "allowing": "Allowed:",
}


@click.command("who-can")
@click.argument("action")
@click.argument("resource", required=False)
@click.option("--policy", type=click.Path(), help="Instead of DYNAGUARD_POLICY.")
@output_option
@reports_errors
def command(action: str, resource: str | None, policy: str | None, output: str) -> None:
    """Says who can do something, when and why, as the policy has it.

    ACTION is an IAM action and RESOURCE an ARN; `*` and `?` stand for what does not matter:

      dynaguard who-can s3:DeleteObject 'arn:aws:s3:::prod-invoices/*'

    Lists the statements that allow it, the approvals that they need, the runbooks that the policy
    trusts, the grants of the access store, and what refuses it. Makes no call to AWS but those to
    an access store in DynamoDB.
    """
    service, colon, _ = action.partition(":")
    if not colon or "*" in service:
        raise ConfigurationError(f"`{action}` is no action, write for example `dynamodb:GetItem`")
    _refuse_unknown(action)
    if resource is not None and resource != "*" and resource.count(":") < 5:
        raise ConfigurationError(
            f"`{resource}` is no ARN, write for example `arn:aws:dynamodb:*:*:table/orders`"
        )
    configuration = read_configuration(
        policy, {}, environ=os.environ, working_directory=Path.cwd()
    )
    if configuration.document is None:
        raise ConfigurationError(
            "no policy is found, pass `--policy`, set DYNAGUARD_POLICY or write `dynaguard.toml`"
        )
    reach = reach_of(configuration.document, action, resource, grants=held_grants(policy))
    if output == "json":
        print_json(reach.as_dict())
    else:
        _print_text(reach)


def _refuse_unknown(action: str) -> None:
    """A slip in a name would be answered with "nobody". Actions of DynamoDB alone are all known.

    Raises:
        ConfigurationError: DynamoDB has no such action.
    """
    service, _, name = action.lower().partition(":")
    if service != "dynamodb" or "*" in name or "?" in name:
        return
    if name not in {each.lower() for each in ACTIONS}:
        known = [f"dynamodb:{each}" for each in sorted(ACTIONS)]
        raise ConfigurationError(f"DynamoDB has no action `{action}`{hint(action, known)}")


def _print_text(reach: Reach) -> None:
    """For people."""
    out = console()
    out.print(f"{reach.action} on {reach.resource or 'any resource'}: {_sum(reach)}", markup=False)
    for name, title in _TITLES.items():
        ways: tuple[Way, ...] = getattr(reach, name)
        if ways:
            out.print(f"\n{title}")
        for way in ways:
            place = f" ({way.place})" if way.place else ""
            out.print(f"  {way.kind} {way.name}{place}", markup=False)
            out.print(f"    who: {way.who}", markup=False)
            if way.when:
                out.print(f"    when: {way.when}", markup=False)
            if way.approval:
                out.print(f"    approval: {way.approval}", markup=False)


def _sum(reach: Reach) -> str:
    """The answer in one clause."""
    if not reach.is_governed:
        return "everybody, since the policy does not govern this service"
    if reach.is_closed:
        return "nobody, a statement denies it to everybody"
    if not (reach.allowing or reach.asking):
        return "nobody, nothing allows it"
    if reach.is_approved_always:
        return "nobody without an approval"
    return "who is named below"
