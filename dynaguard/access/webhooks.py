"""Tells webhooks of tickets that open and end: best effort, never in the way of a call.

A body is posted by a thread of its own, from a queue with an end: what does not fit is dropped and
counted. A webhook that fails is told of once in the log, by its place in the file, never its URL.
"""

from __future__ import annotations

import atexit
import json
import logging
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from dynaguard.access.clock import iso_utc
from dynaguard.access.tickets import TicketState, told, who_may_decide
from dynaguard.access.webhook_config import read_webhooks
from dynaguard.access.webhook_signing import signature
from dynaguard.forks import renew_after_fork

if TYPE_CHECKING:
    from pathlib import Path

    from dynaguard.access.changes import ChangeKind
    from dynaguard.access.tickets import Ticket
    from dynaguard.access.webhook_config import Target

MAX_WAITING: Final = 256
TIMEOUT_S: Final = 5.0
_AT_EXIT_S: Final = 2.0
_POLL_S: Final = 0.02
_MAX_TEXT: Final = 2_900  # Slack takes 3,000 characters in a section
_NOTE_LENGTH: Final = 200
_OK_CODES: Final = range(200, 300)
_log: Final = logging.getLogger("dynaguard.access")

Post = Callable[[str, bytes, dict[str, str]], int]
"""Posts a body to a URL with headers; gives the status, or raises `OSError`."""


class Notifier:
    """Posts what happens to tickets. Thread-safe; a forked child has a thread of its own.

    Args:
        targets: Where to.
        post: Posts one body.
        time_s: The wall clock, for timestamps.
    """

    def __init__(
        self,
        targets: tuple[Target, ...],
        *,
        post: Post | None = None,
        time_s: Callable[[], float] = time.time,
    ) -> None:
        self._targets = targets
        self._post = post or _post
        self._time_s = time_s
        self.dropped = 0
        self.failures = 0
        self.renew()
        renew_after_fork(self)

    def renew(self) -> None:
        """An empty queue and no thread: at the start, and in a forked child."""
        self._waiting: queue.Queue[tuple[Ticket, ChangeKind, float] | None] = queue.Queue(
            MAX_WAITING
        )
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def __call__(self, ticket: Ticket, kind: ChangeKind) -> None:
        """Has webhooks told; returns at once and never raises."""
        if not self._targets:
            return
        try:
            self._waiting.put_nowait((ticket, kind, self._time_s()))
        except queue.Full:
            self.dropped += 1
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="dynaguard-webhooks", daemon=True
                )
                try:
                    self._thread.start()
                except RuntimeError:  # the interpreter is ending, or there are too many
                    self._thread = None
                    self._drop_one()
                    return
                atexit.register(self.flush, _AT_EXIT_S)

    def _drop_one(self) -> None:
        """Takes out what no thread will post, so that nobody waits for it."""
        with suppress(queue.Empty):
            self._waiting.get_nowait()
            self._waiting.task_done()
            self.dropped += 1

    def flush(self, timeout_s: float) -> bool:
        """Waits until all is posted, some seconds at most; whether it is."""
        until_s = time.monotonic() + timeout_s
        while self._waiting.unfinished_tasks and time.monotonic() < until_s:
            time.sleep(_POLL_S)
        return not self._waiting.unfinished_tasks

    def close(self, timeout_s: float) -> None:
        """Ends its thread once all is posted, or some seconds later. A later use begins anew."""
        self.flush(timeout_s)
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            atexit.unregister(self.flush)
            with suppress(queue.Full):
                self._waiting.put_nowait(None)

    def _work(self) -> None:
        """Posts what waits, until it is closed."""
        is_open = True
        while is_open:
            waiting = self._waiting.get()
            is_open = waiting is not None
            if waiting is not None:
                ticket, kind, now_s = waiting
                for at, target in enumerate(self._targets):
                    self._tell(at, target, ticket, kind, now_s)
            self._waiting.task_done()

    def _tell(
        self, at: int, target: Target, ticket: Ticket, kind: ChangeKind, now_s: float
    ) -> None:
        """Posts to one webhook."""
        try:
            body = json.dumps(body_of(ticket, kind, target.format, now_s)).encode()
            headers = {"Content-Type": "application/json; charset=utf-8"}
            if target.secret is not None:
                stamp = str(int(self._time_s()))
                headers["X-Dynaguard-Timestamp"] = stamp
                headers["X-Dynaguard-Signature"] = signature(target.secret, stamp, body)
            status = self._post(target.url, body, headers)
            why = None if status in _OK_CODES else f"status {status}"
        except Exception as err:  # noqa: BLE001 - a thread of its own, nothing may end it
            why = type(err).__name__
        if why is not None:
            self.failures += 1
            if self.failures == 1:
                _log.warning("webhook out[%d] was not told of a ticket (%s)", at, why)


def make_notifier(path: Path | None) -> Notifier | None:
    """What tells the webhooks that a file names; None without one.

    Raises:
        ConfigurationError: Every problem of the file.
    """
    return None if path is None else Notifier(read_webhooks(path).targets)


def body_of(ticket: Ticket, kind: ChangeKind, format_: str, now_s: float) -> dict[str, Any]:
    """What is posted: text and blocks as Slack takes them; for `json` the ticket's facts, too.

    All text of others stands in blocks of plain text, so that nobody can write links into it.
    """
    lines = [f"{kind}: {ticket.id}", *_lines(ticket, now_s)]
    text, is_whole = _fitted(lines, ticket.id)
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}}
    ]
    if ticket.state_at(now_s) is TicketState.PENDING:
        # What is not all shown is not approved by a button: the end may hold what matters.
        buttons = [_button("approve", "primary", ticket)] if is_whole else []
        buttons.append(_button("deny", "danger", ticket))
        blocks.append({"type": "actions", "elements": buttons})
    body: dict[str, Any] = {"text": f"{kind}: {ticket.id}", "blocks": blocks}
    if format_ == "json":
        body["event"] = kind
        body["ticket"] = {
            "id": ticket.id,
            "kind": ticket.kind,
            "state": ticket.state_at(now_s).value,
            "requester": ticket.requester.as_dict(),
            "reason": ticket.reason,
            "summary": ticket.summary.as_dict(),
            "subject_sha256": ticket.subject_sha256,
            "open_until": iso_utc(ticket.open_until_epoch_s),
        }
    return body


def _lines(ticket: Ticket, now_s: float) -> list[str]:
    """A ticket for people."""
    lines = [f"{ticket.summary.title}, asked by {ticket.requester}"]
    if ticket.reason:
        lines.append(f"why: {ticket.reason}")
    lines += [f"{action}: {resource}" for action, resource in ticket.summary.resources]
    lines += [f"{name}: {text}" for name, text in ticket.summary.facts]
    if ticket.state_at(now_s) is TicketState.PENDING:
        lines.append(who_may_decide(ticket.terms))
    return [*lines, f"it {told(ticket, now_s)}"]


def _fitted(lines: list[str], ticket_id: str) -> tuple[str, bool]:
    """As many lines as Slack takes, and whether these are all; what is missing is told."""
    text = "\n".join(lines)
    if len(text) <= _MAX_TEXT:
        return text, True
    kept = text[: _MAX_TEXT - _NOTE_LENGTH]
    note = (
        f"[cut: {len(text) - len(kept)} more characters; see all of it, and approve it, with "
        f"`dynaguard approvals show {ticket_id[:64]}`]"
    )
    return f"{kept}\n{note}", False


def _button(verb: str, style: str, ticket: Ticket) -> dict[str, Any]:
    """One of Slack's buttons."""
    return {
        "type": "button",
        "text": {"type": "plain_text", "text": verb},
        "style": style,
        "action_id": f"dynaguard_{verb}",
        "value": ticket.id,
    }


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A webhook that points elsewhere is not followed: the body is meant for that URL alone."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        """None: the redirect is an error."""


_opener: Final = urllib.request.build_opener(_NoRedirects)


def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """Posts with the standard library."""
    request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - checked
    try:
        with _opener.open(request, timeout=TIMEOUT_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as err:
        return err.code
