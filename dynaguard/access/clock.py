"""The clock of expiries: whatever jumps the wall clock makes, nothing lives longer for it.

Two clocks are read: the wall's, and one that never goes back, set to the wall's time when the
process began. For an end the later of both counts, for a beginning the earlier. So a wall clock
that is put back revives nothing, and one that is put forward ends grants early, which is safe.

The clock that never goes back has to go on while the machine sleeps, or what was made meanwhile
would seem to begin in the future for as long as it slept (`steady_s`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

SKEW_TOLERANCE_S: Final = 60.0
"""How much earlier than its own not-before something may begin: another machine made it."""


def steady_s() -> float:
    """A clock that never goes back and goes on while the machine sleeps, in seconds.

    Source: clock_gettime(2): Linux's `CLOCK_MONOTONIC`, which is Python's `time.monotonic`, stands
    still then, `CLOCK_BOOTTIME` does not; on macOS `CLOCK_MONOTONIC` does not.
    """
    return time.monotonic() if _STEADY_ID is None else time.clock_gettime(_STEADY_ID)


_STEADY_ID: Final[int | None] = getattr(
    time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None)
)
Mark = tuple[float, float]
"""An instant, to measure from: the wall's time and the steady clock's."""


class StrictClock:
    """Tells the time for beginnings and ends, in seconds since the epoch. Thread-safe.

    Args:
        time_s: The wall clock.
        monotonic: The clock that never goes back.
    """

    __slots__ = ("_monotonic", "_offset_s", "_time_s")

    def __init__(
        self,
        time_s: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = steady_s,
    ) -> None:
        self._time_s = time_s
        self._monotonic = monotonic
        self._offset_s = time_s() - monotonic()

    def for_end_s(self) -> float:
        """Now, for comparing with an end: what ends at or before it is over."""
        return max(self._time_s(), self._monotonic() + self._offset_s)

    def for_beginning_s(self) -> float:
        """Now, for comparing with a beginning, some tolerance for skew included."""
        earlier = min(self._time_s(), self._monotonic() + self._offset_s)
        return earlier + SKEW_TOLERANCE_S

    def span_s(self) -> tuple[float, float]:
        """Now for ends and now for beginnings, of one reading."""
        wall_s, steady_s = self._time_s(), self._monotonic() + self._offset_s
        if wall_s >= steady_s:
            return wall_s, steady_s + SKEW_TOLERANCE_S
        return steady_s, wall_s + SKEW_TOLERANCE_S

    def mark(self) -> Mark:
        """Now, to measure from."""
        return self._time_s(), self._monotonic()

    def since_s(self, mark: Mark) -> float:
        """Seconds since a mark by the clock that says more; a jump never makes it less."""
        return max(self._time_s() - mark[0], self._monotonic() - mark[1])


def iso_utc(epoch_s: float) -> str:
    """An instant as messages and the command line write it: `2026-11-21T16:00:00Z`."""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
