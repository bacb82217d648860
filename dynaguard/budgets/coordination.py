"""Sharing a resource's rate between processes: the protocol, and the arithmetic behind it.

None is needed to keep amplification low or goodput high (`docs/retry-budgets.md` has the table);
it is needed for fairness, and for processes whose share is less than a call per second.

All processes draw numbered tickets, one unit a number, and a counter of what is served runs at
the rate that all of them learn together. Whose ticket is served may go. So a change of the rate
counts for everybody at once, nobody is passed over, and a share may be any fraction of a call.

Source: a ticket lock over time; L. Lamport, "A new solution of Dijkstra's concurrent programming
problem" (1974), for serving in the order of numbers.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from dynaguard.budgets.rate import SHARED, AdaptiveRate

LEASE_S: Final = 0.25
"""A lease is worth so much of the fair share, but for one call at least."""
AHEAD_S: Final = 0.05
"""What may be served before it was asked for."""
MEMBER_S: Final = 20.0
"""Who did not ask for so long does not count any more."""
SOON_S: Final = 0.5
SERVED_S: Final = 1e-4
"""A ticket that is served in less is served."""
LATEST_ANSWER_S: Final = 0.25
"""An answer that takes longer is a fault: a call must not wait for it."""
TICK_S: Final = 0.1
"""What processes report is summed up for so long before the rate learns of it."""


class Report(NamedTuple):
    """What a process saw since its last report.

    Attributes:
        accepted: Units that were accepted.
        throttles: Units that were throttled, of calls sent after the cut of that epoch.
        epoch: The number of the last cut that the process knew of.
    """

    accepted: float = 0.0
    throttles: float = 0.0
    epoch: int = 0


class Errand(NamedTuple):
    """What a process asks its coordinator.

    Attributes:
        resource: The lane: ARN, then `:write` or `:read`.
        ticket: The number drawn before; None: draw one.
        units: What the call takes, or the ticket was drawn for.
        wanted: What all waiting calls take together.
        report: What the process saw.
    """

    resource: str
    ticket: float | None
    units: float
    wanted: float
    report: Report


class Grant(NamedTuple):
    """What the coordinator says.

    Attributes:
        ticket: The number, to ask again with; None once it is served.
        wait_s: Seconds after which to ask again; 0.0: the units may go.
        units: How many units the ticket is for; infinite, for `LEASE_S`: no limit is known.
        epoch: The number of the last cut.
    """

    ticket: float | None
    wait_s: float
    units: float
    epoch: int


class Coordinator(Protocol):
    """Shares rates between processes."""

    def ask(self, errand: Errand) -> Grant:
        """Answers an errand.

        May block for a moment (a round trip). Whatever it raises, the process goes on by itself
        for a while. Called by several threads at once.
        """
        ...


class SharedRate:
    """One resource as all processes share it. Pure; not thread-safe.

    Args:
        now_s: The clock.
        rate: What they learn together.
    """

    __slots__ = (
        "_accepted",
        "_at_s",
        "_issued",
        "_members",
        "_served",
        "_throttles",
        "_ticked_at_s",
        "epoch",
        "rate",
    )

    def __init__(self, now_s: float, rate: AdaptiveRate) -> None:
        self.rate = rate
        self.epoch = 0
        self._issued = self._served = 0.0
        self._at_s = self._ticked_at_s = now_s
        self._accepted = self._throttles = 0.0
        self._members: dict[str, float] = {}

    def ask(self, now_s: float, member: str, errand: Errand) -> Grant:
        """Answers one process."""
        self._take_report(now_s, errand.report)
        if not self.rate.is_limited:
            self._at_s = now_s
            return Grant(None, 0.0, math.inf, self.epoch)
        per_s = self.rate.per_s(now_s)
        self._serve(now_s, per_s)
        ticket, units = errand.ticket, errand.units
        if ticket is None or ticket > self._issued:  # of a queue that is gone
            units = max(units, min(errand.wanted, self._fair_units(now_s, member, per_s)))
            self._issued += units
            ticket = self._issued
        wait_s = (ticket - self._served) / per_s
        if wait_s <= SERVED_S:
            return Grant(None, 0.0, units, self.epoch)
        return Grant(ticket, again_after_s(wait_s), units, self.epoch)

    def _take_report(self, now_s: float, report: Report) -> None:
        """Sums reports up; every now and then the rate learns of them."""
        self._accepted += report.accepted
        if report.epoch == self.epoch:
            self._throttles += report.throttles
        if now_s - self._ticked_at_s < TICK_S:
            return
        self._ticked_at_s = now_s
        self.epoch += learn_sums(self.rate, now_s, self._accepted, self._throttles)
        self._accepted = self._throttles = 0.0

    def _serve(self, now_s: float, per_s: float) -> None:
        """Serves at the rate; what nobody asks for is not kept."""
        self._served += max(0.0, now_s - self._at_s) * per_s
        self._served = min(self._served, self._issued + AHEAD_S * per_s)
        self._at_s = now_s

    def _fair_units(self, now_s: float, member: str, per_s: float) -> float:
        """A lease's worth for each of those that ask."""
        self._members[member] = now_s
        if len(self._members) > 1:
            oldest = next(iter(self._members))
            if self._members[oldest] < now_s - MEMBER_S:
                del self._members[oldest]
        return LEASE_S * per_s / len(self._members)


def again_after_s(wait_s: float) -> float:
    """When to ask again for a ticket that will be served in so many seconds, as things stand.

    The rate may grow meanwhile, and a unit that waits for its owner is lost: not much later than
    half of the wait.
    """
    return min(wait_s, max(SOON_S, wait_s / 2))


def learn_sums(rate: AdaptiveRate, now_s: float, accepted: float, throttles: float) -> bool:
    """Has a shared rate learn sums of all processes; says whether it was cut.

    Reports hold fresh answers only, so they count as sent just now.
    """
    if accepted:
        rate.accepted(now_s, now_s, accepted)
    return bool(throttles) and rate.throttled(now_s, now_s + 1e-9, throttles)


class LocalCoordinator:
    """Shares rates within one process: for tests, simulations, and as what others are held to.

    Args:
        monotonic: Clock in seconds.
    """

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._shared: dict[str, SharedRate] = {}

    def member(self, name: str) -> LocalMember:
        """One process's way to it."""
        return LocalMember(self, name)

    def answer(self, member: str, errand: Errand) -> Grant:
        """Answers a member."""
        now_s = self._monotonic()
        with self._lock:
            shared = self._shared.get(errand.resource)
            if shared is None:
                shared = self._shared[errand.resource] = SharedRate(
                    now_s, AdaptiveRate(now_s, shape=SHARED)
                )
            return shared.ask(now_s, member, errand)


class LocalMember:
    """A `Coordinator` of one member."""

    def __init__(self, coordinator: LocalCoordinator, name: str) -> None:
        self._coordinator = coordinator
        self._name = name

    def ask(self, errand: Errand) -> Grant:
        """Answers an errand; never waits."""
        return self._coordinator.answer(self._name, errand)
