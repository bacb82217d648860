"""What calls cost at the throttling proxy, and how batches are cut to what fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaguard.demo.meter import (
    Ask,
    Limit,
    Meter,
    Rate,
    TableCounts,
    merge_leftovers,
    read_ask,
    split_batch,
)

ORDERS_ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"


@dataclass
class Clock:
    """A clock that the test moves."""

    now_s: float = 10.0

    def __call__(self) -> float:
        return self.now_s


def make_meter(clock: Clock | None = None) -> Meter:
    """`orders` takes a burst of three writes and then two per second; reads are free."""
    limits = {"orders": Limit(write=Rate(units_per_s=2.0, burst_units=3.0))}
    return Meter(limits, monotonic=clock or Clock())


@pytest.mark.parametrize(
    ("operation", "is_write"),
    [
        ("PutItem", True),
        ("UpdateItem", True),
        ("DeleteItem", True),
        ("GetItem", False),
        ("Query", False),
        ("Scan", False),
    ],
)
def test_single_operations_cost_one(operation: str, is_write: bool) -> None:
    """Each single operation asks for one unit of its direction."""
    assert read_ask(operation, {"TableName": "orders"}) == Ask({"orders": 1}, is_write)


def test_batches_cost_their_items() -> None:
    """A batch asks for one unit per item of each table."""
    write = {"RequestItems": {"orders": [{"PutRequest": {}}] * 3, "customers": [{}]}}
    read = {"RequestItems": {"orders": {"Keys": [{}, {}], "ConsistentRead": True}}}

    assert read_ask("BatchWriteItem", write) == Ask(
        {"orders": 3, "customers": 1}, True, "UnprocessedItems"
    )
    assert read_ask("BatchGetItem", read) == Ask({"orders": 2}, False, "UnprocessedKeys")


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("CreateTable", {"TableName": "orders"}),
        ("TransactWriteItems", {"TransactItems": []}),
        ("PutItem", {}),
        ("PutItem", {"TableName": 7}),
        ("BatchWriteItem", {}),
        ("BatchWriteItem", {"RequestItems": []}),
        ("BatchWriteItem", {"RequestItems": {"orders": 7}}),
        ("BatchWriteItem", {"RequestItems": {"orders": {"no": "keys"}}}),
        ("", {}),
    ],
)
def test_everything_else_is_not_metered(operation: str, body: dict[str, Any]) -> None:
    """Other operations and malformed requests pass: the endpoint answers them."""
    assert read_ask(operation, body) is None


def test_members_of_a_wrong_type_cost_nothing() -> None:
    """Keys that are no list are left to the endpoint too."""
    body = {"RequestItems": {"orders": {"Keys": "abc"}}}

    assert read_ask("BatchGetItem", body) == Ask({"orders": 0}, False, "UnprocessedKeys")


def test_a_single_call_over_the_limit_gets_nothing() -> None:
    """The burst passes, the next is refused, time brings more."""
    clock = Clock()
    meter = make_meter(clock)
    ask = Ask({"orders": 1}, is_write=True)

    grants = [meter.charge(ask)["orders"] for _ in range(4)]
    clock.now_s += 0.5
    grants.append(meter.charge(ask)["orders"])

    assert grants == [1, 1, 1, 0, 1]
    assert meter.counts == {"orders": TableCounts(accepted_items=4, throttled_calls=1)}


def test_a_batch_gets_what_fits() -> None:
    """The rest is counted as unprocessed; other tables are not touched."""
    meter = make_meter()

    granted = meter.charge(Ask({"orders": 5, "customers": 4}, True, "UnprocessedItems"))

    assert granted == {"orders": 3, "customers": 4}
    assert meter.counts == {
        "orders": TableCounts(accepted_items=3, unprocessed_items=2),
        "customers": TableCounts(accepted_items=4),
    }


def test_a_batch_of_which_nothing_fits_is_one_throttled_call() -> None:
    """It counts as a call, not as unprocessed items."""
    meter = make_meter()
    meter.charge(Ask({"orders": 3}, is_write=True))

    assert meter.charge(Ask({"orders": 5}, True, "UnprocessedItems")) == {"orders": 0}
    assert meter.counts["orders"] == TableCounts(accepted_items=3, throttled_calls=1)


def test_directions_have_limits_of_their_own() -> None:
    """Reads pass where only writes are limited."""
    meter = make_meter()

    assert meter.charge(Ask({"orders": 9}, False, "UnprocessedKeys")) == {"orders": 9}


def test_a_table_named_by_its_arn_is_the_same_table() -> None:
    """The limit of the name holds for the ARN."""
    meter = make_meter()

    assert meter.charge(Ask({ORDERS_ARN: 5}, True, "UnprocessedItems")) == {ORDERS_ARN: 3}
    assert list(meter.counts) == ["orders"]


def test_leftovers_join_those_of_the_endpoint() -> None:
    """What the endpoint left out and what the proxy left out come back together."""
    answer = {"UnprocessedItems": {"orders": [{"n": 1}]}, "ConsumedCapacity": []}

    merged = merge_leftovers(
        answer, "UnprocessedItems", {"orders": [{"n": 2}], "customers": [{"n": 3}]}
    )

    assert merged == {
        "UnprocessedItems": {"orders": [{"n": 1}, {"n": 2}], "customers": [{"n": 3}]},
        "ConsumedCapacity": [],
    }


_PARTS = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.lists(st.integers(), max_size=6), max_size=3
)


@settings(max_examples=150, deadline=None)
@given(parts=_PARTS, is_read=st.booleans(), data=st.data())
def test_no_item_is_lost_or_doubled(
    parts: dict[str, list[int]], is_read: bool, data: st.DataObject
) -> None:
    """Kept and left-out items are exactly the batch, with its other members unchanged."""

    def wrap(members: list[int]) -> Any:
        return {"Keys": members, "ProjectionExpression": "pk"} if is_read else members

    body = {"RequestItems": {table: wrap(members) for table, members in parts.items()}, "x": 1}
    granted = {table: data.draw(st.integers(0, len(members))) for table, members in parts.items()}

    kept, left = split_batch(body, granted)

    assert kept["x"] == 1
    assert all(entry for entry in (*kept["RequestItems"].values(), *left.values()))
    answer = {"Unprocessed": kept["RequestItems"]}  # an endpoint that takes nothing
    merged = merge_leftovers(answer, "Unprocessed", left)["Unprocessed"]
    assert merged == {table: wrap(members) for table, members in parts.items() if members}
