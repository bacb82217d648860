"""Pagination over masked keys, and tokens of trusted writers, through clients and resources."""

from __future__ import annotations

import copy
import json
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Key
from botocore.exceptions import PaginationError

import dynaguard
from dynaguard.masking import MARKER
from dynaguard.masking.cursors import CURSOR_PREFIX

MASKED_KEY = {"tables": ["orders"], "attributes": ["pk"]}
QUERY = {
    "TableName": "orders",
    "KeyConditionExpression": "pk = :p",
    "ExpressionAttributeValues": {":p": {"S": "ada"}},
}
LAST = {"pk": {"S": "ada@example.org"}, "sk": {"N": "7"}}


def sent(wire: Any, at: int = -1) -> Any:
    """The body of a request."""
    return json.loads(wire.sent[at].body)


@pytest.mark.smoke
def test_pages_go_on_over_keys_that_the_caller_does_not_see(
    client: Any, wire: Any, policy: Any
) -> None:
    """AWS gets the true key, the caller a token that differs from page to page."""
    pages = 5
    for number in range(pages):
        last = {"pk": {"S": f"CANARY-{number}"}, "sk": {"N": str(number)}}
        wire.answer({"Items": [last], "LastEvaluatedKey": last})
    wire.answer({"Items": []})
    dynaguard.install(policy(mask=[MASKED_KEY]))

    found = list(client.get_paginator("query").paginate(**QUERY))

    keys = [page["LastEvaluatedKey"] for page in found[:-1]]
    assert len({key["pk"]["S"] for key in keys}) == pages
    assert "CANARY" not in repr(found)
    assert [key["sk"] for key in keys] == [{"N": str(number)} for number in range(pages)]
    assert [sent(wire, at)["ExclusiveStartKey"]["pk"]["S"] for at in range(1, pages + 1)] == [
        f"CANARY-{number}" for number in range(pages)
    ]


@pytest.mark.parametrize("key", [None, "k" * 32])
def test_a_paginator_ends_a_cursor_that_does_not_move(
    client: Any, wire: Any, policy: Any, key: str | None
) -> None:
    """botocore compares a page's cursor with the one before, which sealing must not hide."""
    for _ in range(9):
        wire.answer({"Items": [], "LastEvaluatedKey": LAST})
    dynaguard.install(policy(mask=[MASKED_KEY]), mask_key=key)

    with pytest.raises(PaginationError):
        list(client.get_paginator("query").paginate(**QUERY))

    assert len(wire.sent) < 5


def test_a_cursor_is_bound_to_the_table_that_an_arn_names(
    client: Any, wire: Any, policy: Any
) -> None:
    """A table of that name in another account or region is another table."""
    everywhere = {"Effect": "Allow", "Action": "dynamodb:Query", "Resource": "*"}
    arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
    wire.answer({"Items": [], "LastEvaluatedKey": LAST})
    dynaguard.install(policy(everywhere, mask=[MASKED_KEY]))
    query = {**QUERY, "TableName": arn}
    query["ExclusiveStartKey"] = client.query(**query)["LastEvaluatedKey"]

    client.query(**query)
    for other in (arn.replace("1111", "4444"), arn.replace("west", "south")):
        with pytest.raises(dynaguard.CursorRefused):
            client.query(**{**query, "TableName": other})

    assert sent(wire)["ExclusiveStartKey"] == LAST


def test_a_resource_pages_by_hand(wire: Any, policy: Any) -> None:
    """`LastEvaluatedKey` of a resource is text, and its types come back."""
    resource = boto3.resource("dynamodb", region_name="eu-west-1")
    resource.meta.client._endpoint.http_session = wire
    wire.answer({"Items": [], "LastEvaluatedKey": LAST})
    dynaguard.install(policy(mask=[{"tables": ["orders"], "attributes": ["pk", "sk"]}]))
    table = resource.Table("orders")
    condition = {"KeyConditionExpression": Key("pk").eq("ada")}

    key = table.query(**condition)["LastEvaluatedKey"]
    table.query(**condition, ExclusiveStartKey=key)

    assert all(value.startswith(CURSOR_PREFIX) for value in key.values())
    assert sent(wire)["ExclusiveStartKey"] == LAST


def test_the_caller_s_own_parameters_stay_as_they_are(client: Any, wire: Any, policy: Any) -> None:
    """The key is opened in a copy: the caller's dict never holds the plain value."""
    wire.answer({"Items": [], "LastEvaluatedKey": LAST})
    dynaguard.install(policy(mask=[MASKED_KEY]))
    params = {**QUERY, "ExclusiveStartKey": client.query(**QUERY)["LastEvaluatedKey"]}
    before = copy.deepcopy(params)

    client.query(**params)

    assert params == before
    assert sent(wire)["ExclusiveStartKey"] == LAST


@pytest.mark.parametrize(
    "changed",
    [
        {"ExclusiveStartKey": {"pk": {"S": CURSOR_PREFIX + "forged"}}},
        {"ExclusiveStartKey": {"pk": {"S": MARKER + "redacted"}}},
        {"ExclusiveStartKey": {"pk": {"SS": [CURSOR_PREFIX + "forged"]}}},
        {"ExclusiveStartKey": {"pk": {"B": (CURSOR_PREFIX + "forged").encode()}}},
        {"IndexName": "by_status"},
    ],
)
def test_a_forged_or_foreign_cursor_is_refused_before_the_call(
    client: Any, wire: Any, policy: Any, changed: dict[str, Any]
) -> None:
    """Nothing is sent, the attribute is named, the denial is on record."""
    wire.answer({"Items": [], "LastEvaluatedKey": LAST})
    guard = dynaguard.install(policy(mask=[MASKED_KEY]))
    key = client.query(**QUERY)["LastEvaluatedKey"]

    with pytest.raises(dynaguard.CursorRefused, match=r"`pk`.*begin again") as caught:
        client.query(**{**QUERY, "ExclusiveStartKey": key, **changed})

    assert len(wire.sent) == 1
    assert guard.counters.denials == 1
    assert "ada" not in str(caught.value)


def test_a_key_that_the_caller_knows_may_begin_a_page(client: Any, wire: Any, policy: Any) -> None:
    """What is not masked is not touched, and not serialised twice."""
    wire.answer({"Items": []})
    dynaguard.install(policy(mask=[MASKED_KEY]))

    client.query(**QUERY, ExclusiveStartKey=LAST)

    assert sent(wire)["ExclusiveStartKey"] == LAST


@pytest.mark.parametrize(("key", "expected"), [(None, "in-process"), ("k" * 32, "portable")])
def test_status_says_where_cursors_go_on(policy: Any, key: Any, expected: str) -> None:
    """An operator sees whether the next process can go on."""
    assert dynaguard.status().cursors == ""
    dynaguard.install(policy(mask=[MASKED_KEY]), mask_key=key)

    assert dynaguard.status().cursors == expected


def test_scans_and_queries_do_not_share_cursors(client: Any, wire: Any, policy: Any) -> None:
    """A cursor is bound to its operation."""
    scans = {
        "Effect": "Allow",
        "Action": ["dynamodb:Scan", "dynamodb:Query"],
        "Resource": "arn:aws:dynamodb:*:*:table/orders",
    }
    wire.answer({"Items": [], "LastEvaluatedKey": LAST})
    dynaguard.install(policy(scans, mask=[MASKED_KEY]))
    key = client.scan(TableName="orders")["LastEvaluatedKey"]

    client.scan(TableName="orders", ExclusiveStartKey=key)
    with pytest.raises(dynaguard.CursorRefused):
        client.query(**QUERY, ExclusiveStartKey=key)

    assert sent(wire)["ExclusiveStartKey"] == LAST


def test_a_cursor_is_not_written_into_a_table(client: Any, wire: Any, policy: Any) -> None:
    """It carries the marker."""
    wire.answer({"Items": [], "LastEvaluatedKey": LAST})
    dynaguard.install(policy(mask=[MASKED_KEY]))
    key = client.query(**QUERY)["LastEvaluatedKey"]

    with pytest.raises(dynaguard.MaskedWriteRefused, match="`pk`"):
        client.put_item(TableName="orders", Item=key)


def test_a_cursor_that_goes_around_the_client_is_refused(
    client: Any, wire: Any, policy: Any
) -> None:
    """Below the client's methods nothing can be opened, so nothing is sent."""
    wire.answer({"Items": [], "LastEvaluatedKey": LAST})
    dynaguard.install(policy(mask=[MASKED_KEY]))
    key = client.query(**QUERY)["LastEvaluatedKey"]
    model = client.meta.service_model.operation_model("Query")
    request = {
        "url_path": "/",
        "query_string": "",
        "method": "POST",
        "url": "https://dynamodb.eu-west-1.amazonaws.com/",
        "headers": {"X-Amz-Target": "DynamoDB_20120810.Query"},
        "body": json.dumps({**QUERY, "ExclusiveStartKey": key}).encode(),
        "context": {"client_region": "eu-west-1", "client_config": client.meta.config},
    }

    with pytest.raises(dynaguard.TamperedRequest, match="went around"):
        client._endpoint.make_request(model, request)

    assert len(wire.sent) == 1


def test_no_url_is_presigned_with_a_cursor(client: Any, wire: Any, policy: Any) -> None:
    """A URL would show the true key; the caller is told what to do instead."""
    wire.answer({"Items": [], "LastEvaluatedKey": LAST})
    guard = dynaguard.install(policy(mask=[MASKED_KEY]))
    params = {**QUERY, "ExclusiveStartKey": client.query(**QUERY)["LastEvaluatedKey"]}

    with pytest.raises(dynaguard.CursorRefused, match=r"no URL is presigned for Query.*`pk`"):
        client.generate_presigned_url("query", Params=params)

    assert guard.counters.denials == 1
    assert "ada%40example.org" in client.generate_presigned_url(
        "query", Params={**QUERY, "ExclusiveStartKey": LAST}
    )


TOKENIZED = {
    "Sid": "Emails",
    "tables": ["orders"],
    "attributes": ["email", "age"],
    "with": "tokenize",
    "unseal": {"Group": "writers"},
}
WRITER = "arn:aws:iam::111122223333:role/writer"
WRITERS = {"writers": [WRITER]}
ITEM = {"pk": {"S": "1"}, "email": {"S": "ann@example.org"}, "age": {"N": "41"}}


def test_a_trusted_writer_writes_the_values_of_tokens(client: Any, wire: Any, policy: Any) -> None:
    """Read, modify, write by a caller who never sees the values, and keeps their types."""
    wire.answer({"Item": ITEM})
    dynaguard.install(policy(mask=[TOKENIZED], groups=WRITERS), mask_key="k" * 32, identity=WRITER)

    item = client.get_item(TableName="orders", Key={"pk": {"S": "1"}})["Item"]
    assert "ann@" not in repr(item)
    item["state"] = {"S": "new"}
    before = copy.deepcopy(item)
    client.put_item(TableName="orders", Item=item)

    assert sent(wire)["Item"] == {**ITEM, "state": {"S": "new"}}
    assert item == before


@pytest.mark.parametrize("operation", ["put_item", "get_item"])
def test_no_url_is_presigned_with_a_token(
    client: Any, wire: Any, policy: Any, operation: str
) -> None:
    """Not even for a trusted writer: the URL would show the value to whoever has it."""
    wire.answer({"Item": ITEM})
    dynaguard.install(policy(mask=[TOKENIZED]), mask_key="k" * 32)
    token = client.get_item(TableName="orders", Key={"pk": {"S": "1"}})["Item"]["email"]
    member = "Item" if operation == "put_item" else "Key"

    with (
        dynaguard.acting_as("clerk", groups=("writers",)),
        pytest.raises(dynaguard.MaskedWriteRefused, match=r"no URL is presigned.*`email`"),
    ):
        client.generate_presigned_url(
            operation, Params={"TableName": "orders", member: {"email": token}}
        )


def test_another_writer_is_refused(client: Any, wire: Any, policy: Any) -> None:
    """The token is a masked value like any other."""
    wire.answer({"Item": ITEM})
    dynaguard.install(policy(mask=[TOKENIZED]), mask_key="k" * 32)
    item = client.get_item(TableName="orders", Key={"pk": {"S": "1"}})["Item"]

    with pytest.raises(dynaguard.MaskedWriteRefused, match="email"):
        client.put_item(TableName="orders", Item=item)
    with (
        dynaguard.acting_as("clerk", groups=("writers",)),
        pytest.raises(dynaguard.MaskedWriteRefused, match="email"),
    ):
        client.put_item(TableName="orders", Item=item)


def test_a_token_does_not_open_at_another_attribute(client: Any, wire: Any, policy: Any) -> None:
    """A trusted writer could read there what he may only write; `email` itself may be set."""
    writes = {"Effect": "Allow", "Action": "dynamodb:*Item", "Resource": "*"}
    wire.answer({"Item": ITEM})
    dynaguard.install(
        policy(writes, mask=[TOKENIZED], groups=WRITERS), mask_key="k" * 32, identity=WRITER
    )
    token = client.get_item(TableName="orders", Key={"pk": {"S": "1"}})["Item"]["email"]
    update = {
        "TableName": "orders",
        "Key": {"pk": {"S": "1"}},
        "ExpressionAttributeValues": {":t": token},
        "ReturnValues": "UPDATED_NEW",
    }

    with pytest.raises(dynaguard.MaskedWriteRefused, match=r"`:t`.*where that mask names it"):
        client.update_item(**update, UpdateExpression="SET note = :t")
    with pytest.raises(dynaguard.MaskedWriteRefused, match="`note`"):
        client.put_item(TableName="orders", Item={"pk": {"S": "1"}, "note": token})
    client.update_item(**update, UpdateExpression="SET email = :t")

    assert sent(wire)["ExpressionAttributeValues"] == {":t": ITEM["email"]}


def test_a_token_opens_for_holders_of_the_key(client: Any, wire: Any, policy: Any) -> None:
    """In process by the guard's key, elsewhere by the key itself, never by another."""
    wire.answer({"Item": ITEM})
    dynaguard.install(policy(mask=[TOKENIZED]), mask_key="k" * 32)
    item = client.get_item(TableName="orders", Key={"pk": {"S": "1"}})["Item"]

    assert dynaguard.unmask_item(item) == ITEM
    dynaguard.uninstall()
    assert dynaguard.unmask_item(item, key="k" * 32) == ITEM
    assert dynaguard.unmask_item(item, key="x" * 32) == item
    with pytest.raises(dynaguard.ConfigurationError, match="nothing is installed"):
        dynaguard.unmask_item(item)
