"""Decisions by webhook: forged, late, repeated and unknown requests decide nothing."""

from __future__ import annotations

import http.client
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dynaguard.access import webhook_server
from dynaguard.access.deciding import Deciding
from dynaguard.access.tickets import Ticket
from dynaguard.access.webhook_config import Webhooks
from dynaguard.access.webhook_server import DecisionServer, Desk, RefusedError
from dynaguard.access.webhook_signing import is_signed, signature
from dynaguard.errors import AccessStoreError, TicketError
from tests.access.approving import Clock, document
from tests.access.webhook_desk import (
    ANN,
    OTHER,
    PEOPLE,
    SLACK,
    clock,
    deciding,
    desk,
    plain,
    slack,
    ticket,
)

__all__ = ["clock", "deciding", "desk", "ticket"]  # fixtures


def test_a_button_approves(desk: Desk, ticket: Ticket, clock: Clock, deciding: Deciding) -> None:
    """In the name of whom the table gives, in the groups of the policy."""
    text = desk.take(*slack(ticket.id, clock))

    assert "was approved by Leads (ann)" in text
    found = deciding.book.find(ticket.id)
    assert found is not None
    assert found.decisions[0].person.arn == ANN
    assert found.decisions[0].groups == ("leads",)
    assert found.decisions[0].channel == "slack"


def test_a_decision_as_json_denies(desk: Desk, ticket: Ticket, clock: Clock) -> None:
    """With the reason that it gives."""
    assert "was denied by Leads (ann)" in desk.take(*plain(clock, ticket=ticket.id))


def test_the_signature_is_slacks_own() -> None:
    """The example of Slack's documentation."""
    secret = b"8f742231b10e8888abcd99yyyzzz85a5"
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2F"
        b"commands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )

    assert signature(secret, "1531420618", body) == (
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    )


@pytest.mark.parametrize("make", [slack, plain])
def test_a_forged_request_decides_nothing(
    desk: Desk, ticket: Ticket, clock: Clock, deciding: Deciding, make: Any
) -> None:
    """Another body, another secret, no signature."""
    arguments = (ticket.id, clock) if make is slack else (clock,)
    path, headers, body = make(*arguments)
    name = next(name for name in headers if name.endswith("Signature"))

    for changed, sent in (
        (headers, body + b" "),
        ({**headers, name: "v0=" + "0" * 64}, body),
        ({**headers, name: "v0=\u00e9"}, body),
        ({name: headers[name]}, body),
        ({}, body),
    ):
        with pytest.raises(RefusedError, match="signature"):
            desk.take(path, changed, sent)
    assert deciding.book.find(ticket.id) == ticket


@pytest.mark.parametrize("late_s", [301, -301, 1e9, -1e9])
def test_a_late_request_decides_nothing(
    desk: Desk, ticket: Ticket, clock: Clock, late_s: float
) -> None:
    """Nor one from the future."""
    with pytest.raises(RefusedError, match="too old"):
        desk.take(*slack(ticket.id, clock, late_s=late_s))


def test_a_request_is_taken_once(desk: Desk, ticket: Ticket, clock: Clock) -> None:
    """Sent again, it is refused before anybody looks at the ticket."""
    desk.take(*slack(ticket.id, clock))

    with pytest.raises(RefusedError, match="taken already"):
        desk.take(*slack(ticket.id, clock))


def test_a_nonce_is_taken_once(desk: Desk, ticket: Ticket, clock: Clock) -> None:
    """Even with another signature: at another second, say."""
    with pytest.raises(TicketError):
        desk.take(*plain(clock, ticket="ticket-none"))
    clock.now_s += 2

    with pytest.raises(RefusedError, match="taken already"):
        desk.take(*plain(clock, ticket=ticket.id))


@pytest.mark.parametrize("user", ["U0BOB", "", "ann", ANN])
def test_an_unknown_user_decides_nothing(
    desk: Desk, ticket: Ticket, clock: Clock, user: str
) -> None:
    """Whoever is not in the table, an ARN in its own name included."""
    with pytest.raises(RefusedError, match="none of"):
        desk.take(*slack(ticket.id, clock, user=user))


@pytest.mark.parametrize(
    ("user", "message"), [("U0ETL", "who asks cannot"), ("U0IDA", "may not decide")]
)
def test_who_may_not_decide_does_not(
    desk: Desk, ticket: Ticket, clock: Clock, user: str, message: str
) -> None:
    """A signature of Slack's makes nobody an approver."""
    with pytest.raises(TicketError, match=message):
        desk.take(*slack(ticket.id, clock, user=user))


@pytest.mark.parametrize(
    "changes",
    [
        {"ticket": None},
        {"ticket": 5},
        {"decision": "maybe"},
        {"nonce": None},
        {"nonce": "short"},
        {"nonce": "x" * 65},
        {"person": ["U0ANN"]},
        {"reason": None},
    ],
)
def test_what_is_not_understood_decides_nothing(
    desk: Desk, ticket: Ticket, clock: Clock, changes: dict[str, Any]
) -> None:
    """A part is missing, or of another type."""
    with pytest.raises(RefusedError, match="not understood"):
        desk.take(*plain(clock, **{"ticket": ticket.id, **changes}))


@pytest.mark.parametrize(
    "body", [b"", b"payload=", b"payload=[]", b"payload={}", b"\xff", b"payload=" + b"[" * 5000]
)
def test_a_payload_that_is_none_decides_nothing(desk: Desk, clock: Clock, body: bytes) -> None:
    """Signed, and still not understood."""
    stamp = str(int(clock.now_s))
    headers = {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": signature(SLACK, stamp, body),
    }

    with pytest.raises(RefusedError, match="not understood"):
        desk.take("/slack", headers, body)


def test_without_a_secret_nothing_is_taken(deciding: Deciding, clock: Clock) -> None:
    """An empty secret signs for nobody."""
    desk = Desk(deciding, Webhooks((), None, None, PEOPLE), document(), clock.time)

    for request in (slack("ticket-x", clock), plain(clock, ticket="ticket-x")):
        with pytest.raises(RefusedError, match="signature"):
            desk.take(*request)


def test_timestamps_are_digits() -> None:
    """Whatever else Python takes for a number."""
    body = b"x"
    for stamp in ("1e9", "\u0661", " 1", "-1", "1_0", "9" * 400):
        assert not is_signed(SLACK, stamp, signature(SLACK, stamp, body), body, 1.0)


@pytest.fixture
def server(deciding: Deciding, monkeypatch: pytest.MonkeyPatch) -> Iterator[DecisionServer]:
    """A server on a free port of loopback."""
    monkeypatch.setattr(webhook_server, "REQUEST_TIMEOUT_S", 2.0)
    desk = Desk(deciding, Webhooks((), SLACK, OTHER, PEOPLE), document())
    server = DecisionServer(("127.0.0.1", 0), desk)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def post(server: DecisionServer, path: str, headers: Any, body: bytes) -> tuple[int, str]:
    """The status and text of its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())["text"]
    finally:
        connection.close()


def test_the_server_takes_decisions(server: DecisionServer, ticket: Ticket) -> None:
    """And answers what became of them; a second one is told that it comes late."""
    now = Clock(time.time())

    status, text = post(server, *slack(ticket.id, now))

    assert status == 200
    assert "was approved by Leads (ann)" in text
    assert post(server, *slack(ticket.id, now))[0] == 401
    assert post(server, "/slack", {}, b"payload=x")[0] == 401
    assert post(server, "/other", {}, b"x")[0] == 404
    assert post(server, *plain(now, ticket=ticket.id))[0] == 409


def test_the_server_takes_no_long_body(server: DecisionServer) -> None:
    """Nor one that does not say how long it is."""
    headers = {"Content-Length": str(webhook_server.MAX_BODY_BYTES + 1)}

    assert post(server, "/slack", headers, b"")[0] == 413
    assert post(server, "/slack", {"Content-Length": "-1"}, b"")[0] == 411


class Dripping:
    """A socket that gives a byte a second."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.limits_s: list[float] = []

    def settimeout(self, seconds: float) -> None:
        """Notes the limit."""
        self.limits_s.append(seconds)

    def recv_into(self, buffer: Any) -> int:
        """One byte, later."""
        self.clock.now_s += 1
        buffer[:1] = b"a"
        return 1


def test_a_request_has_to_come_in_time_however_busily_it_drips() -> None:
    """Its bytes together, not each."""
    clock = Clock()
    connection: Any = Dripping(clock)
    arriving = webhook_server.Arriving(connection, 3.5, clock.time)

    with pytest.raises(TimeoutError):
        io.BufferedReader(arriving).read(60_000)
    assert connection.limits_s == [3.5, 2.5, 1.5, 0.5]


def test_connections_past_a_number_are_closed(
    deciding: Deciding, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes a thread. Those that end make room."""
    monkeypatch.setattr(webhook_server, "MAX_CONNECTIONS", 1)
    desk = Desk(deciding, Webhooks((), SLACK, OTHER, PEOPLE), document())
    server = DecisionServer(("127.0.0.1", 0), desk)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=5) as idle:
            idle.sendall(b"POST")
            with socket.create_connection(("127.0.0.1", server.server_port), timeout=5) as more:
                assert more.recv(1) == b""
        with server._connections:
            pass  # the thread of the first has given its place back
        assert post(server, "/other", {}, b"x")[0] == 404
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_server_says_little_when_the_store_is_gone(
    server: DecisionServer, deciding: Deciding
) -> None:
    """The reason stays in the log."""
    deciding.book.store.problem = "disk /dev/secret is gone"  # type: ignore[attr-defined]

    assert post(server, *slack("ticket-a-b", Clock(time.time()))) == (503, "try again later")


@pytest.mark.parametrize("make", [slack, lambda id_, clock: plain(clock, ticket=id_)])
def test_a_store_error_is_no_refusal(
    desk: Desk, deciding: Deciding, clock: Clock, ticket: Ticket, make: Any
) -> None:
    """Who asked may send the same again, and that is taken once."""
    store: Any = deciding.book.store
    request = make(ticket.id, clock)
    store.problem = "gone"

    with pytest.raises(AccessStoreError):
        desk.take(*request)

    store.problem = None
    assert ticket.id in desk.take(*request)
    with pytest.raises(RefusedError, match="taken already"):
        desk.take(*request)
