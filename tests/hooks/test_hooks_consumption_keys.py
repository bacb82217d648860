"""Keys, through real guarded clients: counted by their hashes alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

import dynaguard
from tests.hooks.consuming import QUERY, TABLES, allowing


def test_a_hot_key_is_shown_by_its_hash_alone(client: Any, wire: Any) -> None:
    """A person who suspects a key computes its hash."""
    dynaguard.install(allowing(tables=TABLES), key_statistics=True)
    for number in range(200):
        value = "CANARY-KEY" if number % 2 else f"customer#{number}"
        client.get_item(TableName="orders", Key={"pk": {"S": value}, "sk": {"S": "x"}})

    found = dynaguard.status().consumption
    (figures,) = found["keys"]

    (hot,) = figures["hot_keys"]
    assert hot["key_hash"] == dynaguard.key_hash("orders", "CANARY-KEY")
    assert hot["share"] == pytest.approx(0.5, abs=0.02)
    assert figures["distinct_keys"] == pytest.approx(101, rel=0.05)
    assert "CANARY" not in json.dumps(found)


def test_keys_of_batches_queries_and_transactions_count(client: Any, wire: Any) -> None:
    """Every operation that names a key; without a policy, once the schema passed by."""
    dynaguard.install(key_statistics=True)
    wire.answer(
        {
            "Table": {
                "TableName": "orders",
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
            }
        }
    )
    item = {"pk": {"S": "a"}, "sk": {"S": "1"}}
    client.describe_table(TableName="orders")
    client.query(**QUERY)
    client.batch_write_item(
        RequestItems={"orders": [{"PutRequest": {"Item": {**item, "pk": {"S": "b"}}}}]}
    )
    client.transact_write_items(
        TransactItems=[{"Delete": {"TableName": "orders", "Key": {**item, "pk": {"S": "c"}}}}]
    )
    client.execute_statement(Statement="SELECT * FROM orders WHERE pk = 'd'")

    (figures,) = dynaguard.status().consumption["keys"]

    assert (figures["requests"], figures["distinct_keys"]) == (4, 4)


def test_a_key_that_cannot_be_told_is_counted_as_unknown(client: Any, wire: Any) -> None:
    """Two attributes, and no schema says which of them is the partition key."""
    dynaguard.install(key_statistics=True)

    client.get_item(TableName="orders", Key={"pk": {"S": "a"}, "sk": {"S": "1"}})

    (figures,) = dynaguard.status().consumption["keys"]
    assert (figures["requests"], figures["unknown_requests"]) == (0, 1)


def test_a_call_of_no_known_table_is_not_counted(client: Any, wire: Any) -> None:
    """PartiQL that is not understood, in any of the books."""
    dynaguard.install(key_statistics=True, query_warnings=True)

    client.execute_statement(Statement="nonsense")

    assert dynaguard.status().consumption["keys"] == []
    assert dynaguard.status().booking_failures == 0


def test_a_scan_asks_for_no_key(client: Any, wire: Any) -> None:
    """It asks for all of them."""
    dynaguard.install(allowing(tables=TABLES), key_statistics=True)

    client.scan(TableName="orders")

    assert dynaguard.status().consumption["keys"] == []


def test_with_a_mask_key_hashes_are_those_of_the_fleet() -> None:
    """Two processes, one hash; without one they differ."""
    hashes = []
    for secret in ("a mask key of enough characters", "a mask key of enough characters", None):
        dynaguard.install(key_statistics=True, mask_key=secret)
        hashes.append(dynaguard.key_hash("orders", "x"))
        dynaguard.uninstall()

    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize(
    ("value", "same"),
    [
        ("17", {"S": "17"}),
        (17, {"N": "17.0"}),
        (b"\x01", {"B": b"\x01"}),
    ],
)
def test_key_hash_takes_values_as_boto3_does(value: Any, same: Any) -> None:
    """Or DynamoDB JSON; a table by its name or ARN."""
    dynaguard.install(key_statistics=True)
    arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"

    assert dynaguard.key_hash("orders", value) == dynaguard.key_hash(arn, same)


@pytest.mark.parametrize("value", [1.5, True, None, {"SS": ["a"]}, {"N": "CANARY"}])
def test_key_hash_refuses_what_is_no_key(value: Any) -> None:
    """By the kind of the value, never by the value."""
    dynaguard.install(key_statistics=True)

    with pytest.raises(dynaguard.ConfigurationError, match="no partition key") as caught:
        dynaguard.key_hash("orders", value)

    assert "CANARY" not in str(caught.value)


def test_key_hash_says_what_is_missing() -> None:
    """Nothing installed, or the setting is off."""
    with pytest.raises(dynaguard.ConfigurationError, match="`key_statistics`"):
        dynaguard.key_hash("orders", "x")
    dynaguard.install(consumed_capacity="total")
    with pytest.raises(dynaguard.ConfigurationError, match="`key_statistics`"):
        dynaguard.key_hash("orders", "x")
