"""Checks whose approval a run, or a step of it, needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dynaguard.policy.collecting import Findings
from dynaguard.policy.lines import Path_
from dynaguard.policy.model import ApprovalTerms
from dynaguard.runbooks.numbers import seconds, whole

TERMS_KEYS: Final = ("quorum", "any_of", "all_of", "timeout_s", "duration_s")
_MOST_APPROVERS: Final = 20
_LONGEST_S: Final = 7 * 86_400.0


def check_terms(findings: Findings, table: Mapping[str, Any], path: Path_) -> ApprovalTerms:
    """The terms that a table tells; what it leaves out is as in policies."""
    groups = {
        name: findings.texts(table[name], (*path, name)) if name in table else ()
        for name in ("any_of", "all_of")
    }
    quorum = whole(findings, table, (*path, "quorum"), most=_MOST_APPROVERS) or 1
    if len(groups["all_of"]) > quorum and "quorum" in table:
        findings.add((*path, "quorum"), "is less than the number of groups in `all_of`")
    plain = ApprovalTerms()
    return ApprovalTerms(
        quorum=max(quorum, len(groups["all_of"])),
        any_of=groups["any_of"],
        all_of=groups["all_of"],
        timeout_s=seconds(findings, table, (*path, "timeout_s"), most=_LONGEST_S)
        or plain.timeout_s,
        duration_s=seconds(findings, table, (*path, "duration_s"), most=_LONGEST_S)
        or plain.duration_s,
        uses=None,
    )
