"""A run under the session of a role, against a server that checks IAM and session policies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import dynaguard
from dynaguard.errors import PolicyDenied, RunbookError
from dynaguard.runbooks.reading import read_runbook
from tests.integration.account import KEY, Account, account, of_session

__all__ = ["account"]  # a fixture

RUNBOOK: dict[str, Any] = {
    "runbook": 1,
    "name": "read-order",
    "purpose": "Reads the orders of a customer",
    "owner": "team-orders",
    "limits": {"duration_s": 900},
    "tables": {"orders": {"key": ["customer_id", "order_id"]}},
    "parameters": {"customer_id": {"type": "string", "pattern": "C-[0-9]{5}"}},
    "step": [
        {
            "name": "find",
            "call": "dynamodb:Query",
            "pages": 1,
            "params": {
                "TableName": "orders",
                "KeyConditionExpression": "customer_id = :c",
                "ExpressionAttributeValues": {":c": {"$param": "customer_id"}},
            },
        },
        {
            "name": "each",
            "loop": {"over": {"$result": "find.Items"}, "at_most": 5},
            "step": [
                {
                    "name": "read",
                    "call": "dynamodb:GetItem",
                    "params": {
                        "TableName": "orders",
                        "Key": {
                            "customer_id": {"$param": "customer_id"},
                            "order_id": {"$item": "order_id"},
                        },
                    },
                }
            ],
        },
    ],
}


def test_a_run_does_its_task_under_the_session_of_its_role(
    account: Account, tmp_path: Path
) -> None:
    """Who runs it may do nothing by themselves; the server holds the steps to the run's policy."""
    with pytest.raises(ClientError):
        account.caller.client("dynamodb").scan(TableName="orders")

    with dynaguard.install():
        done = dynaguard.run_runbook(
            read_runbook(RUNBOOK),
            {"customer_id": "C-00001"},
            session=account.caller,
            role=account.role,
            incident="INC-9",
            directory=tmp_path,
        )

    assert done.outputs["read"] == [{"Item": KEY}]
    assert [step.outcome for step in done.steps] == ["done", "done", "done"]
    assert done.correlation_id == "INC-9"


def test_without_the_role_the_same_run_is_refused_by_aws(account: Account, tmp_path: Path) -> None:
    """The guard lets the calls through; the caller's own permissions do not."""
    with (
        dynaguard.install(),
        pytest.raises(RunbookError, match=r"step `find` failed \(AccessDenied") as caught,
    ):
        dynaguard.run_runbook(
            read_runbook(RUNBOOK),
            {"customer_id": "C-00001"},
            session=account.caller,
            directory=tmp_path,
        )

    assert caught.value.run is not None


WRITTEN = {"customer_id": {"S": "C-00007"}, "order_id": {"S": "O-000007"}}
WRITING: dict[str, Any] = {
    **RUNBOOK,
    "name": "pack-order",
    "purpose": "Packs one order of a customer",
    "step": [
        {
            "name": "pack",
            "call": "dynamodb:UpdateItem",
            "params": {
                "TableName": "orders",
                "Key": {"customer_id": {"$param": "customer_id"}, "order_id": "O-000007"},
                "UpdateExpression": "SET #status = :packed",
                "ExpressionAttributeNames": {"#status": "status"},
                "ExpressionAttributeValues": {":packed": "packed"},
            },
        }
    ],
}


def test_a_run_writes_under_the_session_of_its_role(account: Account, tmp_path: Path) -> None:
    """A write that asks for nothing back passes, though its request has no `ReturnValues`."""
    with dynaguard.install():
        dynaguard.run_runbook(
            read_runbook(WRITING),
            {"customer_id": "C-00007"},
            session=account.caller,
            role=account.role,
            directory=tmp_path,
        )

    found = account.client("dynamodb").get_item(TableName="orders", Key=WRITTEN)["Item"]
    assert found["status"] == {"S": "packed"}


def test_the_server_itself_refuses_other_writes_of_a_run(account: Account) -> None:
    """Around the guard, with the session's own keys: no other operation and no other table."""
    with dynaguard.install():
        manager = dynaguard.task(
            read_runbook(WRITING),
            {"customer_id": "C-00007"},
            role=account.role,
            session=account.caller,
        )
        with manager as task:
            keys = task.credentials()
    client = of_session(keys)
    update = {
        "UpdateExpression": "SET #s = :s",
        "ExpressionAttributeNames": {"#s": "status"},
        "ExpressionAttributeValues": {":s": {"S": "lost"}},
    }

    client.update_item(TableName="orders", Key=WRITTEN, **update)
    for refused in (
        lambda: client.put_item(TableName="orders", Item=WRITTEN),
        lambda: client.delete_item(TableName="orders", Key=WRITTEN),
        lambda: client.update_item(TableName="customers", Key=WRITTEN, **update),
        lambda: client.batch_write_item(
            RequestItems={"orders": [{"PutRequest": {"Item": WRITTEN}}]}
        ),
        lambda: client.transact_write_items(
            TransactItems=[{"Delete": {"TableName": "orders", "Key": WRITTEN}}]
        ),
    ):
        with pytest.raises(ClientError) as caught:
            refused()
        assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
        assert not isinstance(caught.value, PolicyDenied)
