"""Webhooks: signed out and in; forged, late, repeated and unknown requests decide nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import http.client
import io
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

import pytest

from dynaguard.access import webhook_server
from dynaguard.access.deciding import Deciding
from dynaguard.access.persons import Person
from dynaguard.access.summaries import Summary
from dynaguard.access.tickets import Demand, Terms, Ticket
from dynaguard.access.webhook_config import Target, Webhooks, read_webhooks
from dynaguard.access.webhook_server import DecisionServer, Desk, RefusedError
from dynaguard.access.webhook_signing import is_signed, signature
from dynaguard.access.webhooks import Notifier, body_of
from dynaguard.errors import AccessStoreError, ConfigurationError, TicketError
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import ACCOUNT, ETL_ARN, Clock, deciding_of, document

SLACK = b"slack-signing-secret"
OTHER = b"another-secret-of-ours"
ANN = f"arn:aws:sts::{ACCOUNT}:assumed-role/Leads/ann"
PEOPLE = {"U0ANN": ANN, "U0ETL": ETL_ARN, "U0IDA": f"arn:aws:iam::{ACCOUNT}:user/ida"}


@pytest.fixture
def clock() -> Clock:
    """The one clock of these tests."""
    return Clock()


@pytest.fixture
def deciding(clock: Clock) -> Deciding:
    """What decides, in a store in memory."""
    return deciding_of(MemoryStore(), clock.time)


@pytest.fixture
def ticket(deciding: Deciding, clock: Clock) -> Ticket:
    """A ticket of the role `etl` that a lead may approve."""
    terms = Terms((Demand("DeletesNeedALead (policy.toml)", 1, ("leads",)),), 600.0)
    draft = Ticket(
        id="",
        kind="call",
        subject_sha256="ab" * 32,
        summary=Summary(
            "dynamodb DeleteItem in eu-west-1",
            (("dynamodb:DeleteItem", "arn:aws:dynamodb:eu-west-1:1:table/orders"),),
            (("Key.pk", "<string, 8 characters>"),),
        ),
        requester=Person("etl", ETL_ARN),
        reason="<https://evil|click> & *bold*",
        terms=terms,
        created_epoch_s=clock.now_s,
        uses_left=1,
    )
    return deciding.book.ask(draft)[0]


@pytest.fixture
def desk(deciding: Deciding, clock: Clock) -> Desk:
    """What reads requests."""
    webhooks = Webhooks((), SLACK, OTHER, PEOPLE)
    return Desk(deciding, webhooks, document(), clock.time)


def slack(
    ticket: str, clock: Clock, *, user: str = "U0ANN", verb: str = "approve", late_s: float = 0
) -> tuple[str, dict[str, str], bytes]:
    """A button of Slack: signed as Slack's documentation says, by hand."""
    action = {"action_id": f"dynaguard_{verb}", "value": ticket}
    payload = {"type": "block_actions", "user": {"id": user}, "actions": [action]}
    body = urlencode({"payload": json.dumps(payload)}).encode()
    stamp = str(int(clock.now_s - late_s))
    digest = hmac.new(SLACK, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}
    return "/slack", headers, body


def plain(clock: Clock, **changes: Any) -> tuple[str, dict[str, str], bytes]:
    """A decision as JSON."""
    data = {
        "decision": "deny",
        "person": "U0ANN",
        "reason": "not today",
        "nonce": "0123456789",
        **changes,
    }
    body = json.dumps({name: each for name, each in data.items() if each is not None}).encode()
    stamp = str(int(clock.now_s))
    headers = {
        "X-Dynaguard-Timestamp": stamp,
        "X-Dynaguard-Signature": signature(OTHER, stamp, body),
    }
    return "/decisions", headers, body


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


def test_what_is_posted_is_signed_and_plain(ticket: Ticket, clock: Clock) -> None:
    """A text of others is no markup; the body is what was signed."""
    posted: list[tuple[str, bytes, dict[str, str]]] = []

    def post_it(url: str, body: bytes, headers: dict[str, str]) -> int:
        posted.append((url, body, headers))
        return 200

    notifier = Notifier(
        (Target("https://a", "slack", OTHER), Target("https://b", "json")),
        post=post_it,
        time_s=clock.time,
    )

    notifier(ticket, "ticket opened")

    assert notifier.flush(5)
    (url, body, headers), (_, plain_body, plain_headers) = posted
    assert url == "https://a"
    stamp = headers["X-Dynaguard-Timestamp"]
    assert is_signed(OTHER, stamp, headers["X-Dynaguard-Signature"], body, clock.now_s)
    blocks = json.loads(body)["blocks"]
    assert blocks[0]["text"]["type"] == "plain_text"
    assert [each["value"] for each in blocks[1]["elements"]] == [ticket.id, ticket.id]
    assert "ticket" not in json.loads(body)
    assert json.loads(plain_body)["ticket"]["id"] == ticket.id
    assert "X-Dynaguard-Signature" not in plain_headers


def test_a_decided_ticket_has_no_buttons(
    desk: Desk, ticket: Ticket, clock: Clock, deciding: Deciding
) -> None:
    """There is nothing left to press."""
    desk.take(*slack(ticket.id, clock))
    found = deciding.book.find(ticket.id)
    assert found is not None

    assert len(body_of(found, "ticket approved", "slack", clock.now_s)["blocks"]) == 1


def test_a_webhook_that_fails_is_in_nobodys_way(
    ticket: Ticket, caplog: pytest.LogCaptureFixture
) -> None:
    """Told once, without its URL; the others are told all the same."""
    told: list[str] = []

    def fail(url: str, _body: bytes, _headers: dict[str, str]) -> int:
        told.append(url)
        if "secret" in url:
            raise OSError(url)
        return 500

    notifier = Notifier((Target("https://secret"), Target("https://b")), post=fail)
    notifier(ticket, "ticket opened")
    notifier(ticket, "ticket opened")

    assert notifier.flush(5)
    assert told == ["https://secret", "https://b"] * 2
    assert notifier.failures == 4
    assert len(caplog.records) == 1
    assert "secret" not in caplog.text


def test_a_slow_webhook_holds_up_nobody(ticket: Ticket) -> None:
    """What does not fit into the queue is dropped and counted."""
    gate = threading.Event()

    def slow(*_: Any) -> int:
        gate.wait(10)
        return 200

    notifier = Notifier((Target("https://a"),), post=slow)
    started_s = time.monotonic()
    for _ in range(300):
        notifier(ticket, "ticket opened")
    elapsed_s = time.monotonic() - started_s
    gate.set()

    assert elapsed_s < 2
    assert 43 <= notifier.dropped <= 44
    assert notifier.flush(10)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_posts_too(ticket: Ticket, tmp_path: Path) -> None:
    """It has a thread of its own, whatever the parent's was doing."""
    sign = tmp_path / "posted"

    def post_it(*_: Any) -> int:
        sign.write_text(str(os.getpid()))
        return 200

    notifier = Notifier((Target("https://a"),), post=post_it)
    notifier(ticket, "ticket opened")
    assert notifier.flush(5)

    child = os.fork()
    if child == 0:
        notifier(ticket, "ticket opened")
        notifier.flush(5)
        os._exit(0)
    os.waitpid(child, 0)

    assert sign.read_text() == str(child)


class _Elsewhere(BaseHTTPRequestHandler):
    """Points to somewhere else; notes what it gets."""

    hits: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        """A redirect."""
        self.hits.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(302)
        self.send_header("Location", "/stolen")
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - the name of the base

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def test_a_redirect_is_not_followed(ticket: Ticket) -> None:
    """The body is for that URL alone; this goes over a real socket."""
    _Elsewhere.hits.clear()
    elsewhere = HTTPServer(("127.0.0.1", 0), _Elsewhere)
    thread = threading.Thread(target=elsewhere.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    notifier = Notifier((Target(f"http://127.0.0.1:{elsewhere.server_port}/hook"),))

    notifier(ticket, "ticket opened")
    is_done = notifier.flush(10)
    elsewhere.shutdown()
    elsewhere.server_close()
    thread.join()

    assert is_done
    assert _Elsewhere.hits == ["/hook"]
    assert notifier.failures == 1


def write(folder: Path, text: str) -> Path:
    """A file of webhooks."""
    path = folder / "webhooks.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_file_names_secrets_and_holds_none(tmp_path: Path) -> None:
    """They come from files beside it, or variables; no repr shows them."""
    (tmp_path / "slack.secret").write_text("slack-signing-secret\n")
    path = write(
        tmp_path,
        '[[out]]\nurl_env = "HOOK"\nformat = "slack"\nsecret_env = "S"\n'
        '[in]\nslack_secret_file = "slack.secret"\n[people]\nU0ANN = "arn:aws:iam::1:user/ann"\n',
    )

    found = read_webhooks(path, {"HOOK": "https://hooks/T0", "S": "sixteen-bytes-ok"})

    assert found.targets == (Target("https://hooks/T0", "slack", b"sixteen-bytes-ok"),)
    assert found.slack_secret == SLACK
    assert found.secret is None
    assert found.identity_by_user == {"U0ANN": "arn:aws:iam::1:user/ann"}
    assert "secret" not in repr(found).replace("slack_secret", "").replace("secret_", "")
    assert "hooks/T0" not in repr(found)


def test_every_problem_of_the_file_is_told(tmp_path: Path) -> None:
    """At once, each with its place."""
    path = write(
        tmp_path,
        '[[out]]\nurl = "http://example.com"\nformat = "teams"\nsecret = "in plain sight"\n'
        '[in]\nslack_secret_file = "missing"\nsecret_env = "SHORT"\n'
        '[people]\nU0ANN = "ann"\n[peple]\n',
    )

    with pytest.raises(ConfigurationError) as caught:
        read_webhooks(path, {"SHORT": "short"})

    text = str(caught.value)
    for part in (
        "peple: is not known, did you mean `people`?",
        "out[0].secret: is not known",
        "out[0].url: must be an https:// URL",
        "out[0].format: must be `slack` or `json`",
        "in.slack_secret_file: cannot be read",
        "in.secret: holds 5 bytes",
        "people.U0ANN: must be the ARN",
    ):
        assert part in text
    assert "in plain sight" not in text


@pytest.mark.parametrize("text", ["out = 5", "[[out]]\n", "in = []", "people = 1", "[[out]\n"])
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    """As one error, not a traceback."""
    with pytest.raises(ConfigurationError):
        read_webhooks(write(tmp_path, text), {})


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


def test_what_does_not_all_fit_is_told_and_not_approved_by_a_button(ticket: Ticket) -> None:
    """What matters may stand at the end of a long list of what does not."""
    harmless = [("dynamodb:GetItem", f"arn:aws:dynamodb:::table/{n:0>100}") for n in range(40)]
    resources = (*harmless, ("dynamodb:*", "arn:aws:dynamodb:*:*:table/prod-*"))
    long = dataclasses.replace(ticket, summary=Summary("access for a while", resources))

    body = body_of(long, "ticket opened", "slack", Clock().now_s)

    text = body["blocks"][0]["text"]["text"]
    assert "prod-" not in text
    assert "more characters; see all of it, and approve it, with `dynaguard approvals" in text
    assert len(text) <= 3000
    assert [each["action_id"] for each in body["blocks"][1]["elements"]] == ["dynaguard_deny"]


def test_a_closed_notifier_keeps_no_thread(ticket: Ticket) -> None:
    """All that was to be posted is; used again, it has another one."""
    posted: list[str] = []

    def post_it(url: str, _body: bytes, _headers: dict[str, str]) -> int:
        posted.append(url)
        return 200

    notifier = Notifier((Target("https://a"),), post=post_it)
    for count in (1, 2):
        before = set(threading.enumerate())
        notifier(ticket, "ticket opened")
        (thread,) = set(threading.enumerate()) - before

        notifier.close(5)

        thread.join(5)
        assert not thread.is_alive()
        assert len(posted) == count
    notifier.close(5)
    assert notifier.flush(5)
