"""The correlation id on the wire."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from botocore import UNSIGNED

import dynaguard

KEY = {"pk": {"S": "1"}}


@pytest.mark.smoke
def test_the_scopes_id_goes_into_a_signed_header_and_the_user_agent(
    client: Any, wire: Any
) -> None:
    """CloudTrail shows the User-Agent; the header is covered by the signature."""
    dynaguard.install()

    with dynaguard.correlation("INC-4711"):
        client.get_item(TableName="orders", Key=KEY)

    headers = wire.headers()
    assert headers["x-dynaguard-correlation-id"] == "INC-4711"
    assert headers["user-agent"].endswith(" md/dynaguard#INC-4711")
    assert "x-dynaguard-correlation-id" in headers["authorization"]


def test_every_attempt_is_stamped(client: Any, wire: Any) -> None:
    """botocore rebuilds the User-Agent on a retry; the token is there again, once."""
    wire.throttle()
    wire.answer({})
    dynaguard.install()

    with dynaguard.correlation("INC-4711"):
        client.get_item(TableName="orders", Key=KEY)

    agents = [wire.headers(index)["user-agent"] for index in range(2)]
    assert [agent.count("md/dynaguard#INC-4711") for agent in agents] == [1, 1]


def test_without_a_scope_each_call_has_an_id_of_its_own(client: Any, wire: Any) -> None:
    """Generated ids differ and are 32 hexadecimal characters."""
    dynaguard.install()

    client.get_item(TableName="orders", Key=KEY)
    client.get_item(TableName="orders", Key=KEY)

    first, second = (wire.headers(index)["x-dynaguard-correlation-id"] for index in range(2))
    assert first != second
    assert re.fullmatch(r"[0-9a-f]{32}", first)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("INC 47 11", "INC-47-11"),
        ("Störung", "St-rung"),
        ("a#b/c(d)", "a-b-c-d-"),
        ("x" * 100, "x" * 64),
    ],
)
def test_ids_are_sanitised_and_bounded(client: Any, wire: Any, given: str, sent: str) -> None:
    """A header cannot be broken by what a caller calls its incident."""
    dynaguard.install()

    with dynaguard.correlation(given):
        client.get_item(TableName="orders", Key=KEY)

    assert wire.headers()["x-dynaguard-correlation-id"] == sent


def test_unsigned_requests_are_not_stamped(make_client: Any, wire: Any) -> None:
    """An anonymous request carries nothing of ours."""
    dynaguard.install()

    make_client(signature_version=UNSIGNED).get_item(TableName="orders", Key=KEY)

    headers = wire.headers()
    assert "x-dynaguard-correlation-id" not in headers
    assert "dynaguard" not in headers["user-agent"]


def test_stamping_can_be_switched_off(client: Any, wire: Any) -> None:
    """With `stamp=False` requests leave as botocore makes them."""
    dynaguard.install(stamp=False)

    client.get_item(TableName="orders", Key=KEY)

    assert "x-dynaguard-correlation-id" not in wire.headers()


def test_scopes_work_as_decorators(client: Any, wire: Any) -> None:
    """A decorated function's calls carry the id."""
    dynaguard.install()

    @dynaguard.correlation("DEC-1")
    def read() -> None:
        client.get_item(TableName="orders", Key=KEY)

    read()

    assert wire.headers()["x-dynaguard-correlation-id"] == "DEC-1"


def test_asynchronous_scopes_do_not_mix(client: Any, wire: Any) -> None:
    """Tasks that run interleaved each stamp their own id."""
    dynaguard.install()

    @dynaguard.job("nightly", run_id="7")
    async def read(name: str) -> None:
        async with dynaguard.correlation(name):
            await asyncio.sleep(0)
            client.get_item(TableName="orders", Key={"pk": {"S": name}})

    async def both() -> None:
        await asyncio.gather(read("A"), read("B"))

    asyncio.run(both())

    seen = {
        (wire.headers(index)["x-dynaguard-correlation-id"], wire.sent[index].body)
        for index in range(2)
    }
    assert {(name, f'"{name}"'.encode() in body) for name, body in seen} == {
        ("A", True),
        ("B", True),
    }
