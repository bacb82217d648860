"""Condition keys about items: what each tells of which request, absent and unknown included."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from dynaguard.aws.analysis import authorizations
from dynaguard.aws.condition_keys import CONDITION_KEYS
from dynaguard.aws.context import ContextSource
from dynaguard.aws.dynamodb import schemas
from dynaguard.aws.dynamodb.items import ITEM_KEYS
from dynaguard.aws.dynamodb.schemas import KeySchemas, schema_from
from dynaguard.call import NO_CREDENTIALS, UNKNOWN, UNKNOWN_PRINCIPAL, Authorization, Call
from dynaguard.policy.model import KeySchema, TableSchema
from dynaguard.policy.statements import MULTIVALUED_KEYS, OWN_KEYS
from dynaguard.scope import EMPTY_SCOPE

ACCOUNT = "111122223333"
TABLES = {
    "orders": TableSchema(
        KeySchema(("pk", "sk")),
        {"by_day": KeySchema(("day", "hour")), "by_cup": KeySchema(("cup", "place", "no"), 2)},
    )
}
ABSENT: tuple[str, ...] = ()
KEY = {"pk": {"S": "p"}, "sk": {"S": "s"}}
ITEM = {**KEY, "total": {"N": "1"}}
VALUES = {":p": {"S": "p"}, ":n": {"N": "1.50"}, ":b": {"B": b"x"}, ":m": {"M": {}}}


def call_of(operation: str, params: Any, **changed: Any) -> Call:
    """A call of a client in eu-west-1."""
    return Call(
        service="dynamodb",
        operation=operation,
        params=params,
        region="eu-west-1",
        partition="aws",
        endpoint_url="https://dynamodb.eu-west-1.amazonaws.com",
        credentials=NO_CREDENTIALS,
        scope=EMPTY_SCOPE,
        correlation_id="c",
        service_prefix="dynamodb",
        **changed,
    )


def source(tables: Mapping[str, TableSchema] = TABLES) -> ContextSource:
    """Where the keys get their values."""
    return ContextSource(
        known={},
        environment=None,
        schemas=KeySchemas(tables),
        utcnow=lambda: datetime(2026, 11, 20, tzinfo=UTC),
    )


def value_of(
    key: str,
    operation: str,
    params: dict[str, Any],
    tables: Mapping[str, TableSchema] = TABLES,
    at: int = 0,
) -> Any:
    """A key's value for one authorisation of a call to `orders`."""
    if not {"RequestItems", "TransactItems", "Statement", "Statements"} & set(params):
        params = {"TableName": "orders", **params}
    call = call_of(operation, params)
    need = authorizations(call, ACCOUNT)[at]
    return source(tables).lookup_for(call, UNKNOWN_PRINCIPAL, need)(key.lower())


def query(condition: str, **more: Any) -> dict[str, Any]:
    """A Query with that key condition."""
    return {"KeyConditionExpression": condition, "ExpressionAttributeValues": VALUES, **more}


def sql(statement: str, *parameters: Any) -> dict[str, Any]:
    """An ExecuteStatement."""
    return {"Statement": statement, "Parameters": list(parameters)}


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


ATTRIBUTES: list[tuple[str, dict[str, Any], Any]] = [
    ("GetItem", {"Key": KEY}, {"pk", "sk"}),
    ("GetItem", {"Key": KEY, "ProjectionExpression": "a.b, c"}, {"pk", "sk", "a", "c"}),
    ("GetItem", {"Key": KEY, "ProjectionExpression": "#x"}, UNKNOWN),
    ("GetItem", {"Key": KEY, "ProjectionExpression": "a b"}, UNKNOWN),
    ("GetItem", {"Key": KEY, "AttributesToGet": ["a"]}, {"pk", "sk", "a"}),
    ("GetItem", {"Key": KEY, "AttributesToGet": "a"}, UNKNOWN),
    ("GetItem", {"Key": KEY, "AttributesToGet": [1]}, UNKNOWN),
    ("GetItem", {"Key": "x"}, UNKNOWN),
    (
        "PutItem",
        {"Item": ITEM, "ConditionExpression": "attribute_exists(a)"},
        {"pk", "sk", "total", "a"},
    ),
    ("PutItem", {"Item": ITEM, "Expected": {"a": {"Exists": False}}}, {"pk", "sk", "total", "a"}),
    ("PutItem", {"Item": ITEM, "Expected": "x"}, UNKNOWN),
    (
        "UpdateItem",
        {"Key": KEY, "UpdateExpression": "SET a = b REMOVE c"},
        {"pk", "sk", "a", "b", "c"},
    ),
    ("UpdateItem", {"Key": KEY, "UpdateExpression": "SET a = :nope"}, UNKNOWN),
    ("UpdateItem", {"Key": KEY, "AttributeUpdates": {"a": {}}}, {"pk", "sk", "a"}),
    ("DeleteItem", {"Key": KEY}, {"pk", "sk"}),
    ("Query", query("pk = :p", FilterExpression="a = :n"), {"pk", "a"}),
    ("Query", {"KeyConditions": {"pk": {}}, "QueryFilter": {"a": {}}}, {"pk", "a"}),
    ("Scan", {}, set()),
    ("Scan", {"ScanFilter": {"a": {}}, "AttributesToGet": ["b"]}, {"a", "b"}),
    ("Scan", {"FilterExpression": 7}, UNKNOWN),
    ("SearchVectors", {"SearchConditionExpression": "a = :p"}, UNKNOWN),
    (
        "BatchGetItem",
        {"RequestItems": {"orders": {"Keys": [KEY], "ProjectionExpression": "a"}}},
        {"pk", "sk", "a"},
    ),
    ("DescribeTable", {}, set()),
    ("ExecuteStatement", sql("SELECT a FROM orders WHERE pk = 'p' AND b > 1"), {"a", "pk", "b"}),
    ("ExecuteStatement", sql("INSERT INTO orders VALUE ?", {"M": ITEM}), {"pk", "sk", "total"}),
    ("ExecuteStatement", sql("INSERT INTO orders VALUE ?"), UNKNOWN),
    ("ExecuteStatement", sql("SELECT a AS b FROM orders"), UNKNOWN),
]


@pytest.mark.parametrize(("operation", "params", "expected"), ATTRIBUTES)
def test_attributes(operation: str, params: dict[str, Any], expected: Any) -> None:
    """Every top-level attribute that a request names, or unknown as a whole."""
    found = value_of("dynamodb:Attributes", operation, params)

    assert (found if found is UNKNOWN else set(found)) == expected


PARTS: list[tuple[str, dict[str, Any], Any, Any, Any]] = [
    ("GetItem", {"Key": KEY}, set(), set(), UNKNOWN),
    ("GetItem", {"Key": KEY, "ProjectionExpression": "a.b"}, set(), set(), {"a"}),
    ("PutItem", {"Item": ITEM}, {"pk", "sk", "total"}, set(), set()),
    (
        "PutItem",
        {"Item": KEY, "ConditionExpression": "attribute_not_exists(a)", "ReturnValues": "ALL_OLD"},
        {"pk", "sk"},
        {"a"},
        UNKNOWN,
    ),
    (
        "UpdateItem",
        {
            "Key": KEY,
            "UpdateExpression": "SET a = b ADD c :n",
            "ExpressionAttributeValues": VALUES,
        },
        {"a", "c"},
        set(),
        set(),
    ),
    ("UpdateItem", {"Key": KEY, "AttributeUpdates": {"a": {}}}, {"a"}, set(), set()),
    (
        "DeleteItem",
        {"Key": KEY, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"},
        set(),
        set(),
        UNKNOWN,
    ),
    ("Query", query("pk = :p", FilterExpression="a = :n"), set(), {"pk", "a"}, UNKNOWN),
    ("Query", query("pk = :p", Select="COUNT"), set(), {"pk"}, set()),
    ("Scan", {"AttributesToGet": ["a"], "ScanFilter": {"b": {}}}, set(), {"b"}, {"a"}),
    (
        "BatchWriteItem",
        {"RequestItems": {"orders": [{"PutRequest": {"Item": ITEM}}]}},
        {"pk", "sk", "total"},
        set(),
        set(),
    ),
    ("DescribeTable", {}, set(), set(), set()),
    (
        "ExecuteStatement",
        sql("SELECT a, b FROM orders WHERE c = 1 ORDER BY d"),
        set(),
        {"c"},
        {"a", "b"},
    ),
    ("ExecuteStatement", sql("SELECT * FROM orders WHERE c = 1"), set(), {"c"}, UNKNOWN),
    (
        "ExecuteStatement",
        sql("UPDATE orders SET a = b REMOVE c WHERE d = 1"),
        {"a", "c"},
        {"d"},
        set(),
    ),
    ("ExecuteStatement", sql("INSERT INTO orders VALUE {'a': 1}"), {"a"}, set(), set()),
    (
        "ExecuteStatement",
        sql("DELETE FROM orders WHERE a = 1 RETURNING ALL OLD *"),
        set(),
        {"a"},
        UNKNOWN,
    ),
    ("ExecuteStatement", sql("what"), UNKNOWN, UNKNOWN, UNKNOWN),
]


@pytest.mark.parametrize(("operation", "params", "written", "filtered", "returned"), PARTS)
def test_attributes_by_what_they_are_named_for(
    operation: str, params: dict[str, Any], written: Any, filtered: Any, returned: Any
) -> None:
    """Finer than IAM's one key; whole items that come back are no list of names."""
    keys = ("Written", "Filtered", "Returned")
    found = [value_of(f"dynaguard:{key}Attributes", operation, params) for key in keys]

    told = [each if each is UNKNOWN else set(each) for each in found]
    assert told == [written, filtered, returned]


OTHERS: list[tuple[str, str, dict[str, Any], Any]] = [
    ("dynamodb:Select", "GetItem", {"Key": KEY}, ("ALL_ATTRIBUTES",)),
    ("dynamodb:Select", "GetItem", {"ProjectionExpression": "a"}, ("SPECIFIC_ATTRIBUTES",)),
    ("dynamodb:Select", "Scan", {"AttributesToGet": ["a"]}, ("SPECIFIC_ATTRIBUTES",)),
    ("dynamodb:Select", "Query", {"Select": "COUNT"}, ("COUNT",)),
    ("dynamodb:Select", "Query", {"IndexName": "by_day"}, ("ALL_PROJECTED_ATTRIBUTES",)),
    ("dynamodb:Select", "PutItem", {}, ABSENT),
    ("dynamodb:Select", "ExecuteStatement", sql("SELECT * FROM orders"), ("ALL_ATTRIBUTES",)),
    ("dynamodb:Select", "ExecuteStatement", sql("SELECT a FROM orders"), ("SPECIFIC_ATTRIBUTES",)),
    (
        "dynamodb:Select",
        "ExecuteStatement",
        sql("SELECT * FROM orders.by_day"),
        ("ALL_PROJECTED_ATTRIBUTES",),
    ),
    ("dynamodb:Select", "ExecuteStatement", sql("DELETE FROM orders WHERE a = 1"), ABSENT),
    ("dynamodb:Select", "ExecuteStatement", sql("SELECT a AS b FROM orders"), UNKNOWN),
    ("dynamodb:Select", "ExecuteStatement", sql("what"), UNKNOWN),
    ("dynamodb:ReturnValues", "PutItem", {}, ("NONE",)),
    ("dynamodb:ReturnValues", "UpdateItem", {"ReturnValues": "ALL_NEW"}, ("ALL_NEW",)),
    ("dynamodb:ReturnValues", "GetItem", {}, ABSENT),
    ("dynamodb:ReturnValues", "ExecuteStatement", sql("DELETE FROM orders WHERE a = 1"), ABSENT),
    (
        "dynamodb:ReturnValues",
        "ExecuteStatement",
        sql("DELETE FROM orders WHERE a = 1 RETURNING ALL OLD *"),
        UNKNOWN,
    ),
    ("dynamodb:ReturnConsumedCapacity", "GetItem", {}, ("NONE",)),
    ("dynamodb:ReturnConsumedCapacity", "Scan", {"ReturnConsumedCapacity": "TOTAL"}, ("TOTAL",)),
    ("dynamodb:ReturnConsumedCapacity", "ExecuteStatement", sql("SELECT * FROM t"), ("NONE",)),
    ("dynamodb:ReturnConsumedCapacity", "DescribeTable", {}, ABSENT),
    ("dynamodb:EnclosingOperation", "GetItem", {}, ABSENT),
    (
        "dynamodb:EnclosingOperation",
        "TransactGetItems",
        {"TransactItems": [{"Get": {"TableName": "orders", "Key": KEY}}]},
        ("TransactGetItems",),
    ),
    ("dynamodb:FullTableScan", "ExecuteStatement", sql("SELECT * FROM orders"), ("true",)),
    (
        "dynamodb:FullTableScan",
        "ExecuteStatement",
        sql("SELECT * FROM orders WHERE pk = 'p'"),
        ("false",),
    ),
    (
        "dynamodb:FullTableScan",
        "ExecuteStatement",
        sql("SELECT * FROM other WHERE pk = 'p'"),
        UNKNOWN,
    ),
    ("dynamodb:FullTableScan", "ExecuteStatement", sql("SELECT a AS b FROM orders"), UNKNOWN),
    ("dynamodb:FullTableScan", "ExecuteStatement", sql("what"), UNKNOWN),
    ("dynamodb:FullTableScan", "ExecuteStatement", sql("DELETE FROM orders WHERE a = 1"), ABSENT),
    ("dynamodb:FullTableScan", "Scan", {}, ABSENT),
    ("dynaguard:ScanInEffect", "Scan", {}, ("true",)),
    ("dynaguard:ScanInEffect", "Query", query("pk = :p"), ("false",)),
    ("dynaguard:ScanInEffect", "ExecuteStatement", sql("SELECT * FROM orders"), ("true",)),
    (
        "dynaguard:ScanInEffect",
        "ExecuteStatement",
        sql("UPDATE orders SET a=1 WHERE pk='p'"),
        ("false",),
    ),
    ("dynaguard:ScanInEffect", "ExecuteStatement", sql("what"), UNKNOWN),
    ("dynaguard:ConsistentRead", "GetItem", {}, ("false",)),
    ("dynaguard:ConsistentRead", "Query", {"ConsistentRead": True}, ("true",)),
    (
        "dynaguard:ConsistentRead",
        "ExecuteStatement",
        {**sql("SELECT * FROM orders"), "ConsistentRead": True},
        ("true",),
    ),
    (
        "dynaguard:ConsistentRead",
        "BatchExecuteStatement",
        {"Statements": [{"Statement": "SELECT * FROM orders", "ConsistentRead": True}]},
        ("true",),
    ),
    ("dynaguard:ConsistentRead", "PutItem", {}, ABSENT),
    (
        "dynaguard:ConsistentRead",
        "TransactGetItems",
        {"TransactItems": [{"Get": {"TableName": "orders", "Key": KEY}}]},
        ABSENT,
    ),
    ("dynaguard:HasFilter", "Scan", {"FilterExpression": "a = :p"}, ("true",)),
    ("dynaguard:HasFilter", "Query", {"QueryFilter": {"a": {}}}, ("true",)),
    ("dynaguard:HasFilter", "Scan", {}, ("false",)),
    ("dynaguard:HasFilter", "ExecuteStatement", sql("SELECT * FROM orders"), ("false",)),
    ("dynaguard:HasFilter", "ExecuteStatement", sql("SELECT * FROM orders WHERE a = 1"), UNKNOWN),
    ("dynaguard:HasCondition", "PutItem", {"ConditionExpression": "a = :p"}, ("true",)),
    ("dynaguard:HasCondition", "DeleteItem", {"Expected": {"a": {}}}, ("true",)),
    ("dynaguard:HasCondition", "PutItem", {}, ("false",)),
    (
        "dynaguard:HasCondition",
        "ExecuteStatement",
        sql("INSERT INTO t VALUE {'a': 1}"),
        ("false",),
    ),
    ("dynaguard:HasCondition", "ExecuteStatement", sql("DELETE FROM t WHERE a = 1"), UNKNOWN),
    ("dynaguard:ReturnValuesOnConditionCheckFailure", "PutItem", {}, ("NONE",)),
    (
        "dynaguard:ReturnValuesOnConditionCheckFailure",
        "TransactWriteItems",
        {
            "TransactItems": [
                {
                    "ConditionCheck": {
                        "TableName": "orders",
                        "Key": KEY,
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    }
                }
            ]
        },
        ("ALL_OLD",),
    ),
    ("dynaguard:ReturnValuesOnConditionCheckFailure", "GetItem", {}, ABSENT),
    ("dynaguard:ItemCount", "GetItem", {}, ("1",)),
    ("dynaguard:ItemCount", "Query", {}, ABSENT),
    ("dynaguard:ItemCount", "DescribeTable", {}, ABSENT),
    ("dynaguard:ItemCount", "ExecuteStatement", sql("SELECT * FROM t"), ("1",)),
    (
        "dynaguard:ItemCount",
        "BatchGetItem",
        {"RequestItems": {"a": {"Keys": [KEY, KEY]}, "b": {"Keys": [KEY]}}},
        ("3",),
    ),
    ("dynaguard:ItemCount", "BatchWriteItem", {"RequestItems": {"a": [{}, {}]}}, ("2",)),
    ("dynaguard:ItemCount", "BatchGetItem", {"RequestItems": {"a": {"Keys": "x"}}}, UNKNOWN),
    ("dynaguard:ItemCount", "BatchGetItem", {"RequestItems": "x"}, UNKNOWN),
    (
        "dynaguard:ItemCount",
        "TransactGetItems",
        {"TransactItems": [{"Get": {}}, {"Get": {}}]},
        ("2",),
    ),
    ("dynaguard:ItemCount", "TransactGetItems", {"TransactItems": "x"}, UNKNOWN),
    ("dynaguard:Limit", "Query", {"Limit": 25}, ("25",)),
    ("dynaguard:Limit", "Query", {}, ABSENT),
    ("dynaguard:PageNumber", "Query", {}, UNKNOWN),
    ("dynaguard:TableName", "Query", {}, ("orders",)),
    ("dynaguard:IndexName", "Query", {"IndexName": "by_day"}, ("by_day",)),
]


@pytest.mark.parametrize(("key", "operation", "params", "expected"), OTHERS)
def test_other_keys(key: str, operation: str, params: dict[str, Any], expected: Any) -> None:
    """Each with its value, known to be absent, or unknown."""
    assert value_of(key, operation, params) == expected


def test_a_page_number_is_told() -> None:
    """Where the call says which page of a paginator it asks for."""
    call = call_of("Query", {"TableName": "orders"}, page_number=3)
    (need,) = authorizations(call, ACCOUNT)

    assert source().lookup_for(call, UNKNOWN_PRINCIPAL, need)("dynaguard:pagenumber") == ("3",)


def test_documents_and_readers_know_the_same_keys() -> None:
    """A key that a document may name is read, and one of several values is known to be so."""
    own = {
        row.name.removeprefix("dynaguard:") for row in CONDITION_KEYS if "dynaguard:" in row.name
    }

    assert own == set(OWN_KEYS)
    assert {row.name.lower() for row in CONDITION_KEYS if row.is_multivalued} == MULTIVALUED_KEYS
    assert {key for key in ITEM_KEYS if key.startswith("dynaguard:")} <= {
        f"dynaguard:{key.lower()}" for key in OWN_KEYS
    }


# --- key schemas ---------------------------------------------------------------------------------

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
