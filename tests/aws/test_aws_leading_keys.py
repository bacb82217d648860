"""The partition key values that requests address."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.call import UNKNOWN
from tests.aws.item_requests import ABSENT, ITEM, KEY, query, sql, value_of

LEADING: list[tuple[str, dict[str, Any], Any]] = [
    ("GetItem", {"Key": KEY}, ("p",)),
    ("GetItem", {"Key": {"pk": {"N": "1.50"}, "sk": {"S": "s"}}}, ("1.5",)),
    ("GetItem", {"Key": {"pk": {"B": b"x"}, "sk": {"S": "s"}}}, ("eA==",)),
    ("GetItem", {"Key": {"pk": {"N": "x"}}}, UNKNOWN),
    ("GetItem", {"Key": {"pk": {"BOOL": True}}}, UNKNOWN),
    ("GetItem", {"Key": {"pk": "p"}}, UNKNOWN),
    ("GetItem", {"Key": {"sk": {"S": "s"}}}, UNKNOWN),
    ("GetItem", {"Key": None}, UNKNOWN),
    ("GetItem", {}, UNKNOWN),
    ("PutItem", {"Item": ITEM}, ("p",)),
    ("UpdateItem", {"Key": KEY}, ("p",)),
    ("DeleteItem", {"Key": KEY}, ("p",)),
    ("Query", query("pk = :p"), ("p",)),
    ("Query", query(":p = pk AND sk > :n"), ("p",)),
    ("Query", query("pk = :n"), ("1.5",)),
    ("Query", query("pk = :m"), UNKNOWN),
    ("Query", query("sk = :p"), UNKNOWN),
    ("Query", query("pk > :p"), UNKNOWN),
    ("Query", query("pk = :nope"), UNKNOWN),
    ("Query", query("what"), UNKNOWN),
    ("Query", {}, UNKNOWN),
    ("Query", query("pk = :p", KeyConditions={}), UNKNOWN),
    ("Query", query("day = :p", IndexName="by_day"), ("p",)),
    ("Query", query("pk = :p", IndexName="by_day"), UNKNOWN),
    ("Query", query("pk = :p", IndexName="other"), UNKNOWN),
    (
        "Query",
        {
            "KeyConditions": {
                "pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "p"}]}
            }
        },
        ("p",),
    ),
    (
        "Query",
        {
            "KeyConditions": {
                "pk": {"ComparisonOperator": "GT", "AttributeValueList": [{"S": "p"}]}
            }
        },
        UNKNOWN,
    ),
    ("Query", {"KeyConditions": {"pk": {"ComparisonOperator": "EQ"}}}, UNKNOWN),
    ("Query", {"KeyConditions": {"pk": "p"}}, UNKNOWN),
    ("Query", {"KeyConditions": [KEY]}, UNKNOWN),
    ("SearchVectors", {}, UNKNOWN),
    ("Scan", {}, ABSENT),
    ("DescribeTable", {}, ABSENT),
    ("BatchGetItem", {"RequestItems": {"orders": {"Keys": [KEY, KEY]}}}, ("p",)),
    ("BatchGetItem", {"RequestItems": {"orders": {"Keys": "x"}}}, UNKNOWN),
    ("BatchGetItem", {"RequestItems": {"orders": {"Keys": [None]}}}, UNKNOWN),
    (
        "BatchWriteItem",
        {
            "RequestItems": {
                "orders": [
                    {"PutRequest": {"Item": ITEM}},
                    {"DeleteRequest": {"Key": {**KEY, "pk": {"S": "q"}}}},
                ]
            }
        },
        ("p", "q"),
    ),
    ("BatchWriteItem", {"RequestItems": {"orders": [{"PutRequest": None}]}}, UNKNOWN),
    ("BatchWriteItem", {"RequestItems": {"orders": ["x"]}}, UNKNOWN),
    ("BatchWriteItem", {"RequestItems": {"orders": "x"}}, UNKNOWN),
    (
        "TransactWriteItems",
        {"TransactItems": [{"Put": {"TableName": "orders", "Item": ITEM}}]},
        ("p",),
    ),
    ("ExecuteStatement", sql("SELECT * FROM orders WHERE pk = 'p'"), ("p",)),
    ("ExecuteStatement", sql("SELECT * FROM orders WHERE pk IN ['p', 'q']"), ("p", "q")),
    (
        "ExecuteStatement",
        sql("SELECT * FROM orders WHERE sk = ? AND pk = ?", {"S": "s"}, {"S": "p"}),
        ("p",),
    ),
    ("ExecuteStatement", sql("SELECT * FROM orders WHERE pk = ?"), UNKNOWN),
    ("ExecuteStatement", {"Statement": "SELECT * FROM orders WHERE pk = ?"}, UNKNOWN),
    ("ExecuteStatement", sql("SELECT * FROM orders WHERE pk = 1.0"), ("1",)),
    ("ExecuteStatement", sql("SELECT * FROM orders WHERE pk IN ['p', sk]"), UNKNOWN),
    ("ExecuteStatement", sql("SELECT * FROM orders"), ABSENT),
    ("ExecuteStatement", sql("SELECT * FROM orders WHERE sk = 's'"), ABSENT),
    ("ExecuteStatement", sql("SELECT * FROM orders.by_day WHERE day = 'd'"), ("d",)),
    ("ExecuteStatement", sql("SELECT * FROM orders.other WHERE day = 'd'"), UNKNOWN),
    ("ExecuteStatement", sql("SELECT a AS b FROM orders WHERE pk = 'p'"), UNKNOWN),
    ("ExecuteStatement", sql("INSERT INTO orders VALUE {'pk': 'p', 'sk': 's'}"), ("p",)),
    ("ExecuteStatement", sql("INSERT INTO orders VALUE {'sk': 's'}"), UNKNOWN),
    ("ExecuteStatement", sql("INSERT INTO orders VALUE ?", {"M": ITEM}), ("p",)),
    ("ExecuteStatement", sql("INSERT INTO orders VALUE ?", {"S": "x"}), UNKNOWN),
    ("ExecuteStatement", sql("INSERT INTO orders VALUE ?", {"M": "x"}), UNKNOWN),
    ("ExecuteStatement", sql("UPDATE orders SET a = 1 WHERE pk = 'p' AND sk = 's'"), ("p",)),
    ("ExecuteStatement", sql("DELETE FROM orders WHERE pk = 'p' AND sk = 's'"), ("p",)),
]


@pytest.mark.parametrize("key", ["dynamodb:LeadingKeys", "dynamodb:FirstPartitionKeyValues"])
@pytest.mark.parametrize(("operation", "params", "expected"), LEADING)
def test_leading_keys(key: str, operation: str, params: dict[str, Any], expected: Any) -> None:
    """The partition key values that a call addresses, as text; the alias tells the same."""
    assert value_of(key, operation, params) == expected


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        ("GetItem", {"Key": {"id": {"S": "p"}}}, ("p",)),
        ("GetItem", {"Key": KEY}, UNKNOWN),
        ("PutItem", {"Item": {"id": {"S": "p"}}}, UNKNOWN),
        ("Query", query("a = :p"), ("p",)),
        ("Query", query("a = :p AND b > :n"), ("p",)),
        ("Query", query("a = :p AND b = :n"), UNKNOWN),
        ("Query", query("a = :p", IndexName="i"), UNKNOWN),
        ("ExecuteStatement", sql("SELECT * FROM orders WHERE a = 'p'"), UNKNOWN),
        ("ExecuteStatement", sql("SELECT * FROM orders"), ABSENT),
        ("ExecuteStatement", sql("INSERT INTO orders VALUE {'a': 'p'}"), UNKNOWN),
    ],
)
def test_leading_keys_without_a_key_schema(
    operation: str, params: dict[str, Any], expected: Any
) -> None:
    """A key of one attribute and a single equality tell themselves; nothing else is guessed."""
    assert value_of("dynamodb:LeadingKeys", operation, params, {}) == expected


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        ("Query", query("cup = :p AND place = :n", IndexName="by_cup"), (("p",), ("1.5",), ())),
        ("Query", query("cup = :p", IndexName="by_cup"), (("p",), UNKNOWN, ())),
        ("Query", query("pk = :p"), (("p",), (), ())),
        ("GetItem", {"Key": KEY}, (("p",), (), ())),
        ("Scan", {}, ((), (), ())),
        (
            "ExecuteStatement",
            sql("SELECT * FROM orders.by_cup WHERE cup = 'c' AND place = 'p'"),
            (("c",), ("p",), ()),
        ),
        ("ExecuteStatement", sql("SELECT * FROM orders.by_cup WHERE cup = 'c'"), ((), (), ())),
    ],
)
def test_indexes_have_several_partition_keys(
    operation: str, params: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    """By their place in the index's key schema."""
    keys = ("dynamodb:LeadingKeys", "dynamodb:SecondPartitionKeyValues")
    found = tuple(value_of(key, operation, params) for key in keys)

    assert (*found, value_of("dynamodb:ThirdPartitionKeyValues", operation, params)) == expected
