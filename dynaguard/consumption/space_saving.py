"""The heaviest of many keys in the space of a few: the Space-Saving sketch.

Source: A. Metwally, D. Agrawal, A. El Abbadi, "Efficient computation of frequent and top-k
elements in data streams", ICDT 2005; the stream summary is section 3 there.
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

    Cost: O(1) per arrival, whatever m: counters of equal count stand together, so that the lowest
    is found without a search.
    """

    __slots__ = ("_buckets", "_capacity", "_counters", "_lowest", "total")

    def __init__(self, capacity: int) -> None:
        self.total = 0
        self._capacity = capacity
        self._counters: dict[int, tuple[int, int]] = {}  # key: count, possible error
        self._buckets: dict[int, dict[int, None]] = {}  # count: its keys, oldest first
        self._lowest = 0

    def __len__(self) -> int:
        """How many counters are in use."""
        return len(self._counters)

    @property
    def floor(self) -> int:
        """The most that a key without a counter can have come; 0 until all are in use."""
        return self._lowest if len(self._counters) >= self._capacity else 0

    def add(self, key: int) -> None:
        """Takes one arrival in."""
        self.total += 1
        counter = self._counters.get(key)
        if counter is not None:
            self._move(key, *counter)
        elif len(self._counters) < self._capacity:
            self._put(key, 1, 0)
            self._lowest = 1
        else:
            evicted = next(iter(self._buckets[self._lowest]))
            del self._counters[evicted]
            count = self._lowest
            self._take_out(evicted, count)
            self._put(key, count + 1, count)
            self._raise_lowest(count)

    def estimates(self) -> list[Estimate]:
        """All counters, the heaviest first."""
        found = [
            Estimate(key, count - error, count) for key, (count, error) in self._counters.items()
        ]
        return sorted(found, key=lambda each: (-each.at_most, -each.at_least, each.key))

    def _move(self, key: int, count: int, error: int) -> None:
        """Raises a counter by one."""
        self._take_out(key, count)
        self._put(key, count + 1, error)
        self._raise_lowest(count)

    def _put(self, key: int, count: int, error: int) -> None:
        self._counters[key] = (count, error)
        bucket = self._buckets.get(count)
        if bucket is None:
            bucket = self._buckets[count] = {}
        bucket[key] = None

    def _take_out(self, key: int, count: int) -> None:
        bucket = self._buckets[count]
        del bucket[key]
        if not bucket:
            del self._buckets[count]

    def _raise_lowest(self, count: int) -> None:
        """After a counter went from `count` to the next: was it the last of the lowest?"""
        if count == self._lowest and count not in self._buckets:
            self._lowest = count + 1


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
