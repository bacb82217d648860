"""What a policy document says that its author will not have meant.

Pure functions over a checked document: no file, no clock, no environment. A finding is never a
problem of the grammar (the loader refuses those); the document can be installed all the same.
"""

from dynaguard.policy.lint.findings import Finding, Severity
from dynaguard.policy.lint.linting import lint
from dynaguard.policy.lint.rules import RULES, Rule

__all__ = ["RULES", "Finding", "Rule", "Severity", "lint"]
