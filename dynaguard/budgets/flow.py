"""Units per second, exponentially weighted. Pure arithmetic over the clock passed in."""

from __future__ import annotations

import math
from collections.abc import Sequence


class Flow:
    """Accepted units per second, exponentially weighted; young flows are not underestimated."""

    __slots__ = ("_at_s", "_constant_s", "_units", "_weight_s")

    def __init__(self, constant_s: float, now_s: float) -> None:
        self._constant_s = constant_s
        self._units = self._weight_s = 0.0
        self._at_s = now_s

    def add(self, now_s: float, units: float) -> None:
        """Notes units that were accepted just now."""
        self._decay(now_s)
        self._units += units

    def per_s(self, now_s: float) -> float:
        """The flow at `now_s`."""
        self._decay(now_s)
        return self._units / max(self._weight_s, self._constant_s / 8)

    def save(self) -> list[float]:
        """What it knows."""
        return [self._at_s, self._units, self._weight_s]

    def restore(self, saved: Sequence[float]) -> None:
        """Becomes what was saved."""
        self._at_s, self._units, self._weight_s = saved

    def _decay(self, now_s: float) -> None:
        elapsed_s = now_s - self._at_s
        if elapsed_s <= 0:
            return
        left = math.exp(-elapsed_s / self._constant_s)
        self._units *= left
        self._weight_s = self._weight_s * left + self._constant_s * (1 - left)
        self._at_s = now_s
