"""What of this room the settings of a guard use, and the report that it gives."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from typing import Any

from dynaguard.aws.dynamodb.schemas import KeySchemas
from dynaguard.consumption.keys import KeyStatistics
from dynaguard.consumption.ledger import Ledger
from dynaguard.consumption.limits import CapacityLimits, CountsUnits
from dynaguard.consumption.queries import QueryWatch
from dynaguard.forks import renew_after_fork


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Consumption:
    """Ledger, sketches, warnings and limits of one guard; what is switched off is None.

    Attributes:
        schemas: Key schemas of tables, where keys are to be told.
        is_asking: Whether every answer is asked for what it consumed.
        ledger: Units by identity, job, runbook, table and index.
        limits: Capacity limits.
        thresholds: What counts units that went without an approval.
        keys: Hot and distinct partition keys.
        queries: Reads that cost more than they look.
    """

    schemas: KeySchemas
    is_asking: bool = False
    ledger: Ledger = field(default_factory=Ledger)
    limits: CapacityLimits | None = None
    thresholds: CountsUnits | None = None
    keys: KeyStatistics | None = None
    queries: QueryWatch | None = None

    def __post_init__(self) -> None:
        """A lock that another thread held in the moment of a fork would stay held in the child."""
        renew_after_fork(self)

    @property
    def is_limiting(self) -> bool:
        """Whether what calls consume decides about further ones."""
        return self.limits is not None or self.thresholds is not None

    @property
    def reads_requests(self) -> bool:
        """Whether it wants to know what a call needs, whoever else does."""
        return self.keys is not None or self.queries is not None

    def renew(self) -> None:
        """Gives every part a new lock. What was booked before the fork stays."""
        for part in (self.ledger, self.limits, self.keys, self.queries):
            if part is not None:
                part.lock = threading.Lock()

    def report(self) -> dict[str, Any]:
        """Everything that is known now, as `status()` shows it.

        Returns:
            **Shape**: `consumed` (list of mappings: `identity`, `job`, `runbook`, `table`,
            `index`, `read_units`, `write_units`, `calls`; the largest first), `consumed_other`
            (units of accounts that had to go), `keys` (list of `KeyFigures` as mappings) and
            `capacity_limits` (list of `RunUsage` as mappings, the latest first).
        """
        accounts, limits, keys = self.ledger.accounts(), self.limits, self.keys
        return {
            "consumed": [{**asdict(account), **units._asdict()} for account, units in accounts],
            "consumed_other": self.ledger.other._asdict(),
            "keys": [
                {**asdict(each), "hot_keys": [hot._asdict() for hot in each.hot_keys]}
                for each in (keys.figures() if keys is not None else ())
            ],
            "capacity_limits": [
                each._asdict() for each in (limits.usages() if limits is not None else ())
            ],
        }
