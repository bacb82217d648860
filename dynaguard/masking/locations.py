"""Where an answer holds items: the one table of operations and places.

A place is a dotted path of members; `[]` stands for each element of a list, `{}` for each value
of a mapping by table name or table ARN. Places of error answers stand beside those of successes,
as botocore merges a modelled error's members into the parsed answer.

What goes back to AWS is left out on purpose (`LastEvaluatedKey`, `UnprocessedKeys`,
`UnprocessedItems`: a masked value there would be sent as a key or written into a table), and so is
an export's `FilterSpecification`, which echoes the caller's own request. A test compares this
table with every attribute value in the models of the installed botocore.

Source: botocore's service models `dynamodb` 2012-08-10 and `dynamodbstreams` 2012-08-10.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

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
    ("dynamodb", "ExecuteStatement"): _places("Items.[]", "Item"),
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
