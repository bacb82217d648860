"""Capacity units of a call: split by table, index and direction, added up, or estimated.

DynamoDB tells the direction for transactions alone, and the split by index only where `INDEXES`
was asked for; the rest follows from the operation and its parameters.

Source: Amazon DynamoDB API reference, ConsumedCapacity; developer guide, "Read and write capacity
mode" and "Managing complex workflows with transactions" (two units per member and KB).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dynaguard.aws.analysis import is_write
from dynaguard.call import Call, ConsumedCapacity, Outcome, Status

REPORTING: Final = frozenset(
    {
        "BatchExecuteStatement",
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "ExecuteStatement",
        "ExecuteTransaction",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "TransactGetItems",
        "TransactWriteItems",
        "UpdateItem",
    }
)
"""Operations of DynamoDB that tell the capacity which they consumed, where they are asked."""
_MEMBERS: Final = {
    "BatchExecuteStatement": "Statements",
    "ExecuteTransaction": "TransactStatements",
    "TransactGetItems": "TransactItems",
    "TransactWriteItems": "TransactItems",
}
_TRANSACTIONS: Final = frozenset({"ExecuteTransaction", "TransactGetItems", "TransactWriteItems"})
_TRANSACTION_FACTOR: Final = 2.0
_CONSUMING_ERRORS: Final = frozenset(
    {"ConditionalCheckFailedException", "TransactionCanceledException"}
)
"""Refusals that AWS charges for. Source: developer guide, "Write operation consumption"."""


def plain_name(table: str) -> str:
    """The name of a table that may be given by its ARN."""
    return table.rpartition("/")[2] if table.startswith("arn:") else table


def attributed(call: Call, capacity: tuple[ConsumedCapacity, ...]) -> tuple[ConsumedCapacity, ...]:
    """Reported units, each with its direction, and with the index that the call itself names.

    Args:
        call: The call that consumed them.
        capacity: As the answer tells; read and write units may both be missing.
    """
    index = call.params.get("IndexName")
    # Where one entry names an index AWS has split the units itself.
    is_split = any(each.index is not None for each in capacity)
    named = index if isinstance(index, str) and not is_split else None
    writes = is_write("dynamodb", call.operation, call.params)
    return tuple([_directed(each, named, is_write=writes) for each in capacity])


def _directed(each: ConsumedCapacity, index: str | None, *, is_write: bool) -> ConsumedCapacity:
    """One entry with its direction."""
    read_units, write_units = each.read_units, each.write_units
    if not read_units and not write_units:
        if is_write:
            write_units = each.total_units
        else:
            read_units = each.total_units
    table, index = plain_name(each.table), each.index or index
    return ConsumedCapacity(table, read_units, write_units, each.total_units, index)


def added(
    before: tuple[ConsumedCapacity, ...], after: tuple[ConsumedCapacity, ...]
) -> tuple[ConsumedCapacity, ...]:
    """The units of several answers to one call, by table and index."""
    if not before:
        return after
    found = {(each.table, each.index): each for each in before}
    for each in after:
        known = found.get((each.table, each.index))
        found[each.table, each.index] = each if known is None else _sum(known, each)
    return tuple(found.values())


def _sum(left: ConsumedCapacity, right: ConsumedCapacity) -> ConsumedCapacity:
    """Two entries of one table and index as one."""
    return ConsumedCapacity(
        left.table,
        left.read_units + right.read_units,
        left.write_units + right.write_units,
        left.total_units + right.total_units,
        left.index,
    )


def estimated(
    call: Call, tables: tuple[str, ...], outcome: Outcome
) -> tuple[ConsumedCapacity, ...]:
    """What a call consumed at a guess, where its answer does not tell.

    One unit per item that was written, asked for or looked at, two in a transaction, at least one
    per table; sizes are not known. An error that leaves open whether the call took effect counts
    as if it had. Nothing for a call that was not sent, or that AWS refused without a charge.

    Args:
        call: The call.
        tables: The tables that it touches.
        outcome: How it ended.
    """
    if not outcome.attempts or not tables or not _may_have_consumed(outcome):
        return ()
    counts = _members_by_table(call, tables, outcome)
    factor = _TRANSACTION_FACTOR if call.operation in _TRANSACTIONS else 1.0
    writes = is_write("dynamodb", call.operation, call.params)
    return tuple(
        _directed(
            ConsumedCapacity(table, total_units=max(1.0, count) * factor), None, is_write=writes
        )
        for table, count in counts.items()
    )


def named_item_count(call: Call) -> int:
    """Items that a call names: members of a batch or transaction, else 1.

    Of what is not understood, 1.
    """
    members = call.params.get("RequestItems")
    if isinstance(members, Mapping):
        return int(sum(_count(each) for each in members.values()))
    listed = call.params.get(_MEMBERS.get(call.operation, ""))
    return len(listed) if isinstance(listed, list | tuple) else 1


def may_have_taken_effect(outcome: Outcome) -> bool:
    """Whether a write that was sent and failed may have taken effect all the same."""
    return outcome.http_status is None or outcome.http_status >= 500


def _may_have_consumed(outcome: Outcome) -> bool:
    """Whether a call that was sent took effect, or may have."""
    if outcome.status is Status.OK or outcome.error_code in _CONSUMING_ERRORS:
        return True
    return may_have_taken_effect(outcome)


def _members_by_table(
    call: Call, tables: tuple[str, ...], outcome: Outcome
) -> Mapping[str, float]:
    """Items by table; of a transaction shared out evenly, since its reader names no counts."""
    members = call.params.get("RequestItems")
    if isinstance(members, Mapping):
        return {plain_name(str(table)): _count(each) for table, each in members.items()}
    listed = call.params.get(_MEMBERS.get(call.operation, ""))
    if isinstance(listed, list | tuple):
        return dict.fromkeys(tables, len(listed) / len(tables))
    looked_at = outcome.scanned_count
    if looked_at is None:
        looked_at = outcome.item_count
    return dict.fromkeys(tables, float(looked_at or 0))


def _count(of_table: Any) -> float:
    """Members of one table in a batch: a list of writes, or `{"Keys": [...]}`."""
    members = of_table.get("Keys") if isinstance(of_table, Mapping) else of_table
    return float(len(members)) if isinstance(members, list | tuple) else 1.0
