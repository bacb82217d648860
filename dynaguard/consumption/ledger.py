"""Who consumed how many units of which table: a bounded ledger that always adds up."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from dynaguard.call import ConsumedCapacity

MAX_ACCOUNTS: Final = 4096
"""Most accounts that are kept apart. What goes is added up in `Ledger.other`."""
_CANDIDATES: Final = 8
"""Of so many accounts, those used longest ago, the smallest goes: large ones stay."""


@dataclass(frozen=True, slots=True)
class Account:
    """What units are kept apart by.

    Attributes:
        identity: Label of the calling identity.
        job: Name of the job, or None.
        runbook: Name of the runbook, or None.
        table: Table name.
        index: Index name; None for the table itself, and where the answer does not split them.
    """

    identity: str
    job: str | None
    runbook: str | None
    table: str
    index: str | None


_Key = tuple[str, str | None, str | None, str, str | None]
"""An account's fields: a tuple costs a third of a dataclass to make and to hash."""


class Units(NamedTuple):
    """Units of one account.

    Attributes:
        read_units: Read capacity units.
        write_units: Write capacity units.
        calls: Answers that reported them.
    """

    read_units: float = 0.0
    write_units: float = 0.0
    calls: int = 0

    def plus(self, other: Units) -> Units:
        """Both together."""
        return Units(
            self.read_units + other.read_units,
            self.write_units + other.write_units,
            self.calls + other.calls,
        )


class Ledger:
    """Units by account, since it was made. Thread-safe.

    An account that comes back after it had to go starts anew; its former units stay in `other`.
    So the sum over everything is exact, and an account's own figure is exact unless `evictions`
    is above 0, then it is a lower bound.

    Args:
        max_accounts: Bound.

    Attributes:
        evictions: Accounts that went into `other`.

    Cost: two dictionary look-ups per reported table or index.
    """

    __slots__ = ("_accounts", "_max_accounts", "_other", "evictions", "lock")

    def __init__(self, max_accounts: int = MAX_ACCOUNTS) -> None:
        self.evictions = 0
        self._max_accounts = max_accounts
        self._accounts: dict[_Key, Units] = {}  # the one used longest ago first
        self._other = Units()
        self.lock = threading.Lock()

    def add(
        self,
        identity: str,
        job: str | None,
        runbook: str | None,
        capacity: Iterable[ConsumedCapacity],
    ) -> None:
        """Takes in what one call consumed."""
        with self.lock:
            for each in capacity:
                key = (identity, job, runbook, each.table, each.index)
                units = self._accounts.pop(key, None)
                if units is None:
                    units = Units()
                    if len(self._accounts) >= self._max_accounts:
                        self._evict()
                read_units, write_units, calls = units
                self._accounts[key] = Units(
                    read_units + each.read_units, write_units + each.write_units, calls + 1
                )

    def accounts(self) -> list[tuple[Account, Units]]:
        """All accounts as they are now, the largest first."""
        with self.lock:
            found = [(Account(*key), units) for key, units in self._accounts.items()]
        return sorted(found, key=lambda entry: -(entry[1].read_units + entry[1].write_units))

    @property
    def other(self) -> Units:
        """The units of all accounts that went."""
        return self._other

    def _evict(self) -> None:
        """Makes room for one account."""
        oldest = islice(self._accounts.items(), _CANDIDATES)
        key, units = min(oldest, key=lambda entry: entry[1].read_units + entry[1].write_units)
        del self._accounts[key]
        self._other = self._other.plus(units)
        self.evictions += 1
