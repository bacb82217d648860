"""`dynaguard check POLICY`: is the document well formed and fully understood."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict

import click

from dynaguard.cli.output import USAGE, console, output_option, print_json
from dynaguard.errors import MissingExtraError, PolicySyntaxError
from dynaguard.hooks.status import document_status
from dynaguard.policy.loading import load_policy
from dynaguard.settings import resolve_settings


@click.command("check")
@click.argument("policy", type=click.Path())
@output_option
def command(policy: str, output: str) -> None:
    """Checks a policy document and reports every problem at once.

    Each problem names file, line, path and the nearest valid name. Exits 2 when the document
    could not be installed.
    """
    try:
        document = load_policy(policy, environ=os.environ)
        resolve_settings(
            {},
            {},
            document.settings,
            document_source=document.source,
            line_by_name=document.settings_line_by_name,
        )
    except PolicySyntaxError as err:
        problems = [{**asdict(problem), "text": str(problem)} for problem in err.problems]
    except (ValueError, MissingExtraError) as err:
        problems = [{"text": line} for line in str(err).splitlines()]
    else:
        _print_success(policy, output, document_status(document) or {})
        return
    _print_problems(policy, output, problems)
    sys.exit(USAGE)


def _print_success(policy: str, output: str, summary: dict[str, object]) -> None:
    """A document that could be installed."""
    if output == "json":
        print_json({"policy": policy, "is_valid": True, "problems": [], **summary})
        return
    console().print(
        f"{policy}: ok, {summary['statements']} statements, {summary['masks']} masks, "
        f"{summary['budgets']} budgets"
    )


def _print_problems(policy: str, output: str, problems: list[dict[str, object]]) -> None:
    """A document that could not."""
    if output == "json":
        print_json({"policy": policy, "is_valid": False, "problems": problems})
        return
    for problem in problems:
        click.echo(problem["text"], err=True)
    count = len(problems)
    click.echo(f"{policy}: {count} problem{'s' if count != 1 else ''}", err=True)
