"""A DynamoDB client whose answers come from memory: everything of a call but the socket."""

from __future__ import annotations

import io
import json
import os
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
_GET_BODY = json.dumps({"Item": ITEM}).encode()
_QUERY_BODY = json.dumps({"Items": [ITEM] * 25, "Count": 25, "ScannedCount": 25}).encode()


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
        is_query = b"Query" in request.headers["X-Amz-Target"]
        body = self.body or (_QUERY_BODY if is_query else _GET_BODY)
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
