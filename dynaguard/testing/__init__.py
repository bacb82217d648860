"""What users test with: policies by cases beside their documents, and a store in memory.

Cases are run by `dynaguard test`; usable from pytest too:

    @pytest.mark.parametrize("case", load_cases(["policy-tests.toml"]), ids=str)
    def test_policy(case):
        result = run_case(case)
        assert result.holds, result.text
"""

from __future__ import annotations

from dynaguard.testing.cases import Case
from dynaguard.testing.loading import load_cases
from dynaguard.testing.runbook_cases import RunbookCase, runbook_cases
from dynaguard.testing.runbook_running import RunbookCaseResult, run_runbook_case
from dynaguard.testing.running import CaseResult, run_case, run_cases
from dynaguard.testing.stores import MemoryStore

__all__ = [
    "Case",
    "CaseResult",
    "MemoryStore",
    "RunbookCase",
    "RunbookCaseResult",
    "load_cases",
    "run_case",
    "run_cases",
    "run_runbook_case",
    "runbook_cases",
]
