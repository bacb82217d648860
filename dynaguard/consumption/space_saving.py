"""The heaviest of many keys in the space of a few: the Space-Saving sketch.

Source: A. Metwally, D. Agrawal, A. El Abbadi, "Efficient computation of frequent and top-k
elements in data streams", ICDT 2005. Its stream summary is left out: in Python, moving a counter
from list to list costs more than a search now and then.
"""

from __future__ import annotations

from typing import NamedTuple


class Estimate(NamedTuple):
    """How often a key came, between two bounds that always hold.

    Attributes:
        key: The key's hash.
        at_least: It came at least so often.
        at_most: And at most so often.
    """

    key: int
    at_least: int
    at_most: int


class SpaceSaving:
    """Counts the keys of a stream with `capacity` counters. Not thread-safe.

    With N arrivals and m counters, for every key: true count <= estimate <= true count + N/m; and
    every key that came more than N/m times has a counter. Keys beyond the m-th take over the
    counter that stands lowest, with its count as their possible error.

    Args:
        capacity: m, the number of counters.

    Attributes:
        total: N, the arrivals so far.

    Cost: one dictionary look-up for a key with a counter. Any other takes over one of those that
    stood lowest at the last search; a new search, O(m), is due once none of them is left there.
    """

    __slots__ = ("_capacity", "_counts", "_errors", "_lowest", "_lowest_keys", "total")

    def __init__(self, capacity: int) -> None:
        self.total = 0
        self._capacity = capacity
        self._counts: dict[int, int] = {}
        self._errors: dict[int, int] = {}
        # INVARIANT: no count is below this one, since counts only grow.
        self._lowest = 0
        self._lowest_keys: list[int] = []

    def __len__(self) -> int:
        """How many counters are in use."""
        return len(self._counts)

    @property
    def floor(self) -> int:
        """The most that a key without a counter can have come; 0 until all are in use."""
        counts = self._counts
        return min(counts.values()) if len(counts) >= self._capacity else 0

    def add(self, key: int) -> None:
        """Takes one arrival in."""
        self.total += 1
        counts = self._counts
        count = counts.get(key)
        if count is not None:
            counts[key] = count + 1
        elif len(counts) < self._capacity:
            counts[key] = 1
        else:
            evicted = self._find_lowest()
            del counts[evicted]
            self._errors.pop(evicted, None)
            counts[key] = self._lowest + 1
            self._errors[key] = self._lowest

    def estimates(self) -> list[Estimate]:
        """All counters, the heaviest first."""
        errors = self._errors
        found = [
            Estimate(key, count - errors.get(key, 0), count) for key, count in self._counts.items()
        ]
        return sorted(found, key=lambda each: (-each.at_most, -each.at_least, each.key))

    def _find_lowest(self) -> int:
        """A key whose count is the lowest, which `_lowest` is then."""
        counts, keys = self._counts, self._lowest_keys
        while True:
            while keys:
                key = keys.pop()
                if counts.get(key) == self._lowest:
                    return key
            self._lowest = lowest = min(counts.values())
            keys.extend([key for key, count in counts.items() if count == lowest])


def merged(sketches: tuple[SpaceSaving, ...]) -> list[Estimate]:
    """The estimates over several streams together, the heaviest first.

    A key without a counter in one of them may have come there up to that one's `floor` times, so
    the errors add up: estimate <= true count + N1/m1 + N2/m2 + ...

    Source: P. Agarwal et al., "Mergeable summaries", PODS 2012.
    """
    known = [{each.key: each for each in sketch.estimates()} for sketch in sketches]
    found = []
    for key in dict.fromkeys(key for entries in known for key in entries):
        at_least = at_most = 0
        for sketch, entries in zip(sketches, known, strict=True):
            each = entries.get(key)
            at_least += each.at_least if each is not None else 0
            at_most += each.at_most if each is not None else sketch.floor
        found.append(Estimate(key, at_least, at_most))
    return sorted(found, key=lambda each: (-each.at_most, -each.at_least, each.key))
