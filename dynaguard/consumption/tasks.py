"""What tasks have used of the limits of their boundaries: items, pages, capacity units.

Counted in this process, by task: threads share one count, and a forked child goes on from a copy
of it. Another process counts for itself. What is known before a call leaves (the items that it
names, the page that it is) is taken at once, so that threads together do not pass a limit; what
only the answer tells (items of a Query, units) is booked when the call has ended.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

from dynaguard.boundary import Boundary
from dynaguard.budgets.recent import Recent
from dynaguard.values import dataclass

MAX_TASKS: Final = 4096
"""Tasks that are counted; one that was idle while so many others went on begins anew."""

Measure = Literal["items", "pages", "read units", "write units"]


class Asked(NamedTuple):
    """What is known of a call before it leaves.

    Attributes:
        is_write: Whether it writes.
        items: Items that it names; None: as many as there are (Query, Scan, PartiQL SELECT).
        pages: 1 for a Query or Scan, which reads one page.
    """

    is_write: bool
    items: int | None = None
    pages: int = 0


class Used(NamedTuple):
    """What a call that ended has used.

    Attributes:
        items: Items read or written.
        pages: Pages read.
        read_units, write_units: Capacity units.
        is_estimated: Whether the units are a guess.
    """

    items: int = 0
    pages: int = 0
    read_units: float = 0.0
    write_units: float = 0.0
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class TaskExcess:
    """A limit that a call of a task would pass, or that is used up.

    Attributes:
        boundary: The boundary.
        measure: What is limited.
        used: What the task has used, calls under way included.
        allowed: What the limit allows.
        asked: What the call asks for on top; 0 where that is not known.
        is_estimated: Whether a part of `used` is a guess.
    """

    boundary: Boundary
    measure: Measure
    used: float
    allowed: float
    asked: int = 0
    is_estimated: bool = False

    def __str__(self) -> str:
        """What was used of what, in one clause."""
        boundary = self.boundary
        about = "about " if self.is_estimated else ""
        more = f" and asks for {self.asked:,} more" if self.asked else ""
        return (
            f"{boundary.kind} `{boundary.name}` (task `{boundary.task}`) has used "
            f"{about}{self.used:,.10g} of {self.allowed:,.10g} {self.measure}{more}"
        )


class TaskUsage(NamedTuple):
    """What a task has used; for `status()`.

    Attributes:
        kind, name, task: Its boundary.
        items, pages, read_units, write_units: Used.
    """

    kind: str
    name: str
    task: str
    items: int
    pages: int
    read_units: float
    write_units: float


class _Count:
    """What one task has used, and what its calls under way have taken."""

    __slots__ = ("is_estimated", "items", "items_under_way", "pages", "pages_under_way", "units")

    def __init__(self) -> None:
        self.items = self.items_under_way = 0
        self.pages = self.pages_under_way = 0
        self.units = {"read units": 0.0, "write units": 0.0}
        self.is_estimated = False


_Key = tuple[str, str, str]


class TaskUsages:
    """Counts of all tasks of one guard. Thread-safe, of bounded memory.

    Cost: one dictionary look-up per boundary with limits, before the call and after it.
    """

    __slots__ = ("__weakref__", "_counts", "lock")

    def __init__(self) -> None:
        self._counts: Recent[_Key, _Count] = Recent(MAX_TASKS)
        self.lock = threading.Lock()

    def renew(self) -> None:
        """In a forked child: a new lock, and no calls of other threads under way."""
        self.lock = threading.Lock()
        for count in self._counts.values():
            count.items_under_way = count.pages_under_way = 0

    def begin(self, boundaries: Iterable[Boundary], asked: Asked) -> TaskExcess | None:
        """Takes what a call asks for, unless a limit is used up or would be passed by it.

        Returns:
            The limit because of which nothing was taken; None: the call may go, and `end` has to
            be called once it has ended.
        """
        limited = [each for each in boundaries if each.has_limits]
        with self.lock:
            counts = [self._count(each) for each in limited]
            for boundary, count in zip(limited, counts, strict=True):
                excess = next(_excesses(boundary, count, asked), None)
                if excess is not None:
                    return excess
            for count in counts:
                count.items_under_way += asked.items or 0
                count.pages_under_way += asked.pages
        return None

    def end(self, boundaries: Iterable[Boundary], asked: Asked, used: Used) -> None:
        """Gives back what `begin` took, and books what the call has used."""
        with self.lock:
            for boundary in boundaries:
                if not boundary.has_limits:
                    continue
                count = self._count(boundary)
                count.items_under_way = max(0, count.items_under_way - (asked.items or 0))
                count.pages_under_way = max(0, count.pages_under_way - asked.pages)
                count.items += used.items
                count.pages += used.pages
                count.units["read units"] += used.read_units
                count.units["write units"] += used.write_units
                count.is_estimated = count.is_estimated or used.is_estimated

    def usages(self) -> list[TaskUsage]:
        """What every task has used, the latest first."""
        with self.lock:
            return [
                TaskUsage(*key, count.items, count.pages, *count.units.values())
                for key, count in reversed(self._counts.items())
            ]

    def _count(self, boundary: Boundary) -> _Count:
        key = boundary.kind, boundary.name, boundary.task
        count = self._counts.find(key)
        if count is None:
            count = _Count()
            self._counts.add(key, count)
        return count


def _excesses(boundary: Boundary, count: _Count, asked: Asked) -> Iterator[TaskExcess]:
    """The limits that a call would pass."""
    items = count.items + count.items_under_way
    if boundary.max_items is not None and _is_over(items, asked.items, boundary.max_items):
        yield TaskExcess(boundary, "items", items, boundary.max_items, asked.items or 0)
    pages = count.pages + count.pages_under_way
    is_page = asked.pages > 0
    if boundary.max_pages is not None and is_page and pages >= boundary.max_pages:
        yield TaskExcess(boundary, "pages", pages, boundary.max_pages)
    measure: Measure = "write units" if asked.is_write else "read units"
    allowed = boundary.write_units if asked.is_write else boundary.read_units
    units = count.units[measure]
    if allowed is not None and units >= allowed:
        yield TaskExcess(boundary, measure, units, allowed, is_estimated=count.is_estimated)


def _is_over(used: int, asked: int | None, allowed: int) -> bool:
    """Whether so many more items are too many; where their number is open, any one must fit."""
    return used >= allowed if asked is None else used + asked > allowed
