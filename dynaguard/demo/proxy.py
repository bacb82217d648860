"""A throttling proxy before a DynamoDB endpoint on loopback: the emulators do not throttle.

It passes requests on unchanged and charges them as `meter` says. Over the limit, a call gets the
error that AWS sends; of a batch, the part that fits is passed on and the rest comes back as
unprocessed. A shortened batch no longer fits its signature, which emulators do not check: this is
not for AWS itself. It listens on 127.0.0.1 only.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import secrets
import socket
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from dynaguard.demo.meter import (
    Ask,
    JsonObject,
    Limit,
    Meter,
    Rate,
    TableCounts,
    merge_leftovers,
    read_ask,
    split_batch,
)
from dynaguard.errors import ConfigurationError

__all__ = ["Limit", "Rate", "TableCounts", "ThrottlingProxy", "Witnessed"]

_UPSTREAM_TIMEOUT_S: Final = 60.0
# Source: RFC 9110 section 7.6.1; the length is set anew for each message.
_NOT_PASSED_ON: Final = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_SIGNED_HEADERS = re.compile(r"SignedHeaders=([^,\s]+)")
_TARGET_PREFIX: Final = "DynamoDB_20120810."
_ERROR_PREFIX: Final = "com.amazonaws.dynamodb.v20120810#"


@dataclass(frozen=True, slots=True)
class Witnessed:
    """One request that reached the proxy; kept without its body and its signature.

    Attributes:
        target: `DynamoDB_20120810.PutItem`; empty for other requests.
        user_agent: As sent.
        headers: Headers that name the caller's correlation and attempt (`x-dynaguard-*` and
            `amz-sdk-*`), names in lower case.
        signed_headers: Names of the headers under the signature.
        tables: The tables that a metered call names.
        status: What the caller was answered.
    """

    target: str
    user_agent: str
    headers: Mapping[str, str]
    signed_headers: tuple[str, ...]
    tables: tuple[str, ...]
    status: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """What goes back to the caller."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class ThrottlingProxy:
    """The proxy; a context manager that starts and stops it. Thread-safe.

    Args:
        upstream: The endpoint, `http://127.0.0.1:5000`.
        limits: By table name; other tables pass freely.
        monotonic: Clock of the limits, in seconds.

    Raises:
        ConfigurationError: `upstream` is not an `http://host[:port]` address.
    """

    def __init__(
        self,
        upstream: str,
        *,
        limits: Mapping[str, Limit],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstream_host, self._upstream_port = _read_address(upstream)
        self._meter = Meter(limits, monotonic=monotonic)
        self._witnessed: list[Witnessed] = []
        self._server: _Server | None = None

    def start(self) -> str:
        """Starts serving on a free port of 127.0.0.1 and gives the address, `http://...`."""
        if self._server is None:
            self._server = _Server(self._answer)
            # a short poll, so that stopping takes no half second
            threading.Thread(
                target=self._server.serve_forever,
                kwargs={"poll_interval": 0.05},
                name="dynaguard-demo-proxy",
                daemon=True,
            ).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Stops serving and closes all connections; a second call does nothing."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            server.close_connections()

    def __enter__(self) -> Self:
        """Starts; the address is what `start()` gives."""
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops."""
        self.stop()

    @property
    def counts(self) -> Mapping[str, TableCounts]:
        """What came of the metered calls so far, by table name."""
        return self._meter.counts

    @property
    def witnessed(self) -> tuple[Witnessed, ...]:
        """Every request that was answered, in that order. It grows as long as the proxy lives."""
        return tuple(self._witnessed)

    def _answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> _Answer:
        """Answers one request and notes it."""
        target = headers.get("x-amz-target", "")
        request = _read_json(body) if target else None
        operation = target.removeprefix(_TARGET_PREFIX)
        ask = read_ask(operation, request) if request is not None else None
        forward = _Forward(self._upstream_host, self._upstream_port, method, path, headers)
        if request is None or ask is None:
            answer = forward.send(body)
        else:
            answer = self._throttle(forward, request, ask, body)
        tables = tuple(ask.items_by_table) if ask else ()
        self._witnessed.append(_note(target, headers, tables, answer.status))
        return answer

    def _throttle(self, forward: _Forward, request: JsonObject, ask: Ask, body: bytes) -> _Answer:
        """Passes on what fits of a metered call."""
        granted_by_table = self._meter.charge(ask)
        if granted_by_table == ask.items_by_table:
            return forward.send(body)
        if ask.leftovers_key is None or not any(granted_by_table.values()):
            return _refuse(next(iter(ask.items_by_table)))
        kept, left = split_batch(request, granted_by_table)
        answer = forward.send(json.dumps(kept).encode())
        parsed = _read_json(answer.body) if answer.status == http.client.OK else None
        if parsed is None:
            return answer
        merged = json.dumps(merge_leftovers(parsed, ask.leftovers_key, left)).encode()
        return _Answer(answer.status, _with_checksum(answer.headers, merged), merged)


@dataclass(frozen=True, slots=True)
class _Forward:
    """The way to the endpoint for one request."""

    host: str
    port: int
    method: str
    path: str
    headers: Mapping[str, str]

    def send(self, body: bytes) -> _Answer:
        """The endpoint's answer; a 502 where it gives none."""
        # a new connection each time: a kept one may be stale, and a write is not sent twice
        connection = http.client.HTTPConnection(self.host, self.port, timeout=_UPSTREAM_TIMEOUT_S)
        headers = dict(_pass_on(self.headers.items()))
        try:
            connection.request(self.method, self.path, body=body, headers=headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            message = "the endpoint behind the proxy does not answer"
            return _make_error(502, "InternalServerError", message)
        finally:
            connection.close()
        return _Answer(response.status, tuple(_pass_on(response.getheaders())), content)


class _Server(ThreadingHTTPServer):
    """Serves on a free loopback port and knows its open connections."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Callable[[str, str, Mapping[str, str], bytes], _Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remembers the connection and serves it in a thread."""
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Closes the connection."""
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of callers that went away; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def close_connections(self) -> None:
        """Ends the kept-alive connections, which would otherwise be served after the stop."""
        with self._connections_lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):  # the caller may have closed it already
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """Reads a request off the connection, has it answered, writes the answer."""

    protocol_version = "HTTP/1.1"
    # headers and body go out in two writes; together with delayed ACKs that would cost 40 ms
    disable_nagle_algorithm = True
    server: _Server

    def relay(self) -> None:
        """One request of whatever method."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal():
            self.send_error(http.client.LENGTH_REQUIRED)
            return
        body = self.rfile.read(int(length))
        answer = self.server.answer(self.command, self.path, headers, body)
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    # the names that the base class looks up, one per method
    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = relay  # noqa: N815

    def log_message(self, *_args: Any) -> None:
        """Prints nothing: the proxy runs beside a progress bar."""


def _read_address(upstream: str) -> tuple[str, int]:
    """Host and port of the endpoint."""
    parts = urlsplit(upstream)
    try:
        port = parts.port or 80
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or not port or parts.path.strip("/"):
        raise ConfigurationError(
            f"upstream `{upstream}` is no address of an endpoint, write it as "
            "`http://127.0.0.1:5000`"
        )
    return parts.hostname, port


def _read_json(body: bytes) -> JsonObject | None:
    """The JSON object in the body, or None."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _pass_on(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers without those that belong to one connection or one message."""
    return [(name, value) for name, value in headers if name.lower() not in _NOT_PASSED_ON]


def _with_checksum(headers: Iterable[tuple[str, str]], body: bytes) -> tuple[tuple[str, str], ...]:
    """The headers with the checksum of a body that we changed; SDKs verify it."""
    others = [(name, value) for name, value in headers if name.lower() != "x-amz-crc32"]
    return (*others, ("x-amz-crc32", str(zlib.crc32(body))))


def _refuse(table: str) -> _Answer:
    """The throttle that DynamoDB sends."""
    message = f"more was asked of the table `{table}` than its configured throughput allows"
    return _make_error(400, "ProvisionedThroughputExceededException", message)


def _make_error(status: int, code: str, message: str) -> _Answer:
    """An error in the form of DynamoDB's JSON protocol."""
    body = json.dumps({"__type": _ERROR_PREFIX + code, "message": message}).encode()
    headers = (
        ("Content-Type", "application/x-amz-json-1.0"),
        ("x-amzn-RequestId", secrets.token_hex(26).upper()),
    )
    return _Answer(status, _with_checksum(headers, body), body)


def _note(
    target: str, headers: Mapping[str, str], tables: tuple[str, ...], status: int
) -> Witnessed:
    """What is kept of a request: nothing of its items, credentials or signature."""
    signed = _SIGNED_HEADERS.search(headers.get("authorization", ""))
    return Witnessed(
        target=target,
        user_agent=headers.get("user-agent", ""),
        headers={
            name: value
            for name, value in headers.items()
            if name.startswith(("x-dynaguard-", "amz-sdk-"))
        },
        signed_headers=tuple(signed.group(1).split(";")) if signed else (),
        tables=tables,
        status=status,
    )
