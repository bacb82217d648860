"""What a DynamoDB call costs at the throttling proxy, and how much of it still fits.

A simple model of provisioned capacity: one unit per item, whatever its size. PutItem, UpdateItem,
DeleteItem, GetItem, Query and Scan cost one unit, batches one for each of their items.
Transactions, PartiQL and everything else cost nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from dynaguard.budgets.tokens import TokenBucket

_IS_WRITE_BY_SINGLE_OPERATION: Final = {
    "PutItem": True,
    "UpdateItem": True,
    "DeleteItem": True,
    "GetItem": False,
    "Query": False,
    "Scan": False,
}
_LEFTOVERS_BY_BATCH_OPERATION: Final = {
    "BatchWriteItem": "UnprocessedItems",
    "BatchGetItem": "UnprocessedKeys",
}

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rate:
    """How much passes in one direction.

    Attributes:
        units_per_s: Units that come each second.
        burst_units: Most that an idle table stores; also what it starts with.
    """

    units_per_s: float
    burst_units: float


@dataclass(frozen=True, slots=True)
class Limit:
    """What a table takes in each direction; None for no limit."""

    read: Rate | None = None
    write: Rate | None = None


@dataclass(frozen=True, slots=True)
class TableCounts:
    """What came of the metered calls on one table, both directions together.

    Attributes:
        accepted_items: Items let through to the endpoint.
        throttled_calls: Calls refused as a whole.
        unprocessed_items: Items of batches handed back while others were let through.
    """

    accepted_items: int = 0
    throttled_calls: int = 0
    unprocessed_items: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """What a metered call asks for.

    Attributes:
        items_by_table: Items by table as the request names it (name or ARN).
        is_write: The direction.
        leftovers_key: Where a batch's answer lists what was left out; None for single calls.
    """

    items_by_table: Mapping[str, int]
    is_write: bool
    leftovers_key: str | None = None


def read_ask(operation: str, body: JsonObject) -> Ask | None:
    """What the call asks for; None where nothing is metered, malformed requests included."""
    if operation in _IS_WRITE_BY_SINGLE_OPERATION:
        table = body.get("TableName")
        is_write = _IS_WRITE_BY_SINGLE_OPERATION[operation]
        return Ask({table: 1}, is_write) if isinstance(table, str) else None
    leftovers_key = _LEFTOVERS_BY_BATCH_OPERATION.get(operation)
    if leftovers_key is None:
        return None
    try:
        items_by_table = {
            table: len(_read_members(entry)) for table, entry in body["RequestItems"].items()
        }
    except (KeyError, TypeError, AttributeError):
        return None  # the endpoint says what is wrong with it
    return Ask(items_by_table, operation == "BatchWriteItem", leftovers_key)


def split_batch(
    body: JsonObject, granted_by_table: Mapping[str, int]
) -> tuple[JsonObject, JsonObject]:
    """The batch with only what was granted, and the request items that were left out."""
    kept, left = {}, {}
    for table, entry in body["RequestItems"].items():
        members, granted = _read_members(entry), granted_by_table[table]
        if granted:
            kept[table] = _replace_members(entry, members[:granted])
        if granted < len(members):
            left[table] = _replace_members(entry, members[granted:])
    return {**body, "RequestItems": kept}, left


def merge_leftovers(answer: JsonObject, key: str, left: JsonObject) -> JsonObject:
    """The endpoint's answer with our leftovers added to its own."""
    merged = dict(answer.get(key) or {})
    for table, entry in left.items():
        theirs = _read_members(merged[table]) if table in merged else []
        merged[table] = _replace_members(entry, [*theirs, *_read_members(entry)])
    return {**answer, key: merged}


def _read_members(entry: Any) -> list[Any]:
    """A table's part of a batch: a list of writes, or an object with `Keys`."""
    members = entry if isinstance(entry, list) else entry["Keys"]
    return members if isinstance(members, list) else []


def _replace_members(entry: Any, members: list[Any]) -> Any:
    """The part with other members, its projection and the like kept."""
    return members if isinstance(entry, list) else {**entry, "Keys": members}


class Meter:
    """The token buckets and counts of all limited tables. Thread-safe.

    Args:
        limits: By table name; tables that are not named pass freely and are counted.
        monotonic: Clock in seconds.
    """

    def __init__(self, limits: Mapping[str, Limit], *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._counts_by_table: dict[str, TableCounts] = {}
        now_s = monotonic()
        self._bucket_by_direction = {
            (table, is_write): TokenBucket(
                max_tokens=rate.burst_units,
                earned_per_success=0.0,
                drip_per_s=rate.units_per_s,
                now_s=now_s,
            )
            for table, limit in limits.items()
            for is_write, rate in ((False, limit.read), (True, limit.write))
            if rate is not None
        }

    @property
    def counts(self) -> dict[str, TableCounts]:
        """What came of the calls so far, by table name."""
        with self._lock:
            return dict(self._counts_by_table)

    def charge(self, ask: Ask) -> dict[str, int]:
        """Charges what fits and gives it, items by table as asked; all zero: refuse the call."""
        now_s = self._monotonic()
        with self._lock:
            granted_by_table = {
                table: self._take(_read_name(table), items, now_s, is_write=ask.is_write)
                for table, items in ask.items_by_table.items()
            }
            is_refused = not any(granted_by_table.values())
            for table, granted in granted_by_table.items():
                left = ask.items_by_table[table] - granted
                self._count(_read_name(table), granted, left, is_refused=is_refused)
        return granted_by_table

    def _take(self, table: str, items: int, now_s: float, *, is_write: bool) -> int:
        """How many of the items fit; the caller holds the lock."""
        bucket = self._bucket_by_direction.get((table, is_write))
        if bucket is None:
            return items
        bucket.refill(now_s)
        granted = 0
        while granted < items and bucket.take():
            granted += 1
        return granted

    def _count(self, table: str, granted: int, left: int, *, is_refused: bool) -> None:
        """Adds one call to the table's counts; the caller holds the lock."""
        counts = self._counts_by_table.get(table, TableCounts())
        self._counts_by_table[table] = replace(
            counts,
            accepted_items=counts.accepted_items + granted,
            throttled_calls=counts.throttled_calls + is_refused,
            unprocessed_items=counts.unprocessed_items + (0 if is_refused else left),
        )


def _read_name(table: str) -> str:
    """The name in a table's ARN; a plain name as it is."""
    return table.rpartition(":table/")[2]
