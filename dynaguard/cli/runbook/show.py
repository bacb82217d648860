"""`dynaguard runbook show`: a runbook as a page for people."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from dynaguard.cli.output import output_option, print_json, reports_errors
from dynaguard.cli.runbook.options import named_runbook
from dynaguard.runbooks.outline import permissions_outline
from dynaguard.runbooks.rendering import runbook_markdown


@click.command("show", short_help="Shows a runbook as a page.")
@click.argument("name")
@output_option
@reports_errors
def command(name: str, output: str) -> None:
    """Shows a runbook: purpose, owner, parameters, steps, limits, permissions, hash.

    As Markdown, or with `--output json` the checked document for programs.
    """
    runbook = named_runbook(name)
    if output == "json":
        permissions = [
            dict(zip(("actions", "resource", "conditions"), line, strict=True))
            for line in permissions_outline(runbook)
        ]
        print_json({**_plain(runbook), "permissions": permissions})
        return
    click.echo(runbook_markdown(runbook), nl=False)


def _plain(value: Any) -> Any:
    """A value of the model in JSON's own types; what makes a step has its kind as `does`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
        action = getattr(value, "action", None)
        return fields if action is None else {**fields, "does": type(action).__name__}
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, frozenset):
        return sorted(value)
    return str(value) if isinstance(value, bytes | Decimal | Path) else value
