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


def test_the_user_agent_names_what_the_scope_names(client: Any, wire: Any) -> None:
    """CloudTrail tells job, run, stage and runbook beside the id, on every attempt."""
    wire.throttle()
    wire.answer({})
    dynaguard.install(runbook="fail over")

    with dynaguard.correlation("INC-1"), dynaguard.job("acme/nightly", run_id="7", stage="load"):
        client.get_item(TableName="orders", Key=KEY)

    expected = (
        " md/dynaguard#INC-1 md/dynaguard-job#acme-nightly md/dynaguard-run#7"
        " md/dynaguard-stage#load md/dynaguard-runbook#fail-over"
    )
    agents = [wire.headers(index)["user-agent"] for index in range(2)]
    assert [agent.endswith(expected) for agent in agents] == [True, True]
    assert [agent.count("md/dynaguard-job") for agent in agents] == [1, 1]


def test_a_scope_that_names_nothing_adds_no_token(client: Any, wire: Any) -> None:
    """The id alone stands there."""
    dynaguard.install()

    client.get_item(TableName="orders", Key=KEY)

    assert "md/dynaguard-" not in wire.headers()["user-agent"]


def test_naming_the_scope_can_be_switched_off(client: Any, wire: Any) -> None:
    """For who does not want job names at AWS."""
    dynaguard.install(stamp_scope=False)

    with dynaguard.job("nightly"):
        client.get_item(TableName="orders", Key=KEY)

    assert "md/dynaguard-" not in wire.headers()["user-agent"]
    assert "md/dynaguard#" in wire.headers()["user-agent"]


def test_the_stamp_is_bounded(client: Any, wire: Any) -> None:
    """412 characters of ours at most, whatever the names are."""
    dynaguard.install(runbook="r" * 256, stamp=True)

    with (
        dynaguard.correlation("c" * 256),
        dynaguard.job("j" * 256, run_id="ü" * 256, stage=" #" * 128),
    ):
        client.get_item(TableName="orders", Key=KEY)

    stamp = wire.headers()["user-agent"].partition(" md/dynaguard#")
    assert len(stamp[1] + stamp[2]) == 412
    assert stamp[2].isascii()


def test_a_long_user_agent_keeps_the_id_before_all(make_client: Any, wire: Any) -> None:
    """CloudTrail keeps 1 KB: what would be cut is left out, the id stays."""
    dynaguard.install()

    with dynaguard.correlation("INC-1"), dynaguard.job("nightly"):
        make_client(user_agent_extra="x" * 1000).get_item(TableName="orders", Key=KEY)

    agent = wire.headers()["user-agent"]
    assert agent.endswith(" md/dynaguard#INC-1")


def test_the_trace_s_id_is_the_correlation_id(
    client: Any, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no scope names another; the next invocation has another trace."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "etl")
    dynaguard.install()

    for digit in "12":
        root = f"Root=1-{digit * 8}-{digit * 24};Sampled=1"
        monkeypatch.setenv("_X_AMZN_TRACE_ID", root)
        client.get_item(TableName="orders", Key=KEY)
    with dynaguard.correlation("INC-1"):
        client.get_item(TableName="orders", Key=KEY)

    ids = [wire.headers(index)["x-dynaguard-correlation-id"] for index in range(3)]
    assert ids == ["1" * 32, "2" * 32, "INC-1"]
    assert wire.headers()["user-agent"].endswith(" md/dynaguard#INC-1 md/dynaguard-job#etl")


def test_without_surroundings_no_trace_is_followed(
    client: Any, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call has an id of its own again."""
    monkeypatch.setenv("TRACEPARENT", f"00-{'a' * 32}-{'b' * 16}-01")
    dynaguard.install(surroundings=False)

    client.get_item(TableName="orders", Key=KEY)

    assert wire.headers()["x-dynaguard-correlation-id"] != "a" * 32
