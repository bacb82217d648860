"""Masks against real endpoints: many pages, batch writers, read-modify-write; tables stay whole.

Each test runs on ministack and, where the platform has it, on dynoxide: two implementations of
DynamoDB that agree on little but the protocol.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError

import dynaguard
from dynaguard.masking import MARKER
from tests.servers import Server

TABLE = "masked-people"
ITEMS = 300
PAGES = 100
ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}
POLICY: dict[str, Any] = {
    "version": 1,
    "default": "deny",
    "govern": ["dynamodb", "ssm"],
    "statement": [ALLOW],
    "mask": [
        {"tables": [TABLE], "attributes": ["sk", "email", "profile.ssn"], "with": "redact"},
        {"tables": [TABLE], "attributes": ["by_mail"], "with": "hash"},
        {"tables": [TABLE], "detect": ["payment-card"], "with": "partial"},
        {"services": ["ssm"]},
    ],
}


@pytest.fixture(params=["ministack", "dynoxide"])
def server(request: pytest.FixtureRequest) -> Any:
    """Each server in turn."""
    return request.getfixturevalue(request.param)


def make_item(number: int) -> dict[str, Any]:
    """An item with secrets at masked attributes, as a resource takes it."""
    rng = random.Random(number)
    return {
        "pk": "p",
        "sk": Decimal(number),
        "email": f"CANARY{number}@example.org",
        "by_mail": f"CANARY{number}@example.org",
        "profile": {"ssn": f"CANARY-{number}", "city": "Rome", "scores": [1, Decimal("2.50")]},
        "note": "card 4111 1111 1111 1111" if number % 3 else "nothing",
        "photo": rng.randbytes(8),
        "tags": {"a", "b"},
        "state": "old",
    }


@pytest.fixture
def table(server: Server) -> Iterator[Any]:
    """A table of `ITEMS` items, made unguarded and dropped afterwards."""
    resource = server.resource("dynamodb")
    found = resource.create_table(
        TableName=TABLE,
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
            {"AttributeName": "by_mail", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_mail",
                "KeySchema": [{"AttributeName": "by_mail", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    write_all(found, [make_item(number) for number in range(ITEMS)])
    yield found
    dynaguard.uninstall()
    found.delete()


def stored(table: Any) -> list[dict[str, Any]]:
    """Every item as it is in the table, read unguarded."""
    dynaguard.uninstall()
    items: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    while True:
        page = table.query(KeyConditionExpression=Key("pk").eq("p"), **more)
        items += page["Items"]
        if "LastEvaluatedKey" not in page:
            return [{**item, "photo": bytes(item["photo"].value)} for item in items]
        more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def test_a_hundred_pages_over_masked_keys(table: Any, server: Server) -> None:
    """A paginator: every item once, in order, and no secret on the way."""
    client = server.client("dynamodb")
    dynaguard.install(POLICY, mask_key="k" * 32)

    pages = list(
        client.get_paginator("query").paginate(
            TableName=TABLE,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": "p"}},
            PaginationConfig={"PageSize": ITEMS // PAGES},
        )
    )

    assert len(pages) >= PAGES
    items = [item for page in pages for item in page["Items"]]
    assert [item["photo"]["B"] for item in items] == [make_item(n)["photo"] for n in range(ITEMS)]
    shown = repr(pages)
    assert "CANARY" not in shown
    assert "4111 1111" not in shown
    keys = [page["LastEvaluatedKey"]["sk"]["S"] for page in pages if "LastEvaluatedKey" in page]
    assert len(set(keys)) == len(keys)
    assert all(key.startswith(MARKER) for key in keys)
    dynaguard.uninstall()


@pytest.mark.parametrize("kind", ["scan", "index"])
def test_pages_by_hand_over_a_resource(table: Any, kind: str) -> None:
    """A scan, and an index whose key is masked: cursors go back as they came."""
    dynaguard.install(POLICY, mask_key="k" * 32)
    if kind == "scan":
        read, params = table.scan, {"Limit": 37}
    else:
        read, params = table.scan, {"Limit": 37, "IndexName": "by_mail"}

    numbers: list[bytes] = []
    more: dict[str, Any] = {}
    while True:
        page = read(**params, **more)
        numbers += [bytes(item["photo"].value) for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        assert "CANARY" not in repr(page["LastEvaluatedKey"])
        more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    assert sorted(numbers) == sorted(make_item(n)["photo"] for n in range(ITEMS))


def write_all(table: Any, items: list[dict[str, Any]]) -> None:
    """Through boto3's batch writer."""
    with table.batch_writer() as batch:
        for item in items:
            batch.put_item(Item=item)


PAGE_PROGRAM = """
import json, sys
import boto3, dynaguard
policy, url, table, cursor = sys.argv[1:]
dynaguard.install(json.loads(policy), mask_key=("k" if cursor != "foreign" else "x") * 32)
client = boto3.client("dynamodb", endpoint_url=url)
more = json.loads(sys.stdin.read() or "{}")
page = client.query(
    TableName=table, KeyConditionExpression="pk = :p", Limit=100,
    ExpressionAttributeValues={":p": {"S": "p"}}, **more,
)
photos = [item["photo"]["B"].hex() for item in page["Items"]]
print(json.dumps({"photos": photos, "last": page.get("LastEvaluatedKey")}))
"""


def read_page(server: Server, last: Any, key: str = "own") -> subprocess.CompletedProcess[str]:
    """One page, read by a process of its own."""
    more = {"ExclusiveStartKey": last} if last else {}
    arguments = [json.dumps(POLICY), server.url, TABLE, key]
    return subprocess.run(
        [sys.executable, "-c", PAGE_PROGRAM, *arguments],
        input=json.dumps(more),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_next_process_goes_on_with_the_page(table: Any, server: Server) -> None:
    """With the same key; one with another key refuses the cursor."""
    photos: list[str] = []
    last: Any = None
    while True:
        page = json.loads(read_page(server, last).stdout)
        photos += page["photos"]
        last = page["last"]
        if last is None:
            break
        assert last["sk"]["S"].startswith(MARKER)
        refused = read_page(server, last, key="foreign")
        assert "CursorRefused" in refused.stderr

    assert photos == [make_item(number)["photo"].hex() for number in range(ITEMS)]


def test_round_trips_corrupt_nothing(table: Any) -> None:
    """Every way to write a masked item back is refused, and the table is what it was."""
    dynaguard.install(POLICY, mask_key="k" * 32)
    items = table.query(KeyConditionExpression=Key("pk").eq("p"))["Items"]
    assert items

    for item in items[:20]:
        with pytest.raises(dynaguard.MaskedWriteRefused):
            table.put_item(Item={**item, "state": "new"})
        with pytest.raises(dynaguard.MaskedWriteRefused):
            table.delete_item(Key={"pk": "p", "sk": item["sk"]})
        with pytest.raises(dynaguard.MaskedWriteRefused):
            table.update_item(
                Key={"pk": "p", "sk": 1},
                UpdateExpression="SET email = :e",
                ExpressionAttributeValues={":e": item["email"]},
            )
    with pytest.raises(dynaguard.MaskedWriteRefused):
        write_all(table, items[:30])

    assert stored(table) == [make_item(number) for number in range(ITEMS)]


def test_a_batch_writer_writes_what_it_was_given(table: Any) -> None:
    """Plain items through a guarded batch writer, over items that are masked when read."""
    dynaguard.install(POLICY, mask_key="k" * 32)

    write_all(table, [{**make_item(number), "state": "new"} for number in range(ITEMS)])

    assert stored(table) == [{**make_item(number), "state": "new"} for number in range(ITEMS)]


def test_a_trusted_writer_changes_items_that_it_cannot_read(table: Any) -> None:
    """Tokens go back as the values that they hold: types, sets and all."""
    tokenize = {
        "Sid": "People",
        "tables": [TABLE],
        "attributes": ["sk", "email", "by_mail", "profile", "photo", "tags"],
        "with": "tokenize",
        "unseal": {"Group": "writers"},
    }
    writer = "arn:aws:iam::123456789012:role/writer"
    document = {**POLICY, "mask": [tokenize], "groups": {"writers": [writer]}}
    dynaguard.install(document, mask_key="k" * 32, identity=writer)

    items: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    while True:
        page = table.query(KeyConditionExpression=Key("pk").eq("p"), Limit=90, **more)
        items += page["Items"]
        if "LastEvaluatedKey" not in page:
            break
        more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert "CANARY" not in repr(items)
    write_all(table, [{**item, "state": "new"} for item in items])

    assert stored(table) == [{**make_item(number), "state": "new"} for number in range(ITEMS)]


def test_the_item_of_a_failed_condition_is_masked(table: Any) -> None:
    """As the server itself sends it."""
    dynaguard.install(POLICY, mask_key="k" * 32)

    with pytest.raises(ClientError) as caught:
        table.put_item(
            Item={"pk": "p", "sk": 1, "by_mail": "x"},
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    assert "CANARY" not in json.dumps(caught.value.response, default=repr)
    assert "CANARY" not in str(caught.value)


def test_parameters_are_masked(ministack: Server) -> None:
    """S4.27: GetParameter and GetParameters, with decryption."""
    ssm = ministack.client("ssm")
    ssm.put_parameter(Name="/masked/db", Value="CANARY", Type="SecureString", Overwrite=True)
    dynaguard.install(POLICY, mask_key="k" * 32)

    one = ssm.get_parameter(Name="/masked/db", WithDecryption=True)["Parameter"]
    several = ssm.get_parameters(Names=["/masked/db"], WithDecryption=True)["Parameters"]
    dynaguard.uninstall()

    assert one["Value"].startswith(MARKER)
    assert "CANARY" not in repr([one, several])
    plain = ssm.get_parameter(Name="/masked/db", WithDecryption=True)
    assert plain["Parameter"]["Value"] == "CANARY"
