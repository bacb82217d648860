"""The User-Agent of a guarded call is botocore's own, built once."""

from __future__ import annotations

from typing import Any

import pytest

import dynaguard

pytest.importorskip("botocore.context")

from botocore.useragent import UserAgentString, register_feature_id

KEY = {"pk": {"S": "1"}}


def parts(agent: str) -> tuple[list[str], set[str]]:
    """Its parts but the features and our token, and the features, whose order is a set's."""
    words = [word for word in agent.split() if not word.startswith("md/dynaguard#")]
    features = next(word for word in words if word.startswith("m/"))
    words.remove(features)
    return words, set(features.removeprefix("m/").split(","))


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Who built a User-Agent, each time."""
    builders = []
    original = UserAgentString.to_string

    def to_string(self: Any) -> str:
        builders.append(self)
        return original(self)

    monkeypatch.setattr(UserAgentString, "to_string", to_string)
    return builders


def test_it_says_what_botocore_says(make_client: Any, wire: Any) -> None:
    """With and without the guard, settings of the client included."""
    client = make_client(user_agent_extra="extra/1", user_agent_appid="app")
    client.get_item(TableName="orders", Key=KEY)
    dynaguard.install()

    client.get_item(TableName="orders", Key=KEY)

    bare, guarded = (parts(wire.headers(index)["user-agent"]) for index in range(2))
    assert guarded == bare


def test_it_is_built_once_per_call_whatever_the_attempts(
    client: Any, wire: Any, built: list[Any]
) -> None:
    """botocore alone would build it once per attempt and once before."""
    wire.throttle()
    wire.answer({})
    dynaguard.install()

    client.get_item(TableName="orders", Key=KEY)

    assert len(wire.sent) == 2
    assert len(built) == 1


def test_a_feature_that_is_used_meanwhile_is_in_it(client: Any, wire: Any) -> None:
    """What a handler of the call registers after the first building."""
    client.meta.events.register(
        "before-call.dynamodb.GetItem", lambda **_: register_feature_id("GZIP_REQUEST_COMPRESSION")
    )
    dynaguard.install()

    client.get_item(TableName="orders", Key=KEY)

    assert "L" in parts(wire.headers()["user-agent"])[1]


def test_each_call_builds_its_own(make_client: Any, wire: Any, built: list[Any]) -> None:
    """What is changed between two calls counts from the second on."""
    client = make_client()
    built.clear()
    dynaguard.install()
    client.get_item(TableName="orders", Key=KEY)
    client.meta.config.user_agent_extra = "later/2"

    client.get_item(TableName="orders", Key=KEY)

    assert len(built) == 2
    assert "later/2" in wire.headers()["user-agent"]


def test_a_client_that_is_left_alone_builds_as_it_ever_did(client: Any, built: list[Any]) -> None:
    """Detached clients get nothing of ours."""
    dynaguard.install()
    dynaguard.detach(client)

    client.get_item(TableName="orders", Key=KEY)

    assert len(built) == 2
