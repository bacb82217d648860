"""Leftovers of batches of writes are sent again inside the call, and no member is lost."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dynaguard
from dynaguard.audit.log import read_records
from dynaguard.hooks.batches import Batch


def put(key: int | str) -> dict[str, Any]:
    """One write."""
    return {"PutRequest": {"Item": {"pk": {"S": str(key)}, "data": {"B": b"\x00\xff"}}}}


def keys_of(body: bytes, table: str = "orders") -> list[str]:
    """Keys of the writes in a request."""
    entries = json.loads(body)["RequestItems"].get(table, [])
    return [entry["PutRequest"]["Item"]["pk"]["S"] for entry in entries]


def back(*keys: int, table: str = "orders") -> dict[str, Any]:
    """An answer that hands writes back, as it stands on the wire."""
    entries = [
        {"PutRequest": {"Item": {"pk": {"S": str(key)}, "data": {"B": "AP8="}}}} for key in keys
    ]
    return {"UnprocessedItems": {table: entries}} if keys else {"UnprocessedItems": {}}


THROTTLE = {"__type": "x#ProvisionedThroughputExceededException", "message": "slow down"}


@pytest.mark.smoke
@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_leftovers_are_sent_again_inside_the_call(
    make_client: Any, wire: Any, waiting: Any, mode: str
) -> None:
    """The caller sees one call that took everything."""
    client = make_client(retries={"mode": mode})
    wire.answer(back(1, 2))
    wire.answer(back(2))
    wire.answer(back())
    dynaguard.install()

    answer = client.batch_write_item(RequestItems={"orders": [put(0), put(1), put(2)]})

    assert answer["UnprocessedItems"] == {}
    assert [keys_of(request.body) for request in wire.sent] == [
        ["0", "1", "2"],
        ["1", "2"],
        ["2"],
    ]
    assert b'"AP8="' in wire.sent[-1].body


def test_a_batch_of_a_job_is_cut_to_what_the_table_takes(
    client: Any, wire: Any, waiting: Any
) -> None:
    """Parts, paced, each member once."""
    wire.answer(back())
    dynaguard.install()

    with dynaguard.job("load"):
        client.batch_write_item(RequestItems={"orders": [put(key) for key in range(25)]})

    sent = [key for request in wire.sent for key in keys_of(request.body)]
    assert sent == [str(key) for key in range(25)]
    assert len(wire.sent) > 1
    assert waiting.seconds


def test_what_is_left_at_the_deadline_is_handed_back(
    client: Any, wire: Any, policy: Any, waiting: Any
) -> None:
    """As botocore would: in `UnprocessedItems`, in the caller's own types."""
    wire.answer(back(1, 2))
    dynaguard.install(
        policy(budget=[{"max_tokens": 2.0, "min_retries_per_s": 0.0, "retry_ratio": 0.0}])
    )

    answer = client.batch_write_item(RequestItems={"orders": [put(0), put(1), put(2)]})

    assert answer["UnprocessedItems"] == {"orders": [put(1), put(2)]}
    assert "budget" in answer["ResponseMetadata"]["DynaguardRetryBudget"]


def test_a_later_part_that_is_throttled_is_handed_back_not_raised(
    client: Any, wire: Any, policy: Any, waiting: Any
) -> None:
    """Earlier parts were written: an error would say that nothing was."""
    wire.answer(back(1, 2))
    wire.answer(THROTTLE, 400)
    dynaguard.install(
        policy(budget=[{"max_tokens": 2.0, "min_retries_per_s": 0.0, "retry_ratio": 0.0}])
    )

    answer = client.batch_write_item(RequestItems={"orders": [put(0), put(1), put(2)]})

    assert answer["UnprocessedItems"] == {"orders": [put(1), put(2)]}
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert "Error" not in answer


def test_a_batch_that_was_throttled_from_the_start_raises(
    client: Any, wire: Any, policy: Any, waiting: Any
) -> None:
    """Nothing was written, and botocore's own error says so."""
    wire.answer(THROTTLE, 400)
    dynaguard.install(
        policy(budget=[{"max_tokens": 2.0, "min_retries_per_s": 0.0, "retry_ratio": 0.0}])
    )

    with pytest.raises(ClientError) as caught:
        client.batch_write_item(RequestItems={"orders": [put(0)]})

    assert caught.value.response["Error"]["Code"] == "ProvisionedThroughputExceededException"
    assert len(wire.sent) == 3


def test_a_faulty_later_part_raises(client: Any, wire: Any, waiting: Any) -> None:
    """What repeating would not help is told, not handed back."""
    wire.answer(back(1))
    wire.answer({"__type": "x#ValidationException", "message": "no"}, 400)
    dynaguard.install()

    with pytest.raises(ClientError) as caught:
        client.batch_write_item(RequestItems={"orders": [put(0), put(1)]})

    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_an_answer_that_hands_back_more_than_was_sent_is_not_followed(
    client: Any, wire: Any, waiting: Any
) -> None:
    """What was not decided is never sent; the caller gets all its writes back."""
    wire.answer(back(1, 7, table="salaries"))
    dynaguard.install()

    answer = client.batch_write_item(RequestItems={"orders": [put(0)]})

    assert answer["UnprocessedItems"] == {"orders": [put(0)]}
    assert len(wire.sent) == 1


def test_an_observed_budget_sends_nothing_again(
    client: Any, wire: Any, policy: Any, waiting: Any
) -> None:
    """Leftovers go to the caller, as without dynaguard."""
    wire.answer(back(1))
    dynaguard.install(policy(budget=[{"Mode": "observe"}]))

    answer = client.batch_write_item(RequestItems={"orders": [put(0), put(1)]})

    assert answer["UnprocessedItems"] == {"orders": [put(1)]}
    assert len(wire.sent) == 1


def test_one_record_tells_of_all_attempts(
    client: Any, wire: Any, waiting: Any, tmp_path: Any
) -> None:
    """Attempts and throttles of the whole call; nothing unprocessed at its end."""
    wire.answer(back(1))
    wire.answer(back())
    dynaguard.install(audit=tmp_path / "audit.jsonl")

    client.batch_write_item(RequestItems={"orders": [put(0), put(1)]})

    (record,) = read_records(tmp_path / "audit.jsonl")
    outcome = record["outcome"]
    assert (outcome["attempts"], outcome["throttles"]) == (2, 1)
    assert outcome["unprocessed_count"] == 0


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.integers(1, 25), st.integers(0, 2**32), st.floats(0.0, 0.9), st.floats(0.0, 0.4))
def test_every_write_arrives_once_or_is_handed_back(
    make_client: Any, waiting: Any, count: int, seed: int, refused: float, failing: float
) -> None:
    """Against a table that takes at random, throttles at random and fails at random."""
    generator = random.Random(seed)
    taken: Counter[str] = Counter()
    client = make_client()

    wire = client._endpoint.http_session
    wire.sent.clear()
    original = type(wire).send

    def send(request: Any) -> Any:
        keys = keys_of(request.body)
        if generator.random() < failing:
            wire.answers[:] = [(400, THROTTLE)]
        else:
            left = [key for key in keys if generator.random() < refused]
            taken.update(key for key in keys if key not in left)
            wire.answers[:] = [(200, back(*(int(key) for key in left)))]
        return original(wire, request)

    wire.send = send
    dynaguard.install(job="load", priority="batch")
    try:
        left: list[str] = []
        try:
            answer = client.batch_write_item(
                RequestItems={"orders": [put(key) for key in range(count)]}
            )
            unprocessed = answer["UnprocessedItems"].get("orders", [])
            left = [entry["PutRequest"]["Item"]["pk"]["S"] for entry in unprocessed]
        except ClientError:
            left = [str(key) for key in range(count)]
            assert not taken
    finally:
        del wire.send
        dynaguard.uninstall()
    assert sorted([*taken.elements(), *left]) == sorted(str(key) for key in range(count))


def test_a_failing_connection_raises_and_takes_nothing_back(
    client: Any, wire: Any, waiting: Any
) -> None:
    """Whether the part arrived is not known; the caller's own error stays."""
    wire.answer(back(1))

    def fail(request: Any) -> Any:
        if len(wire.sent) == 1:
            raise ReadTimeoutError(endpoint_url="https://x")
        return type(wire).send(wire, request)

    wire.send = fail
    dynaguard.install()
    with dynaguard.deadline(0.2), pytest.raises(ReadTimeoutError):
        client.batch_write_item(RequestItems={"orders": [put(0), put(1)]})


@pytest.mark.parametrize("left", [{"orders": []}, {"orders": [{}, {}]}, {"other": []}])
def test_leftovers_of_an_odd_shape_break_nothing(
    client: Any, wire: Any, waiting: Any, left: Any
) -> None:
    """Whatever a stand-in for DynamoDB answers, the call ends."""
    wire.answer({"UnprocessedItems": left})
    dynaguard.install()

    answer = client.batch_write_item(RequestItems={"orders": [put(0)]})

    assert answer["UnprocessedItems"] in ({"orders": [put(0)]}, left)


def test_a_failed_condition_leaves_the_process_quiet(client: Any, wire: Any, waiting: Any) -> None:
    """Answers that say nothing about load start no book-keeping."""
    wire.answer({"__type": "x#ConditionalCheckFailedException", "message": "no"}, 400)
    guard = dynaguard.install()

    with pytest.raises(ClientError):
        client.put_item(TableName="orders", Item={"pk": {"S": "1"}})

    assert guard.rooms.budgets.is_quiet


def test_a_batch_counts_its_members_by_table() -> None:
    """In request order, over several tables."""
    params = {"RequestItems": {"a": [put(1), put(2)], "b": [put(3)]}}
    wire = {"RequestItems": {"a": [{"x": 1}, {"x": 2}], "b": [{"x": 3}]}}
    batch = Batch.from_request("BatchWriteItem", json.dumps(wire), params)
    assert batch.units_by_place() == {}
    assert json.loads(batch.take(2)) == {"RequestItems": {"a": [{"x": 1}, {"x": 2}]}}
    assert batch.units_by_place() == {"a": 2}
    assert json.loads(batch.take(None)) == {"RequestItems": {"b": [{"x": 3}]}}


def test_parts_of_a_batch_are_no_attempts(
    client: Any, wire: Any, policy: Any, waiting: Any
) -> None:
    """A bound on attempts is one on those without progress."""
    for _ in range(4):
        wire.answer(back())
    wire.answer(THROTTLE, 400)
    wire.answer(back())
    dynaguard.install(policy(budget=[{"max_attempts": 3, "capacity_units_per_s": 50.0}]))

    with dynaguard.job("load"):
        answer = client.batch_write_item(RequestItems={"orders": [put(key) for key in range(25)]})

    assert answer["UnprocessedItems"] == {}
    assert len(wire.sent) > 5


def test_the_next_part_keeps_to_the_tables_that_it_goes_to(
    client: Any, wire: Any, waiting: Any
) -> None:
    """A fast table's leftovers do not open the way to a slow one."""
    wire.answer(back(0, table="fast"))
    wire.answer(back())
    dynaguard.install(
        {
            "version": 1,
            "default": "allow",
            "budget": [
                {"tables": ["fast"], "capacity_units_per_s": 1e6},
                {"tables": ["slow"], "capacity_units_per_s": 20.0},
            ],
        }
    )

    with dynaguard.job("load"):
        client.batch_write_item(
            RequestItems={"fast": [put(0)], "slow": [put(key) for key in range(1, 21)]}
        )

    assert max(len(keys_of(request.body, "slow")) for request in wire.sent) <= 2


def test_a_handler_that_answers_sees_the_whole_batch(client: Any, wire: Any, waiting: Any) -> None:
    """Nothing is cut before it is certain to be sent."""
    seen: list[list[str]] = []

    class Http:
        status_code = 200
        headers: Any = ()

    def answer(params: Any, **_: Any) -> Any:
        seen.append(keys_of(params["body"]))
        return Http(), {"UnprocessedItems": {}, "ResponseMetadata": {}}

    client.meta.events.register("before-call.dynamodb.BatchWriteItem", answer)
    dynaguard.install()

    with dynaguard.job("load"):
        client.batch_write_item(RequestItems={"orders": [put(key) for key in range(25)]})

    assert seen == [[str(key) for key in range(25)]]
    assert wire.sent == []
