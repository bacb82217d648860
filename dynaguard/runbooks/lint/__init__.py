"""What a runbook does that costs more, reads more or risks more than its author will have meant.

Pure functions over a checked runbook. A finding is no problem of the grammar: the runbook runs all
the same.
"""

from dynaguard.policy.lint import Finding, Severity
from dynaguard.runbooks.lint.linting import lint_runbook
from dynaguard.runbooks.lint.rules import RUNBOOK_RULES

__all__ = ["RUNBOOK_RULES", "Finding", "Severity", "lint_runbook"]
