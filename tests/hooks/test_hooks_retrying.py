"""Attempts under a retry budget, in each of botocore's retry modes."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

import dynaguard

KEY = {"pk": {"S": "1"}}
MODES = ["legacy", "standard", "adaptive"]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the hooks wait, noted in place of waiting."""
    noted: list[float] = []
    monkeypatch.setattr("dynaguard.hooks.wrappers.SyncWrappers._wait", noted_wait(noted))
    return noted


def noted_wait(noted: list[float]) -> Any:
    """A stand-in for the wait."""

    def wait(self: Any, seconds: float) -> None:
        noted.append(seconds)

    return wait


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


def test_unprocessed_items_do_not_make_a_loop_spin(
    client: Any, wire: Any, policy: Any, waits: list[float]
) -> None:
    """In a job, each further batch after leftovers waits longer at first."""
    put = {"PutRequest": {"Item": KEY}}
    wire.answer({"UnprocessedItems": {"orders": [put]}})
    dynaguard.install(budgeted(policy))

    with dynaguard.job("load"):
        for _ in range(6):
            client.batch_write_item(RequestItems={"orders": [put]})

    assert len(waits) >= 4
    assert sum(waits) > 0


def test_a_first_try_that_cannot_be_in_time_is_a_throttle(
    client: Any, wire: Any, policy: Any, waits: list[float]
) -> None:
    """Past the deadline the service's own throttling error comes at once, with the note."""
    put = {"PutRequest": {"Item": KEY}}
    wire.answer({"UnprocessedItems": {"orders": [put]}})
    dynaguard.install(budgeted(policy))

    with dynaguard.job("load", deadline_s=1e-6):
        client.batch_write_item(RequestItems={"orders": [put]})
        with pytest.raises(ClientError) as caught:
            client.batch_write_item(RequestItems={"orders": [put]})

    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    assert "DynaguardRetryBudget" in caught.value.response["ResponseMetadata"]
    assert caught.value.__notes__


def test_budgets_can_be_switched_off(client: Any, wire: Any, waits: list[float]) -> None:
    """With `budget=False` botocore retries as it does alone."""
    wire.throttle()
    wire.answer({})
    dynaguard.install(budget=False)

    client.get_item(TableName="orders", Key=KEY)

    assert len(wire.sent) == 2
