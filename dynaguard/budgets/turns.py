"""One call's way through its lanes: asked again and again until it lets go.

Whoever waits, waits outside of the lock, as long as `ask` says or until it is woken.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from dynaguard.budgets.coordination import LATEST_ANSWER_S, Coordinator, Errand, Grant
from dynaguard.budgets.lane import Lane, Ticket


class Turn:
    """A place in the queues of one call's lanes, one lane after the other.

    Args:
        lanes: The lanes, each with the units that the call takes there.
        is_background: Whether all others go before it.
        deadline_s: When it has to be through, on the same clock; None: no matter.
        what: Which bucket, for the message.
        lock: The lock of everything that is shared.
        monotonic: Clock in seconds.
        random: Uniform in [0, 1).
        coordinator: Who is asked for leases, by whoever waits; or None.

    Attributes:
        coordinator: As given.
        wake: Called when the call becomes the first somewhere, by another thread and under the
            lock: it must not block. Set it before `ask`.
        refusal: Why it will not get through in time, in one clause; then it waits no longer.
    """

    __slots__ = (
        "_deadline_s",
        "_is_background",
        "_left",
        "_lock",
        "_monotonic",
        "_random",
        "_ticket",
        "_what",
        "coordinator",
        "refusal",
        "wake",
    )

    def __init__(
        self,
        lanes: list[tuple[Lane, float]],
        *,
        is_background: bool,
        deadline_s: float | None,
        what: str,
        lock: AbstractContextManager[Any],
        monotonic: Callable[[], float],
        random: Callable[[], float],
        coordinator: Coordinator | None = None,
    ) -> None:
        self.coordinator = coordinator
        self._left = lanes
        self._is_background = is_background
        self._deadline_s = deadline_s
        self._what = what
        self._lock = lock
        self._monotonic = monotonic
        self._random = random
        self._ticket: Ticket | None = None
        self.refusal: str | None = None
        self.wake: Callable[[], None] = _wake_nobody

    def ask(self) -> float:
        """Seconds to wait before asking again; 0.0: it may go, or `refusal` says why not.

        The first time it takes its place in the queue: ask where `leave` is certain to follow.
        """
        with self._lock:
            now_s = self._monotonic()
            while self._left:
                lane, units = self._left[0]
                if self._ticket is None:
                    if lane.is_free(now_s):
                        self._left = self._left[1:]
                        continue
                    self._ticket = Ticket(units, self._woken, self._is_background)
                    lane.enter(self._ticket)
                wait_s = lane.ask(now_s, self._ticket, self._random())
                if wait_s > 0:
                    return 0.0 if self._is_late(lane, now_s, wait_s) else wait_s
                self._left, self._ticket = self._left[1:], None
            return 0.0

    def pass_locked(self, now_s: float) -> bool:
        """Whether it may go at once, for whoever holds the lock; takes no place in any queue."""
        while self._left:
            lane, units = self._left[0]
            if not lane.is_free(now_s) and not lane.may_go(now_s, units, self._random()):
                self._is_late(lane, now_s, lane.wait_s(now_s))
                return False
            self._left = self._left[1:]
        return True

    def errand(self) -> Errand | None:
        """What to ask a coordinator for before waiting any longer, or None.

        None, too, where an answer might come after the deadline.
        """
        with self._lock:
            now_s = self._monotonic()
            if self._deadline_s is not None and now_s + LATEST_ANSWER_S > self._deadline_s:
                return None
            return self._left[0][0].errand(now_s) if self._left else None

    def settle(self, grant: Grant | None) -> None:
        """Takes the coordinator's answer in; None: it could not be reached."""
        with self._lock:
            if self._left and (lease := self._left[0][0].lease) is not None:
                lease.settle(self._monotonic(), grant, self._random())
                self._left[0][0].wake_first()

    def leave(self) -> None:
        """Gives the place up: whoever waited was interrupted."""
        with self._lock:
            if self._ticket is not None:
                self._left[0][0].leave(self._ticket)
                self._ticket = None
            self._left = []

    def _is_late(self, lane: Lane, now_s: float, wait_s: float) -> bool:
        """Whether such a wait would pass the deadline; then it is refused."""
        if self._deadline_s is None or now_s + wait_s <= self._deadline_s:
            return False
        self._refuse(lane, now_s, wait_s)
        return True

    def _refuse(self, lane: Lane, now_s: float, wait_s: float) -> None:
        if self._ticket is not None:
            lane.leave(self._ticket)
        self._ticket, self._left = None, []
        left_s = max(0.0, (self._deadline_s or 0.0) - now_s)
        self.refusal = tell_late(wait_s, left_s, self._what)

    def _woken(self) -> None:
        self.wake()


def _wake_nobody() -> None:
    """Nobody waits yet."""


def tell_late(wait_s: float, left_s: float, what: str) -> str:
    """The refusal of a wait that would pass the deadline."""
    return f"a wait of {wait_s:.2f} s would pass the deadline, {left_s:.2f} s left for {what}"
