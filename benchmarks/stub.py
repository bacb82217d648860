"""A DynamoDB client whose answers come from memory: everything of a call but the socket."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import botocore.session
from botocore.awsrequest import AWSResponse, HeadersDict

ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
ITEM: Final = {
    "pk": {"S": "user#1"},
    "sk": {"S": "profile"},
    "email": {"S": "a@example.com"},
    "n": {"N": "42"},
    "tags": {"SS": ["x", "y"]},
    "addr": {"M": {"city": {"S": "Rome"}, "zip": {"S": "00100"}}},
}
GET_ITEM: Final[dict[str, Any]] = {
    "TableName": "orders",
    "Key": {"pk": {"S": "user#1"}, "sk": {"S": "profile"}},
}
QUERY: Final[dict[str, Any]] = {
    "TableName": "orders",
    "KeyConditionExpression": "#p = :p",
    "ExpressionAttributeNames": {"#p": "pk"},
    "ExpressionAttributeValues": {":p": {"S": "user#1"}},
    "Limit": 25,
}
PUT_ITEM: Final[dict[str, Any]] = {"TableName": "orders", "Item": ITEM}
BATCH_WRITE: Final[dict[str, Any]] = {
    "RequestItems": {
        "imports": [
            {"PutRequest": {"Item": {**ITEM, "sk": {"S": f"profile#{number}"}}}}
            for number in range(25)
        ]
    }
}
_BODY_BY_OPERATION: Final = {
    b"GetItem": json.dumps({"Item": ITEM}).encode(),
    b"Query": json.dumps({"Items": [ITEM] * 25, "Count": 25, "ScannedCount": 25}).encode(),
    b"PutItem": b"{}",
    b"BatchWriteItem": b'{"UnprocessedItems":{}}',
}


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation that whole calls are measured by.

    Attributes:
        name: As figures name it.
        method: Of the client.
        params: What it is called with.
        calls_per_sample: So many that a sample takes some ten milliseconds.
    """

    name: str
    method: str
    params: dict[str, Any]
    calls_per_sample: int

    def of(self, client: Any) -> Callable[[], Any]:
        """One call."""
        method, params = getattr(client, self.method), self.params
        return lambda: method(**params)


OPERATIONS: Final = (
    Operation("GetItem", "get_item", GET_ITEM, 40),
    Operation("PutItem", "put_item", PUT_ITEM, 40),
    Operation("Query(25)", "query", QUERY, 20),
    Operation("BatchWriteItem(25)", "batch_write_item", BATCH_WRITE, 20),
)


class _Raw(io.BytesIO):
    """What botocore reads an answer's body from."""

    def stream(self, *_args: Any, **_kwargs: Any) -> Any:
        """The body in one piece."""
        if data := self.read():
            yield data


class _Session:
    """Stands where the socket would be: everything of a call runs but the sending itself.

    Attributes:
        body: What every call is answered by, instead of the usual item or items.
    """

    body: bytes | None = None

    def send(self, request: Any) -> AWSResponse:
        """What botocore calls."""
        target = request.headers["X-Amz-Target"]
        body = self.body or _BODY_BY_OPERATION[target.rpartition(b".")[2]]
        headers = HeadersDict(
            {
                "x-amzn-requestid": "R",
                "content-type": "application/x-amz-json-1.0",
                "content-length": str(len(body)),
            }
        )
        return AWSResponse(request.url, 200, headers, _Raw(body))

    def close(self) -> None:
        """botocore closes its sessions."""


def make_client() -> Any:
    """A client that never opens a socket."""
    os.environ.update(ENVIRONMENT)
    client = botocore.session.Session().create_client("dynamodb")
    client._endpoint.http_session = _Session()
    return client
