"""Paired measurement: two variants in turns, their ratio per pair, the median of the pairs."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of CPU times.

    Attributes:
        median: Median over the pairs.
        low, high: Quartiles.
        extra_us: Median difference per call, in microseconds, for orientation only.
    """

    median: float
    low: float
    high: float
    extra_us: float

    def __str__(self) -> str:
        """`1.087 [1.061-1.112]`."""
        return f"{self.median:.3f} [{self.low:.3f}-{self.high:.3f}]"


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
        pairs: How many pairs.
    """
    ratios, extras = [], []
    base(), variant()
    gc.collect()
    for index in range(pairs):
        if index % 2:
            second, first = variant(), base()
        else:
            first, second = base(), variant()
        ratios.append(second / first)
        extras.append(second - first)
    low, median, high = statistics.quantiles(ratios, n=4)
    return Ratio(median, low, high, statistics.median(extras))
