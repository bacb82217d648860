"""Key schemas: what descriptions tell, what is learnt, what is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.aws.analysis import authorizations
from dynaguard.aws.dynamodb import schemas
from dynaguard.aws.dynamodb.schemas import KeySchemas, schema_from
from dynaguard.call import NO_CREDENTIALS, Authorization, Call
from dynaguard.policy.model import KeySchema, TableSchema
from tests.aws.item_requests import ACCOUNT, TABLES, call_of

DESCRIPTION = {
    "TableName": "orders",
    "KeySchema": [
        {"AttributeName": "sk", "KeyType": "RANGE"},
        {"AttributeName": "pk", "KeyType": "HASH"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_cup",
            "KeySchema": [
                {"AttributeName": "cup", "KeyType": "HASH"},
                {"AttributeName": "place", "KeyType": "HASH"},
                {"AttributeName": "no", "KeyType": "RANGE"},
            ],
        },
        {"IndexName": "odd", "KeySchema": "x"},
        "odd",
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "by_day",
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "day", "KeyType": "RANGE"},
            ],
        }
    ],
}


def need_of(call: Call, account: str | None = ACCOUNT) -> Authorization:
    """The one thing that a call needs."""
    (need,) = authorizations(call, account)
    return need


def test_a_description_tells_the_key_schemas() -> None:
    """Partition keys first, whatever the order; an index that is not understood is left out."""
    assert schema_from(DESCRIPTION) == TableSchema(
        KeySchema(("pk", "sk"), 1),
        {"by_cup": KeySchema(("cup", "place", "no"), 2), "by_day": KeySchema(("pk", "day"), 1)},
    )


@pytest.mark.parametrize(
    "description",
    [
        None,
        "x",
        {},
        {"KeySchema": []},
        {"KeySchema": ["x"]},
        {"KeySchema": [{"AttributeName": 1, "KeyType": "HASH"}]},
        {"KeySchema": [{"AttributeName": "a", "KeyType": "OTHER"}]},
        {"KeySchema": [{"AttributeName": "a", "KeyType": "RANGE"}]},
    ],
)
def test_an_odd_description_tells_nothing(description: Any) -> None:
    """Rather no schema than a wrong one."""
    assert schema_from(description) is None


def test_what_was_seen_is_known_and_forgotten_with_the_table() -> None:
    """CreateTable and DescribeTable teach, DeleteTable takes back."""
    known = KeySchemas({})
    get = call_of("GetItem", {"TableName": "orders"})
    need = need_of(get)
    assert known.of_table(get, need) is None

    known.learn(call_of("DescribeTable", {}), need.resource, DESCRIPTION)
    learnt = known.of_table(get, need)
    known.learn(call_of("DeleteTable", {}), need.resource, DESCRIPTION)

    assert learnt == schema_from(DESCRIPTION)
    assert known.of_table(get, need) is None


def test_an_index_is_of_the_table_that_was_seen() -> None:
    """Its ARN lies below the table's."""
    known = KeySchemas({})
    search = call_of("Query", {"TableName": "orders", "IndexName": "by_day"})
    table = need_of(call_of("GetItem", {"TableName": "orders"})).resource

    known.learn(call_of("DescribeTable", {}), table, DESCRIPTION)

    assert known.key_of(search, need_of(search)) == KeySchema(("pk", "day"), 1)


def test_tables_of_unknown_accounts_are_told_apart_by_who_signs() -> None:
    """Two accounts can have a table of one name."""
    known = KeySchemas({})
    mine = call_of("GetItem", {"TableName": "orders"})
    keys = NO_CREDENTIALS.__class__(access_key_id="AKIAOTHER")
    theirs = mine._replace(credentials=keys)
    need = need_of(mine, None)

    known.learn(mine._replace(operation="DescribeTable"), need.resource, DESCRIPTION)

    assert known.of_table(mine, need) is not None
    assert known.of_table(theirs, need) is None


def test_the_document_counts_before_what_was_seen() -> None:
    """What a user wrote is meant."""
    known = KeySchemas(TABLES)
    get = call_of("GetItem", {"TableName": "orders"})

    known.learn(
        call_of("DescribeTable", {}),
        need_of(get).resource,
        {"KeySchema": DESCRIPTION["KeySchema"]},
    )

    assert known.of_table(get, need_of(get)) is TABLES["orders"]


@pytest.mark.parametrize("answer", [DESCRIPTION, None])
def test_a_schema_is_asked_for_once(answer: Any) -> None:
    """Whatever comes of it."""
    asked: list[str] = []

    def describe(_call: Call, table: str) -> Any:
        asked.append(table)
        return answer

    known = KeySchemas({}, describe=describe)
    get = call_of("GetItem", {"TableName": "orders"})
    found = [known.of_table(get, need_of(get)) for _ in range(2)]

    assert found == [schema_from(answer)] * 2
    assert asked == [f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/orders"]


def test_a_table_of_an_unknown_account_is_asked_for_by_name() -> None:
    """An ARN with a gap is none that AWS takes."""
    asked: list[str] = []
    known = KeySchemas({}, describe=lambda _call, table: asked.append(table))
    get = call_of("GetItem", {"TableName": "orders"})

    known.of_table(get, need_of(get, None))

    assert asked == ["orders"]


def test_what_is_learnt_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that makes tables all day fills no memory."""
    monkeypatch.setattr(schemas, "MAX_LEARNT", 3)
    known = KeySchemas({})
    for number in range(10):
        resource = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/t{number}"
        known.learn(call_of("DescribeTable", {}), resource, DESCRIPTION)

    assert len(known._learnt) <= 3
