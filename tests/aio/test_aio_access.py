"""Access just in time through aiobotocore: the same boundaries, grants and approvals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

import dynaguard
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import ETL_ARN, POLICY, approve
from tests.aio.test_aio_deciding import Sent, run

pytestmark = pytest.mark.aio
aio_session = pytest.importorskip("aiobotocore.session")

KEY = {"pk": {"S": "1"}}
Use = Callable[[Any], Any]


def delete(client: Any) -> Any:
    """A call that needs a lead's approval."""
    return client.delete_item(TableName="orders", Key=KEY)


def test_an_approval_is_asked_for_and_nothing_waits() -> None:
    """Whatever `approval_wait_s` says: a wait would hold up the whole event loop."""
    dynaguard.install(POLICY, identity=ETL_ARN, access_store=MemoryStore(), approval_wait_s=600)
    started_s = time.monotonic()

    with pytest.raises(dynaguard.ApprovalRequired) as caught:
        run(delete)

    assert caught.value.ticket is not None
    assert time.monotonic() - started_s < 60


def test_an_approved_call_passes_once() -> None:
    """Made again it has used the approval up."""
    store = MemoryStore()
    dynaguard.install(POLICY, identity=ETL_ARN, access_store=store)
    with pytest.raises(dynaguard.ApprovalRequired) as caught:
        run(delete)
    approve(store, str(caught.value.ticket))

    with pytest.raises(Sent):
        run(delete)
    with pytest.raises(dynaguard.PolicyDenied):
        run(delete)


def test_a_grant_opens_what_no_statement_allows() -> None:
    """Until it is revoked."""
    store = MemoryStore()
    dynaguard.install(POLICY, identity=ETL_ARN, access_store=store)

    def get(client: Any) -> Any:
        return client.get_item(TableName="orders", Key=KEY)

    with pytest.raises(dynaguard.PolicyDenied):
        run(get)
    dynaguard.grant(
        actions=["dynamodb:GetItem"],
        resources=["arn:aws:dynamodb:*:*:table/orders"],
        identity=ETL_ARN,
        reason="INC-4711",
        expires=600,
        owner="ann",
    )

    with pytest.raises(Sent):
        run(get)


def test_a_task_bounds_asynchronous_calls() -> None:
    """In the coroutine that begins it, and in the tasks of asyncio that it starts."""
    dynaguard.install({"version": 1, "default": "allow", "govern": ["dynamodb"]})

    async def use(client: Any) -> Any:
        async with dynaguard.task(
            name="look", actions=["dynamodb:GetItem"], resources=["*"], duration_s=60
        ):
            calls = (
                client.get_item(TableName="orders", Key=KEY),
                client.scan(TableName="orders"),
            )
            return await asyncio.gather(*calls, return_exceptions=True)

    passed, refused = run(use)

    assert isinstance(passed, Sent)
    assert isinstance(refused, dynaguard.PolicyDenied)
    assert "look" in str(refused)


def test_a_presigned_url_keeps_the_method_that_was_decided() -> None:
    """A GetObject is not made a DELETE behind the decision's back."""
    dynaguard.install({"version": 1, "default": "deny", "govern": ["s3"], "statement": [READS]})

    async def main() -> Any:
        async with aio_session.get_session().create_client("s3", region_name="eu-west-1") as s3:
            params = {"Bucket": "orders", "Key": "a"}
            return await s3.generate_presigned_url(
                "get_object", Params=params, HttpMethod="DELETE"
            )

    with pytest.raises(dynaguard.PolicyDenied):
        asyncio.run(main())


READS = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
