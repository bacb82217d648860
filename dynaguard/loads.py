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
_MAX_REASON_LENGTH: Final = 64

FindKey = Callable[[Call, str], str | None]
"""Gives the name of a table's partition key attribute (call, table name), or None."""


class Loads:
    """Reads loads; remembers partition keys that calls give away. Thread-safe.

    Args:
        find_key: Where key schemas are known, or None.
    """

    __slots__ = ("_find_key", "_key_by_table", "_load_by_key")

    def __init__(self, find_key: FindKey | None = None) -> None:
        self._find_key = find_key
        self._key_by_table: dict[str, str] = {}
        self._load_by_key: dict[tuple[str | None, ...], Load] = {}

    def of(self, call: Call, principal: Principal) -> Load:
        """What a call asks. Parameters of any shape give some load; never raises."""
        params, job = call.params, call.scope.job or principal.name
        table = params.get("TableName") if type(params) is dict else None
        if type(table) is not str or call.service != "dynamodb":
            return self._read(call, principal, job)
        index = params.get("IndexName")
        if index is not None and type(index) is not str:
            return self._read(call, principal, job)
        if call.operation in _KEYED and table not in self._key_by_table:
            self._note_key(table, params.get("Key"))
        key = (
            job,
            call.operation,
            table,
            index,
            call.region,
            call.partition,
            principal.account_id,
        )
        load = self._load_by_key.get(key)
        if load is None:
            if len(self._load_by_key) >= _MOST_KEYS:
                self._load_by_key.clear()
            load = self._load_by_key[key] = self._read(call, principal, job)
        return load

    def keyed(self, load: Load, call: Call) -> Load:
        """The load with the hash of the partition key value, where the attribute is known.

        Asked for once a partition is at its limit: until then nobody needs to know.
        """
        member, table = _KEYED.get(call.operation), call.params.get("TableName")
        values = call.params.get(member) if member is not None else None
        if not isinstance(values, Mapping) or not isinstance(table, str):
            return load
        name = self._key_by_table.get(table)
        if name is None and self._find_key is not None:
            name = self._find_key(call, table)
        if name is None or name not in values:
            return load
        part = load.parts[0]._replace(key_hash=hash(repr(values[name])))
        return load._replace(parts=(part,))

    def _note_key(self, table: str, key: Any) -> None:
        """A key of one attribute gives the partition key away."""
        if isinstance(key, Mapping) and len(key) == 1:
            if len(self._key_by_table) >= _MOST_KEYS:
                self._key_by_table.clear()
            self._key_by_table[table] = next(iter(key))

    def _read(self, call: Call, principal: Principal, job: str) -> Load:
        """What a call asks, read from its parameters."""
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

    @staticmethod
    def _parts(call: Call, place: Place) -> Iterator[Part]:
        params, operation = call.params, call.operation
        name = params.get("TableName")
        if name is not None:
            yield Part(_resource(place, name, params.get("IndexName")))
        elif operation in ("BatchWriteItem", "BatchGetItem"):
            for table, members in params["RequestItems"].items():
                count = len(members["Keys"] if isinstance(members, Mapping) else members)
                yield Part(_resource(place, table), float(count))
        elif operation in _TRANSACTIONS:
            yield from _transaction_parts(place, params["TransactItems"])
        elif operation == "BatchExecuteStatement":
            yield Part(place.arn("dynamodb", "*"), float(len(params["Statements"])))


def cause_from(reason: Mapping[str, Any]) -> Cause:
    """One entry of `ThrottlingReasons`, `{"reason": ..., "resource": ...}`, in either case.

    Source: DynamoDB API reference, ThrottlingReason.
    """
    text = str(reason.get("reason") or reason.get("Reason") or "")[:_MAX_REASON_LENGTH]
    resource = str(reason.get("resource") or reason.get("Resource") or "")
    limit = Limit.RESOURCE
    if "KeyRange" in text:
        limit = Limit.KEY_RANGE
    elif "AccountLimit" in text:
        limit = Limit.ACCOUNT
    return Cause(limit, resource, text if text.isalnum() else "")


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
