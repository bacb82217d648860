"""What a call asks of which resources: from its parameters to the load that the budgets weigh."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from dynaguard.aws.analysis import is_write
from dynaguard.aws.arns import Place, place_of
from dynaguard.budgets.load import Cause, Limit, Load, Part
from dynaguard.call import Call, Principal

BATCH_MEMBERS: Final = {
    "BatchWriteItem": "RequestItems",
    "BatchGetItem": "RequestItems",
    "BatchExecuteStatement": "Statements",
}
"""Batch operations of DynamoDB, and where their members are."""
_TRANSACTIONS: Final = frozenset({"TransactGetItems", "TransactWriteItems"})
_TRANSACTION_FACTOR: Final = 2.0
"""Source: DynamoDB developer guide, "Managing complex workflows with transactions": two units."""
_KEYED: Final = {"GetItem": "Key", "PutItem": "Item", "UpdateItem": "Key", "DeleteItem": "Key"}
_DYNAMODB: Final = frozenset({"dynamodb", "dynamodbstreams"})
_MOST_KEYS: Final = 1024

FindKey = Callable[[Call, str], str | None]
"""Gives the name of a table's partition key attribute (call, table name), or None."""


class Loads:
    """Reads loads; remembers partition keys that calls give away. Thread-safe.

    Args:
        find_key: Where key schemas are known, or None.
    """

    __slots__ = ("_find_key", "_key_by_table")

    def __init__(self, find_key: FindKey | None = None) -> None:
        self._find_key = find_key
        self._key_by_table: dict[str, str] = {}

    def of(self, call: Call, principal: Principal) -> Load:
        """What a call asks. Parameters of any shape give some load; never raises."""
        job = call.scope.job or principal.name
        if call.service not in _DYNAMODB:
            region = call.region or ""
            part = Part(f"{call.service}:{call.operation}@{region}")
            writes = is_write(call.service, call.operation, call.params)
            return Load(job, (part,), writes, is_dynamodb=False)
        place = place_of(call, principal.account_id)
        try:
            parts = tuple(self._parts(call, place))
        except (TypeError, AttributeError, KeyError, ValueError):
            parts = ()
        return Load(
            job,
            parts or (Part(place.arn("dynamodb", "*")),),
            is_write(call.service, call.operation, call.params),
            f"{place.region}/{place.account}",
        )

    def _parts(self, call: Call, place: Place) -> Iterator[Part]:
        params, operation = call.params, call.operation
        name = params.get("TableName")
        if name is not None:
            yield Part(
                _resource(place, name, params.get("IndexName")), 1.0, self._hash(call, name)
            )
        elif operation in ("BatchWriteItem", "BatchGetItem"):
            for table, members in params["RequestItems"].items():
                count = len(members["Keys"] if isinstance(members, Mapping) else members)
                yield Part(_resource(place, table), float(count))
        elif operation in _TRANSACTIONS:
            yield from _transaction_parts(place, params["TransactItems"])
        elif operation == "BatchExecuteStatement":
            yield Part(place.arn("dynamodb", "*"), float(len(params["Statements"])))

    def _hash(self, call: Call, table: str) -> int | None:
        """The hash of the partition key value, where the attribute is known."""
        member = _KEYED.get(call.operation)
        if member is None:
            return None
        values = call.params[member]
        if member == "Key" and len(values) == 1:
            if len(self._key_by_table) >= _MOST_KEYS:
                self._key_by_table.clear()
            self._key_by_table[table] = name = next(iter(values))
        else:
            found = self._key_by_table.get(table)
            if found is None and self._find_key is not None:
                found = self._find_key(call, table)
            if found is None:
                return None
            name = found
        return hash(repr(values[name])) if name in values else None


def cause_from(reason: Mapping[str, Any]) -> Cause:
    """One entry of `ThrottlingReasons`, `{"reason": ..., "resource": ...}`, in either case.

    Source: DynamoDB API reference, ThrottlingReason.
    """
    text = str(reason.get("reason") or reason.get("Reason") or "")
    resource = str(reason.get("resource") or reason.get("Resource") or "")
    if "KeyRange" in text:
        return Cause(Limit.KEY_RANGE, resource)
    if "AccountLimit" in text:
        return Cause(Limit.ACCOUNT, resource)
    return Cause(Limit.RESOURCE, resource)


def _transaction_parts(place: Place, members: Any) -> Iterator[Part]:
    """A transaction's tables, each with its members' units."""
    counts: dict[str, int] = {}
    for member in members:
        for action in member.values():
            table = _resource(place, action["TableName"])
            counts[table] = counts.get(table, 0) + 1
    for table, count in counts.items():
        yield Part(table, count * _TRANSACTION_FACTOR)


def _resource(place: Place, table: str, index: str | None = None) -> str:
    """The ARN of a table, or of its index; a table may be named by its ARN."""
    arn = table if table.startswith("arn:") else place.arn("dynamodb", f"table/{table}")
    return f"{arn}/index/{index}" if index else arn
