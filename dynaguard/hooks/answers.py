"""Reads botocore's parsed answers into `Answer`. Reads counts and codes, never item values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynaguard.call import ConsumedCapacity
from dynaguard.passage import Answer

_LEFTOVERS = ("UnprocessedItems", "UnprocessedKeys")


def has_leftovers(parsed: Mapping[str, Any]) -> bool:
    """Whether a batch call handed members back unprocessed."""
    return bool(parsed.get("UnprocessedItems") or parsed.get("UnprocessedKeys"))


def read_answer(parsed: Mapping[str, Any], http_status: int) -> Answer:
    """What an answer tells about how the call went.

    Args:
        parsed: botocore's parsed answer, a success or an error.
        http_status: Its status code.
    """
    metadata = parsed.get("ResponseMetadata") or {}
    answer = Answer(http_status=http_status, request_id=metadata.get("RequestId"))
    if http_status >= 300:
        answer.error_code = (parsed.get("Error") or {}).get("Code") or str(http_status)
        answer.cancellation_codes = _cancellation_codes(parsed)
        return answer
    capacity = parsed.get("ConsumedCapacity")
    if capacity is not None:
        answer.capacity = _capacities(capacity)
    answer.item_count = _item_count(parsed)
    for name in _LEFTOVERS:
        if leftovers := parsed.get(name):
            answer.unprocessed_count = sum(_member_count(entry) for entry in leftovers.values())
    return answer


def _item_count(parsed: Mapping[str, Any]) -> int | None:
    """Items in the answer, or None where the operation returns none."""
    items = parsed.get("Items")
    if isinstance(items, list):
        return len(items)
    if "Item" in parsed:
        return 1
    responses = parsed.get("Responses")
    if isinstance(responses, dict):
        return sum(len(rows) for rows in responses.values())
    return len(responses) if isinstance(responses, list) else None


def _member_count(entry: Any) -> int:
    """Requests left over for one table: a list of writes, or a mapping with `Keys`."""
    return len(entry) if isinstance(entry, list) else len(entry.get("Keys", ()))


def _cancellation_codes(parsed: Mapping[str, Any]) -> tuple[str, ...]:
    """Codes of a cancelled transaction's reasons, in member order."""
    reasons = parsed.get("CancellationReasons")
    return tuple(reason.get("Code", "None") for reason in reasons) if reasons else ()


def _capacities(capacity: Any) -> tuple[ConsumedCapacity, ...]:
    """Consumed capacity of one table (a mapping) or several (a list)."""
    entries = capacity if isinstance(capacity, list) else [capacity]
    return tuple(
        ConsumedCapacity(
            table=entry.get("TableName", ""),
            read_units=entry.get("ReadCapacityUnits", 0.0),
            write_units=entry.get("WriteCapacityUnits", 0.0),
            total_units=entry.get("CapacityUnits", 0.0),
        )
        for entry in entries
    )
