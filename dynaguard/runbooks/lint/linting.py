"""Asks every rule and puts the findings in the order of the steps."""

from __future__ import annotations

from collections.abc import Iterator

from dynaguard.call import StatementRef
from dynaguard.policy.lint import Finding
from dynaguard.runbooks.lint.access import check_access
from dynaguard.runbooks.lint.risk import check_risk
from dynaguard.runbooks.lint.rules import RUNBOOK_RULES
from dynaguard.runbooks.model import ParameterType, Runbook, RunLimits


def lint_runbook(runbook: Runbook) -> tuple[Finding, ...]:
    """What the author of a runbook will not have meant.

    Args:
        runbook: A checked runbook.

    Returns:
        Findings by line, then by code, without those that its `[lint]` ignores.
    """
    found = [each for each in _findings(runbook) if not _is_ignored(runbook, each)]
    return tuple(sorted(found, key=lambda each: (each.ref.line, each.code)))


def _is_ignored(runbook: Runbook, finding: Finding) -> bool:
    """Whether the author has weighed a finding."""
    of_this = f"{finding.code}:{finding.ref.sid}"
    return bool({finding.code, of_this} & runbook.ignored_findings)


def _findings(runbook: Runbook) -> Iterator[Finding]:
    """The findings of every rule."""
    yield from _of_reader(runbook)
    yield from check_access(runbook)
    yield from check_risk(runbook)


def _of_reader(runbook: Runbook) -> Iterator[Finding]:
    """What who reads, approves or runs it would miss."""
    ref = StatementRef(runbook.name, runbook.source, 1)
    rules = RUNBOOK_RULES
    if runbook.limits == RunLimits():
        fix = "write `[limits]` with at least `duration_s` and `items`"
        yield rules["DGR301"].finding(ref, "nothing bounds what a run may take", fix)
    if runbook.link is None:
        yield rules["DGR302"].finding(ref, "no `link` tells more", 'write `link = "https://..."`')
    for parameter in runbook.parameters:
        kind = parameter.elements or parameter.type
        if kind is ParameterType.STRING and parameter.pattern is None:
            yield rules["DGR304"].finding(
                ref, f"parameter `{parameter.name}` takes any text", "write a `pattern`"
            )
