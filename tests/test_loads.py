"""What calls ask of which resources."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.budgets.load import Cause, Limit, Part
from dynaguard.call import NO_CREDENTIALS, Call, Principal
from dynaguard.loads import Loads, cause_from
from dynaguard.scope import Scope

ORDERS = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
ME = Principal(name="etl", account_id="111122223333")


def call(
    operation: str, params: Any, service: str = "dynamodb", job: str | None = "nightly"
) -> Call:
    """A call."""
    return Call(
        service, operation, params, "eu-west-1", "aws", None, NO_CREDENTIALS, Scope(job=job), "c"
    )


def parts(operation: str, params: Any) -> tuple[Part, ...]:
    """The parts of a call's load."""
    return Loads().of(call(operation, params), ME).parts


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        ("PutItem", {"TableName": "orders", "Item": {}}, [Part(ORDERS)]),
        ("Query", {"TableName": ORDERS}, [Part(ORDERS)]),
        (
            "Query",
            {"TableName": "orders", "IndexName": "by_day"},
            [Part(f"{ORDERS}/index/by_day")],
        ),
        (
            "BatchWriteItem",
            {"RequestItems": {"orders": [{}, {}], "x": [{}]}},
            [Part(ORDERS, 2.0), Part(ORDERS.replace("orders", "x"), 1.0)],
        ),
        ("BatchGetItem", {"RequestItems": {"orders": {"Keys": [{}, {}]}}}, [Part(ORDERS, 2.0)]),
        (
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"TableName": "orders"}}] * 2},
            [Part(ORDERS, 4.0)],
        ),
        (
            "BatchExecuteStatement",
            {"Statements": [{}, {}]},
            [Part(ORDERS.replace("table/orders", "*"), 2.0)],
        ),
        ("ListTables", {}, [Part(ORDERS.replace("table/orders", "*"))]),
        ("BatchGetItem", {"RequestItems": 7}, [Part(ORDERS.replace("table/orders", "*"))]),
        ("Query", {"TableName": "orders", "IndexName": []}, [Part(ORDERS)]),
        ("GetItem", {"TableName": 7}, [Part(ORDERS.replace("table/orders", "*"))]),
    ],
)
def test_parts(operation: str, params: Any, expected: list[Part]) -> None:
    """By table, with the units that can be told before; any parameters give something."""
    assert list(parts(operation, params)) == expected


def test_the_job_is_the_identity_where_there_is_none() -> None:
    """And writes are told from reads."""
    load = Loads().of(call("GetItem", {"TableName": "orders", "Key": {}}, job=None), ME)
    assert load.job == "etl"
    assert not load.is_write
    assert load.account == "eu-west-1/111122223333"


def test_other_services_are_told_by_operation_and_region() -> None:
    """Their limits are per operation."""
    load = Loads().of(call("SendMessage", {}, "sqs"), ME)
    assert load.parts == (Part("sqs:SendMessage@eu-west-1"),)
    assert not load.is_dynamodb


def test_a_partition_key_is_known_from_keys_of_one_attribute() -> None:
    """Then writes of whole items have it too."""
    loads = Loads()

    def hash_of(operation: str, params: dict[str, Any]) -> int | None:
        made = call(operation, {"TableName": "orders", **params})
        return loads.keyed(loads.of(made, ME), made).parts[0].key_hash

    item = {"pk": {"S": "a"}, "v": {"S": "x"}}
    assert hash_of("PutItem", {"Item": item}) is None
    first = hash_of("GetItem", {"Key": {"pk": {"S": "a"}}})
    assert first is not None
    assert hash_of("PutItem", {"Item": item}) == first
    assert hash_of("PutItem", {"Item": {**item, "pk": {"S": "b"}}}) != first
    assert hash_of("PutItem", {"Item": {"v": {"S": "x"}}}) is None


def test_a_partition_key_is_known_from_key_schemas() -> None:
    """Where the policy or an answer told one."""
    loads = Loads(lambda _call, table: {"orders": "pk"}.get(table))
    key = {"pk": {"S": "a"}, "sk": {"S": "b"}}
    for table, is_known in (("orders", True), ("other", False)):
        made = call("GetItem", {"TableName": table, "Key": key})
        load = loads.keyed(loads.of(made, ME), made)
        assert (load.parts[0].key_hash is not None) is is_known


def test_what_has_no_key_has_no_hash() -> None:
    """Queries, odd parameters."""
    loads = Loads(lambda _call, _table: "pk")
    for made in (call("Query", {"TableName": "orders"}), call("GetItem", {"Key": 7})):
        assert loads.keyed(loads.of(made, ME), made).parts[0].key_hash is None


def test_remembered_keys_are_bounded() -> None:
    """A process that touches many tables forgets."""
    loads = Loads()
    for index in range(3000):
        loads.of(call("GetItem", {"TableName": f"t{index}", "Key": {"pk": {"S": "a"}}}), ME)
    assert len(loads._key_by_table) <= 1024
    assert len(loads._load_by_key) <= 1024


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (
            {"reason": "TableWriteProvisionedThroughputExceeded", "resource": ORDERS},
            Cause(Limit.RESOURCE, ORDERS, "TableWriteProvisionedThroughputExceeded"),
        ),
        (
            {"Reason": "IndexWriteMaxOnDemandThroughputExceeded", "Resource": "x"},
            Cause(Limit.RESOURCE, "x", "IndexWriteMaxOnDemandThroughputExceeded"),
        ),
        (
            {"reason": "TableReadKeyRangeThroughputExceeded"},
            Cause(Limit.KEY_RANGE, "", "TableReadKeyRangeThroughputExceeded"),
        ),
        (
            {"reason": "TableReadAccountLimitExceeded"},
            Cause(Limit.ACCOUNT, "", "TableReadAccountLimitExceeded"),
        ),
        ({"reason": "no code but a sentence"}, Cause(Limit.RESOURCE)),
        ({}, Cause(Limit.RESOURCE)),
    ],
)
def test_reasons(reason: dict[str, str], expected: Cause) -> None:
    """What sort of limit, and of what; in either spelling."""
    assert cause_from(reason) == expected
