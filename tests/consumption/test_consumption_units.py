"""Units are split by direction and index, added up, and guessed where nothing tells."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.call import NO_CREDENTIALS, Call, ConsumedCapacity, Outcome, Status
from dynaguard.consumption.units import added, attributed, estimated, plain_name
from dynaguard.scope import Scope


def call(operation: str, **params: Any) -> Call:
    """A call of DynamoDB."""
    return Call(
        "dynamodb", operation, params, "eu-west-1", "aws", None, NO_CREDENTIALS, Scope(), "c"
    )


def outcome(status: Status = Status.OK, code: str | None = None, **more: Any) -> Outcome:
    """A call that was sent once."""
    return Outcome(status, code, **{"http_status": 200, "attempts": 1, **more})


@pytest.mark.parametrize(
    ("operation", "params", "reads", "writes"),
    [
        ("GetItem", {}, 3.0, 0.0),
        ("UpdateItem", {}, 0.0, 3.0),
        ("ExecuteStatement", {"Statement": 'SELECT * FROM "orders"'}, 3.0, 0.0),
        ("ExecuteStatement", {"Statement": "DELETE FROM orders WHERE pk = ?"}, 0.0, 3.0),
        ("ExecuteStatement", {"Statement": "nonsense"}, 0.0, 3.0),
    ],
)
def test_the_operation_tells_the_direction(
    operation: str, params: dict[str, Any], reads: float, writes: float
) -> None:
    """Where AWS tells the sum alone."""
    (found,) = attributed(
        call(operation, **params), (ConsumedCapacity("orders", total_units=3.0),)
    )

    assert found == ConsumedCapacity("orders", reads, writes, 3.0)


def test_what_aws_tells_counts() -> None:
    """A transaction of writes that only read: its token was known."""
    told = ConsumedCapacity("orders", read_units=2.0, total_units=2.0)

    assert attributed(call("TransactWriteItems"), (told,)) == (told,)


def test_the_index_of_the_request_counts_where_units_are_not_split() -> None:
    """With `TOTAL` the answer names none."""
    query = call("Query", TableName="orders", IndexName="by_day")
    total = (ConsumedCapacity("orders", total_units=1.0),)
    split = (
        ConsumedCapacity("orders", total_units=1.0),
        ConsumedCapacity("orders", total_units=2.0, index="by_day"),
    )

    assert [each.index for each in attributed(query, total)] == ["by_day"]
    assert [each.index for each in attributed(query, split)] == [None, "by_day"]


def test_a_table_named_by_its_arn_is_the_same_table() -> None:
    """AWS answers with what it was asked by."""
    arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
    (found,) = attributed(call("GetItem"), (ConsumedCapacity(arn, total_units=1.0),))

    assert found.table == plain_name(arn) == plain_name("orders") == "orders"


def test_answers_to_one_call_add_up() -> None:
    """By table and index."""
    first = (ConsumedCapacity("a", 1.0, 0.0, 1.0), ConsumedCapacity("a", 2.0, 0.0, 2.0, "i"))
    second = (ConsumedCapacity("a", 4.0, 0.0, 4.0), ConsumedCapacity("b", 8.0, 0.0, 8.0))

    assert added((), first) == first
    assert added(first, second) == (
        ConsumedCapacity("a", 5.0, 0.0, 5.0),
        ConsumedCapacity("a", 2.0, 0.0, 2.0, "i"),
        ConsumedCapacity("b", 8.0, 0.0, 8.0),
    )


# --- estimates -----------------------------------------------------------------------------------

WRITES = [{"PutRequest": {"Item": {}}}] * 3


@pytest.mark.parametrize(
    ("made", "tables", "units"),
    [
        (call("GetItem"), ("a",), {"a": (1.0, 0.0)}),
        (call("PutItem"), ("a",), {"a": (0.0, 1.0)}),
        (
            call("BatchWriteItem", RequestItems={"a": WRITES, "b": WRITES[:1]}),
            ("a", "b"),
            {"a": (0.0, 3.0), "b": (0.0, 1.0)},
        ),
        (
            call("BatchGetItem", RequestItems={"a": {"Keys": [{}, {}]}, "b": {"Keys": None}}),
            ("a", "b"),
            {"a": (2.0, 0.0), "b": (1.0, 0.0)},
        ),
        (
            call("TransactWriteItems", TransactItems=[{}] * 4),
            ("a", "b"),
            {"a": (0.0, 4.0), "b": (0.0, 4.0)},
        ),
    ],
)
def test_without_a_report_members_count(
    made: Call, tables: tuple[str, ...], units: dict[str, tuple[float, float]]
) -> None:
    """One unit each, two in a transaction."""
    found = estimated(made, tables, outcome())

    assert {each.table: (each.read_units, each.write_units) for each in found} == units


def test_a_read_without_a_report_counts_what_it_looked_at() -> None:
    """Rather than what it returned."""
    query = call("Query", TableName="a")

    (looked,) = estimated(query, ("a",), outcome(scanned_count=40, item_count=2))
    (returned,) = estimated(query, ("a",), outcome(item_count=2))
    (empty,) = estimated(query, ("a",), outcome(scanned_count=0))

    assert [each.read_units for each in (looked, returned, empty)] == [40.0, 2.0, 1.0]


@pytest.mark.parametrize(
    ("ended", "counts"),
    [
        (outcome(), True),
        (outcome(attempts=0), False),
        (outcome(Status.ERROR, "ValidationException", http_status=400), False),
        (outcome(Status.ERROR, "ThrottlingException", http_status=400), False),
        (outcome(Status.ERROR, "ConditionalCheckFailedException", http_status=400), True),
        (outcome(Status.ERROR, "InternalServerError", http_status=500), True),
        (outcome(Status.ERROR, "ReadTimeoutError", http_status=None), True),
    ],
)
def test_only_what_may_have_been_charged_counts(ended: Outcome, counts: bool) -> None:
    """What is not sent or is refused costs nothing; what is not known may have."""
    assert bool(estimated(call("PutItem"), ("a",), ended)) is counts


def test_a_call_of_no_known_table_is_not_guessed() -> None:
    """There is nobody to charge."""
    assert estimated(call("PutItem"), (), outcome()) == ()
