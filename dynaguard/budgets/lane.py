"""What goes to one resource, one after the other: GCRA with first-come waiters.

A lane belongs to one resource and direction (`orders`, writes) of the whole process. Its level is
the continuous-state form of the generic cell rate algorithm: what goes adds its units, the rate
drains them, and the next may go once at most a little is left. Nothing here sleeps: `ask` says how
long to wait, and whoever waits is told when it becomes the first. Background calls go behind all
others.

Not thread-safe; its owner holds the lock.

Source: ITU-T I.371, annex A (GCRA, continuous-state leaky bucket).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dynaguard.budgets.breaker import Breaker
from dynaguard.budgets.coordination import LEASE_S, Errand
from dynaguard.budgets.lease import Lease
from dynaguard.budgets.rate import AdaptiveRate

TOLERANCE_S: Final = 0.02
"""What may go ahead of the rate, as time: timers of the system are no finer."""
MOST_DEBT_S: Final = 1.0
"""Calls that are not paced push the others back by no more than that."""
CUT_DEBT_S: Final = 0.1
"""What is left of them when the rate is cut, at the new rate."""
_STEP_S: Final = 0.02
_MOST_STEPS: Final = 400
_LEAST_WAIT_S: Final = 0.0005


@dataclass(slots=True, eq=False)
class Ticket:
    """One call's place in the queue.

    Attributes:
        units: What it will take.
        wake: Called, under the owner's lock, when the call becomes the first.
        is_background: Whether all others go before it.
    """

    units: float
    wake: Callable[[], None]
    is_background: bool = False


class Lane:
    """The queue in front of one resource.

    Args:
        rate: The rate that it keeps.
        now_s: The clock at the start.
        lease: Leases from a coordinator, or None.

    Attributes:
        rate: The rate that it keeps.
        lease: Leases from a coordinator, which count before the rate, or None.
        breaker: Holds everything paced back while the resource fails.
        not_before_s: Nothing paced goes before that instant: AWS asked for a pause.
        accepted_units, throttles: Counts since the lane was made.
    """

    __slots__ = (
        "_background",
        "_level",
        "_level_at_s",
        "_queue",
        "accepted_units",
        "breaker",
        "lease",
        "not_before_s",
        "rate",
        "throttles",
    )

    def __init__(self, rate: AdaptiveRate, now_s: float, lease: Lease | None = None) -> None:
        self.rate = rate
        self.lease = lease
        self.breaker = Breaker(now_s)
        self.not_before_s = -math.inf
        self.accepted_units = 0.0
        self.throttles = 0
        self._queue: deque[Ticket] = deque()
        self._background: deque[Ticket] = deque()
        self._level = 0.0
        self._level_at_s = now_s

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._queue) + len(self._background)

    @property
    def first(self) -> Ticket | None:
        """Whose turn is next."""
        if self._queue:
            return self._queue[0]
        return self._background[0] if self._background else None

    def is_free(self, now_s: float) -> bool:
        """Whether there is nothing to wait for at all."""
        if self.breaker.is_open or now_s < self.not_before_s:
            return False
        if self._is_leased(now_s):
            return False
        return not self.rate.is_limited

    @property
    def is_at_ease(self) -> bool:
        """Whether it was neither throttled nor failing lately, and nobody else decides."""
        return not self.rate.is_limited and self.lease is None and not self.breaker.has_failures

    def note_at_ease(self, now_s: float, units: float) -> None:
        """As `accepted`, for a lane at ease."""
        self.accepted_units += units
        self.breaker.calls_at_ease += 1
        self.rate.note_flow(now_s, units)

    def may_go(self, now_s: float, units: float, share: float) -> bool:
        """Whether a call may go past an empty queue; then its units are taken."""
        return self.first is None and self._take(now_s, units, share)

    def enter(self, ticket: Ticket) -> None:
        """Queues a call."""
        (self._background if ticket.is_background else self._queue).append(ticket)

    def ask(self, now_s: float, ticket: Ticket, share: float) -> float:
        """Seconds until the call may go; 0.0: it goes now, its units are taken.

        For a call that is not the first: an estimate; it will be woken when it is.

        Args:
            now_s: The clock.
            ticket: Its place, as entered.
            share: Uniform in [0, 1), for the probes of an open breaker.
        """
        if self.first is ticket and self._take(now_s, ticket.units, share):
            self.leave(ticket)
            return 0.0
        return self.wait_s(now_s, ticket)

    def wait_s(self, now_s: float, ticket: Ticket | None = None) -> float:
        """How long a queued call has to wait (None: one that would come now), more or less.

        As the rate stands and grows; a throttle makes it longer.
        """
        start_s = max(now_s, self.not_before_s, self.breaker.probe_at_s)
        if self.lease is not None and self.lease.is_on(now_s):
            return max(start_s - now_s, self.lease.wait_s(now_s), _LEAST_WAIT_S)
        if not self.rate.is_limited:
            return max(start_s - now_s, _LEAST_WAIT_S)
        self._drain(now_s)
        excess = self._level + self._units_ahead(ticket) - self._tolerance(start_s)
        return max(start_s - now_s + self._drain_time_s(start_s, excess), _LEAST_WAIT_S)

    def errand(self, now_s: float) -> Errand | None:
        """What to ask the coordinator for, now and for whoever is the first; or None."""
        first = self.first
        is_paused = now_s < max(self.not_before_s, self.breaker.probe_at_s)
        if self.lease is None or first is None or is_paused:
            return None
        queued = sum(each.units for queue in (self._queue, self._background) for each in queue)
        wanted = max(queued, LEASE_S * self.rate.flow_per_s(now_s))
        return self.lease.errand(now_s, first.units, wanted)

    def leave(self, ticket: Ticket) -> None:
        """Takes a call out of the queue; where it was the first, the next one is woken."""
        was_first = self.first is ticket
        (self._background if ticket.is_background else self._queue).remove(ticket)
        if was_first:
            self.wake_first()

    def accepted(self, now_s: float, sent_at_s: float, units: float, *, is_paced: bool) -> None:
        """Takes in units that AWS took; others hear of those that waited for their turn."""
        self.accepted_units += units
        self.rate.accepted(now_s, sent_at_s, units)
        if self.lease is not None and is_paced:
            self.lease.note_accepted(units)

    def throttled(self, now_s: float, sent_at_s: float, units: float) -> None:
        """Takes a throttle in. After a cut, debts that were made at the old rate are forgiven."""
        self.throttles += 1
        if self.lease is not None:
            self.lease.note_throttled(sent_at_s, units)
        self._drain(now_s)
        if self.rate.throttled(now_s, sent_at_s, units):
            self._level = min(self._level, CUT_DEBT_S * self.rate.per_s(now_s))

    def wake_first(self) -> None:
        """Has the first one ask again."""
        first = self.first
        if first is not None:
            first.wake()

    def debit(self, now_s: float, units: float) -> None:
        """Notes units that went without asking: those that ask wait that much longer."""
        if self.rate.is_limited:
            self._drain(now_s)
            most = max(self._level, MOST_DEBT_S * self.rate.per_s(now_s))
            self._level = max(0.0, min(self._level + units, most))

    def _take(self, now_s: float, units: float, share: float) -> bool:
        if now_s < self.not_before_s:
            return False
        is_leased = self.lease is not None and self.lease.is_on(now_s)
        is_paced = self.rate.is_limited and not is_leased
        self._drain(now_s)
        if is_paced and self._level > self._tolerance(now_s):
            return False
        if self.breaker.is_open and not self.breaker.take_probe(now_s, share):
            return False
        if self.lease is not None and is_leased:
            return self.lease.take(now_s, units)
        if is_paced:
            self._level += units
        return True

    def _is_leased(self, now_s: float) -> bool:
        """Whether a coordinator decides."""
        return self.lease is not None and self.lease.is_on(now_s)

    def _units_ahead(self, ticket: Ticket | None) -> float:
        """Units of the calls that go before."""
        ahead = 0.0
        queues = (self._queue, self._background)
        for each in (each for queue in queues for each in queue):
            if each is ticket:
                break
            ahead += each.units
        return ahead

    def _tolerance(self, now_s: float) -> float:
        return TOLERANCE_S * self.rate.per_s(now_s)

    def _drain(self, now_s: float) -> None:
        elapsed_s = now_s - self._level_at_s
        if elapsed_s > 0:
            self._level_at_s = now_s
            if self._level > 0:
                self._level = max(0.0, self._level - elapsed_s * self.rate.per_s(now_s))

    def _drain_time_s(self, now_s: float, units: float) -> float:
        """Seconds in which the rate, as it grows, drains so many units."""
        waited_s = 0.0
        for _ in range(_MOST_STEPS):
            if units <= 0:
                break
            per_s = self.rate.per_s(now_s + waited_s)
            step_s = max(_STEP_S, waited_s / 8)
            if per_s * step_s >= units:
                return waited_s + units / per_s
            units -= per_s * step_s
            waited_s += step_s
        return waited_s
