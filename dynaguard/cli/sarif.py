"""Findings as SARIF, the format in which code hosts and editors take results of checkers.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from dynaguard.errors import Problem
from dynaguard.policy.lint import RULES, Finding, Rule

SARIF_VERSION: Final = "2.1.0"
SARIF_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
PROBLEM_RULE: Final = Rule(
    code="DG001",
    name="malformed-document",
    severity="error",
    title="a document that is not fully understood",
    reason="Nothing of such a document is installed.",
    example="",
    fix="Correct what the message names.",
)
"""The rule of what the loader refuses; in SARIF each result has one."""


def findings_log(
    findings: Iterable[Finding], policy: str, rules: Mapping[str, Rule] = RULES
) -> dict[str, Any]:
    """The SARIF log of a document that could be installed.

    Args:
        findings: What the lint found.
        policy: The document's path; files that it includes are named relative to its folder.
        rules: Those that were asked, by code.
    """
    codes = list(rules)
    return _log(
        list(rules.values()),
        [
            {
                "ruleId": finding.code,
                "ruleIndex": codes.index(finding.code),
                "level": finding.severity,
                "message": {"text": f"{finding.message}; fix: {finding.fix}"},
                "locations": [_location(_path_of(finding.ref.source, policy), finding.ref.line)],
                "properties": {"statement": finding.ref.sid, "path": finding.path},
            }
            for finding in findings
        ],
    )


def problems_log(problems: Iterable[Problem], policy: str) -> dict[str, Any]:
    """The SARIF log of a document that could not be installed."""
    return _log(
        [PROBLEM_RULE],
        [
            {
                "ruleId": PROBLEM_RULE.code,
                "ruleIndex": 0,
                "level": PROBLEM_RULE.severity,
                "message": {"text": f"{each.path}: {each.message}" if each.path else each.message},
                "locations": [_location(_path_of(each.source, policy), each.line)],
            }
            for each in problems
        ],
    )


def _log(rules: list[Rule], results: list[dict[str, Any]]) -> dict[str, Any]:
    """A log of one run."""
    driver = {
        "name": "dynaguard",
        "version": importlib.metadata.version("dynaguard"),
        "rules": [_rule(rule) for rule in rules],
    }
    return {
        "$schema": SARIF_SCHEMA,
        "version": SARIF_VERSION,
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    """A rule as SARIF describes it."""
    return {
        "id": rule.code,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.reason},
        "help": {"text": rule.fix},
        "defaultConfiguration": {"level": rule.severity},
    }


def _path_of(source: str, policy: str) -> str:
    """A file as seen from where the command runs."""
    return policy if source in {"", policy} else str(Path(policy).parent / source)


def _location(path: str, line: int) -> dict[str, Any]:
    """A place in a file; the first line where none is known."""
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(Path(path).as_posix())},
            "region": {"startLine": max(1, line)},
        }
    }
