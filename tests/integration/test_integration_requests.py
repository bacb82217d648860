"""Requests understood in full, against real endpoints: key schemas, pages, PartiQL, signatures."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import dynaguard
from dynaguard import PolicyDenied
from dynaguard.audit.reading import read_records
from tests.servers import DEFAULT_REGION, Server

TABLE = "requests-orders"
OWN_ITEMS: dict[str, Any] = {
    "version": 1,
    "default": "deny",
    "govern": ["dynamodb"],
    "statement": [
        {
            "Sid": "OwnItems",
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PartiQLSelect"],
            "Resource": f"arn:aws:dynamodb:*:*:table/{TABLE}",
            "Condition": {
                "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["me"]},
                "Null": {"dynamodb:LeadingKeys": "false"},
            },
        }
    ],
}


@pytest.fixture(params=["ministack", "moto_server", "dynoxide"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn, with a table of two items."""
    server: Server = request.getfixturevalue(request.param)
    client = server.client("dynamodb")
    try:
        client.describe_table(TableName=TABLE)
    except client.exceptions.ResourceNotFoundException:
        _make_table(client)
    return server


def _make_table(client: Any) -> None:
    """The table and its items."""
    client.create_table(
        TableName=TABLE,
        KeySchema=[
            {"AttributeName": "owner", "KeyType": "HASH"},
            {"AttributeName": "id", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "owner", "AttributeType": "S"},
            {"AttributeName": "id", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for owner in ("me", "you"):
        for number in range(3):
            client.put_item(TableName=TABLE, Item=key(owner, number))


def key(owner: str, number: int) -> dict[str, Any]:
    """Key of an item."""
    return {"owner": {"S": owner}, "id": {"N": str(number)}}


def query(client: Any, owner: str) -> Any:
    """One owner's items, with names and values as placeholders."""
    return client.query(
        TableName=TABLE,
        KeyConditionExpression="#id >= :least AND #owner = :owner",
        ExpressionAttributeNames={"#owner": "owner", "#id": "id"},
        ExpressionAttributeValues={":owner": {"S": owner}, ":least": {"N": "0"}},
    )


def test_a_looked_up_key_schema_tells_ones_own_items(server: Server) -> None:
    """Nothing is configured: the table says which attribute is its partition key."""
    client = server.client("dynamodb")

    with dynaguard.install(OWN_ITEMS, key_schema_lookup="describe-table"):
        item = client.get_item(TableName=TABLE, Key=key("me", 1))["Item"]
        found = query(client, "me")["Count"]
        with pytest.raises(PolicyDenied):
            client.get_item(TableName=TABLE, Key=key("you", 1))
        with pytest.raises(PolicyDenied):
            query(client, "you")

    assert (item["id"], found) == ({"N": "1"}, 3)


def test_partiql_tells_ones_own_items(server: Server) -> None:
    """A literal and a parameter; another owner and the whole table are refused."""
    client = server.client("dynamodb")
    document = {**OWN_ITEMS, "tables": {TABLE: {"key": ["owner", "id"]}}}

    with dynaguard.install(document):
        found = client.execute_statement(Statement=f"SELECT * FROM \"{TABLE}\" WHERE owner = 'me'")  # noqa: S608 - the guard is to read it
        bound = client.execute_statement(
            Statement=f'SELECT id FROM "{TABLE}" WHERE owner = ?',  # noqa: S608
            Parameters=[{"S": "me"}],
        )
        for statement in (
            f"SELECT * FROM \"{TABLE}\" WHERE owner = 'you'",  # noqa: S608
            f'SELECT * FROM "{TABLE}"',  # noqa: S608
            f"SELECT * FROM \"{TABLE}\" WHERE owner = 'me' OR id = 1",  # noqa: S608
        ):
            with pytest.raises(PolicyDenied):
                client.execute_statement(Statement=statement)

    assert (len(found["Items"]), len(bound["Items"])) == (3, 3)


def test_pages_are_counted_on_a_real_table(server: Server) -> None:
    """The third page of a scan is one too many."""
    statement = {
        "Sid": "TwoPages",
        "Effect": "Allow",
        "Action": "dynamodb:Scan",
        "Resource": "*",
        "Condition": {"NumericLessThanEquals": {"dynaguard:PageNumber": 2}},
    }
    client = server.client("dynamodb")

    with dynaguard.install({**OWN_ITEMS, "statement": [statement]}):
        pages = iter(
            client.get_paginator("scan").paginate(
                TableName=TABLE, PaginationConfig={"PageSize": 2}
            )
        )
        counts = [next(pages)["Count"], next(pages)["Count"]]
        with pytest.raises(PolicyDenied):
            next(pages)

    assert counts == [2, 2]


@pytest.fixture
def signing_user(moto_server: Server) -> Iterator[dict[str, str]]:
    """Keys of a user of a server that verifies signatures while the test runs."""
    iam = moto_server.client("iam")
    iam.create_user(UserName="signer")
    iam.put_user_policy(
        UserName="signer",
        PolicyName="all",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
            }
        ),
    )
    made = iam.create_access_key(UserName="signer")["AccessKey"]
    _verify_after(moto_server, "0")
    yield {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
    }
    _verify_after(moto_server, "inf")


def _verify_after(server: Server, count: str) -> None:
    """From how many further requests on the server verifies signatures and policies."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{server.url}/moto-api/reset-auth",
        data=count.encode(),
        headers={"Content-Type": "text/plain"},
    )
    urllib.request.urlopen(request).read()  # noqa: S310


def test_a_server_that_verifies_signatures_accepts_the_stamp(
    moto_server: Server, signing_user: dict[str, str]
) -> None:
    """The signature covers the correlation header; one that was changed on the way is refused."""
    client = boto3.client(
        "dynamodb", endpoint_url=moto_server.url, region_name=DEFAULT_REGION, **signing_user
    )
    sent = []
    client.meta.events.register("before-send", lambda request, **_: sent.append(request))

    with dynaguard.install(), dynaguard.correlation("INC-4711"):
        client.list_tables()
        client.meta.events.register(
            "before-send",
            lambda request, **_: request.headers.update({"X-Dynaguard-Correlation-Id": "other"}),
        )
        with pytest.raises(ClientError) as caught:
            client.list_tables()

    assert b"x-dynaguard-correlation-id" in sent[0].headers["Authorization"].lower()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)


def test_an_identity_that_sts_tells_is_the_one_that_statements_name(
    moto_server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Asked once, on request; the look-up itself is not guarded and not recorded."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server.url)
    arn = moto_server.client("sts").get_caller_identity()["Arn"]
    statement = {
        "Sid": "ThisCaller",
        "Effect": "Allow",
        "Principal": {"AWS": arn},
        "Action": "dynamodb:ListTables",
        "Resource": "*",
    }
    document = {**OWN_ITEMS, "govern": ["dynamodb", "sts"], "statement": [statement]}
    audit = tmp_path / "audit.jsonl"
    client = moto_server.client("dynamodb")

    with dynaguard.install(document, identity_lookup="sts", audit=audit):
        client.list_tables()
        client.list_tables()
    with dynaguard.install(document), pytest.raises(PolicyDenied):
        client.list_tables()

    records = list(read_records(audit))
    assert [record["operation"] for record in records] == ["ListTables", "ListTables"]
    assert {record["identity"]["arn"] for record in records} == {arn}
