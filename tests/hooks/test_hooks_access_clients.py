"""Calls of an access store's own: which errors may have had an effect, one client per process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ReadTimeoutError,
)

from dynaguard.access.table_calls import TableCallError
from dynaguard.hooks import access_clients
from dynaguard.hooks.access_clients import OwnTableCalls, table_calls
from dynaguard.hooks.exemption import is_credential_call


class FakeClient:
    """A client whose one operation does what a test says."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act
        self.is_closed = False

    def get_item(self, **_: Any) -> Any:
        return self._act()

    def close(self) -> None:
        self.is_closed = True


def raising(err: Exception) -> Callable[[], Any]:
    """An operation that raises."""

    def act() -> Any:
        raise err

    return act


@pytest.fixture
def calls_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], OwnTableCalls]:
    """Calls with such a client."""

    def make(act: Callable[[], Any]) -> OwnTableCalls:
        monkeypatch.setattr(access_clients, "_make_client", lambda *_: FakeClient(act))
        return table_calls("eu-west-1", None)

    return make


def answer(code: str, status: int) -> ClientError:
    """An error that AWS answers."""
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetItem")


@pytest.mark.parametrize(
    ("err", "code", "is_effect_unknown"),
    [
        (answer("ThrottlingException", 400), "ThrottlingException", False),
        (answer("ConditionalCheckFailedException", 400), "ConditionalCheckFailedException", False),
        (answer("InternalServerError", 500), "InternalServerError", True),
        (answer("ServiceUnavailable", 503), "ServiceUnavailable", True),
        (ConnectTimeoutError(endpoint_url="x"), "Unreachable", False),
        (EndpointConnectionError(endpoint_url="x"), "Unreachable", False),
        (ReadTimeoutError(endpoint_url="x"), "Unanswered", True),
        (ConnectionClosedError(endpoint_url="x"), "Unanswered", True),
        (NoCredentialsError(), "NoCredentials", False),
        (NoRegionError(), "NoRegionError", False),
        (BotoCoreError(), "BotoCoreError", False),
    ],
)
def test_an_error_tells_whether_the_call_may_have_had_its_effect(
    calls_of: Callable[..., OwnTableCalls], err: Exception, code: str, is_effect_unknown: bool
) -> None:
    """What was not sent or was refused has none; what was not answered may have."""
    with pytest.raises(TableCallError) as caught:
        calls_of(raising(err))("GetItem", {})

    assert (caught.value.code, caught.value.is_effect_unknown) == (code, is_effect_unknown)


def test_a_call_is_dynaguards_own_while_it_is_made(
    calls_of: Callable[..., OwnTableCalls],
) -> None:
    """And what comes after it is the application's again."""
    within = calls_of(lambda: {"Item": is_credential_call("dynamodb")})("GetItem", {})

    assert within == {"Item": True}
    assert not is_credential_call("dynamodb")


def test_a_client_is_made_once_by_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """And anew after a close."""
    made = []

    def make(*_: object) -> FakeClient:
        made.append(FakeClient(dict))
        return made[-1]

    monkeypatch.setattr(access_clients, "_make_client", make)
    calls = table_calls(None, None)
    threads = [threading.Thread(target=calls, args=("GetItem", {})) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    calls.close()
    calls("GetItem", {})

    assert len(made) == 2
    assert [client.is_closed for client in made] == [True, False]


def test_a_child_makes_a_client_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent's sockets stay the parent's."""
    made = []
    monkeypatch.setattr(
        access_clients, "_make_client", lambda *_: made.append(1) or FakeClient(dict)
    )
    calls = table_calls(None, None)
    calls("GetItem", {})

    monkeypatch.setattr("os.getpid", lambda: -1)
    calls("GetItem", {})

    assert len(made) == 2


def test_no_fork_while_a_client_is_made() -> None:
    """Before it the lock is taken, after it everybody has one that is open."""
    calls = table_calls(None, None)

    assert calls.before_fork()
    assert calls._lock.locked()
    calls.after_fork(is_child=False, was_paused=True)
    assert not calls._lock.locked()

    calls.before_fork()
    calls.after_fork(is_child=True, was_paused=True)
    assert not calls._lock.locked()


def test_the_real_client_gives_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """One attempt, short timeouts, the region and the endpoint of the setting."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")

    client = access_clients._make_client("eu-north-1", "http://127.0.0.1:9")

    config = client.meta.config
    assert client.meta.region_name == "eu-north-1"
    assert client.meta.endpoint_url == "http://127.0.0.1:9"
    assert (config.connect_timeout, config.read_timeout) == (1, 2)
    assert config.retries["total_max_attempts"] == 1
    client.close()
