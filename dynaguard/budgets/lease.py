"""One lane's leases from a coordinator: what may go, what to ask next, what to tell.

While the coordinator cannot be reached the lane goes by its own rate. Pure; not thread-safe.
"""

from __future__ import annotations

import math
from typing import Final

from dynaguard.budgets.coordination import (
    LATEST_ANSWER_S,
    LEASE_S,
    Errand,
    Grant,
    Report,
)

FALL_BACK_S: Final = 5.0
"""After a fault the coordinator is left alone for so long, more or less."""
JITTER: Final = 0.3
_ROUNDING: Final = 1e-9
_ASKING_S: Final = 0.25
LOST_S: Final = 2.0


class Reach:
    """Whether the coordinator can be reached; one for all lanes of a process.

    Attributes:
        off_until_s: It is left alone until then.
    """

    __slots__ = ("off_until_s",)

    def __init__(self) -> None:
        self.off_until_s = -math.inf


class Lease:
    """The state between two errands.

    Args:
        resource: What the coordinator knows the lane by.
        reach: Shared by the lanes of a process.

    Attributes:
        faults: How often the coordinator could not be reached.
    """

    __slots__ = (
        "_accepted",
        "_allowance",
        "_ask_at_s",
        "_asking_since_s",
        "_epoch",
        "_epoch_at_s",
        "_expires_at_s",
        "_reach",
        "_resource",
        "_throttles",
        "_ticket",
        "_ticket_units",
        "faults",
    )

    def __init__(self, resource: str, reach: Reach | None = None) -> None:
        self._resource = resource
        self._reach = reach or Reach()
        self._allowance = self._accepted = self._throttles = 0.0
        self._ticket: float | None = None
        self._ticket_units = 0.0
        self._epoch = 0
        self._ask_at_s = self._epoch_at_s = self._asking_since_s = -math.inf
        self._expires_at_s = math.inf
        self.faults = 0

    def is_on(self, now_s: float) -> bool:
        """Whether the coordinator decides, and not the lane's own rate."""
        return now_s >= self._reach.off_until_s

    def take(self, now_s: float, units: float) -> bool:
        """Whether units may go; then they are taken."""
        if now_s > self._expires_at_s:
            self._allowance, self._expires_at_s = 0.0, math.inf
        if self._allowance < units - _ROUNDING:
            return False
        self._allowance -= units
        return True

    def wait_s(self, now_s: float) -> float:
        """Seconds until the coordinator is asked; a grant meanwhile wakes whoever is the first."""
        if self._is_asking(now_s):
            return _ASKING_S
        return max(0.0, self._ask_at_s - now_s)

    def errand(self, now_s: float, units: float, wanted: float) -> Errand | None:
        """What to ask now, or None: somebody asks already, or it is too early.

        Args:
            now_s: The clock.
            units: What the first call in the queue takes.
            wanted: What all of them take.
        """
        if self._is_asking(now_s) or now_s < self._ask_at_s or not self.is_on(now_s):
            return None
        self._asking_since_s = now_s
        report = Report(self._accepted, self._throttles, self._epoch)
        self._accepted = self._throttles = 0.0
        missing = max(units - self._allowance, _ROUNDING)
        asked = self._ticket_units if self._ticket is not None else missing
        return Errand(self._resource, self._ticket, asked, max(wanted, missing), report)

    def settle(self, now_s: float, grant: Grant | None, share: float) -> None:
        """Takes the answer in; None: there was none.

        Args:
            now_s: The clock.
            grant: The answer.
            share: Uniform in [0, 1).
        """
        took_s = now_s - self._asking_since_s
        self._asking_since_s = -math.inf
        if grant is None or took_s > LATEST_ANSWER_S:
            self.faults += 1
            self._ticket = None
            self._reach.off_until_s = now_s + FALL_BACK_S * (1 + JITTER * (2 * share - 1))
            return
        if grant.epoch != self._epoch:
            self._epoch, self._epoch_at_s = grant.epoch, now_s
        self._ticket, self._ticket_units = grant.ticket, grant.units
        if grant.ticket is None:
            self._allowance += grant.units
            self._ask_at_s = now_s
            if math.isinf(grant.units):
                self._expires_at_s = now_s + LEASE_S
        else:
            self._ask_at_s = now_s + grant.wait_s

    def _is_asking(self, now_s: float) -> bool:
        """Whether somebody asks just now; one who was interrupted does not for ever."""
        return now_s - self._asking_since_s < LOST_S

    def note_accepted(self, units: float) -> None:
        """Units that AWS took, for the next report."""
        self._accepted += units

    def note_throttled(self, sent_at_s: float, units: float) -> None:
        """Units that were throttled; those sent before the last cut tell nothing.

        The others are told at once, and a lease without a bound ends.
        """
        if sent_at_s > self._epoch_at_s:
            self._throttles += units
            self._ask_at_s = -math.inf
            if math.isinf(self._allowance):
                self._allowance = 0.0
