"""Cost and keys against real servers: their figures are what is booked and limited by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import dynaguard
from tests.servers import Server

TABLE = "consumption-orders"
REGION = "eu-central-1"
"""ministack's CloudTrail tells the last 50 calls of a region; other tests need those of theirs."""
ITEMS = 40
NOTE = "x" * 4000  # an item of about a read unit, strongly consistent


@pytest.fixture(params=["dynoxide", "ministack"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with a table of items and an index, made before anything is guarded."""
    found: Server = request.getfixturevalue(request.param)
    client = found.client("dynamodb", region=REGION)
    client.create_table(
        TableName=TABLE,
        KeySchema=[
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "line", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "customer", "AttributeType": "S"},
            {"AttributeName": "line", "AttributeType": "N"},
            {"AttributeName": "day", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_day",
                "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for line in range(ITEMS):
        client.put_item(TableName=TABLE, Item=item(line))
    yield found
    dynaguard.uninstall()
    client.delete_table(TableName=TABLE)


def item(line: int) -> dict[str, Any]:
    """A line of one of four customers' orders."""
    return {
        "customer": {"S": f"c{line % 4}"},
        "line": {"N": str(line)},
        "day": {"S": "monday"},
        "note": {"S": NOTE},
    }


def read_all(client: Any) -> int:
    """Reads the whole table, five items a page; gives how many came."""
    pages = client.get_paginator("scan").paginate(
        TableName=TABLE, ConsistentRead=True, PaginationConfig={"PageSize": 5}
    )
    return sum(len(page["Items"]) for page in pages)


def reported_units(server: Server) -> float:
    """What the server itself says that it costs, without dynaguard."""
    pages = (
        server.client("dynamodb", region=REGION)
        .get_paginator("scan")
        .paginate(
            TableName=TABLE,
            ConsistentRead=True,
            ReturnConsumedCapacity="TOTAL",
            PaginationConfig={"PageSize": 5},
        )
    )
    return sum(page["ConsumedCapacity"]["CapacityUnits"] for page in pages)


def test_the_ledger_is_the_server_s_own_sum(server: Server) -> None:
    """By identity and job; the answers look as ever."""
    expected = reported_units(server)
    dynaguard.install(consumed_capacity="total", identity="etl")

    with dynaguard.job("nightly"):
        assert read_all(server.client("dynamodb", region=REGION)) == ITEMS

    (account,) = dynaguard.status().consumption["consumed"]
    assert (account["identity"], account["job"], account["table"]) == ("etl", "nightly", TABLE)
    assert account["read_units"] == pytest.approx(expected)
    assert account["write_units"] == 0.0


def test_a_job_ends_at_its_limit_and_nothing_is_torn(server: Server) -> None:
    """Half of what the whole table costs: about half of the pages come, each of them whole."""
    half = reported_units(server) / 2
    limit = {"job": "nightly", "tables": ["consumption-*"], "read_units": half}
    dynaguard.install({"version": 1, "default": "allow", "capacity_limit": [limit]})
    client = server.client("dynamodb", region=REGION)
    pages: list[Any] = []

    with dynaguard.job("nightly", run_id="1"), pytest.raises(dynaguard.CapacityLimitReached):
        pages.extend(
            client.get_paginator("scan").paginate(
                TableName=TABLE, ConsistentRead=True, PaginationConfig={"PageSize": 5}
            )
        )
    with dynaguard.job("nightly", run_id="2"):
        client.get_item(TableName=TABLE, Key={"customer": {"S": "c0"}, "line": {"N": "0"}})

    assert [len(page["Items"]) for page in pages] == [5] * len(pages)
    assert 4 <= len(pages) <= 5
    assert all("ConsumedCapacity" not in page for page in pages)


def test_keys_are_known_once_the_table_was_described(server: Server) -> None:
    """No policy names them; four customers, each with a quarter of the requests."""
    dynaguard.install(key_statistics=True)
    client = server.client("dynamodb", region=REGION)
    client.describe_table(TableName=TABLE)

    for turn in range(3):
        for line in range(ITEMS):
            key = {name: item(line)[name] for name in ("customer", "line")}
            assert client.get_item(TableName=TABLE, Key=key)["Item"], turn

    (figures,) = dynaguard.status().consumption["keys"]
    assert (figures["requests"], figures["distinct_keys"]) == (3 * ITEMS, 4)
    assert {each["key_hash"] for each in figures["hot_keys"]} == {
        dynaguard.key_hash(TABLE, f"c{number}") for number in range(4)
    }


def test_indexes_are_booked_apart(dynoxide: Server) -> None:
    """What a write costs the table, and what the index; the server's figures are exact."""
    client = dynoxide.client("dynamodb")
    client.create_table(
        TableName="consumption-split",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "day")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_day",
                "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    dynaguard.install(consumed_capacity="indexes")

    client.put_item(
        TableName="consumption-split",
        Item={"pk": {"S": "a"}, "day": {"S": "monday"}, "note": {"S": "x" * 2500}},
    )

    accounts = dynaguard.status().consumption["consumed"]
    assert {each["index"]: each["write_units"] for each in accounts} == {None: 3.0, "by_day": 1.0}
    dynaguard.uninstall()
