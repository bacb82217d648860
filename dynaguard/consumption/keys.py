"""Which partition keys are hot, and how many different ones there are, by table and index.

Keys are hashed under a secret before they are counted: from the mask key, where one is set, so
that every process of a fleet gives a key the same hash; else from a secret of this process alone.
A person who suspects a key computes its hash (`dynaguard.key_hash`) and compares.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from dynaguard.budgets.recent import Recent
from dynaguard.consumption.hyperloglog import HyperLogLog
from dynaguard.consumption.space_saving import SpaceSaving, merged

MAX_TABLES: Final = 64
"""Tables and indexes that are watched at once; the one used longest ago is forgotten."""
COUNTERS: Final = 128
"""Per table, index and window: each count is at most 1/128 of the window's requests too high."""
WINDOW_S: Final = 600.0
"""Figures are over the running window and the one before it: the last 10 to 20 minutes."""
HOT_SHARE: Final = 0.1
"""A key is hot that certainly has this share of the requests: at most ten keys of a table are."""
LEAST_REQUESTS: Final = 100
"""Before so many requests no key is called hot."""
_HASH_BYTES: Final = 8


class KeyHasher:
    """Hashes of key values, 64 bits; without the secret nothing can be told from them.

    Args:
        secret: At least 16 bytes.
    """

    __slots__ = ("_keyed",)

    def __init__(self, secret: bytes) -> None:
        key = hashlib.blake2b(secret, digest_size=32, person=b"dynaguard-keys").digest()
        self._keyed = hashlib.blake2b(key=key, digest_size=_HASH_BYTES)

    def of(self, table: str, value: str) -> int:
        """The hash of a partition key's value in a table; indexes share their table's hashes.

        Args:
            table: The table's name.
            value: The value as text, as `key_text` makes it.
        """
        keyed = self._keyed.copy()
        keyed.update(f"{table}\0{value}".encode("utf-8", "surrogatepass"))
        return int.from_bytes(keyed.digest(), "big")


class HotKey(NamedTuple):
    """A partition key that takes a large share of a table's requests.

    Attributes:
        key_hash: Sixteen hexadecimal digits; see `dynaguard.key_hash`.
        at_least: Requests that certainly were for it.
        at_most: Requests that may have been for it.
        share: `at_least` of all requests, 0 to 1.
    """

    key_hash: str
    at_least: int
    at_most: int
    share: float


@dataclass(frozen=True, slots=True)
class KeyFigures:
    """What is known of a table's or index's keys over the last windows.

    Attributes:
        table: Table name.
        index: Index name, or None for the table.
        requests: Keys that were asked for or written.
        unknown_requests: Requests whose partition key could not be told.
        distinct_keys: Estimate of how many different keys these were.
        standard_error: Of that estimate, as a share of the true number.
        hot_keys: The hottest first; empty where none certainly is hot.
    """

    table: str
    index: str | None
    requests: int
    unknown_requests: int
    distinct_keys: int
    standard_error: float
    hot_keys: tuple[HotKey, ...]


class _Window:
    """What came in one window."""

    __slots__ = ("distinct", "heavy", "unknown")

    def __init__(self, counters: int) -> None:
        self.heavy = SpaceSaving(counters)
        self.distinct = HyperLogLog()
        self.unknown = 0


class _Watch:
    """One table or index: the running window and the one before it, if anything came then."""

    __slots__ = ("before", "now", "number")

    def __init__(self, number: int, counters: int) -> None:
        self.number = number
        self.now = _Window(counters)
        self.before: _Window | None = None

    @property
    def windows(self) -> tuple[_Window, ...]:
        """Those that count."""
        return (self.now,) if self.before is None else (self.now, self.before)

    def turn_to(self, number: int, counters: int) -> None:
        """Begins the window of that number."""
        self.before = self.now if number == self.number + 1 else None
        self.now = _Window(counters)
        self.number = number


class KeyStatistics:
    """Heavy and distinct partition keys by table and index. Thread-safe, of bounded memory.

    Args:
        hasher: Hashes the values.
        monotonic: Clock in seconds.
        window_s: Length of a window.
        max_tables: Tables and indexes at once.
        counters: Counters per window.

    Cost: one hash and a few dictionary look-ups per key.
    """

    __slots__ = (
        "__weakref__",
        "_counters",
        "_monotonic",
        "_watches",
        "_window_s",
        "hasher",
        "lock",
    )

    def __init__(
        self,
        hasher: KeyHasher,
        *,
        monotonic: Callable[[], float],
        window_s: float = WINDOW_S,
        max_tables: int = MAX_TABLES,
        counters: int = COUNTERS,
    ) -> None:
        self.hasher = hasher
        self._monotonic = monotonic
        self._window_s = window_s
        self._counters = counters
        self._watches: Recent[tuple[str, str | None], _Watch] = Recent(max_tables)
        self.lock = threading.Lock()

    def add(self, table: str, index: str | None, values: Iterable[str]) -> None:
        """Takes in the partition key values that one call asked for or wrote."""
        hashes = [self.hasher.of(table, value) for value in values]
        if not hashes:
            return
        with self.lock:
            window = self._window_of(table, index)
            for key in hashes:
                window.heavy.add(key)
                window.distinct.add(key)

    def add_unknown(self, table: str, index: str | None) -> None:
        """Takes in a call whose partition key could not be told."""
        with self.lock:
            self._window_of(table, index).unknown += 1

    def figures(self) -> tuple[KeyFigures, ...]:
        """Every table and index that came in the last two windows, the busiest first."""
        with self.lock:
            number = self._number()
            found = [
                self._figures_of(*key, watch)
                for key, watch in self._watches.items()
                if self._turned(watch, number)
            ]
        return tuple(sorted(found, key=lambda each: -each.requests))

    def _number(self) -> int:
        return int(self._monotonic() // self._window_s)

    def _turned(self, watch: _Watch, number: int) -> bool:
        """Brings a watch up to date; whether anything of it is left."""
        if watch.number != number:
            watch.turn_to(number, self._counters)
        return any(each.heavy.total or each.unknown for each in watch.windows)

    def _window_of(self, table: str, index: str | None) -> _Window:
        """The running window of a table or index."""
        number = self._number()
        watch = self._watches.find((table, index))
        if watch is None:
            watch = _Watch(number, self._counters)
            self._watches.add((table, index), watch)
        elif watch.number != number:
            watch.turn_to(number, self._counters)
        return watch.now

    def _figures_of(self, table: str, index: str | None, watch: _Watch) -> KeyFigures:
        windows = watch.windows
        requests = sum(each.heavy.total for each in windows)
        distinct = functools.reduce(HyperLogLog.union, (each.distinct for each in windows))
        hot = [
            HotKey(readable_hash(each.key), each.at_least, each.at_most, each.at_least / requests)
            for each in merged(tuple(each.heavy for each in windows))
            if requests >= LEAST_REQUESTS and each.at_least >= HOT_SHARE * requests
        ]
        return KeyFigures(
            table,
            index,
            requests,
            sum(each.unknown for each in windows),
            round(distinct.estimate()),
            distinct.standard_error,
            tuple(hot),
        )


def readable_hash(key: int) -> str:
    """A hash as people compare it: sixteen hexadecimal digits."""
    return f"{key:0{2 * _HASH_BYTES}x}"
