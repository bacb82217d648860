"""Condition keys about items: what each tells of which request, absent and unknown included."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.aws.analysis import authorizations
from dynaguard.aws.condition_keys import CONDITION_KEYS
from dynaguard.aws.dynamodb.items import ITEM_KEYS
from dynaguard.boundary import Boundary
from dynaguard.call import UNKNOWN, UNKNOWN_PRINCIPAL
from dynaguard.policy.statements import MULTIVALUED_KEYS, OWN_KEYS
from dynaguard.scope import Scope
from tests.aws.item_requests import (
    ABSENT,
    ACCOUNT,
    ITEM,
    KEY,
    VALUES,
    call_of,
    query,
    source,
    sql,
    value_of,
)

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


HASH = "ab12" * 16


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(), ()),
        (Scope(runbook="fix"), ()),
        (Scope(runbook="fix", boundaries=(Boundary("agent", "fix", "t1", HASH),)), ()),
        (Scope(runbook="fix", boundaries=(Boundary("runbook", "other", "t1", HASH),)), ()),
        (Scope(runbook="fix", boundaries=(Boundary("runbook", "fix", "t1", HASH),)), (HASH,)),
        (
            Scope(
                runbook="fix",
                boundaries=(
                    Boundary("runbook", "fix", "t1", "0" * 64),
                    Boundary("runbook", "fix", "t2", HASH),
                ),
            ),
            (HASH,),
        ),
    ],
)
def test_the_hash_of_a_runbook_is_that_of_its_run(scope: Scope, expected: tuple[str, ...]) -> None:
    """A name that the setting `runbook` claims has none: who may claim a name may not be it."""
    call = call_of("Query", {"TableName": "orders"})._replace(scope=scope)
    (need,) = authorizations(call, ACCOUNT)
    lookup = source().lookup_for(call, UNKNOWN_PRINCIPAL, need)

    assert lookup("dynaguard:runbooksha256") == expected


def test_a_task_is_told() -> None:
    """By the id that its records carry; absent outside of any."""
    call = call_of("Query", {"TableName": "orders"})
    (need,) = authorizations(call, ACCOUNT)
    found = [
        source().lookup_for(each, UNKNOWN_PRINCIPAL, need)("dynaguard:task")
        for each in (call, call._replace(scope=Scope(task="t1")))
    ]

    assert found == [(), ("t1",)]


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
