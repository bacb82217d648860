"""`dynaguard check POLICY`: is the document well formed, understood, and free of holes."""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from dynaguard.assembly import policy_verifier
from dynaguard.cli.output import FINDINGS, USAGE, console, counted, print_json
from dynaguard.cli.sarif import findings_log, problems_log
from dynaguard.errors import MissingExtraError, PolicySyntaxError, Problem
from dynaguard.hooks.status import document_status
from dynaguard.policy.lint import Finding, Severity, lint
from dynaguard.policy.model import PolicyDocument
from dynaguard.policy.opening import open_policy
from dynaguard.settings import resolve_settings

_SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "note")


@click.command("check", short_help="Checks a policy document or a bundle.")
@click.argument("policy", type=click.Path())
@click.option(
    "--verify-key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take only a bundle that is signed with this Ed25519 key (public, PEM).",
)
@click.option("--strict", is_flag=True, help="Let notes count like warnings.")
@click.option(
    "--output",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="How to print the result.",
)
def command(policy: str, output: str, strict: bool, verify_key_file: Path | None) -> None:
    """Checks a policy document, or a bundle, and reports every problem at once.

    Each problem names file, line, path and the nearest valid name. A document without problems is
    searched for what its author will not have meant: statements without effect, holes, wide
    grants, dates past.

    Exits 2 when the document could not be installed, 1 when an error or a warning was found.
    """
    try:
        document = _opened(policy, verify_key_file)
    except PolicySyntaxError as err:
        _print_problems(policy, output, list(err.problems))
        sys.exit(USAGE)
    except (ValueError, MissingExtraError) as err:
        texts = str(err).splitlines()
        _print_problems(policy, output, [Problem(text, source="") for text in texts])
        sys.exit(USAGE)
    findings = lint(document, now=datetime.now(UTC))
    _print_result(policy, output, document_status(document) or {}, findings)
    if any(strict or finding.severity != "note" for finding in findings):
        sys.exit(FINDINGS)


def _opened(policy: str, verify_key_file: Path | None) -> PolicyDocument:
    """The document, its statements read and its settings understood."""
    verifier = None if verify_key_file is None else policy_verifier(verify_key_file)
    document = open_policy(policy, environ=os.environ, verifier=verifier)
    resolve_settings(
        {},
        {},
        document.settings,
        document_source=document.source,
        line_by_name=document.settings_line_by_name,
    )
    if document.bundle is not None:
        from dynaguard.policy.bundle_reading import check_bundle

        check_bundle(document)
    return document


def _print_result(
    policy: str, output: str, summary: dict[str, object], findings: tuple[Finding, ...]
) -> None:
    """A document that could be installed."""
    if output == "sarif":
        print_json(findings_log(findings, policy))
    elif output == "json":
        found = [asdict(finding) for finding in findings]
        is_valid = {"policy": policy, "is_valid": True, "problems": []}
        print_json({**is_valid, "findings": found, **summary})
    else:
        print_findings(findings)
        click.echo(f"{policy}: {_conclusion(summary, findings)}")


def print_findings(findings: tuple[Finding, ...]) -> None:
    """The findings for people, the worst first."""
    printer = console()
    for severity in _SEVERITIES:
        for finding in findings:
            if finding.severity == severity:
                ref = finding.ref
                place = f"{ref.source}:{ref.line}" if ref.line else ref.source
                within = f"{ref.sid}.{finding.path}" if finding.path else ref.sid
                printer.print(f"{place}: {severity} {finding.code}: {within}", markup=False)
                printer.print(f"    {finding.message}", markup=False)
                printer.print(f"    fix: {finding.fix}", markup=False)


def _conclusion(summary: dict[str, object], findings: tuple[Finding, ...]) -> str:
    """What to remember of it, in one line."""
    parts = [counted(summary[f"{noun}s"], noun) for noun in ("statement", "mask", "budget")]
    if summary["capacity_limits"]:
        parts.append(counted(summary["capacity_limits"], "capacity limit"))
    if summary["runbooks"]:
        parts.append(counted(summary["runbooks"], "runbook"))
    counts = Counter(finding.severity for finding in findings)
    listed = [counted(counts[each], each) for each in _SEVERITIES if counts[each]]
    is_ok = not counts["error"] and not counts["warning"]
    return ", ".join(["ok" if is_ok else "can be installed", *parts, *listed])


def _print_problems(policy: str, output: str, problems: list[Problem]) -> None:
    """A document that could not."""
    if output == "sarif":
        print_json(problems_log(problems, policy))
        return
    if output == "json":
        found = [{**asdict(problem), "text": _text(problem)} for problem in problems]
        print_json({"policy": policy, "is_valid": False, "problems": found})
        return
    for problem in problems:
        click.echo(_text(problem), err=True)
    count = len(problems)
    click.echo(f"{policy}: {count} problem{'s' if count != 1 else ''}", err=True)


def _text(problem: Problem) -> str:
    """A problem on one line; one that knows no place says so in its message."""
    return str(problem) if problem.source else problem.message
