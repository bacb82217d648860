"""Faults: what goes wrong with a request, at the place where it would go out to the network."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, cast

from dynaguard.runbooks.entering import Enter, Order

_TARGET: Final = "X-Amz-Target"
_ERROR_PREFIX: Final = "com.amazonaws.dynamodb.v20120810#"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is about to go out.

    Attributes:
        operation: Such as `UpdateItem`; empty for services other than DynamoDB.
        body: Its JSON body.
        number: How many of this operation went out before, from 0.
        at_s: When, on the clock of the drill.
    """

    operation: str
    body: Mapping[str, Any] = field(repr=False)
    number: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered instead of AWS.

    Attributes:
        body: JSON.
        status: HTTP status.
    """

    body: Mapping[str, Any] = field(repr=False)
    status: int = 200


class Fault(Protocol):
    """What goes wrong."""

    def __call__(self, request: Request, /) -> Answer | None:
        """The answer instead of AWS's, or None to let the request through. May wait."""
        ...


@dataclass(slots=True)
class Injector:
    """Puts a fault in the way of every request of a session's clients, and counts. One thread.

    Attributes:
        fault: What goes wrong; None: nothing, from now on.
        sent: Requests that went out, by operation.
        faults: How many were answered by the fault.
        first_fault_s: When it first did, on `clock`.
        writes: Writes that were let through, by id of their order.
    """

    fault: Fault | None = None
    clock: Callable[[], float] = time.monotonic
    sent: dict[str, int] = field(default_factory=dict)
    faults: int = 0
    first_fault_s: float | None = None
    writes: dict[str, int] = field(default_factory=dict)

    def entering(self, enter: Enter) -> Enter:
        """Enters a task whose session's clients have the fault."""

        @contextmanager
        def entered(order: Order) -> Iterator[Any]:
            manager: AbstractContextManager[Any] = enter(order)
            with manager as session:
                yield _FaultySession(session, self)

        return entered

    def before_send(self, request: Any, **_event: Any) -> Any:
        """What botocore asks before it sends: an answer, or None to send.

        botocore asks every handler and takes the first answer: another one of the same event that
        writes (moto's in-process mocks) would have written all the same. So drills use a server.
        """
        target = request.headers.get(_TARGET, b"")
        text = target.decode() if isinstance(target, bytes) else target
        operation = text.partition(".")[2] if text.startswith("DynamoDB_") else ""
        number = self.sent.get(operation, 0)
        self.sent[operation] = number + 1
        if not operation:
            return None
        body = json.loads(request.body or b"{}")
        started_s = self.clock()
        asked = Request(operation, body, number, started_s)
        answer = None if self.fault is None else self.fault(asked)
        if answer is None and operation in _WRITES:
            order = body["Key"].get("order_id", {}).get("S", "")
            self.writes[order] = self.writes.get(order, 0) + 1
        if answer is None and self.clock() - started_s < _SLOW_S:
            return None
        self.faults += 1
        if self.first_fault_s is None:
            self.first_fault_s = started_s
        return None if answer is None else _response(request.url, answer)


_WRITES: Final = frozenset({"UpdateItem", "DeleteItem"})
_SLOW_S: Final = 0.05
"""A request that was held up so long counts as faulted, though AWS answers it."""


class _FaultySession:
    """A boto3 session whose clients have a fault."""

    def __init__(self, session: Any, injector: Injector) -> None:
        self._session = session
        self._injector = injector

    def client(self, service: str, **options: Any) -> Any:
        """A client with the fault before anything else that stands before sending."""
        client = self._session.client(service, **options)
        client.meta.events.register_first("before-send", self._injector.before_send)
        return client


class _Raw(io.BytesIO):
    """A body as urllib3 gives it."""

    def stream(self, *_args: Any, **_kwargs: Any) -> Iterator[bytes]:
        """All of it at once."""
        if data := self.read():
            yield data


def _response(url: str, answer: Answer) -> Any:
    """An answer as botocore's HTTP session gives it."""
    from botocore.awsrequest import AWSResponse, HeadersDict

    data = json.dumps(answer.body).encode()
    headers = HeadersDict(
        {
            "content-type": "application/x-amz-json-1.0",
            "content-length": str(len(data)),
            "x-amzn-requestid": "DRILL",
        }
    )
    return AWSResponse(url, answer.status, cast(Any, headers), _Raw(data))


def error(code: str, message: str, status: int = 400) -> Answer:
    """An error in the form of DynamoDB's JSON protocol."""
    return Answer({"__type": f"{_ERROR_PREFIX}{code}", "message": message}, status)


def throttle() -> Answer:
    """The throttle that DynamoDB sends."""
    return error("ProvisionedThroughputExceededException", "the drill throttles")


def per_second(operation: str, rate_per_s: float, burst: float) -> Fault:
    """A table that takes so many requests of an operation per second, and throttles the rest."""
    left, last_s = burst, -1.0

    def fault(request: Request) -> Answer | None:
        nonlocal left, last_s
        if request.operation != operation:
            return None
        if last_s >= 0:
            left = min(burst, left + (request.at_s - last_s) * rate_per_s)
        last_s = request.at_s
        if left < 1:
            return throttle()
        left -= 1
        return None

    return fault


def on_key(operation: str, key: Mapping[str, Any], times: int) -> Fault:
    """One key whose partition is at its limit for its first requests; all others pass."""
    seen = 0

    def fault(request: Request) -> Answer | None:
        nonlocal seen
        if request.operation != operation or request.body.get("Key") != key or seen >= times:
            return None
        seen += 1
        return throttle()

    return fault


def once(operation: str, number: int, answer: Callable[[Request], Answer | None]) -> Fault:
    """Something that happens at one request of an operation, counted from 0."""

    def fault(request: Request) -> Answer | None:
        if request.operation != operation or request.number != number:
            return None
        return answer(request)

    return fault


def from_then_on(operation: str, number: int, answer: Answer) -> Fault:
    """An answer to every request of an operation from one on, until the fault is taken away."""

    def fault(request: Request) -> Answer | None:
        return answer if request.operation == operation and request.number >= number else None

    return fault


def slow(operation: str, seconds: float, sleep: Callable[[float], None] = time.sleep) -> Fault:
    """Every request of an operation takes so long."""

    def fault(request: Request) -> Answer | None:
        if request.operation == operation:
            sleep(seconds)
        return None

    return fault
