"""The table of an access store in DynamoDB: how it is made, described and checked."""

from __future__ import annotations

from typing import Final

from dynaguard.access.dynamodb_store import INDEX

ATTRIBUTES: Final = (
    {"AttributeName": "kind", "AttributeType": "S"},
    {"AttributeName": "id", "AttributeType": "S"},
    {"AttributeName": "expires", "AttributeType": "N"},
)
KEY: Final = (
    {"AttributeName": "kind", "KeyType": "HASH"},
    {"AttributeName": "id", "KeyType": "RANGE"},
)
LOCAL_INDEX: Final = {
    "IndexName": INDEX,
    "KeySchema": [
        {"AttributeName": "kind", "KeyType": "HASH"},
        {"AttributeName": "expires", "KeyType": "RANGE"},
    ],
    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["writer"]},
}
