"""The public surface as a type checker sees it. Checked by `make types`, never run."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, assert_type

from botocore.client import BaseClient

import dynaguard


class _DynamoDBClient(BaseClient):
    """Stands for a client class of a stubs package."""


def installs_with_typed_settings() -> None:
    """Settings are keywords with types; the guard is a context manager."""
    guard = dynaguard.install(Path("policy.toml"), mode="observe", audit="stdout")
    assert_type(guard, dynaguard.Guard)
    with dynaguard.install() as entered:
        assert_type(entered, dynaguard.Guard)
    dynaguard.uninstall()


def refuses_settings_of_wrong_type() -> None:
    """What the checker must complain about; a silent checker makes these comments unused."""
    dynaguard.install(stamp="yes")  # type: ignore[arg-type]
    dynaguard.install(on_error="ignore")  # type: ignore[arg-type]
    dynaguard.install(mod="observe")  # type: ignore[call-arg]


def attaching_keeps_the_client_s_type(client: _DynamoDBClient) -> None:
    """So that the operations of a stubs package stay known."""
    assert_type(dynaguard.attach(client), _DynamoDBClient)
    assert_type(dynaguard.detach(client), _DynamoDBClient)


@dynaguard.job("nightly-rollup", run_id="1", deadline_s=timedelta(minutes=5))
def rolls_up(names: Iterable[str]) -> int:
    """A decorated function keeps its signature."""
    return len(list(names))


@dynaguard.correlation("INC-4711")
async def rolls_up_later(names: Iterable[str]) -> int:
    """A decorated coroutine function too."""
    return len(list(names))


async def uses_scopes() -> None:
    """Plain and asynchronous."""
    assert_type(rolls_up(["a"]), int)
    assert_type(await rolls_up_later(["a"]), int)
    with dynaguard.acting_as("assistant", groups=["agents"]):
        pass
    async with dynaguard.correlation():
        pass


def reads_a_refusal(refusal: dynaguard.PolicyDenied) -> str:
    """Its attributes have types."""
    assert_type(refusal.resource, str | None)
    assert_type(refusal.how_to_allow, str)
    return refusal.identity


def grants_for_a_while() -> None:
    """Durations as seconds or `timedelta`; the grant is a value."""
    made = dynaguard.grant(
        identity="etl",
        reason="INC-4711",
        actions="dynamodb:GetItem",
        resources=["arn:aws:dynamodb:*:*:table/orders"],
        expires_in=timedelta(minutes=15),
    )
    assert_type(made, dynaguard.Grant)
    assert_type(dynaguard.grants(include_ended=True), tuple[dynaguard.Grant, ...])
    assert_type(dynaguard.revoke_grant(made.id, "over"), dynaguard.Grant)
    dynaguard.grant(identity="etl", reason="INC-4711", expires_in="15m")  # type: ignore[arg-type]


def asks_people() -> None:
    """A ticket is looked at and waited for, now or by its id."""
    asked = dynaguard.request_access(
        actions="dynamodb:GetItem",
        resources=["arn:aws:dynamodb:*:*:table/orders"],
        reason="INC-4711",
        duration_s=timedelta(minutes=15),
    )
    assert_type(asked, dynaguard.Approval)
    assert_type(dynaguard.approval(asked.id).wait(timeout_s=60), str)
    assert_type(asked.is_approved, bool)
    dynaguard.request_access(actions="s3:GetObject", reason="x")  # type: ignore[call-arg]


def runs_runbooks() -> None:
    """A run gives its result; a handler is one for Lambda."""
    result = dynaguard.run_runbook("close-orders", {"customer": "C-1"}, incident="INC-1")
    assert_type(result, dynaguard.RunResult)
    handler = dynaguard.runbook_handler(
        Path("close-orders.toml"), params={"customer": "detail.id"}
    )
    assert_type(handler({}, None), dict[str, Any])
    dynaguard.run_runbook("close-orders", doubtful="perhaps")  # type: ignore[arg-type]
