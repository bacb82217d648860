"""Asynchronous clients get masks, sealed cursors and records. Against moto's server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

import dynaguard
from dynaguard.audit.reading import read_records
from dynaguard.hooks.sensitive import stand_in
from dynaguard.masking import MARKER
from tests import servers

pytestmark = pytest.mark.aio
aio_session = pytest.importorskip("aiobotocore.session")

ALLOW = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}
POLICY = {
    "version": 1,
    "default": "deny",
    "govern": ["dynamodb"],
    "statement": [ALLOW],
    "mask": [{"tables": ["people"], "attributes": ["email", "sk"]}],
}
ITEM = {"pk": {"S": "p"}, "email": {"S": "CANARY@example.org"}, "sk": {"N": "7001"}}
KEY = {"pk": {"S": "p"}, "sk": {"N": "7001"}}
ITEMS = 12


@pytest.fixture(scope="module")
def server() -> Iterator[servers.Server]:
    """moto, with a table of a few items."""
    with servers.moto_server() as found:
        client = found.client("dynamodb")
        client.create_table(
            TableName="people",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "N"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        for number in range(ITEMS):
            client.put_item(TableName="people", Item={**ITEM, "sk": {"N": str(7001 + number)}})
        yield found


def run(server: servers.Server, use: Any) -> Any:
    """Runs `use(client)` with an asynchronous client of the server."""

    async def main() -> Any:
        session = aio_session.get_session()
        async with session.create_client(
            "dynamodb",
            region_name="eu-west-1",
            endpoint_url=server.url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        ) as client:
            return await use(client)

    return asyncio.run(main())


def test_answers_are_masked_and_recorded(server: servers.Server, tmp_path: Path) -> None:
    """With their real end, attempts and counts."""
    audit = tmp_path / "audit.jsonl"
    dynaguard.install(POLICY, audit=audit)

    found = run(server, lambda client: client.get_item(TableName="people", Key=KEY))

    assert found["Item"]["pk"] == {"S": "p"}
    assert found["Item"]["email"]["S"].startswith(MARKER)
    (record,) = read_records(audit)
    assert record["outcome"]["status"] == "ok"
    assert record["outcome"]["attempts"] == 1
    assert {each["attribute"] for each in record["outcome"]["masked"]} == {"email", "sk"}


def test_pages_go_on_over_masked_keys(server: servers.Server) -> None:
    """Every item once, and no key seen."""
    dynaguard.install(POLICY)

    async def use(client: Any) -> list[Any]:
        pages = client.get_paginator("query").paginate(
            TableName="people",
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": "p"}},
            Limit=2,
        )
        return [page async for page in pages]

    pages = run(server, use)

    assert sum(len(page["Items"]) for page in pages) == ITEMS
    assert "700" not in repr([page.get("LastEvaluatedKey") for page in pages])


def test_a_write_back_and_a_forged_cursor_are_refused(server: servers.Server) -> None:
    """Before anything is sent."""
    dynaguard.install(POLICY)

    async def use(client: Any) -> None:
        item = (await client.get_item(TableName="people", Key=KEY))["Item"]
        with pytest.raises(dynaguard.MaskedWriteRefused):
            await client.put_item(TableName="people", Item=item)
        with pytest.raises(dynaguard.CursorRefused):
            await client.scan(
                TableName="people", ExclusiveStartKey={"sk": {"S": f"{MARKER}cursor:x"}}
            )

    run(server, use)


def test_errors_and_logs_hold_no_masked_value(
    server: servers.Server, caplog: pytest.LogCaptureFixture
) -> None:
    """The item of a failed condition, a refused parameter, the DEBUG log."""
    caplog.set_level(logging.DEBUG, logger="")
    dynaguard.install(POLICY)
    shown = []

    async def use(client: Any) -> None:
        with pytest.raises(ClientError) as failed:
            await client.put_item(
                TableName="people",
                Item={**ITEM, "state": {"S": "new"}},
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        shown.append(f"{failed.value} {failed.value.response}")
        with pytest.raises(ParamValidationError) as refused:
            await client.put_item(TableName="people", Item={"email": "CANARY"})
        shown.append(str(refused.value))

    run(server, use)

    assert "CANARY" not in "".join(shown)
    assert "for parameter Item.email" in shown[1]
    assert "CANARY" not in caplog.text
    assert "withheld by dynaguard" in caplog.text


def test_an_answer_whose_mask_did_not_run_is_withheld(server: servers.Server) -> None:
    """A handler taken off by a peer does not let plain values through."""
    dynaguard.install(POLICY)

    async def use(client: Any) -> None:
        await client.get_item(TableName="people", Key=KEY)
        client.meta.events.unregister("after-call.*.*", unique_id="dynaguard-after-call.*.*")
        with pytest.raises(dynaguard.GuardFailure, match="withheld"):
            await client.get_item(TableName="people", Key=KEY)

    run(server, use)


def test_tasks_do_not_mix(server: servers.Server, tmp_path: Path) -> None:
    """Calls that interleave in one loop are masked and recorded each by its own."""
    audit = tmp_path / "audit.jsonl"
    dynaguard.install(POLICY, audit=audit)

    async def use(client: Any) -> list[Any]:
        async def get(number: int) -> Any:
            with dynaguard.correlation(f"task-{number}"):
                key = {**KEY, "sk": {"N": str(7001 + number)}}
                return (await client.get_item(TableName="people", Key=key))["Item"]

        return await asyncio.gather(*(get(number) for number in range(ITEMS)))

    items = run(server, use)

    assert all(item["email"]["S"].startswith(MARKER) for item in items)
    records = list(read_records(audit))
    assert {record["correlation_id"] for record in records} == {f"task-{n}" for n in range(ITEMS)}
    assert {record["outcome"]["status"] for record in records} == {"ok"}


def test_a_body_of_an_asynchronous_answer_stays_asynchronous() -> None:
    """`await body.read()` gives the token."""

    class Body:
        is_closed = False

        async def read(self) -> bytes:
            return b"CANARY"

        def close(self) -> None:
            self.is_closed = True

    body = Body()
    masked = stand_in(body, "token", None)

    async def read() -> bytes:
        async with masked as opened:
            data: bytes = await opened.read()
            return data

    assert asyncio.run(read()) == b"token"
    assert body.is_closed


def test_consumed_capacity_is_booked_and_not_shown(server: servers.Server) -> None:
    """As for other clients, attempt by attempt left aside."""
    dynaguard.install({**POLICY, "mask": []}, consumed_capacity="total")

    found = run(server, lambda client: client.get_item(TableName="people", Key=KEY))

    assert "ConsumedCapacity" not in found
    (account,) = dynaguard.status().consumption["consumed"]
    assert (account["table"], account["read_units"] > 0) == ("people", True)
    dynaguard.uninstall()


def test_a_capacity_limit_stops_the_next_page(server: servers.Server) -> None:
    """The one that used it up came whole."""
    limit = {"job": "nightly", "read_units": 0.1}
    dynaguard.install({**POLICY, "mask": [], "capacity_limit": [limit]})

    async def read(client: Any) -> int:
        first = await client.scan(TableName="people", Limit=2)
        with pytest.raises(dynaguard.CapacityLimitReached):
            await client.scan(TableName="people", Limit=2)
        return len(first["Items"])

    with dynaguard.job("nightly"):
        assert run(server, read) == 2
    dynaguard.uninstall()
