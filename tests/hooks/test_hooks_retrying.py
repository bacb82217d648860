"""Attempts under a retry budget, in each of botocore's retry modes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

import dynaguard

KEY = {"pk": {"S": "1"}}
MODES = ["legacy", "standard", "adaptive"]


@pytest.fixture
def waits(waiting: Any) -> list[float]:
    """Seconds that the hooks wait, noted in place of waiting."""
    noted: list[float] = waiting.seconds
    return noted


def budgeted(policy: Any, **budget: Any) -> dict[str, Any]:
    """The default policy with one budget."""
    return policy(budget=[{"job": "*", "tables": ["*"], "min_retries_per_s": 0.0, **budget}])


@pytest.mark.smoke
@pytest.mark.parametrize("mode", MODES)
def test_a_throttle_is_repeated_while_the_budget_lasts(
    make_client: Any, wire: Any, policy: Any, waits: list[float], mode: str
) -> None:
    """One throttle, then success: the caller sees success, after one wait."""
    client = make_client(retries={"mode": mode})
    wire.throttle()
    wire.answer({"Item": {"pk": {"S": "1"}}})
    dynaguard.install(budgeted(policy))

    answer = client.get_item(TableName="orders", Key=KEY)

    assert answer["ResponseMetadata"]["RetryAttempts"] == 1
    assert len(waits) == 1


@pytest.mark.smoke
@pytest.mark.parametrize("mode", MODES)
def test_a_spent_budget_surfaces_botocores_own_error_with_a_note(
    make_client: Any, wire: Any, policy: Any, waits: list[float], mode: str
) -> None:
    """Two retries granted, the third refused: botocore's last error, noted, in every mode."""
    client = make_client(retries={"mode": mode, "total_max_attempts": 10})
    wire.throttle()
    dynaguard.install(budgeted(policy, max_tokens=2.0, retry_ratio=0.0))

    with pytest.raises(ClientError) as caught:
        client.get_item(TableName="orders", Key=KEY)

    error = caught.value
    assert error.response["Error"]["Code"] == "ProvisionedThroughputExceededException"
    assert type(error).__name__ == "ProvisionedThroughputExceededException"
    assert len(wire.sent) == 3
    assert "budget" in error.response["ResponseMetadata"]["DynaguardRetryBudget"]
    assert any("budget" in note for note in error.__notes__)


def test_the_budget_is_shared_by_all_clients_of_the_process(
    make_client: Any, wire: Any, policy: Any, waits: list[float]
) -> None:
    """A second client finds the bucket that the first one emptied."""
    wire.throttle()
    dynaguard.install(budgeted(policy, max_tokens=2.0, retry_ratio=0.0))

    for _ in range(2):
        with pytest.raises(ClientError):
            make_client().get_item(TableName="orders", Key=KEY)

    assert len(wire.sent) == 4


def test_reads_and_writes_have_budgets_of_their_own(
    client: Any, wire: Any, policy: Any, waits: list[float]
) -> None:
    """Throttled reads do not take the writes' retries."""
    wire.throttle()
    dynaguard.install(budgeted(policy, max_tokens=1.0, retry_ratio=0.0))

    for operation in ("get_item", "put_item"):
        argument = {"Key": KEY} if operation == "get_item" else {"Item": KEY}
        with pytest.raises(ClientError):
            getattr(client, operation)(TableName="orders", **argument)

    assert len(wire.sent) == 4


def test_what_botocore_would_not_repeat_is_not_repeated(
    client: Any, wire: Any, policy: Any, waits: list[float]
) -> None:
    """A failed condition costs no budget and no second attempt."""
    wire.answer({"__type": "x#ConditionalCheckFailedException", "message": "no"}, 400)
    dynaguard.install(budgeted(policy))

    with pytest.raises(ClientError):
        client.put_item(TableName="orders", Item=KEY)

    assert len(wire.sent) == 1
    assert waits == []


def test_a_first_try_that_cannot_be_in_time_is_a_throttle(
    client: Any, wire: Any, policy: Any, waiting: Any
) -> None:
    """Past the deadline the service's own throttling error comes at once, with the note."""
    wire.answer({})
    dynaguard.install(budgeted(policy, capacity_units_per_s=0.01))

    with dynaguard.job("load", deadline_s=30):
        client.put_item(TableName="orders", Item=KEY)
        with pytest.raises(ClientError) as caught:
            client.put_item(TableName="orders", Item=KEY)

    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    assert "DynaguardRetryBudget" in caught.value.response["ResponseMetadata"]
    assert caught.value.__notes__
    assert len(wire.sent) == 1
    assert waiting.seconds == []


@pytest.mark.smoke
@pytest.mark.parametrize("mode", MODES)
def test_a_batch_job_goes_on_beyond_botocores_attempts(
    make_client: Any, wire: Any, policy: Any, waits: list[float], mode: str
) -> None:
    """A dozen throttles of a job, paced, and then success; in every mode."""
    client = make_client(retries={"mode": mode})
    wire.throttle(12)
    wire.answer({})
    dynaguard.install(policy())

    with dynaguard.job("load"):
        client.put_item(TableName="orders", Item=KEY)

    assert len(wire.sent) == 13
    assert sum(waits) > 0.5


@pytest.mark.smoke
@pytest.mark.parametrize("mode", ["standard", "adaptive"])
def test_botocores_quota_and_limiter_do_not_act(
    make_client: Any, wire: Any, policy: Any, waits: list[float], mode: str
) -> None:
    """A hundred throttled calls leave the client's own quota as it was, and nothing sleeps."""
    client = make_client(retries={"mode": mode})
    wire.throttle()
    dynaguard.install(budgeted(policy, max_tokens=1000.0))
    slept: list[float] = []
    from botocore.retries.bucket import Clock

    Clock.sleep, original = (lambda _, amount: slept.append(amount)), Clock.sleep  # type: ignore[method-assign]
    try:
        for _ in range(100):
            with pytest.raises(ClientError):
                client.get_item(TableName="orders", Key=KEY)
    finally:
        Clock.sleep = original  # type: ignore[method-assign]

    assert slept == []
    assert len(wire.sent) > 400
    quota = next(
        handler.__self__._retry_quota._quota
        for handler in client.meta.events._emitter._handlers.prefix_search(
            "needs-retry.dynamodb.GetItem"
        )
        if hasattr(getattr(handler, "__self__", None), "_retry_quota")
    )
    assert quota.available_capacity == 500


def test_handlers_of_the_application_are_still_asked(
    client: Any, wire: Any, policy: Any, waits: list[float]
) -> None:
    """Whoever registered for `needs-retry` has a say."""
    asked = []

    def once(attempts: int, **_: Any) -> float | None:
        asked.append(attempts)
        return 0.25 if attempts == 1 else None

    client.meta.events.register("needs-retry.dynamodb.GetItem", once)
    wire.answer({"__type": "x#ResourceNotFoundException", "message": "not yet"}, 400)
    wire.answer({})
    dynaguard.install(policy())

    client.get_item(TableName="orders", Key=KEY)

    assert asked == [1, 2]
    assert waits == [0.25]


def test_what_the_application_set_bounds_interactive_calls(
    make_client: Any, wire: Any, policy: Any, waits: list[float]
) -> None:
    """`total_max_attempts` of one: no retry."""
    client = make_client(retries={"mode": "standard", "total_max_attempts": 1})
    wire.throttle()
    dynaguard.install(policy())

    with pytest.raises(ClientError):
        client.get_item(TableName="orders", Key=KEY)

    assert len(wire.sent) == 1


def test_a_cancelled_transaction_is_judged_by_its_reasons(
    client: Any, wire: Any, waits: list[float]
) -> None:
    """A conflict is repeated with the same token; a failed condition is not."""
    put = {"Put": {"TableName": "orders", "Item": KEY}}

    def cancelled(*codes: str) -> None:
        wire.answer(
            {
                "__type": "x#TransactionCanceledException",
                "message": "no",
                "CancellationReasons": [{"Code": code} for code in codes],
            },
            400,
        )

    cancelled("None", "TransactionConflict")
    wire.answer({})
    dynaguard.install()
    client.transact_write_items(TransactItems=[put, put])
    tokens = {json.loads(request.body)["ClientRequestToken"] for request in wire.sent}
    assert len(wire.sent) == 2
    assert len(tokens) == 1

    wire.answers.clear()
    cancelled("TransactionConflict", "ConditionalCheckFailed")
    with pytest.raises(ClientError):
        client.transact_write_items(TransactItems=[put, put])
    assert len(wire.sent) == 3


@pytest.mark.parametrize(
    ("update", "sends"),
    [
        ({"UpdateExpression": "ADD n :n", "ExpressionAttributeValues": {":n": {"N": "1"}}}, 1),
        ({"UpdateExpression": "SET n = :n", "ExpressionAttributeValues": {":n": {"N": "1"}}}, 2),
    ],
)
def test_a_counter_is_not_counted_twice(
    client: Any, wire: Any, waits: list[float], update: dict[str, Any], sends: int
) -> None:
    """After an answer that leaves open whether the write took effect."""
    wire.answer({"__type": "x#InternalServerError", "message": "?"}, 500)
    wire.answer({})
    dynaguard.install()

    if sends == 1:
        with pytest.raises(ClientError) as caught:
            client.update_item(TableName="orders", Key=KEY, **update)
        assert "may have taken effect" in caught.value.__notes__[0]
    else:
        client.update_item(TableName="orders", Key=KEY, **update)

    assert len(wire.sent) == sends


def test_budgets_can_be_switched_off(client: Any, wire: Any, waits: list[float]) -> None:
    """With `budget=False` botocore retries as it does alone."""
    wire.throttle()
    wire.answer({})
    dynaguard.install(budget=False)

    client.get_item(TableName="orders", Key=KEY)

    assert len(wire.sent) == 2


@pytest.mark.parametrize("arguments", [{"budget": False}, {"policy": "observe"}])
def test_without_acting_budgets_all_of_botocore_acts(
    make_client: Any, wire: Any, policy: Any, waits: list[float], arguments: dict[str, Any]
) -> None:
    """Its quota too: thirty throttled calls spend it, as without dynaguard."""
    client = make_client(retries={"mode": "standard", "total_max_attempts": 10})
    wire.throttle()
    if "policy" in arguments:
        arguments = {"policy": policy(budget=[{"Mode": "observe"}])}
    dynaguard.install(**arguments)

    for _ in range(30):
        with pytest.raises(ClientError):
            client.get_item(TableName="orders", Key=KEY)

    assert len(wire.sent) == 130


@pytest.mark.parametrize("header", ["-5", "soon", "9" * 400, ""])
def test_a_pause_that_is_no_number_is_none(header: str) -> None:
    """Whatever stands in the header."""
    from dynaguard.hooks.answers import read_answer

    metadata = {"HTTPHeaders": {"x-amz-retry-after": header}}
    error = {"Error": {"Code": "ThrottlingException"}, "ResponseMetadata": metadata}
    assert read_answer(error, 400).retry_after_s in (0.0, float("inf"))
