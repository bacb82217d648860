"""aiobotocore's clients get the same decisions. Runs where aiobotocore is installed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import dynaguard
from dynaguard import PolicyDenied
from dynaguard.audit.reading import read_records

pytestmark = pytest.mark.aio
aio_session = pytest.importorskip("aiobotocore.session")

POLICY = {
    "version": 1,
    "default": "deny",
    "govern": ["dynamodb"],
    "statement": [
        {
            "Sid": "ReadsOrders",
            "Effect": "Allow",
            "Action": "dynamodb:GetItem",
            "Resource": "arn:aws:dynamodb:*:*:table/orders",
        }
    ],
}


class Sent(Exception):
    """The request reached the place where it would have been sent."""


def run(use: Any) -> Any:
    """Runs `use(client)` with a client that raises `Sent` instead of sending."""

    async def main() -> Any:
        async with aio_session.get_session().create_client(
            "dynamodb", region_name="eu-west-1"
        ) as client:

            def stop(**_: Any) -> None:
                raise Sent

            client.meta.events.register("request-created", stop)
            return await use(client)

    return asyncio.run(main())


def test_a_denied_call_is_not_sent() -> None:
    """The decision is made in the coroutine, before anything is sent."""
    dynaguard.install(POLICY)

    with pytest.raises(PolicyDenied):
        run(lambda client: client.scan(TableName="orders"))


def test_an_allowed_call_goes_on_and_is_recorded(tmp_path: Path) -> None:
    """With its end, here that it never left."""
    audit = tmp_path / "audit.jsonl"
    dynaguard.install(POLICY, audit=audit)

    with pytest.raises(Sent):
        run(lambda client: client.get_item(TableName="orders", Key={"pk": {"S": "1"}}))

    (record,) = read_records(audit)
    assert record["decision"]["verdict"] == "allow"
    assert (record["outcome"]["status"], record["outcome"]["error_code"]) == ("error", "Sent")


def test_a_presigned_url_for_a_denied_call_is_not_made() -> None:
    """Presigning is a coroutine there, and decided like a call."""
    dynaguard.install(POLICY)

    with pytest.raises(PolicyDenied):
        run(lambda client: client.generate_presigned_url("scan", Params={"TableName": "orders"}))


def test_no_url_is_presigned_with_a_masked_value() -> None:
    """A sealed cursor is not opened into a URL there either."""
    dynaguard.install({**POLICY, "mask": [{"tables": ["orders"], "attributes": ["pk"]}]})
    params = {"TableName": "orders", "Key": {"pk": {"S": "masked!dg1:redacted"}}}

    with pytest.raises(dynaguard.MaskedWriteRefused, match="no URL is presigned"):
        run(lambda client: client.generate_presigned_url("get_item", Params=params))


def test_uninstall_restores_the_class() -> None:
    """The twin is taken off like the others."""
    from aiobotocore.client import AioBaseClient

    names = ("_make_api_call", "_convert_to_request_dict")
    before = [AioBaseClient.__dict__[name] for name in names]
    dynaguard.install(POLICY)
    during = [AioBaseClient.__dict__[name] for name in names]

    dynaguard.uninstall()

    assert all(ours is not theirs for ours, theirs in zip(during, before, strict=True))
    assert [AioBaseClient.__dict__[name] for name in names] == before
