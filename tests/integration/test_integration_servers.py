"""The servers themselves work with plain boto3, so that a failure elsewhere is ours."""

from __future__ import annotations

from typing import Any

import pytest

from tests.servers import Ministack, Server


def _create_table(client: Any, name: str) -> None:
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def _put_and_get(client: Any, table: str) -> Any:
    client.put_item(TableName=table, Item={"order_id": {"S": "1"}, "total": {"N": "12.5"}})
    return client.get_item(
        TableName=table,
        Key={"order_id": {"S": "1"}},
        ConsistentRead=True,
        ReturnConsumedCapacity="TOTAL",
    )


@pytest.mark.parametrize("name", ["ministack", "dynoxide", "moto_server"])
def test_a_server_keeps_an_item(name: str, request: pytest.FixtureRequest) -> None:
    """What was put comes back."""
    server: Server = request.getfixturevalue(name)
    client = server.client("dynamodb")
    _create_table(client, "servers-orders")

    answer = _put_and_get(client, "servers-orders")

    assert answer["Item"]["total"] == {"N": "12.5"}


def test_ministack_records_what_reached_it(ministack: Ministack) -> None:
    """Its CloudTrail names operation, table, key and request id of a call."""
    client = ministack.client("dynamodb")
    _create_table(client, "servers-witness")

    answer = _put_and_get(client, "servers-witness")

    events = [
        event
        for event in ministack.recorded_events()
        if event.parameters.get("TableName") == "servers-witness"
    ]
    assert [event.name for event in events] == ["CreateTable", "PutItem", "GetItem"]
    assert events[-1].request_id == answer["ResponseMetadata"]["RequestId"]
    assert events[-1].access_key_id == "AKIAIOSFODNN7EXAMPLE"
    assert events[-1].region == "eu-west-1"
    assert events[-1].user_agent.startswith("Boto3/")


def test_ministack_keeps_regions_apart(ministack: Ministack) -> None:
    """A call to another region is recorded in that region only."""
    ministack.client("dynamodb", region="us-east-1").list_tables()

    names = {event.name for event in ministack.recorded_events(region="us-east-1")}

    assert "ListTables" in names
    assert "ListTables" not in {event.name for event in ministack.recorded_events()}


def test_dynoxide_counts_capacity_as_aws_does(dynoxide: Server) -> None:
    """A strongly consistent read of a small item costs one unit."""
    client = dynoxide.client("dynamodb")
    _create_table(client, "servers-capacity")

    answer = _put_and_get(client, "servers-capacity")

    assert answer["ConsumedCapacity"]["CapacityUnits"] == 1.0
