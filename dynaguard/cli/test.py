"""`dynaguard test PATH...`: do the policies decide as their tests expect."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import click

from dynaguard.cli.output import (
    FINDINGS,
    console,
    counted,
    output_option,
    print_json,
    reports_errors,
)
from dynaguard.testing import CaseResult, run_cases


@click.command("test", short_help="Runs policy tests.")
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@output_option
@reports_errors
def command(paths: tuple[str, ...], output: str) -> None:
    """Runs the policy tests in PATHS and prints each case that does not hold.

    A path is a file of cases (TOML, JSON, YAML), decision vectors (JSONL), or a folder of files
    named like `policy-tests.toml`. Nothing is sent.

    Exits 0 when every case holds, 1 when one does not, 2 when a file is not understood.
    """
    results = run_cases(paths)
    failed = [result for result in results if not result.holds]
    if output == "json":
        print_json(
            {
                "cases": len(results),
                "failed": len(failed),
                "results": [_as_dict(result) for result in results],
            }
        )
    else:
        _print_text(len(results), failed)
    if failed:
        sys.exit(FINDINGS)


def _as_dict(result: CaseResult) -> dict[str, Any]:
    """One result for programs."""
    return {**dataclasses.asdict(result), "problems": list(result.problems)}


def _print_text(count: int, failed: list[CaseResult]) -> None:
    """For people."""
    out = console()
    for result in failed:
        out.print(result.text, markup=False)
        explanation = result.explanation
        if explanation is None:
            continue
        if explanation.message:
            out.print(f"    {explanation.message}", markup=False)
        for need in explanation.authorizations:
            out.print(f"    {need.action} on {need.resource}", markup=False)
            for statement in need.statements:
                if statement.why != "action does not match":
                    sign = "+" if statement.counts else "-"
                    why = f" ({statement.why})" if statement.why else ""
                    text = f"      {sign} {statement.effect} {statement.statement}{why}"
                    out.print(text, markup=False)
    held = "all hold" if not failed else f"{len(failed)} of them not as expected"
    out.print(f"{counted(count, 'case')}, {held}")
