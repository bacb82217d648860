"""Where an answer holds items: the one table of operations and places.

A place is a dotted path of members; `[]` stands for each element of a list, `{}` for each value
of a mapping by table name or table ARN. Places of error answers stand beside those of successes,
as botocore merges a modelled error's members into the parsed answer.

What goes back to AWS is left out on purpose (`UnprocessedKeys`, `UnprocessedItems`: a masked value
there would be sent as a key or written into a table), and so is an export's `FilterSpecification`,
which echoes the caller's own request. `LastEvaluatedKey` is sealed where it can go back
(`CURSOR_OPERATIONS`) and masked where it cannot (PartiQL goes on by an opaque `NextToken`). A test
compares this table with every attribute value in the models of the installed botocore.

Source: botocore's service models `dynamodb` 2012-08-10 and `dynamodbstreams` 2012-08-10.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

EACH: Final = "[]"
BY_TABLE: Final = "{}"

Place = tuple[str, ...]


def _places(*paths: str) -> tuple[Place, ...]:
    return tuple(tuple(path.split(".")) for path in paths)


_WRITE = _places("Attributes", "ItemCollectionMetrics.ItemCollectionKey", "Item")
_TRANSACTION = _places("Responses.[].Item", "CancellationReasons.[].Item")

PLACES_BY_OPERATION: Final[Mapping[tuple[str, str], tuple[Place, ...]]] = {
    ("dynamodb", "BatchExecuteStatement"): _places("Responses.[].Item", "Responses.[].Error.Item"),
    ("dynamodb", "BatchGetItem"): _places("Responses.{}.[]"),
    ("dynamodb", "BatchWriteItem"): _places("ItemCollectionMetrics.{}.[].ItemCollectionKey"),
    ("dynamodb", "DeleteItem"): _WRITE,
    ("dynamodb", "ExecuteStatement"): _places("Items.[]", "Item", "LastEvaluatedKey"),
    ("dynamodb", "ExecuteTransaction"): _TRANSACTION,
    ("dynamodb", "GetItem"): _places("Item"),
    ("dynamodb", "PutItem"): _WRITE,
    ("dynamodb", "Query"): _places("Items.[]"),
    ("dynamodb", "Scan"): _places("Items.[]"),
    ("dynamodb", "SearchVectors"): _places("SearchResults.[].Item"),
    ("dynamodb", "TransactGetItems"): _TRANSACTION,
    ("dynamodb", "TransactWriteItems"): _places(
        "ItemCollectionMetrics.{}.[].ItemCollectionKey", "CancellationReasons.[].Item"
    ),
    ("dynamodb", "UpdateItem"): _WRITE,
    ("dynamodbstreams", "GetRecords"): _places(
        "Records.[].dynamodb.Keys",
        "Records.[].dynamodb.NewImage",
        "Records.[].dynamodb.OldImage",
    ),
}
"""Places of items by (botocore service name, operation)."""

ITEM_SERVICES: Final = frozenset(service for service, _ in PLACES_BY_OPERATION)
"""botocore's names of the services whose answers hold items."""

CURSOR_OPERATIONS: Final = frozenset({"Query", "Scan"})
"""Operations whose `LastEvaluatedKey` is sent back as `ExclusiveStartKey`."""

SECRET_WRITES: Final = frozenset(
    {
        ("secretsmanager", "CreateSecret"),
        ("secretsmanager", "PutSecretValue"),
        ("secretsmanager", "UpdateSecret"),
        ("ssm", "PutParameter"),
    }
)
"""Operations that store a secret: a masked one would replace it. Elsewhere masked values may go as
any other text: into a message, a log, a file."""

PARTIQL_OPERATIONS: Final = frozenset(
    {"BatchExecuteStatement", "ExecuteStatement", "ExecuteTransaction"}
)
"""Operations whose rows name a nested attribute by the end of its path (inferred, not seen)."""

_UPDATED_PARTS: Final = frozenset({"UPDATED_NEW", "UPDATED_OLD"})


def may_renumber_lists(operation: str, params: Mapping[str, Any] | None) -> bool:
    """Whether lists of an answer may hold only some elements, and so under other positions.

    A projection of `cards[3]` comes back as a list of one; what an update changed, likewise.

    Args:
        operation: The API operation.
        params: The low-level request parameters; None when they are not known.

    Source: ScyllaDB's `test_projection_expression.py` (`a.b[2]` answered by a list of one), read,
        not run; for updates and PartiQL it is inferred.
    """
    if params is None or operation in PARTIQL_OPERATIONS:
        return True
    if operation == "UpdateItem":
        return params.get("ReturnValues") in _UPDATED_PARTS
    return any(
        isinstance(read, Mapping) and "ProjectionExpression" in read for read in _reads(params)
    )


def _reads(params: Mapping[str, Any]) -> Iterator[object]:
    """Every part of a request that may carry a projection."""
    yield params
    batch, transaction = params.get("RequestItems"), params.get("TransactItems")
    if isinstance(batch, Mapping):
        yield from batch.values()
    if isinstance(transaction, (list, tuple)):
        yield from (part.get("Get") for part in transaction if isinstance(part, Mapping))


def table_name(table: str) -> str:
    """The name in a table, index or stream ARN; a name stays as it is."""
    if not table.startswith("arn:"):
        return table
    return table.rpartition(":table/")[2].split("/", 1)[0]
