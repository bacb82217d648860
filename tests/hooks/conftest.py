"""A wire that keeps what would have been sent, and policies to guard it with."""

from __future__ import annotations

import functools
import io
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.config import Config

import dynaguard
from dynaguard.assembly import build_guard
from dynaguard.hooks.attempting import SyncAttempting


class _Raw(io.BytesIO):
    def stream(self, *_args: Any, **_kwargs: Any) -> Iterator[bytes]:
        if data := self.read():
            yield data


class Wire:
    """Stands where the socket would be: answers in order, keeps what was sent.

    It is the session that a client's endpoint sends with, so everything of botocore but the
    socket runs, `Endpoint._send` included.
    """

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.answers: list[tuple[int, dict[str, Any] | str]] = []

    def answer(self, body: dict[str, Any] | str, status: int = 200) -> None:
        """Queues an answer, JSON or text as it is; the last one queued is repeated."""
        self.answers.append((status, body))

    def throttle(self, times: int = 1) -> None:
        """Queues that many throttles."""
        for _ in range(times):
            self.answer(
                {
                    "__type": "com.amazonaws.dynamodb.v20120810"
                    "#ProvisionedThroughputExceededException",
                    "message": "slow down",
                },
                400,
            )

    def send(self, request: Any) -> AWSResponse:
        """What botocore calls."""
        self.sent.append(request)
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self._last()
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        headers = HeadersDict(
            {
                "x-amzn-requestid": f"REQ{len(self.sent)}",
                "content-type": "application/x-amz-json-1.0",
                "content-length": str(len(data)),
            }
        )
        return AWSResponse(request.url, status, headers, _Raw(data))

    def close(self) -> None:
        """botocore closes its sessions."""

    def _last(self) -> tuple[int, dict[str, Any] | str]:
        return self.answers[0] if self.answers else (200, {})

    def headers(self, index: int = -1) -> dict[str, str]:
        """Headers of a request that was sent, as text, names in lower case."""
        return {
            name.lower(): value.decode() if isinstance(value, bytes) else value
            for name, value in self.sent[index].headers.items()
        }


@pytest.fixture
def wire() -> Wire:
    """The wire of this test's clients."""
    return Wire()


@pytest.fixture
def make_client(wire: Wire) -> Callable[..., Any]:
    """Makes clients that send on the wire."""

    def make(service: str = "dynamodb", region: str = "eu-west-1", **config: Any) -> Any:
        session = botocore.session.Session()
        client = session.create_client(service, region_name=region, config=Config(**config))
        client._endpoint.http_session = wire
        return client

    return make


@pytest.fixture
def client(make_client: Callable[..., Any]) -> Any:
    """A DynamoDB client made before anything is installed."""
    return make_client()


def _policy(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "default": "deny",
        "govern": ["dynamodb"],
        "statement": list(statements),
        **more,
    }


READS_ORDERS = {
    "Sid": "ReadsOrders",
    "Effect": "Allow",
    "Action": ["dynamodb:GetItem", "dynamodb:Query"],
    "Resource": "arn:aws:dynamodb:*:*:table/orders",
}
WRITES_ORDERS = {
    "Sid": "WritesOrders",
    "Effect": "Allow",
    "Action": ["dynamodb:PutItem", "dynamodb:BatchWriteItem"],
    "Resource": "arn:aws:dynamodb:*:*:table/orders",
}


@pytest.fixture
def policy() -> Callable[..., dict[str, Any]]:
    """Makes a policy document; without statements it allows reads and writes of `orders`."""

    def make(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
        return _policy(*(statements or (READS_ORDERS, WRITES_ORDERS)), **more)

    return make


class Waiting:
    """Waits of a guard, noted in place of waiting; its clock moves by them.

    Attributes:
        seconds: Each wait.
        now_s: The guard's clock.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.now_s = time.monotonic()

    def __call__(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> None:
        """Stands for a delay."""
        self.seconds.append(seconds)
        self.now_s += seconds

    def wait_for_turn(self, turn: Any) -> float:
        """Stands for waiting until a turn lets go."""
        begun_s = self.now_s
        while (wait_s := turn.ask()) > 0:
            self.wait(wait_s)
        return self.now_s - begun_s


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    """Guards that are installed from here on wait by this clock."""
    clock = Waiting()
    patched = functools.partial(build_guard, monotonic=clock)
    monkeypatch.setattr("dynaguard.assembly.build_guard", patched)
    monkeypatch.setattr(SyncAttempting, "_wait", lambda _, seconds: clock.wait(seconds))
    monkeypatch.setattr(
        SyncAttempting, "_wait_for_turn", lambda _, turn: clock.wait_for_turn(turn)
    )
    return clock


@pytest.fixture(autouse=True)
def _uninstalled() -> Iterator[None]:
    """Leaves nothing installed behind."""
    yield
    dynaguard.uninstall()
