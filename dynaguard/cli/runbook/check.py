"""`dynaguard runbook check`: is a runbook well formed, and what would its author not mean."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from dynaguard.cli.check import print_findings
from dynaguard.cli.output import FINDINGS, USAGE, counted, print_json, reports_errors
from dynaguard.cli.runbook.options import named_runbook
from dynaguard.cli.sarif import findings_log, problems_log
from dynaguard.errors import PolicySyntaxError, Problem
from dynaguard.runbooks.lint import RUNBOOK_RULES, Finding, lint_runbook
from dynaguard.runbooks.model import Runbook


@click.command("check")
@click.argument("name")
@click.option("--strict", is_flag=True, help="Let notes count like warnings.")
@click.option(
    "--output",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="How to print the result.",
)
@reports_errors
def command(name: str, output: str, strict: bool) -> None:
    """Checks a runbook and reports every problem at once.

    Each problem names file, line, path and the nearest valid name; calls are checked against
    AWS's own models. A runbook without problems is searched for inefficient and risky steps.

    Exits 2 when it could not be run, 1 when an error or a warning was found.
    """
    try:
        runbook = named_runbook(name)
    except PolicySyntaxError as err:
        _print_problems(name, output, list(err.problems))
        sys.exit(USAGE)
    findings = lint_runbook(runbook)
    _print_findings(runbook, output, findings)
    if any(strict or finding.severity != "note" for finding in findings):
        sys.exit(FINDINGS)


def _print_findings(runbook: Runbook, output: str, findings: tuple[Finding, ...]) -> None:
    """A runbook that could be run."""
    if output == "sarif":
        print_json(findings_log(findings, runbook.source, RUNBOOK_RULES))
    elif output == "json":
        found = [asdict(finding) for finding in findings]
        head = {"runbook": runbook.name, "source": runbook.source, "sha256": runbook.sha256}
        print_json({**head, "is_valid": True, "problems": [], "findings": found})
    else:
        print_findings(findings)
        parts = [counted(len(runbook.steps), "step"), counted(len(findings), "finding")]
        is_ok = all(finding.severity == "note" for finding in findings)
        word = "ok" if is_ok else "can be run"
        click.echo(f"{runbook.source}: {', '.join([word, *parts])}")


def _print_problems(name: str, output: str, problems: list[Problem]) -> None:
    """A runbook that could not."""
    if output == "sarif":
        print_json(problems_log(problems, problems[0].source))
    elif output == "json":
        found = [{**asdict(problem), "text": str(problem)} for problem in problems]
        print_json({"runbook": name, "is_valid": False, "problems": found})
    else:
        for problem in problems:
            click.echo(str(problem), err=True)
        click.echo(f"{name}: {counted(len(problems), 'problem')}", err=True)
