"""Checks the numbers and texts of a runbook's tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynaguard.policy.collecting import Findings, kind_of
from dynaguard.policy.lines import Path_


def whole(
    findings: Findings, table: Mapping[str, Any], path: Path_, *, most: int, least: int = 1
) -> int | None:
    """A whole number within bounds, or None where it is not given; the path ends in its name."""
    value = table.get(str(path[-1]))
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        findings.add(path, f"must be a whole number from {least} to {most}")
        return None
    return value


def seconds(
    findings: Findings, table: Mapping[str, Any], path: Path_, *, most: float
) -> float | None:
    """A positive number, or None where it is not given; the path ends in its name."""
    value = table.get(str(path[-1]))
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value <= most:
        findings.add(path, f"must be a number above 0 and at most {most:g}")
        return None
    return float(value)


def text(findings: Findings, table: Mapping[str, Any], path: Path_, *, default: str = "") -> str:
    """Text, or the default where it is not given; the path ends in its name."""
    value = table.get(str(path[-1]), default)
    if not isinstance(value, str):
        findings.add(path, f"must be text, this is {kind_of(value)}")
        return default
    return value
