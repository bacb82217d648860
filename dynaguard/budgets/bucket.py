"""One bucket: what shares a budget, its statement, its tokens and its counts.

Pure arithmetic over the clock readings and random shares passed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dynaguard.budgets.signals import Signal
from dynaguard.budgets.tokens import TokenBucket
from dynaguard.call import StatementRef
from dynaguard.policy.model import BudgetStatement
from dynaguard.scope import Priority, Scope

FIRST_INTERACTIVE_WAIT_S: Final = 0.02
MAX_INTERACTIVE_WAIT_S: Final = 1.0
DEFAULT_STATEMENT: Final = BudgetStatement(ref=StatementRef(sid="default budget"))
# the cap rules long before; more could overflow
_MAX_DOUBLINGS: Final = 16


@dataclass(frozen=True, slots=True)
class BucketKey:
    """What shares one budget.

    Attributes:
        job: Name of the job; outside of a job, of the identity.
        resource: Table name or ARN; for other services the service.
        is_write: Whether the call writes.
    """

    job: str
    resource: str
    is_write: bool

    def __str__(self) -> str:
        """``job `nightly` on `orders` (write)``."""
        return f"job `{self.job}` on `{self.resource}` ({'write' if self.is_write else 'read'})"


@dataclass(frozen=True, slots=True)
class BucketSnapshot:
    """One bucket as `status()` shows it.

    Attributes:
        key: Which.
        statement: The `[[budget]]` behind it, or a reference named `default budget`.
        is_observed: Whether that statement only observes.
        tokens, max_tokens: What it holds and may hold.
        max_wait_s: Longest wait that a batch call's first try may draw now.
        count_by_signal: Answers learnt; a copy.
        retries_granted, retries_refused: Rulings so far.
        retries_overdrawn: Of those granted, the ones that an enforced budget would have refused.
    """

    key: BucketKey
    statement: StatementRef
    is_observed: bool
    tokens: float
    max_tokens: float
    max_wait_s: float
    count_by_signal: Mapping[Signal, int]
    retries_granted: int
    retries_refused: int
    retries_overdrawn: int


class Bucket:
    """Tokens and counts of one key; not thread-safe, its owner holds the lock."""

    __slots__ = ("count_by_signal", "granted", "overdrawn", "refused", "statement", "tokens")

    def __init__(self, statement: BudgetStatement, now_s: float) -> None:
        self.statement = statement
        self.tokens = TokenBucket(
            max_tokens=statement.max_tokens,
            earned_per_success=statement.retry_ratio,
            drip_per_s=statement.min_retries_per_s,
            now_s=now_s,
        )
        self.count_by_signal: dict[Signal, int] = {}
        self.granted = self.refused = self.overdrawn = 0

    def learn(self, signal: Signal) -> None:
        """Counts an answer; a success earns."""
        self.count_by_signal[signal] = self.count_by_signal.get(signal, 0) + 1
        if signal is Signal.OK:
            self.tokens.earn()

    def choose_wait_s(
        self, priority: Priority, attempt: int, suggested_s: float, share: float
    ) -> float:
        """The suggested wait; for interactive calls that the budget limits, a short one."""
        suggested_s = max(0.0, suggested_s)
        if priority is not Priority.INTERACTIVE or not self._is_enforced_for(priority):
            return suggested_s
        ceiling_s = FIRST_INTERACTIVE_WAIT_S * 2.0 ** min(attempt - 1, _MAX_DOUBLINGS)
        return min(suggested_s, share * min(MAX_INTERACTIVE_WAIT_S, ceiling_s))

    def is_late(self, scope: Scope, instant_s: float) -> bool:
        """Whether a retry at that instant passes a deadline that it has to keep."""
        return not self.statement.is_observed and is_past_deadline(scope, instant_s)

    def grant(self, now_s: float, priority: Priority, *, is_late: bool) -> bool:
        """Whether one retry is granted; takes its token and counts it."""
        self.tokens.refill(now_s)
        has_token = not is_late and self.tokens.take()
        is_granted = not is_late and (has_token or not self._is_enforced_for(priority))
        self.granted += is_granted
        self.refused += not is_granted
        self.overdrawn += is_granted and not has_token
        return is_granted

    def snapshot(self, key: BucketKey, now_s: float, max_wait_s: float) -> BucketSnapshot:
        """What it holds and has counted, as a value."""
        self.tokens.refill(now_s)
        return BucketSnapshot(
            key=key,
            statement=self.statement.ref,
            is_observed=self.statement.is_observed,
            tokens=self.tokens.tokens,
            max_tokens=self.statement.max_tokens,
            max_wait_s=max_wait_s,
            count_by_signal=dict(self.count_by_signal),
            retries_granted=self.granted,
            retries_refused=self.refused,
            retries_overdrawn=self.overdrawn,
        )

    def _is_enforced_for(self, priority: Priority) -> bool:
        """Whether an empty bucket refuses: by default never an interactive call's retry."""
        if self.statement is DEFAULT_STATEMENT:
            return priority is not Priority.INTERACTIVE
        return not self.statement.is_observed


def is_past_deadline(scope: Scope, instant_s: float) -> bool:
    """Whether the instant lies after the scope's deadline."""
    deadline_s = scope.deadline_monotonic_s
    return deadline_s is not None and instant_s > deadline_s
