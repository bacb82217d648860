"""Paired measurement: variants in turns in one process, ratios per turn, the median of these."""

from __future__ import annotations

import gc
import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

QUICK: Final = "BENCH_QUICK"
"""In the environment, because child processes measure too: a short look instead of figures."""
_NOTCH: Final = 1.57
"""McGill, Tukey, Larsen 1978: a median is known to 1.57 IQR / sqrt(n), at some 95 %."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of CPU times, or another figure that was measured in pairs.

    Attributes:
        median: Median over the pairs.
        low, high: Quartiles.
        extra_us: Median difference per call, in microseconds, for orientation only.
        pairs: How many pairs there were.
    """

    median: float
    low: float
    high: float
    extra_us: float = 0.0
    pairs: int = 1

    @property
    def margin(self) -> float:
        """How far the median of all possible pairs may lie from this one."""
        return _NOTCH * (self.high - self.low) / math.sqrt(self.pairs)

    def __str__(self) -> str:
        """`1.087 [1.061-1.112]`; of what is far below 1, more places."""
        places = 3 if abs(self.median) >= 0.1 else 4
        return f"{self.median:.{places}f} [{self.low:.{places}f}-{self.high:.{places}f}]"


def spread(values: Sequence[float], extras: Sequence[float] = (0.0,)) -> Ratio:
    """Median and quartiles of the values of single pairs.

    Args:
        values: One value of each pair, at least one.
        extras: Differences per call, in microseconds.
    """
    if len(values) == 1:
        return Ratio(values[0], values[0], values[0], extras[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Ratio(median, low, high, statistics.median(extras), len(values))


def is_quick() -> bool:
    """Whether a short look is wanted, not figures to keep."""
    return os.environ.get(QUICK) == "1"


def count_of(full: int) -> int:
    """How many pairs, rounds or repeats: `full`, or few where a short look is wanted."""
    return max(5, full // 10) if is_quick() else full


def cpu_per_call_us(call: Callable[[], object], count: int) -> float:
    """CPU time of one call in microseconds, over `count` calls."""
    started_s = time.process_time()
    for _ in range(count):
        call()
    return (time.process_time() - started_s) / count * 1e6


def paired_ratio(base: Callable[[], float], variant: Callable[[], float], pairs: int) -> Ratio:
    """The ratio of two measurements, each taken `pairs` times, in alternating order.

    Args:
        base: Takes one measurement of the base, in microseconds per call.
        variant: The same of the variant.
        pairs: How many pairs; fewer where a short look is wanted.
    """
    ratios, extras = [], []
    base(), variant()
    gc.collect()
    for index in range(count_of(pairs)):
        if index % 2:
            second, first = variant(), base()
        else:
            first, second = base(), variant()
        ratios.append(second / first)
        extras.append(second - first)
    return spread(ratios, extras)
