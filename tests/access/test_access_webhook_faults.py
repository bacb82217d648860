"""Webhooks when something goes wrong around them: threads, clients, forks, missing files."""

from __future__ import annotations

import dataclasses
import http.client
import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from dynaguard.access.changes import ChangeKind
from dynaguard.access.deciding import Deciding
from dynaguard.access.persons import Person
from dynaguard.access.summaries import Summary
from dynaguard.access.ticket_book import TicketBook
from dynaguard.access.tickets import Demand, Terms, Ticket
from dynaguard.access.webhook_config import Target, Webhooks, read_webhooks
from dynaguard.access.webhook_server import MAX_CONNECTIONS, DecisionServer, Desk, make_server
from dynaguard.access.webhook_signing import WINDOW_S, Nonces
from dynaguard.access.webhooks import Notifier, body_of, make_notifier
from dynaguard.errors import ConfigurationError
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import ETL_ARN, Clock, deciding_of, document, lead

TICKET = Ticket(
    id="ticket-1-a",
    kind="call",
    subject_sha256="ab" * 32,
    summary=Summary("dynamodb DeleteItem in eu-west-1"),
    requester=Person("etl", ETL_ARN),
    reason="INC-4711",
    terms=Terms((Demand("s", 1, ("leads",)),), 600.0),
    created_epoch_s=Clock().now_s,
    uses_left=1,
)


def no_thread(_thread: threading.Thread) -> None:
    """What Python does when the process may have no further thread, or ends."""
    raise RuntimeError("can't start new thread")


class Inbox:
    """Somebody's endpoint on loopback; notes what is posted to it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Takes it."""
                inbox.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}
        )


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """An endpoint that answers 200."""
    made = Inbox()
    made.thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.thread.join()


# --- telling -----------------------------------------------------------------------------------


def test_what_a_file_names_is_told(inbox: Inbox, tmp_path: Path) -> None:
    """Over a real socket; an answer of 200 is no failure."""
    path = tmp_path / "webhooks.toml"
    path.write_text(f'[[out]]\nurl = "{inbox.url}"\n')
    notifier = make_notifier(path)
    assert notifier is not None

    notifier(TICKET, "ticket opened")

    assert notifier.flush(10)
    assert notifier.failures == 0
    (body,) = inbox.bodies
    assert b"ticket opened: ticket-1-a" in body


def test_without_a_file_nobody_is_told() -> None:
    """There is nothing that could be called."""
    assert make_notifier(None) is None


def test_without_targets_no_thread_is_started() -> None:
    """A file may name who decides alone."""
    before = set(threading.enumerate())
    notifier = Notifier(())

    notifier(TICKET, "ticket opened")

    assert set(threading.enumerate()) == before
    assert notifier.flush(0)


def test_what_no_thread_can_post_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, in nobody's way, not waited for; the next one is posted if there is a thread."""
    posted: list[str] = []

    def post_it(url: str, _body: bytes, _headers: dict[str, str]) -> int:
        posted.append(url)
        return 200

    notifier = Notifier((Target("https://a"),), post=post_it)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        notifier(TICKET, "ticket opened")

    assert notifier.dropped == 1
    assert notifier.flush(0)
    notifier(TICKET, "ticket approved")
    notifier.close(5)
    assert posted == ["https://a"]
    assert notifier.dropped == 1


def test_a_ticket_without_a_reason_has_no_line_for_it() -> None:
    """Rather than an empty one."""
    plain = dataclasses.replace(TICKET, reason="")

    told, silent = (
        body_of(each, "ticket opened", "slack", Clock().now_s)["blocks"][0]["text"]["text"]
        for each in (TICKET, plain)
    )

    assert "why: INC-4711" in told
    assert "why" not in silent


def test_who_decides_is_told_of_with_what_became_of_it() -> None:
    """Of an approval, and of its end."""
    clock, store = Clock(), MemoryStore()
    told: list[tuple[str, ChangeKind]] = []
    book = deciding_of(store, clock.time).book
    deciding = Deciding(
        book,
        access_terms=document().access_requests,
        max_duration_s=86_400.0,
        notify=lambda ticket, kind: told.append((ticket.id, kind)),
    )
    id_ = opened(book).id

    deciding.decide(id_, lead(), is_approval=True, why="fine", channel="cli")
    deciding.cancel(id_, lead(), why="looks wrong")

    assert told == [(id_, "ticket approved"), (id_, "ticket cancelled")]


def opened(book: TicketBook) -> Ticket:
    """A ticket in a store."""
    return book.ask(dataclasses.replace(TICKET, id=""))[0]


# --- the file ----------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """By its path and the system's words."""
    with pytest.raises(ConfigurationError, match=r"nowhere.toml` cannot be read \(No such file"):
        read_webhooks(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("environ", [{}, {"HOOK": ""}])
def test_a_variable_that_is_not_set_is_told(tmp_path: Path, environ: dict[str, str]) -> None:
    """An empty secret would be one that everybody knows."""
    path = tmp_path / "webhooks.toml"
    path.write_text('[in]\nsecret_env = "HOOK"\n')

    with pytest.raises(ConfigurationError, match=r"in.secret_env: the variable `HOOK` is not set"):
        read_webhooks(path, environ)


# --- who signs -----------------------------------------------------------------------------------


def test_a_nonce_is_forgotten_once_its_timestamp_is_too_old_anyhow() -> None:
    """So that the memory does not fill; not a moment before."""
    nonces = Nonces()
    assert nonces.take("a", 0.0)
    assert nonces.take("b", 1.0)

    assert not nonces.take("a", 2 * WINDOW_S - 0.001)
    assert nonces.take("a", 2 * WINDOW_S)
    assert not nonces.take("b", 2 * WINDOW_S)


def test_a_forked_child_is_not_stuck_with_a_lock_that_its_parent_held() -> None:
    """And what was taken stays taken."""
    nonces = Nonces()
    assert nonces.take("a", 0.0)

    with nonces._lock:
        nonces.renew()
        assert not nonces.take("a", 1.0)
        assert nonces.take("b", 1.0)


# --- the server ----------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[DecisionServer]:
    """A server on a free port of loopback, with nobody who could decide."""
    server = make_server(deciding_of(MemoryStore()), Webhooks(), document(), ("127.0.0.1", 0))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def status(server: DecisionServer, method: str, path: str) -> int:
    """The status of its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    try:
        connection.request(method, path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_whether_it_is_up_can_be_asked(server: DecisionServer) -> None:
    """By a load balancer; there is nothing else to get."""
    assert status(server, "GET", "/health") == 200
    assert status(server, "GET", "/slack") == 404
    assert status(server, "GET", "/health?x=1") == 404


def test_connections_for_which_there_is_no_thread_are_not_counted_for_ever(
    server: DecisionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once there are threads again, it answers."""
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        for _ in range(MAX_CONNECTIONS):
            near, far = socket.socketpair()
            with near, far, pytest.raises(RuntimeError):
                server.process_request(near, ("127.0.0.1", 1))

    assert status(server, "GET", "/health") == 200


def test_a_failure_of_ours_ends_one_request_and_is_told_by_its_kind(
    server: DecisionServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is in it stays out of the log; the next request is answered."""

    class Broken(Desk):
        def take(self, path: str, headers: Any, body: bytes) -> str:
            raise ZeroDivisionError("secret-of-the-body")

    caplog.set_level(logging.WARNING, "dynaguard.access")
    whole = server.desk
    server.desk = Broken(deciding_of(MemoryStore()), Webhooks(), document())

    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    connection.request("POST", "/slack", b"payload")
    with pytest.raises(http.client.RemoteDisconnected):
        connection.getresponse()
    connection.close()

    server.desk = whole
    assert status(server, "GET", "/health") == 200
    assert "a webhook request failed (ZeroDivisionError)" in caplog.text
    assert "secret-of-the-body" not in caplog.text
