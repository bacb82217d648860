"""The demo's tables: how they are made, filled, counted and taken away again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from boto3.dynamodb.types import TypeSerializer  # type: ignore[import-untyped]

from dynaguard.demo.data import Item
from dynaguard.errors import ConfigurationError

FOREIGN_PREFIX: Final = "dynaguard-demo-"
"""Begins the names of all tables that the demo makes on an endpoint that is not its own."""

BY_COUNTRY: Final = "by_country"
BY_DAY: Final = "by_day"
_BATCH_ITEMS: Final = 25  # Source: BatchWriteItem's API reference
_SERIALIZER: Final = TypeSerializer()

OnLoaded = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Shape:
    """Keys of a table, `(partition key, sort key)`; all are strings.

    Attributes:
        key: Of the table.
        indexes: Of each global secondary index, by name.
    """

    key: tuple[str, ...]
    indexes: Mapping[str, tuple[str, ...]]


_SHAPE_BY_KIND: Final = {
    "customers": Shape(("customer_id",), {BY_COUNTRY: ("country", "customer_id")}),
    "orders": Shape(("customer_id", "order_id"), {BY_DAY: ("day", "order_id")}),
    "totals": Shape(("customer_id",), {}),
}


class Tables:
    """The demo's tables on one endpoint.

    Args:
        client: A DynamoDB client of that endpoint that dynaguard does not guard.
        prefix: Begins every table's name.
    """

    def __init__(self, client: Any, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._made: list[str] = []

    @property
    def made(self) -> tuple[str, ...]:
        """Full names of the tables that this object made and did not delete."""
        return tuple(self._made)

    def create(self, names: Sequence[str], *, replace: bool = False) -> None:
        """Makes empty tables and waits until they can be used.

        Args:
            names: Without the prefix; the last word says the table's kind.
            replace: Delete tables of these names first.

        Raises:
            ConfigurationError: Some exist already and `replace` is not set; none was made.
        """
        wanted = [self._prefix + name for name in names]
        existing = sorted(set(wanted) & set(self._list()))
        if existing and not replace:
            raise ConfigurationError(
                f"the endpoint has {len(existing)} of the demo's tables already, such as "
                f"`{existing[0]}`, add --replace to delete them first"
            )
        self._delete(existing)
        self._made += [name for name in wanted if name not in self._made]
        for name in wanted:
            shape = _SHAPE_BY_KIND[name.rpartition("-")[2]]
            self._client.create_table(TableName=name, **_definition(shape))
        waiter = self._client.get_waiter("table_exists")
        for name in wanted:
            waiter.wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    def load(self, items_by_table: Mapping[str, Sequence[Item]], on_loaded: OnLoaded) -> None:
        """Writes items in batches; `on_loaded` hears how many after each batch."""
        for name, items in items_by_table.items():
            for batch in _batches(items):
                requests = [{"PutRequest": {"Item": _to_wire(item)}} for item in batch]
                leftovers = {self._prefix + name: requests}
                while leftovers:
                    answer = self._client.batch_write_item(RequestItems=leftovers)
                    leftovers = answer.get("UnprocessedItems")
                on_loaded(len(batch))

    def count(self, name: str) -> int:
        """How many items a table holds, counted by reading all of it."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._prefix + name, Select="COUNT", ConsistentRead=True
        )
        return sum(page["Count"] for page in pages)

    def delete(self) -> None:
        """Deletes the tables that this object made."""
        self._delete(self._made)
        self._made = []

    def _list(self) -> list[str]:
        """Names of all tables of the endpoint."""
        pages = self._client.get_paginator("list_tables").paginate()
        return [name for page in pages for name in page["TableNames"]]

    def _delete(self, names: Sequence[str]) -> None:
        """Deletes tables and waits until they are gone."""
        waiter = self._client.get_waiter("table_not_exists")
        for name in names:
            try:
                self._client.delete_table(TableName=name)
            except self._client.exceptions.ResourceNotFoundException:
                continue  # its creation failed, or somebody else was faster
            waiter.wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def _definition(shape: Shape) -> dict[str, Any]:
    """Parameters of CreateTable beside the name."""
    keys = [shape.key, *shape.indexes.values()]
    definition: dict[str, Any] = {
        "KeySchema": _key_schema(shape.key),
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": "S"}
            for name in dict.fromkeys(name for key in keys for name in key)
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }
    if shape.indexes:
        definition["GlobalSecondaryIndexes"] = [
            {
                "IndexName": name,
                "KeySchema": _key_schema(key),
                "Projection": {"ProjectionType": "ALL"},
            }
            for name, key in shape.indexes.items()
        ]
    return definition


def _key_schema(key: Sequence[str]) -> list[dict[str, str]]:
    """The partition key, then the sort key."""
    return [
        {"AttributeName": name, "KeyType": kind}
        for name, kind in zip(key, ("HASH", "RANGE"), strict=False)
    ]


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """The items in BatchWriteItem's portions."""
    for start in range(0, len(items), _BATCH_ITEMS):
        yield items[start : start + _BATCH_ITEMS]


def _to_wire(item: Item) -> dict[str, Any]:
    """The item in DynamoDB JSON."""
    return {name: _SERIALIZER.serialize(value) for name, value in item.items()}
