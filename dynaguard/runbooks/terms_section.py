"""Checks whose approval a run, or a step of it, needs: the grammar of policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynaguard.policy.approval_section import check_approval
from dynaguard.policy.collecting import Findings
from dynaguard.policy.lines import Path_
from dynaguard.policy.model import ApprovalTerms


def check_terms(findings: Findings, table: Mapping[str, Any], path: Path_) -> ApprovalTerms:
    """The terms that a table tells; what it leaves out is as in policies.

    Groups are those of the policy that decides, which no runbook knows: any name is taken.
    """
    named = [table.get(name) for name in ("any_of", "all_of")]
    entries = (entry if isinstance(entry, list) else [entry] for entry in named)
    groups = tuple(each for entry in entries for each in entry if isinstance(each, str))
    return check_approval(findings, table, path, groups, is_of_run=True)
