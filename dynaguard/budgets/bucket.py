"""One bucket: what shares a retry budget, its statement, its tokens and its counts.

Pure arithmetic over the clock readings passed in; not thread-safe, its owner holds the lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dynaguard.budgets.classes import ClassRules
from dynaguard.budgets.signals import Signal
from dynaguard.budgets.tokens import TokenBucket
from dynaguard.call import StatementRef
from dynaguard.policy.model import BudgetStatement
from dynaguard.scope import Priority
from dynaguard.values import dataclass

DEFAULT_STATEMENT: Final = BudgetStatement(ref=StatementRef(sid="default budget"))
LATELY: Final = 25.0
"""Answers that the share of throttles is about, more or less."""
COLLAPSED: Final = 0.25
"""From this share on a success earns nothing: there retries only take from first tries."""
DRIP_SHARE: Final = 0.05
"""Of the remembered rate: in a collapse nothing succeeds that could earn a token."""


@dataclass(frozen=True, slots=True)
class BucketKey:
    """What shares one budget.

    Attributes:
        job: Name of the job; outside of a job, of the identity.
        resource: ARN of the table or index; for other services `SERVICE:OPERATION@REGION`.
        is_write: Whether the call writes.
    """

    job: str
    resource: str
    is_write: bool

    def __str__(self) -> str:
        """``job `nightly` on `table/orders` (write)``."""
        resource = self.resource.rpartition(":")[2] or self.resource
        return f"job `{self.job}` on `{resource}` ({'write' if self.is_write else 'read'})"


@dataclass(frozen=True, slots=True)
class BucketSnapshot:
    """One bucket as `status()` shows it.

    Attributes:
        key: Which.
        priority: The class of its calls, the last one seen.
        statement: The `[[budget]]` behind it, or a reference named `default budget`.
        is_observed: Whether that statement only observes.
        tokens, max_tokens: What it holds and may hold; below zero tokens are promised.
        rate_per_s: Units per second that the resource takes now from this process; None while
            there is no limit.
        remembered_per_s: What it took in good times.
        waiting: Calls that wait for their turn.
        is_breaker_open: Whether the resource fails and only probes go.
        throttle_ratio: Throttled attempts over all answered ones.
        wait_s: Seconds waited so far, all calls together.
        count_by_signal: Answers learnt; a copy.
        retries_granted, retries_refused: Rulings so far.
    """

    key: BucketKey
    priority: Priority
    statement: StatementRef
    is_observed: bool
    tokens: float
    max_tokens: float
    rate_per_s: float | None
    remembered_per_s: float
    waiting: int
    is_breaker_open: bool
    throttle_ratio: float
    wait_s: float
    count_by_signal: Mapping[Signal, int]
    retries_granted: int
    retries_refused: int


class Bucket:
    """Tokens and counts of one key.

    Attributes:
        is_acting: Whether its calls wait for their turn.
    """

    __slots__ = (
        "_throttled_lately",
        "count_by_signal",
        "granted",
        "is_acting",
        "priority",
        "refused",
        "rules",
        "statement",
        "tokens",
        "wait_s",
    )

    def __init__(
        self, statement: BudgetStatement, rules: ClassRules, priority: Priority, now_s: float
    ) -> None:
        self.statement = statement
        self.rules = rules
        self.priority = priority
        self.is_acting = rules.is_paced and not statement.is_observed
        self.tokens = TokenBucket(
            max_tokens=rules.max_tokens,
            earned_per_success=rules.retry_ratio,
            drip_per_s=rules.min_retries_per_s,
            now_s=now_s,
        )
        self.count_by_signal: dict[Signal, int] = {}
        self.granted = self.refused = 0
        self.wait_s = 0.0
        self._throttled_lately = 0.0

    def learn(self, signal: Signal) -> None:
        """Counts an answer; a success earns, the less the more answers of late were throttles."""
        self.count_by_signal[signal] = self.count_by_signal.get(signal, 0) + 1
        if signal is not Signal.OK or self._throttled_lately:
            is_throttled = signal is Signal.THROTTLE or signal is Signal.LEFTOVERS
            self._throttled_lately += (is_throttled - self._throttled_lately) / LATELY
        if signal is Signal.OK and self.tokens.tokens < self.tokens.max_tokens:
            self.tokens.earn(max(0.0, 1.0 - self._throttled_lately / COLLAPSED))

    @property
    def throttle_ratio(self) -> float:
        """Throttled attempts over all answered ones."""
        counts = self.count_by_signal
        throttled = counts.get(Signal.THROTTLE, 0) + counts.get(Signal.LEFTOVERS, 0)
        return throttled / max(1, sum(counts.values()))
