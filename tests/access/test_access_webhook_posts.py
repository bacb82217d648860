"""What is posted to webhooks: signed, plain, and in nobody's way."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dynaguard.access.deciding import Deciding
from dynaguard.access.summaries import Summary
from dynaguard.access.tickets import Ticket
from dynaguard.access.webhook_config import Target
from dynaguard.access.webhook_server import Desk
from dynaguard.access.webhook_signing import is_signed
from dynaguard.access.webhooks import Notifier, body_of
from tests.access.approving import Clock
from tests.access.webhook_desk import OTHER, clock, deciding, desk, slack, ticket

__all__ = ["clock", "deciding", "desk", "ticket"]  # fixtures


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
