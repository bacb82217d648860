"""A circuit breaker on transient failures of one resource.

Opens when more than half of at least 20 recent calls failed; then one probe a second, more or
less, tells whether the resource is back. Pure; not thread-safe.

Source: M. Nygard, "Release It!", 2nd edition (2018), chapter 5.
"""

from __future__ import annotations

import math
from typing import Final

WINDOW_S: Final = 10.0
LEAST_CALLS: Final = 20.0
OPEN_ABOVE: Final = 0.5
PROBE_S: Final = 1.0
JITTER: Final = 0.25
AT_EASE_MOST: Final = 200
"""Calls without any failure before that count at most."""
_FADED: Final = 0.01


class Breaker:
    """Counts failures, exponentially weighted, and opens. Closed by the first success after.

    Attributes:
        is_open: Whether retries and paced first tries are held back.
        calls_at_ease: Calls since the last failure that were not weighted one by one.
        probe_at_s: When the next probe may go; infinitely far back while closed.
    """

    __slots__ = ("_at_s", "_calls", "_failures", "calls_at_ease", "is_open", "probe_at_s")

    def __init__(self, now_s: float) -> None:
        self._at_s = now_s
        self._calls = self._failures = 0.0
        self.calls_at_ease = 0
        self.is_open = False
        self.probe_at_s = -math.inf

    @property
    def has_failures(self) -> bool:
        """Whether any failed that still counts."""
        return self._failures > _FADED

    def succeeded(self, now_s: float) -> None:
        """An answer that is no failure of the service."""
        if self.is_open:
            self.is_open = False
            self.probe_at_s = -math.inf
            self._calls = self._failures = 0.0
        else:
            self._decay(now_s)
            self._calls += 1

    def failed(self, now_s: float, share: float) -> None:
        """A transient failure; `share` (uniform in [0, 1)) jitters the next probe."""
        self._decay(now_s)
        # those at ease were not weighted one by one; the last ones are what counts
        self._calls += min(self.calls_at_ease, AT_EASE_MOST)
        self.calls_at_ease = 0
        self._calls += 1
        self._failures += 1
        is_bad = self._calls >= LEAST_CALLS and self._failures > OPEN_ABOVE * self._calls
        if self.is_open or is_bad:
            self.is_open = True
            self.probe_at_s = now_s + PROBE_S * (1 + JITTER * (2 * share - 1))

    def take_probe(self, now_s: float, share: float) -> bool:
        """Whether a call may go as the probe; then the next one waits again."""
        if now_s < self.probe_at_s:
            return False
        self.probe_at_s = now_s + PROBE_S * (1 + JITTER * (2 * share - 1))
        return True

    def _decay(self, now_s: float) -> None:
        elapsed_s = now_s - self._at_s
        if elapsed_s > 0:
            left = math.exp(-elapsed_s / WINDOW_S)
            self._calls *= left
            self._failures *= left
            self._at_s = now_s
