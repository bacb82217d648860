"""Key schemas of tables and indexes: configured, or learnt from answers that pass by.

Without its key schema a table's partition key values cannot be told apart from other attributes,
so `dynamodb:LeadingKeys` is unknown. What `[tables]` says counts before what was learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from dynaguard.call import UNKNOWN_CHAR, UNKNOWN_RUN, Authorization, Call
from dynaguard.policy.model import KeySchema, TableSchema

MAX_LEARNT: Final = 1024
"""Most schemas that are remembered; then all are forgotten."""

TELLING_OPERATIONS: Final[Mapping[str, str]] = {
    "DescribeTable": "Table",
    "CreateTable": "TableDescription",
    "UpdateTable": "TableDescription",
    "DeleteTable": "TableDescription",
    "RestoreTableFromBackup": "TableDescription",
    "RestoreTableToPointInTime": "TableDescription",
}
"""Operations whose answers tell a key schema, and where."""

Describe = Callable[[Call, str], Mapping[str, Any] | None]
"""Gives the answer's `Table` of DescribeTable for a call's table, or None."""


class KeySchemas:
    """Key schemas by table. Thread-safe: entries are only ever replaced by equal or newer ones.

    Args:
        configured: `[tables]`, by table name.
        describe: Asks AWS for a schema that is not known; None: never ask. It is asked once per
            table, whatever comes of it.
    """

    __slots__ = ("_configured", "_describe", "_learnt")

    def __init__(
        self, configured: Mapping[str, TableSchema], *, describe: Describe | None = None
    ) -> None:
        self._configured = configured
        self._describe = describe
        self._learnt: dict[tuple[str, str | None], TableSchema | None] = {}

    def of_table(self, call: Call, authorization: Authorization) -> TableSchema | None:
        """The schema of an authorisation's table, or None when it is not known.

        Effects: calls AWS where asking is switched on and nothing is known yet.
        """
        name = authorization.table_name
        if name is None:
            return None
        schema = self._configured.get(name)
        if schema is not None:
            return schema
        key = _key_of(call, authorization.resource)
        schema = self._learnt.get(key)
        if schema is None and self._describe is not None and key not in self._learnt:
            described = self._describe(call, name if _has_gap(key[0]) else key[0])
            schema = None if described is None else schema_from(described)
            self._keep(key, schema)
        return schema

    def key_of(self, call: Call, authorization: Authorization) -> KeySchema | None:
        """The key schema of an authorisation's table, or of its index, or None."""
        schema = self.of_table(call, authorization)
        if schema is None or authorization.index_name is None:
            return schema.key if schema else None
        return schema.indexes.get(authorization.index_name)

    def partition_key(self, call: Call, table: str) -> str | None:
        """The partition key attribute of a table that a call names, if known and the only one.

        Never asks AWS. What was learnt counts where the table's name and region are the call's.
        """
        name = table.rpartition("/")[2]
        schema = self._configured.get(name)
        if schema is None:
            ends = f":{call.region}:", f":table/{name}"
            schema = next(
                (
                    found
                    for (arn, _), found in self._learnt.items()
                    if ends[0] in arn and arn.endswith(ends[1])
                ),
                None,
            )
        if schema is None or schema.key.partition_key_count != 1:
            return None
        return schema.key.attributes[0]

    def learn(self, call: Call, resource: str, description: Any) -> None:
        """Takes in the description of a table in an answer to `call`, decided on `resource`."""
        schema = None if call.operation == "DeleteTable" else schema_from(description)
        key = _key_of(call, resource)
        if schema is not None:
            self._keep(key, schema)
        else:
            self._learnt.pop(key, None)

    def _keep(self, key: tuple[str, str | None], schema: TableSchema | None) -> None:
        if len(self._learnt) >= MAX_LEARNT:
            self._learnt.clear()
        self._learnt[key] = schema


def schema_from(description: Any) -> TableSchema | None:
    """The schema in a table's description as AWS gives it, or None when it is not understood."""
    if not isinstance(description, Mapping):
        return None
    key = _key_schema(description.get("KeySchema"))
    if key is None:
        return None
    indexes = {}
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        for index in description.get(kind) or ():
            schema = _key_schema(index.get("KeySchema")) if isinstance(index, Mapping) else None
            if schema is not None:
                indexes[str(index.get("IndexName"))] = schema
    return TableSchema(key, indexes)


def _key_schema(elements: Any) -> KeySchema | None:
    """`[{"AttributeName": ..., "KeyType": "HASH"}, ...]`: partition keys first."""
    if not isinstance(elements, list | tuple):
        return None
    names: dict[str, list[str]] = {"HASH": [], "RANGE": []}
    for element in elements:
        name = element.get("AttributeName") if isinstance(element, Mapping) else None
        if not isinstance(name, str) or element.get("KeyType") not in names:
            return None
        names[element["KeyType"]].append(name)
    if not names["HASH"]:
        return None
    return KeySchema((*names["HASH"], *names["RANGE"]), len(names["HASH"]))


def _key_of(call: Call, resource: str) -> tuple[str, str | None]:
    """What tells one table from another: its ARN; with a gap in it, also who signs."""
    table = _table_of(resource) or resource
    return table, call.credentials.access_key_id if _has_gap(table) else None


def _has_gap(arn: str) -> bool:
    """Whether a part of an ARN is not known."""
    return UNKNOWN_CHAR in arn or UNKNOWN_RUN in arn


def _table_of(resource: str) -> str | None:
    """The table's ARN in the ARN of one of its indexes."""
    head, mark, rest = resource.partition(":table/")
    return f"{head}{mark}{rest.split('/', 1)[0]}" if mark else None
