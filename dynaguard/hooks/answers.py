"""Reads botocore's parsed answers into `Answer`. Reads counts and codes, never item values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dynaguard.call import ConsumedCapacity
from dynaguard.consumption.units import added
from dynaguard.loads import cause_from
from dynaguard.passage import Answer

if TYPE_CHECKING:
    from dynaguard.budgets.load import Cause
    from dynaguard.passage import Passage

_LEFTOVERS = ("UnprocessedItems", "UnprocessedKeys")
_THROTTLED_STATEMENT_CODES = frozenset(
    {"ProvisionedThroughputExceeded", "RequestLimitExceeded", "ThrottlingError"}
)
"""Source: DynamoDB API reference, BatchStatementError."""
_RETRY_AFTER = "x-amz-retry-after"
"""Milliseconds. Source: AWS SDKs and Tools Reference Guide, Retry behavior."""


def has_leftovers(parsed: Mapping[str, Any]) -> bool:
    """Whether a batch call handed members back unprocessed."""
    return bool(parsed.get("UnprocessedItems") or parsed.get("UnprocessedKeys"))


def throttled_statements(parsed: Mapping[str, Any]) -> list[int]:
    """Positions of the statements of a PartiQL batch that were throttled, and not run."""
    responses = parsed.get("Responses")
    if not isinstance(responses, list):
        return []
    return [
        index
        for index, each in enumerate(responses)
        if ((each or {}).get("Error") or {}).get("Code") in _THROTTLED_STATEMENT_CODES
    ]


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
        answer.causes = _causes(parsed)
        answer.retry_after_s = _retry_after_s(metadata)
        return answer
    capacity = parsed.get("ConsumedCapacity")
    if capacity is not None:
        answer.capacity = read_capacities(capacity)
    answer.item_count = _item_count(parsed)
    answer.scanned_count = parsed.get("ScannedCount")
    answer.cursor = parsed.get("LastEvaluatedKey") or parsed.get("NextToken")
    for name in _LEFTOVERS:
        if leftovers := parsed.get(name):
            answer.unprocessed_count = sum(_member_count(entry) for entry in leftovers.values())
    return answer


def take_consumed(passage: Passage, parsed: dict[str, Any]) -> tuple[ConsumedCapacity, ...]:
    """Takes consumed capacity that the caller did not ask for out of an answer, and adds it up."""
    reported = parsed.pop("ConsumedCapacity", None)
    if reported is None:
        return ()
    capacity = read_capacities(reported)
    passage.consumed = added(passage.consumed, capacity)
    return capacity


def _causes(parsed: Mapping[str, Any]) -> tuple[Cause, ...]:
    """Reasons of a throttle; of a cancelled transaction those of its members.

    Two spellings, depending on the exception. What is not understood is left out.
    """
    found = parsed.get("ThrottlingReasons") or parsed.get("throttlingReasons") or []
    for member in parsed.get("CancellationReasons") or ():
        found = [*found, *(member.get("ThrottlingReasons") or ())]
    return tuple(cause_from(each) for each in found if isinstance(each, Mapping))


def _retry_after_s(metadata: Mapping[str, Any]) -> float:
    """The pause that AWS asked for; 0.0 for none, and for what is no number."""
    text = (metadata.get("HTTPHeaders") or {}).get(_RETRY_AFTER)
    try:
        return max(0.0, int(text) / 1000) if text is not None else 0.0
    except (TypeError, ValueError, OverflowError):
        return 0.0


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
    return len(entry) if isinstance(entry, list) else len((entry or {}).get("Keys") or ())


def _cancellation_codes(parsed: Mapping[str, Any]) -> tuple[str, ...]:
    """Codes of a cancelled transaction's reasons, in member order."""
    reasons = parsed.get("CancellationReasons")
    return tuple(reason.get("Code", "None") for reason in reasons) if reasons else ()


def read_capacities(capacity: Any) -> tuple[ConsumedCapacity, ...]:
    """Consumed capacity of one table (a mapping) or several (a list), by index where it tells."""
    entries = capacity if isinstance(capacity, list) else [capacity]
    return tuple(
        found
        for entry in entries
        if isinstance(entry, Mapping)
        for found in _capacities_of_table(entry)
    )


def _capacities_of_table(entry: Mapping[str, Any]) -> list[ConsumedCapacity]:
    """The entry's table, and each index that consumed anything; the sum where none is told."""
    table = entry.get("TableName") or ""
    indexes = [
        _capacity(table, capacity, index)
        for kind in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes")
        for index, capacity in (entry.get(kind) or {}).items()
    ]
    if not any(each.total_units for each in indexes):
        return [_capacity(table, entry, None)]
    parts = [_capacity(table, entry.get("Table") or {}, None), *indexes]
    return [each for each in parts if each.total_units]


def _capacity(table: str, entry: Mapping[str, Any], index: str | None) -> ConsumedCapacity:
    """One `Capacity` of the API."""
    return ConsumedCapacity(
        table,
        _units(entry.get("ReadCapacityUnits")),
        _units(entry.get("WriteCapacityUnits")),
        _units(entry.get("CapacityUnits")),
        index,
    )


def _units(value: Any) -> float:
    """A finite number; JSON has no other, but Python's reader takes `1e999` and `NaN`."""
    is_number = isinstance(value, int | float) and math.isfinite(value)
    return value if is_number else 0.0
