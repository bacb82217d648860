"""The User-Agent of guarded calls is botocore's own, built once while nothing changes."""

from __future__ import annotations

import re
from typing import Any

import pytest

import dynaguard

pytest.importorskip("botocore.context")

from botocore.useragent import (
    _USERAGENT_FEATURE_MAPPINGS,
    UserAgentString,
    register_feature_id,
)

from dynaguard.hooks import useragent

FEATURES = [name for name in _USERAGENT_FEATURE_MAPPINGS if "RETRY" not in name]
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
    original = UserAgentString._build_sdk_metadata

    def build(self: Any) -> Any:
        builders.append(self)
        return original(self)

    monkeypatch.setattr(UserAgentString, "_build_sdk_metadata", build)
    return builders


def test_it_says_what_botocore_says(make_client: Any, wire: Any) -> None:
    """With and without the guard, settings of the client included."""
    client = make_client(user_agent_extra="extra/1", user_agent_appid="app")
    client.get_item(TableName="orders", Key=KEY)
    dynaguard.install()

    client.get_item(TableName="orders", Key=KEY)

    bare, guarded = (parts(wire.headers(index)["user-agent"]) for index in range(2))
    assert guarded == bare


def test_it_is_built_once_whatever_the_attempts_and_calls(
    client: Any, wire: Any, built: list[Any]
) -> None:
    """botocore alone would build it once per attempt and once before, in every call."""
    wire.throttle()
    wire.answer({})
    dynaguard.install()

    client.get_item(TableName="orders", Key=KEY)
    client.get_item(TableName="orders", Key=KEY)

    assert len(wire.sent) == 3
    assert len(built) == 1
    assert parts(wire.headers(2)["user-agent"]) == parts(wire.headers(0)["user-agent"])


def test_a_feature_that_is_used_meanwhile_is_in_it(client: Any, wire: Any) -> None:
    """What a handler of the call registers after the first building."""
    client.meta.events.register(
        "before-call.dynamodb.GetItem", lambda **_: register_feature_id("GZIP_REQUEST_COMPRESSION")
    )
    dynaguard.install()

    client.get_item(TableName="orders", Key=KEY)

    assert "L" in parts(wire.headers()["user-agent"])[1]


def change_extra(client: Any) -> None:
    """As libraries do that name themselves on a client."""
    client.meta.config.user_agent_extra = "later/2"


def change_retries(client: Any) -> None:
    """In place."""
    client.meta.config.retries["mode"] = "later"


def change_session(client: Any) -> None:
    """What the client's own copy has of its session."""
    client._user_agent_creator.set_session_config("later", "3", "")


def change_features(client: Any) -> None:
    """In place: the set that the client was made with."""
    client._user_agent_creator._client_features.add("later")


@pytest.mark.parametrize("change", [change_extra, change_retries, change_session, change_features])
def test_what_is_changed_between_two_calls_counts(
    make_client: Any, wire: Any, built: list[Any], change: Any
) -> None:
    """From the second on, as it does with botocore alone."""
    client = make_client(retries={"mode": "standard"})
    client._user_agent_creator.set_client_features({"A"})
    built.clear()
    dynaguard.install()
    client.get_item(TableName="orders", Key=KEY)
    change(client)

    client.get_item(TableName="orders", Key=KEY)

    assert len(built) == 2
    assert "later" in wire.headers()["user-agent"]


def test_each_client_has_its_own(make_client: Any, wire: Any) -> None:
    """What one of them is made with is nothing to the other."""
    first, second = make_client(user_agent_extra="one/1"), make_client(user_agent_extra="two/2")
    dynaguard.install()

    for client in (first, second, first):
        client.get_item(TableName="orders", Key=KEY)

    agents = [wire.headers(index)["user-agent"] for index in range(3)]
    assert ["one/1" in agent for agent in agents] == [True, False, True]
    assert ["two/2" in agent for agent in agents] == [False, True, False]


def test_few_texts_are_kept_per_client(client: Any, built: list[Any]) -> None:
    """Calls that use ever other features of botocore push the others out."""
    ids = FEATURES[: useragent.MAX_TEXTS + 1]
    features = iter([*ids, ids[0], ids[0]])
    client.meta.events.register(
        "provide-client-params.dynamodb.GetItem", lambda **_: register_feature_id(next(features))
    )
    dynaguard.install()

    for _ in range(len(ids) + 2):
        client.get_item(TableName="orders", Key=KEY)

    assert len(built) == len(ids) + 1


def test_a_customised_botocore_builds_it_in_each_call(
    client: Any, built: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a distributor's function makes of it may be another text each time."""
    dynaguard.install()
    client.get_item(TableName="orders", Key=KEY)
    monkeypatch.setattr("botocore.useragent.modify_components", lambda components: components)

    for _ in range(2):
        client.get_item(TableName="orders", Key=KEY)

    assert len(built) == 3


def test_a_peers_own_text_is_asked_for_each_time(
    client: Any, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrapper that numbers requests, put on before ours."""
    original, numbers = UserAgentString.to_string, iter(range(100))
    monkeypatch.setattr(
        UserAgentString, "to_string", lambda self: f"{original(self)} n/{next(numbers)}"
    )
    dynaguard.install()

    for _ in range(2):
        client.get_item(TableName="orders", Key=KEY)

    agents = [wire.headers(index)["user-agent"] for index in range(2)]
    first, second = (re.findall(r" n/(\d+)", agent) for agent in agents)
    assert int(first[0]) < int(second[0])


def test_a_client_that_is_left_alone_builds_as_it_ever_did(client: Any, built: list[Any]) -> None:
    """Detached clients get nothing of ours."""
    dynaguard.install()
    dynaguard.detach(client)

    client.get_item(TableName="orders", Key=KEY)

    assert len(built) == 2
