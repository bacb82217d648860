"""The classes of calls: who is paced, how much is repeated, how long a call may wait.

A `[[budget]]` changes single numbers of its calls' class, and may choose the class itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from dynaguard.policy.model import BudgetStatement
from dynaguard.scope import Priority
from dynaguard.values import dataclass


@dataclass(frozen=True, slots=True)
class ClassRules:
    """How calls of one class wait and are repeated.

    Attributes:
        is_paced: Whether attempts wait for their turn; a class that is not paced goes at once. An
            empty budget defers a retry of either, and refuses it where that takes too long.
        retry_ratio: Retry tokens earned by each success.
        max_tokens: Most that a bucket holds; also what it starts with.
        min_retries_per_s: Tokens that drip in per second.
        max_attempts: Attempts of one call; None: as many as its time allows. What the application
            set itself (`total_max_attempts`) counts for a class that has a bound.
        max_wait_s: Longest that one call waits, all its waits together.
        first_delay_s, growth, max_delay_s: Back-off between attempts, before jitter.
    """

    is_paced: bool
    retry_ratio: float
    max_tokens: float
    min_retries_per_s: float
    max_attempts: int | None
    max_wait_s: float
    first_delay_s: float
    growth: float
    max_delay_s: float

    def delay_s(self, attempt: int, share: float) -> float:
        """The wait after an attempt.

        Args:
            attempt: Its number, from 1.
            share: Uniform in [0, 1). A third of the wait is certain: a retry at once finds the
                resource as it was.
        """
        steps = min(attempt - 1, 30)
        ceiling_s: float = self.first_delay_s * self.growth**steps
        return (1 + 2 * share) / 3 * min(ceiling_s, self.max_delay_s)


RULES: Final = {
    Priority.INTERACTIVE: ClassRules(
        is_paced=False,
        retry_ratio=0.12,
        max_tokens=20.0,
        min_retries_per_s=1.0,
        max_attempts=8,
        max_wait_s=2.0,
        first_delay_s=0.008,
        growth=4.0,
        max_delay_s=0.5,
    ),
    Priority.BATCH: ClassRules(
        is_paced=True,
        retry_ratio=0.05,
        max_tokens=20.0,
        min_retries_per_s=0.5,
        max_attempts=None,
        max_wait_s=300.0,
        first_delay_s=0.025,
        growth=2.0,
        max_delay_s=5.0,
    ),
    Priority.BACKGROUND: ClassRules(
        is_paced=True,
        retry_ratio=0.02,
        max_tokens=10.0,
        min_retries_per_s=0.2,
        max_attempts=None,
        max_wait_s=900.0,
        first_delay_s=0.1,
        growth=2.0,
        max_delay_s=20.0,
    ),
}
"""Measured in `docs/retry-budgets.md`."""

_NUMBERS: Final = (
    "retry_ratio",
    "max_tokens",
    "min_retries_per_s",
    "max_attempts",
    "max_wait_s",
)


def rules_for(statement: BudgetStatement, priority: Priority) -> ClassRules:
    """The rules of a class, with what a statement says instead."""
    given = {name: value for name in _NUMBERS if (value := getattr(statement, name)) is not None}
    return replace(RULES[priority], **given)
