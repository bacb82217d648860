"""Batches of reads and of PartiQL statements: put together, run again, and shaped as AWS does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

import dynaguard

THROTTLE = {"__type": "x#ProvisionedThroughputExceededException", "message": "slow down"}


def test_reads_are_put_together(client: Any, wire: Any, policy: Any, waiting: Any) -> None:
    """Items, keys that are left, and capacity, of all attempts."""

    def item(key: int) -> dict[str, Any]:
        return {"pk": {"S": str(key)}}

    def capacity(units: float) -> list[dict[str, Any]]:
        return [{"TableName": "orders", "CapacityUnits": units, "Table": {"CapacityUnits": units}}]

    rest = {"orders": {"Keys": [item(2)], "ProjectionExpression": "pk"}}
    wire.answer(
        {
            "Responses": {"orders": [item(1)]},
            "UnprocessedKeys": rest,
            "ConsumedCapacity": capacity(1.0),
        }
    )
    wire.answer(
        {
            "Responses": {"orders": [item(2)]},
            "UnprocessedKeys": {},
            "ConsumedCapacity": capacity(0.5),
        }
    )
    dynaguard.install()

    answer = client.batch_get_item(
        RequestItems={"orders": {"Keys": [item(1), item(2)], "ProjectionExpression": "pk"}},
        ReturnConsumedCapacity="TOTAL",
    )

    assert answer["Responses"] == {"orders": [item(1), item(2)]}
    assert answer["UnprocessedKeys"] == {}
    assert answer["ConsumedCapacity"] == capacity(1.5)
    second = json.loads(wire.sent[1].body)
    assert second["RequestItems"] == rest
    assert second["ReturnConsumedCapacity"] == "TOTAL"


def test_throttled_statements_of_a_partiql_batch_are_run_again(
    client: Any, wire: Any, waiting: Any
) -> None:
    """The others are not, and every answer stands at its statement's place."""
    failed = {"Error": {"Code": "ThrottlingError", "Message": "slow"}, "TableName": "orders"}
    missing = {"Error": {"Code": "ResourceNotFound", "Message": "no"}, "TableName": "orders"}
    wire.answer({"Responses": [{"Item": {"n": {"N": "0"}}}, failed, missing]})
    wire.answer({"Responses": [{"Item": {"n": {"N": "1"}}}]})
    dynaguard.install()

    text = 'SELECT * FROM "orders" WHERE pk = '
    statements = [{"Statement": f"{text}{key}"} for key in range(3)]
    answer = client.batch_execute_statement(Statements=statements)

    assert answer["Responses"] == [
        {"Item": {"n": {"N": "0"}}},
        {"Item": {"n": {"N": "1"}}},
        missing,
    ]
    assert json.loads(wire.sent[1].body)["Statements"] == [statements[1]]


def test_statements_that_stay_throttled_keep_their_error(
    client: Any, wire: Any, policy: Any, waiting: Any
) -> None:
    """Per statement, as DynamoDB tells it."""
    failed = {"Error": {"Code": "ThrottlingError", "Message": "slow"}}
    wire.answer({"Responses": [failed]})
    dynaguard.install(budget=True)

    statements = [{"Statement": 'SELECT * FROM "orders" WHERE pk = 1'}]
    with dynaguard.deadline(0.5):
        answer = client.batch_execute_statement(Statements=statements)

    assert answer["Responses"] == [failed]
    assert len(wire.sent) > 1


def test_statements_that_may_have_run_are_not_called_not_run(
    client: Any, wire: Any, waiting: Any
) -> None:
    """A counter after an internal error: whoever repeats it must know."""
    failed = {"Error": {"Code": "ThrottlingError", "Message": "slow"}}
    wire.answer({"Responses": [{}, failed]})
    wire.answer({"__type": "x#InternalServerError", "message": "?"}, 500)
    dynaguard.install()

    statement = {"Statement": 'UPDATE "orders" SET n = n + 1 WHERE pk = 1'}
    answer = client.batch_execute_statement(Statements=[statement, statement])

    assert len(wire.sent) == 2
    assert answer["Responses"][0] == {}
    assert answer["Responses"][1]["Error"]["Code"] == "InternalServerError"
    assert "may have been run" in answer["Responses"][1]["Error"]["Message"]


def test_reads_of_which_none_came_have_responses(
    client: Any, wire: Any, policy: Any, waiting: Any
) -> None:
    """The key is always there."""
    keys = {"orders": {"Keys": [{"pk": {"S": "1"}}]}}
    wire.answer({"Responses": {}, "UnprocessedKeys": keys})
    wire.answer(THROTTLE, 400)
    dynaguard.install()

    with dynaguard.deadline(0.3):
        answer = client.batch_get_item(RequestItems=keys)

    assert answer["Responses"] == {}
    assert answer["UnprocessedKeys"] == keys


@pytest.mark.parametrize("keys", [{"orders": []}, {"orders": {"Keys": []}}])
def test_an_empty_batch_is_dynamodbs_to_refuse(
    make_client: Any, wire: Any, waiting: Any, keys: Any
) -> None:
    """Without botocore's validation it goes out as it is."""
    wire.answer({"__type": "x#ValidationException", "message": "no"}, 400)
    client = make_client(parameter_validation=False)
    dynaguard.install()
    send = client.batch_get_item if "Keys" in keys["orders"] else client.batch_write_item

    with dynaguard.job("load"), pytest.raises(ClientError) as caught:
        send(RequestItems=keys)

    assert caught.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize("answer", [{"UnprocessedKeys": {"orders": None}}, {"Responses": [None]}])
def test_nulls_in_answers_break_nothing(client: Any, wire: Any, waiting: Any, answer: Any) -> None:
    """What botocore hands on, dynaguard does too."""
    wire.answer(answer)
    dynaguard.install()

    if "Responses" in answer:
        client.batch_execute_statement(Statements=[{"Statement": "SELECT * FROM t WHERE pk = 1"}])
    else:
        client.batch_get_item(RequestItems={"orders": {"Keys": [{"pk": {"S": "1"}}]}})
