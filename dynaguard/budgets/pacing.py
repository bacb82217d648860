"""How long a first try waits after recent throttles: exponential back-off with full jitter.

One ceiling per key, shared by all clients and threads of the process. A throttle doubles it, a
success takes a tenth off; both at most so often per ceiling that many threads which see one
event together count as one.

INVARIANT: a wait is within 0 and `MAX_WAIT_S`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from cachetools import LRUCache

from dynaguard.budgets.signals import Signal

FIRST_WAIT_S: Final = 0.05
MAX_WAIT_S: Final = 5.0
FORGET_AFTER_S: Final = 30.0
"""A ceiling that no throttle confirmed for so long is stale, whatever the successes."""

# Chosen in a simulation of 1 to 32 threads that write batches of 25 to a table of 300 units/s with
# a store of 1 s: 1.05 (1 thread), 1.3 (8) and 1.9 (32) items sent per item written.
_GROWTH: Final = 2.0
_SHRINK: Final = 0.9
_GROW_ONCE_PER_CEILING: Final = 0.5
_SHRINK_ONCE_PER_CEILING: Final = 0.1
_NO_WAIT_BELOW_S: Final = 0.01

_KeyT = TypeVar("_KeyT")


@dataclass(slots=True)
class _Ceiling:
    """The longest wait of one key, and when it last changed (monotonic seconds)."""

    seconds: float
    throttled_at_s: float
    grown_at_s: float
    shrunk_at_s: float

    def grow(self, now_s: float) -> None:
        self.throttled_at_s = now_s
        if now_s - self.grown_at_s >= self.seconds * _GROW_ONCE_PER_CEILING:
            self.seconds = min(MAX_WAIT_S, self.seconds * _GROWTH)
            self.grown_at_s = now_s

    def shrink(self, now_s: float) -> None:
        if now_s - self.shrunk_at_s >= self.seconds * _SHRINK_ONCE_PER_CEILING:
            self.seconds *= _SHRINK
            self.shrunk_at_s = now_s

    def is_over(self, now_s: float) -> bool:
        return self.seconds < _NO_WAIT_BELOW_S or now_s - self.throttled_at_s > FORGET_AFTER_S


class Pacer(Generic[_KeyT]):
    """The ceilings of all keys that were throttled lately.

    Thread-safe. Keys beyond `max_keys` are forgotten, the least recently used first.

    Attributes:
        is_idle: Whether no key waits at all. Read without the lock: a stale answer lets one call
            go that should have waited, or sends one through the lock.

    Args:
        monotonic: Clock in seconds.
        random: Uniform in [0, 1).
        max_keys: Bound on what is remembered.
    """

    def __init__(
        self, *, monotonic: Callable[[], float], random: Callable[[], float], max_keys: int
    ) -> None:
        self._monotonic = monotonic
        self._random = random
        self._max_keys = max_keys
        self.forget_all()

    def forget_all(self) -> None:
        """Back to no waits, with a fresh lock (so it is safe in a forked child)."""
        self._lock = threading.Lock()
        self._ceiling_by_key: LRUCache[_KeyT, _Ceiling] = LRUCache(self._max_keys)
        self.is_idle = True

    def draw_wait_s(self, key: _KeyT) -> float:
        """Seconds to wait before a first try: uniform up to the key's ceiling, 0.0 for none."""
        if self.is_idle:
            return 0.0
        share, now_s = self._random(), self._monotonic()
        return share * self._read_ceiling_s(key, now_s)

    def snapshot(self, now_s: float) -> dict[_KeyT, float]:
        """The longest wait in seconds of each key that waits at `now_s`."""
        with self._lock:
            return {
                key: ceiling.seconds
                for key, ceiling in self._ceiling_by_key.items()
                if not ceiling.is_over(now_s)
            }

    def _read_ceiling_s(self, key: _KeyT, now_s: float) -> float:
        """The longest wait that `key` may draw at `now_s`; 0.0 when it waits for nothing."""
        with self._lock:
            ceiling = self._ceiling_by_key.get(key)
            if ceiling is None:
                return 0.0
            if ceiling.is_over(now_s):
                self._drop(key)
                return 0.0
            return ceiling.seconds

    def learn(self, key: _KeyT, signal: Signal) -> None:
        """Takes one answer into account; conflicts and failures leave the ceiling as it is."""
        if signal is Signal.THROTTLE or signal is Signal.LEFTOVERS:
            self._grow(key, self._monotonic())
        elif signal is Signal.OK and not self.is_idle:
            self._shrink(key, self._monotonic())

    def _grow(self, key: _KeyT, now_s: float) -> None:
        with self._lock:
            ceiling = self._ceiling_by_key.get(key)
            if ceiling is None or ceiling.is_over(now_s):
                self._ceiling_by_key[key] = _Ceiling(FIRST_WAIT_S, now_s, now_s, now_s)
                self.is_idle = False
            else:
                ceiling.grow(now_s)

    def _shrink(self, key: _KeyT, now_s: float) -> None:
        with self._lock:
            ceiling = self._ceiling_by_key.get(key)
            if ceiling is None:
                return
            ceiling.shrink(now_s)
            if ceiling.is_over(now_s):
                self._drop(key)

    def _drop(self, key: _KeyT) -> None:
        """Forgets one key; the caller holds the lock."""
        del self._ceiling_by_key[key]
        self.is_idle = not self._ceiling_by_key
