"""The throttling proxy over sockets, before moto's server and with boto3 as the caller."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from dynaguard.demo.proxy import Limit, Rate, TableCounts, ThrottlingProxy
from dynaguard.errors import ConfigurationError
from tests.servers import moto_server

pytestmark = pytest.mark.integration

NO_REFILL = Limit(write=Rate(units_per_s=0.0, burst_units=5.0))


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    """Address of a real server in a process of its own."""
    with moto_server() as server:
        yield server.url


ClientMaker = Callable[..., Any]


@pytest.fixture
def make_client() -> Iterator[ClientMaker]:
    """Makes DynamoDB clients that try once; closes them."""
    clients = []

    def make(url: str, **config: Any) -> Any:
        client = boto3.session.Session().client(
            "dynamodb",
            endpoint_url=url,
            region_name="eu-west-1",
            aws_access_key_id="AKIAEXAMPLEEXAMPLE00",
            aws_secret_access_key="example",
            config=Config(retries={"total_max_attempts": 1}, proxies={}, **config),
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def table(upstream: str, make_client: ClientMaker) -> Iterator[str]:
    """A fresh table named `orders`, made without the proxy."""
    client = make_client(upstream)
    client.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield "orders"
    client.delete_table(TableName="orders")


@pytest.fixture
def proxy(upstream: str) -> Iterator[ThrottlingProxy]:
    """A proxy that lets five writes to `orders` through and no more."""
    with ThrottlingProxy(upstream, limits={"orders": NO_REFILL}) as running:
        yield running


def put_requests(first: int, count: int) -> list[dict[str, Any]]:
    """That many writes of a batch."""
    return [
        {"PutRequest": {"Item": {"pk": {"S": f"order-{index}"}}}}
        for index in range(first, first + count)
    ]


def test_passes_calls_on(proxy: ThrottlingProxy, table: str, make_client: ClientMaker) -> None:
    """What is written through the proxy is read through it; reads are not limited here."""
    client = make_client(proxy.start())
    client.put_item(TableName=table, Item={"pk": {"S": "a"}, "total": {"N": "7"}})

    answer = client.get_item(TableName=table, Key={"pk": {"S": "a"}})

    assert answer["Item"] == {"pk": {"S": "a"}, "total": {"N": "7"}}
    assert proxy.counts == {"orders": TableCounts(accepted_items=2)}


def test_single_calls_over_the_limit_are_throttled(
    proxy: ThrottlingProxy, table: str, make_client: ClientMaker
) -> None:
    """The sixth write gets DynamoDB's own error, and the endpoint never sees it."""
    client = make_client(proxy.start())
    for index in range(5):
        client.put_item(TableName=table, Item={"pk": {"S": f"order-{index}"}})

    with pytest.raises(client.exceptions.ProvisionedThroughputExceededException) as caught:
        client.put_item(TableName=table, Item={"pk": {"S": "one too many"}})

    metadata = caught.value.response["ResponseMetadata"]
    assert metadata["HTTPStatusCode"] == 400
    assert metadata["RequestId"]
    assert "`orders`" in caught.value.response["Error"]["Message"]
    assert client.scan(TableName=table, Select="COUNT")["Count"] == 5
    assert proxy.counts["orders"].throttled_calls == 1


def test_a_batch_gets_its_leftovers_back(
    proxy: ThrottlingProxy, table: str, make_client: ClientMaker
) -> None:
    """The part that fits is written, the rest comes back as it was sent."""
    client = make_client(proxy.start())

    answer = client.batch_write_item(RequestItems={table: put_requests(0, 8)})

    assert answer["UnprocessedItems"] == {table: put_requests(5, 3)}
    assert client.scan(TableName=table, Select="COUNT")["Count"] == 5
    counts = proxy.counts["orders"]
    assert (counts.unprocessed_items, counts.throttled_calls) == (3, 0)


def test_a_batch_of_which_nothing_fits_is_throttled(
    proxy: ThrottlingProxy, table: str, make_client: ClientMaker
) -> None:
    """With nothing left the whole batch is an error, as AWS does it."""
    client = make_client(proxy.start())
    client.batch_write_item(RequestItems={table: put_requests(0, 5)})

    with pytest.raises(ClientError) as caught:
        client.batch_write_item(RequestItems={table: put_requests(5, 2)})

    assert caught.value.response["Error"]["Code"] == "ProvisionedThroughputExceededException"


def test_batch_reads_are_cut_too(upstream: str, table: str, make_client: ClientMaker) -> None:
    """Keys over the read limit come back as unprocessed keys."""
    limits = {table: Limit(read=Rate(units_per_s=0.0, burst_units=1.0))}
    keys = [{"pk": {"S": "order-0"}}, {"pk": {"S": "order-1"}}]
    with ThrottlingProxy(upstream, limits=limits) as running:
        client = make_client(running.start())
        client.batch_write_item(RequestItems={table: put_requests(0, 2)})

        answer = client.batch_get_item(RequestItems={table: {"Keys": keys}})

    assert answer["Responses"] == {table: [keys[0]]}
    assert answer["UnprocessedKeys"] == {table: {"Keys": [keys[1]]}}


def test_a_refill_lets_a_batch_writer_finish(
    upstream: str, table: str, make_client: ClientMaker
) -> None:
    """A loop over the leftovers writes every item exactly once."""
    limits = {table: Limit(write=Rate(units_per_s=500.0, burst_units=10.0))}
    with ThrottlingProxy(upstream, limits=limits) as running:
        client = make_client(running.start())
        pending = {table: put_requests(0, 25)}
        for _ in range(500):
            try:
                pending = client.batch_write_item(RequestItems=pending)["UnprocessedItems"]
            except client.exceptions.ProvisionedThroughputExceededException:
                continue
            if not pending:
                break

        assert client.scan(TableName=table, Select="COUNT")["Count"] == 25
        # the scan above counts as one item
        assert running.counts[table].accepted_items == 26


def test_errors_of_the_endpoint_come_through(
    proxy: ThrottlingProxy, make_client: ClientMaker
) -> None:
    """The proxy adds nothing to an answer that is not its own, nor to other operations."""
    client = make_client(proxy.start())

    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_table(TableName="no-such-table")
    with pytest.raises(ClientError) as caught:  # a shortened batch that the endpoint refuses
        client.batch_write_item(
            RequestItems={"no-such-table": put_requests(0, 1), "orders": put_requests(0, 6)}
        )

    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert [call.tables for call in proxy.witnessed] == [(), ("no-such-table", "orders")]


def test_many_threads_get_exactly_the_limit(
    proxy: ThrottlingProxy, table: str, make_client: ClientMaker
) -> None:
    """Threads together get what the table has, over kept-alive connections."""
    client = make_client(proxy.start(), max_pool_connections=8)

    def put(index: int) -> bool:
        try:
            client.put_item(TableName=table, Item={"pk": {"S": f"order-{index}"}})
        except client.exceptions.ProvisionedThroughputExceededException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(put, range(24))) == 5

    assert proxy.counts["orders"] == TableCounts(accepted_items=5, throttled_calls=19)
    assert len(proxy.witnessed) == 24


def test_witnesses_what_was_sent(
    proxy: ThrottlingProxy, table: str, make_client: ClientMaker
) -> None:
    """It keeps target, user agent, correlation headers and what was signed; no secrets."""
    client = make_client(proxy.start(), user_agent_extra="md/dynaguard#INC-4711")
    client.meta.events.register(
        "before-sign.dynamodb.*",
        lambda request, **_: request.headers.add_header("X-Dynaguard-Correlation-Id", "INC-4711"),
    )

    client.put_item(TableName=table, Item={"pk": {"S": "private"}})

    (seen,) = proxy.witnessed
    assert seen.target == "DynamoDB_20120810.PutItem"
    assert seen.user_agent.endswith("md/dynaguard#INC-4711")
    assert seen.headers["x-dynaguard-correlation-id"] == "INC-4711"
    assert "x-dynaguard-correlation-id" in seen.signed_headers
    assert (seen.tables, seen.status) == (("orders",), 200)
    assert "private" not in repr(seen)
    assert "Signature" not in repr(seen)


# --- the protocol, without an SDK --------------------------------------------------------


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
