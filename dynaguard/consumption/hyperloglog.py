"""How many different keys came, in a few kilobytes: the HyperLogLog sketch.

Source: P. Flajolet, E. Fusy, O. Gandouet, F. Meunier, "HyperLogLog: the analysis of a near-optimal
cardinality estimation algorithm", AofA 2007. With 64-bit hashes no correction for large counts is
needed (S. Heule, M. Nunkesser, A. Hall, "HyperLogLog in practice", EDBT 2013, section 4).
"""

from __future__ import annotations

import math
from typing import Final

HASH_BITS: Final = 64
PRECISION: Final = 12
"""4,096 registers of one byte: a standard error of 1.04 / sqrt(4096) = 1.6 %."""
_LINEAR_UP_TO: Final = 2.5
"""Below this many keys per register empty registers tell more than full ones; section 4 there."""


class HyperLogLog:
    """Estimates the number of distinct keys of a stream. Not thread-safe.

    The relative standard error is 1.04 / sqrt(registers): two thirds of all estimates are nearer
    than that, and nineteen of twenty nearer than twice that.

    Args:
        precision: Binary logarithm of the number of registers, 4 to 16.

    Cost: O(1) per key; an estimate reads every register.
    """

    __slots__ = ("_precision", "_registers")

    def __init__(self, precision: int = PRECISION) -> None:
        self._precision = precision
        self._registers = bytearray(1 << precision)

    @property
    def standard_error(self) -> float:
        """As a share of the true number."""
        return 1.04 / math.sqrt(len(self._registers))

    def add(self, key: int) -> None:
        """Takes in a key by its hash: 64 bits, evenly spread."""
        registers, precision = self._registers, self._precision
        place = key & ((1 << precision) - 1)
        # The rank of the first 1 in what is left of the hash.
        rank = HASH_BITS - precision - (key >> precision).bit_length() + 1
        if rank > registers[place]:  # noqa: PLR1730 - a call of `max` costs more
            registers[place] = rank

    def estimate(self) -> float:
        """How many distinct keys came; 0.0 for none."""
        return _estimate(self._registers)

    def union(self, other: HyperLogLog) -> HyperLogLog:
        """A sketch of all keys of both, which must be of one precision."""
        joined = HyperLogLog(self._precision)
        joined._registers = bytearray(map(max, self._registers, other._registers))
        return joined


def _estimate(registers: bytearray) -> float:
    """The harmonic mean of the registers, or linear counting where many are empty."""
    size = len(registers)
    alpha = 0.7213 / (1 + 1.079 / size) if size >= 128 else 0.673
    raw = alpha * size * size / sum(2.0**-rank for rank in registers)
    empty = registers.count(0)
    if raw <= _LINEAR_UP_TO * size and empty:
        return size * math.log(size / empty)
    return raw
