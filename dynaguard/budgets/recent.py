"""A bounded mapping that forgets what was used longest ago.

cachetools' `LRUCache` costs ten times as much per look-up, more than the whole admission of a
call may; a plain dictionary keeps the order of insertion, so a hit is taken out and put back.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

_KeyT = TypeVar("_KeyT", bound=Hashable)
_ValueT = TypeVar("_ValueT")


class Recent(dict[_KeyT, _ValueT], Generic[_KeyT, _ValueT]):
    """A dictionary of at most `max_size` entries. Not thread-safe.

    Use `find` and `add`; the other methods are the dictionary's own and touch no order.
    """

    __slots__ = ("max_size",)

    def __init__(self, max_size: int) -> None:
        super().__init__()
        self.max_size = max_size

    def find(self, key: _KeyT) -> _ValueT | None:
        """The entry, which is the most recent one now; or None."""
        value = self.pop(key, None)
        if value is not None:
            self[key] = value
        return value

    def add(self, key: _KeyT, value: _ValueT) -> None:
        """Adds an entry; where there is no room, the one used longest ago goes."""
        if len(self) >= self.max_size:
            del self[next(iter(self))]
        self[key] = value
