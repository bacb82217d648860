"""Reads that cost more than they look: whole scans, endless pages, filters that throw away.

Each is told once per operation, table, index and job, so that a loop does not fill a log.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Mapping
from typing import Any, Final

from dynaguard.budgets.recent import Recent
from dynaguard.call import Call, Outcome
from dynaguard.values import dataclass

MAX_PAGES: Final = 10
"""Pages of a read without `Limit` beyond which it counts as unbounded: 10 MB were read then."""
FILTER_RATIO: Final = 10.0
"""Items looked at per item returned, beyond which a filter throws most of the work away."""
LEAST_SCANNED: Final = 1000
"""Items to look at before the ratio means anything."""
MAX_SHAPES: Final = 1024
"""Shapes of reads that are remembered; one that was forgotten may be told again."""
MAX_CURSORS: Final = 1024
"""Reads page by page that are followed at once, outside of paginators."""


class QueryWarning(enum.StrEnum):
    """What a read does that it probably should not."""

    SCAN = "scan"
    """It reads the whole table or index."""
    UNBOUNDED = "unbounded"
    """It goes through page after page and sets no `Limit`."""
    FILTER = "filter"
    """Its filter throws nearly everything away, after it was read and paid for."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a warning is told once for."""

    operation: str
    table: str
    index: str | None
    job: str | None


class _Seen:
    """What is known of a shape until now."""

    __slots__ = ("returned", "scanned", "told")

    def __init__(self) -> None:
        self.scanned = 0
        self.returned = 0
        self.told: set[QueryWarning] = set()


class QueryWatch:
    """Watches reads for the three habits. Thread-safe, of bounded memory."""

    __slots__ = ("_page_by_cursor", "_seen", "lock")

    def __init__(self) -> None:
        self._seen: Recent[Shape, _Seen] = Recent(MAX_SHAPES)
        self._page_by_cursor: Recent[int, int] = Recent(MAX_CURSORS)
        self.lock = threading.Lock()

    def watch(
        self,
        call: Call,
        shape: Shape,
        outcome: Outcome,
        *,
        is_scan: bool,
        cursor: Mapping[str, Any] | None,
    ) -> tuple[QueryWarning, ...]:
        """Takes in a read that ended well.

        Args:
            call: The call.
            shape: What its warnings are told once for.
            outcome: How it ended.
            is_scan: Whether it reads the whole table or index.
            cursor: Where the next page begins, as the answer tells; hashed, not kept.

        Returns:
            The warnings that this read is the first to deserve.
        """
        with self.lock:
            seen = self._seen.find(shape)
            if seen is None:
                seen = _Seen()
                self._seen.add(shape, seen)
            page = self._page(call, cursor)
            seen.scanned += outcome.scanned_count or 0
            seen.returned += outcome.item_count or 0 if outcome.scanned_count is not None else 0
            deserved = {
                QueryWarning.SCAN: is_scan,
                QueryWarning.UNBOUNDED: page > MAX_PAGES and "Limit" not in call.params,
                QueryWarning.FILTER: seen.scanned >= LEAST_SCANNED
                and seen.scanned > FILTER_RATIO * seen.returned,
            }
            fresh = tuple(
                kind for kind, is_so in deserved.items() if is_so and kind not in seen.told
            )
            seen.told.update(fresh)
            return fresh

    def _page(self, call: Call, cursor: Mapping[str, Any] | None) -> int:
        """Which page this was: as its paginator says, or by the cursor that it came with."""
        begun_at = call.params.get("ExclusiveStartKey", call.params.get("NextToken"))
        page = call.page_number
        if page is None:
            page = 1
            if begun_at is not None:
                page = self._page_by_cursor.pop(_hash(call, begun_at), 1)
        if cursor is not None and call.page_number is None:
            self._page_by_cursor.pop(_hash(call, cursor), None)
            self._page_by_cursor.add(_hash(call, cursor), page + 1)
        return page


def _hash(call: Call, cursor: Any) -> int:
    """A cursor's place in the books, under Python's own secret of this process."""
    table = call.params.get("TableName") or call.params.get("Statement")
    return hash((str(table), str(call.params.get("IndexName")), repr(cursor)))
