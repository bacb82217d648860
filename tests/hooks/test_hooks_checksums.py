"""Answers damaged on the way: a guarded client notices them just as a bare one does.

A server on loopback answers with DynamoDB's `x-amz-crc32`, right or wrong: all of botocore runs.
"""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from botocore.config import Config

import dynaguard
from dynaguard.recording import Recording

pytestmark = pytest.mark.integration

BODY = json.dumps({"Item": {"order_id": {"S": "A-1"}, "email": {"S": "a@b.org"}}}).encode()
RIGHT, WRONG = str(zlib.crc32(BODY)), str(zlib.crc32(b"other"))
KEY = {"order_id": {"S": "A-1"}}
MASKS = {
    "version": 1,
    "default": "allow",
    "mask": [{"tables": ["orders"], "attributes": ["email"], "with": "redact"}],
}
SUMS: Mapping[str, list[str | None]] = {
    "right": [RIGHT],
    "none": [None],
    "no number": ["x"],
    "wrong, then right": [WRONG, RIGHT],
    "always wrong": [WRONG],
}


class Table:
    """A table that gives one item; each answer with the next of some sums, the last repeated."""

    def __init__(self) -> None:
        self.sums: list[str | None] = [RIGHT]
        self.requests = 0
        self.url = ""

    def next_sum(self) -> str | None:
        """The sum of the next answer."""
        place = min(self.requests, len(self.sums) - 1)
        self.requests += 1
        return self.sums[place]


@pytest.fixture
def table() -> Iterator[Table]:
    """The table, served."""
    found = Table()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            crc32 = found.next_sum()
            self.send_response_only(200)  # without a date, so that answers compare
            self.send_header("x-amzn-requestid", "R")
            self.send_header("content-length", str(len(BODY)))
            if crc32 is not None:
                self.send_header("x-amz-crc32", crc32)
            self.end_headers()
            self.wfile.write(BODY)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield found
        server.shutdown()


@pytest.fixture
def outcome(table: Table, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Makes a call; gives the requests that it took, and its answer or the kind of its error.

    The client has made one before: what it remembers of handlers must not hide a wrong sum.
    """
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))

    def make(case: str, **config: Any) -> tuple[int, Any]:
        client: Any = botocore.session.Session().create_client(
            "dynamodb", endpoint_url=table.url, config=Config(**config)
        )
        table.sums = [RIGHT]
        client.get_item(TableName="orders", Key=KEY)
        table.sums, table.requests = SUMS[case], 0
        try:
            answer: Any = client.get_item(TableName="orders", Key=KEY)
        except Exception as err:  # noqa: BLE001 - whatever a bare client raises, so must a guarded
            answer = type(err).__name__
        finally:
            client.close()
        return table.requests, answer

    return make


@pytest.mark.parametrize("case", SUMS)
@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
@pytest.mark.parametrize("fast_parse", [True, False])
def test_a_sum_is_checked_as_without_dynaguard(
    outcome: Callable[..., Any], waiting: Any, case: str, mode: str, fast_parse: bool
) -> None:
    """Same requests, same answer or error, in every retry mode."""
    retries = {"mode": mode, "total_max_attempts": 3}
    bare = outcome(case, retries=retries)

    dynaguard.install(budget=False, stamp=False, fast_parse=fast_parse)

    assert outcome(case, retries=retries) == bare


@pytest.mark.parametrize("mode", ["legacy", "standard"])
def test_masks_of_a_damaged_answer_count_for_nothing(
    outcome: Callable[..., Any], waiting: Any, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the caller gets is masked once, and counted once."""
    masked: list[Any] = []
    real = Recording.leave

    def leave(recording: Recording, passage: Any, *more: Any) -> None:
        masked.append(passage.masked)
        real(recording, passage, *more)

    monkeypatch.setattr(Recording, "leave", leave)
    dynaguard.install(MASKS, budget=False)

    requests, answer = outcome("wrong, then right", retries={"mode": mode})

    assert requests == 2
    assert answer["Item"] == {**KEY, "email": {"S": "masked!dg1:redacted"}}
    assert masked == [{"orders": {("email", "redact", None): 1}}] * 2
