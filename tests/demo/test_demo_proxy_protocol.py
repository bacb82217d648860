"""The throttling proxy's protocol, without an SDK: bodies, connections, faults, addresses."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import zlib
from contextlib import closing
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from dynaguard.demo.proxy import Limit, Rate, ThrottlingProxy
from dynaguard.errors import ConfigurationError
from tests.demo.throttled_table import (
    NO_REFILL,
    ClientMaker,
    make_client,
    proxy,
    put_requests,
    upstream,
)

__all__ = ["make_client", "proxy", "upstream"]  # fixtures


pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Reply:
    """A raw answer, read in full."""

    status: int
    checksum: str
    body: bytes


def send(url: str, method: str, body: bytes = b"", **headers: str) -> Reply:
    """One raw request on a connection of its own."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)) as connection:
        connection.request(method, "/", body=body, headers=named)
        response = connection.getresponse()
        return Reply(response.status, response.getheader("x-amz-crc32", ""), response.read())


def test_listens_on_loopback_only(proxy: ThrottlingProxy) -> None:
    """The address is a free port of 127.0.0.1, the same for each `start()`."""
    url = proxy.start()

    assert urlsplit(url).hostname == "127.0.0.1"
    assert proxy.start() == url


def test_requests_of_other_kinds_pass(proxy: ThrottlingProxy) -> None:
    """What carries no target, or no JSON, is the endpoint's to answer."""
    for method in ("GET", "HEAD"):
        answer = send(proxy.start(), method)
        assert answer.status == 200
        assert bool(answer.body) is (method == "GET")

    target = {"X_Amz_Target": "DynamoDB_20120810.PutItem"}
    for body in (b"[not json", b"[]"):
        assert send(proxy.start(), "POST", body, **target).status
    assert [call.target for call in proxy.witnessed[2:]] == [*target.values()] * 2
    assert proxy.counts == {}


@pytest.mark.parametrize("header", ["Transfer-Encoding: chunked", "Content-Length: -5"])
def test_bodies_without_a_length_are_refused(proxy: ThrottlingProxy, header: str) -> None:
    """A request whose length is not told gets 411 and is not passed on."""
    parts = urlsplit(proxy.start())
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as raw:
        raw.sendall(f"POST / HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 411")
    assert proxy.witnessed == ()


def test_checksums_fit_the_bodies(upstream: str) -> None:
    """The throttle's checksum is that of its body."""
    body = json.dumps({"TableName": "orders", "Item": {}}).encode()
    limits = {"orders": Limit(write=Rate(0.0, 0.0))}
    with ThrottlingProxy(upstream, limits=limits) as running:
        answer = send(running.start(), "POST", body, X_Amz_Target="DynamoDB_20120810.PutItem")

    assert int(answer.checksum) == zlib.crc32(answer.body)
    assert json.loads(answer.body)["__type"] == (
        "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
    )


def test_an_endpoint_that_is_not_there_is_an_error(make_client: ClientMaker) -> None:
    """The caller gets a 502 and a message that names the endpoint as the cause."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}"
        with ThrottlingProxy(nobody, limits={}) as running:
            client = make_client(running.start())
            with pytest.raises(ClientError) as caught:
                client.list_tables()

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 502
    assert "does not answer" in caught.value.response["Error"]["Message"]


class _TextEndpoint(BaseHTTPRequestHandler):
    """Answers every request with a 200 that is no JSON."""

    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"plain text")

    def log_message(self, *_args: Any) -> None:
        """Prints nothing."""


def test_an_answer_that_is_not_json_comes_through() -> None:
    """Leftovers cannot be added to it, so it goes back as it is."""
    endpoint = ThreadingHTTPServer(("127.0.0.1", 0), _TextEndpoint)
    threading.Thread(target=endpoint.serve_forever, kwargs={"poll_interval": 0.05}).start()
    body = json.dumps({"RequestItems": {"orders": put_requests(0, 9)}}).encode()
    try:
        address = f"http://127.0.0.1:{endpoint.server_port}"
        with ThrottlingProxy(address, limits={"orders": NO_REFILL}) as running:
            target = {"X_Amz_Target": "DynamoDB_20120810.BatchWriteItem"}
            assert send(running.start(), "POST", body, **target).body == b"plain text"
    finally:
        endpoint.shutdown()
        endpoint.server_close()


def test_stopping_ends_kept_alive_connections(proxy: ThrottlingProxy) -> None:
    """After the stop nothing is served on old connections either; stop is idempotent."""
    connection = http.client.HTTPConnection(urlsplit(proxy.start()).netloc, timeout=10)
    connection.request("GET", "/")
    connection.getresponse().read()

    proxy.stop()
    proxy.stop()

    with closing(connection), pytest.raises((http.client.HTTPException, OSError)):  # noqa: PT012
        connection.request("GET", "/")
        connection.getresponse()


def test_a_caller_that_goes_away_is_no_noise(
    proxy: ThrottlingProxy, capfd: pytest.CaptureFixture[str]
) -> None:
    """A reset connection prints nothing and the next caller is served."""
    parts = urlsplit(proxy.start())
    raw = socket.create_connection((parts.hostname, parts.port), timeout=10)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    raw.sendall(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n")
    raw.close()  # with a reset, in the middle of a request

    assert send(proxy.start(), "GET").status == 200
    assert capfd.readouterr().err == ""


def test_a_fault_of_the_proxy_itself_is_shown(
    upstream: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """What is no caller's doing is printed, and the caller gets no answer."""
    ticks = iter([0.0])  # the second reading of the clock fails
    body = json.dumps({"TableName": "orders"}).encode()
    with (
        ThrottlingProxy(upstream, limits={}, monotonic=lambda: next(ticks)) as running,
        pytest.raises(http.client.RemoteDisconnected),
    ):
        send(running.start(), "POST", body, X_Amz_Target="DynamoDB_20120810.PutItem")

    assert "StopIteration" in capfd.readouterr().err


@pytest.mark.parametrize(
    "upstream_text",
    ["https://127.0.0.1:1", "127.0.0.1:5000", "http://", "http://h:99999", "http://h/path", ""],
)
def test_a_wrong_address_is_an_error(upstream_text: str) -> None:
    """The error shows what was given and how it is written."""
    with pytest.raises(ConfigurationError, match=r"write it as `http://127.0.0.1:5000`"):
        ThrottlingProxy(upstream_text, limits={})


def test_the_port_may_be_left_out() -> None:
    """An address without a port means port 80."""
    assert ThrottlingProxy("http://localhost", limits={}).witnessed == ()
