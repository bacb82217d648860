"""Takes decisions over HTTP: Slack's buttons, and plain JSON, each signed, each taken once.

Who decides is looked up in a table of people: a signature says that a request comes from Slack (or
from who holds the other secret), not that its user may decide. That is asked of the policy's
groups, as for everybody.
"""

from __future__ import annotations

import io
import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from dynaguard.access.deciding import Decider, Deciding, decider_of
from dynaguard.access.tickets import told
from dynaguard.access.webhook_signing import Nonces, is_signed
from dynaguard.call import NO_CREDENTIALS
from dynaguard.errors import AccessStoreError, TicketError
from dynaguard.identity.resolver import IdentityResolver
from dynaguard.scope import EMPTY_SCOPE

if TYPE_CHECKING:
    from dynaguard.access.webhook_config import Webhooks
    from dynaguard.policy.model import PolicyDocument

MAX_BODY_BYTES: Final = 65_536
MAX_AT_ONCE: Final = 32
"""Decisions; further ones wait."""
MAX_CONNECTIONS: Final = 256
"""Each takes a thread; further ones are closed."""
REQUEST_TIMEOUT_S: Final = 10.0
"""For a whole request to come, however busily its bytes drip in."""
_MIN_NONCE: Final = 8
_MAX_NONCE: Final = 64
_VERBS: Final = {"approve": True, "deny": False}
_log: Final = logging.getLogger("dynaguard.access")


class RefusedError(Exception):
    """A request that decides nothing.

    Attributes:
        status: Of the answer.
    """

    def __init__(self, status: HTTPStatus, why: str) -> None:
        self.status = status
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a request wants decided."""

    ticket: str
    is_approval: bool
    user: str
    why: str
    channel: str
    nonce: str | None = None


class Desk:
    """Reads signed requests and decides. Thread-safe.

    Args:
        deciding: Decides tickets.
        webhooks: Secrets and people.
        document: The policy, for its groups; or None.
        time_s: The wall clock.
    """

    def __init__(
        self,
        deciding: Deciding,
        webhooks: Webhooks,
        document: PolicyDocument | None,
        time_s: Callable[[], float] = time.time,
    ) -> None:
        self._deciding = deciding
        self._webhooks = webhooks
        self._groups = {} if document is None else document.groups
        self._time_s = time_s
        self._nonces = Nonces()

    def take(self, path: str, headers: Any, body: bytes) -> str:
        """Decides what a request asks for; gives what became of the ticket.

        Args:
            path: `/slack` or `/decisions`.
            headers: A mapping whose `get` does not look at case.
            body: As it came.

        Raises:
            RefusedError: It is forged, late, a replay, of nobody known, or not understood.
            TicketError: This person may not decide this ticket, or it is not open.
            AccessStoreError: The store cannot be used.
        """
        if path == "/slack":
            secret, prefix, read = self._webhooks.slack_secret, "X-Slack-Request", _read_slack
            given = headers.get("X-Slack-Signature")
        elif path == "/decisions":
            secret, prefix, read = self._webhooks.secret, "X-Dynaguard", _read_json
            given = headers.get("X-Dynaguard-Signature")
        else:
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is nothing here")
        now_s = self._time_s()
        if secret is None or not is_signed(
            secret, headers.get(f"{prefix}-Timestamp"), given, body, now_s
        ):
            raise RefusedError(HTTPStatus.UNAUTHORIZED, "the signature is not valid, or too old")
        wanted = read(body)
        nonces = [f"{path} {each}" for each in (given, wanted.nonce) if each is not None]
        for nonce in nonces:
            if not self._nonces.take(nonce, now_s):
                raise RefusedError(HTTPStatus.UNAUTHORIZED, "this request was taken already")
        try:
            ticket = self._deciding.decide(
                wanted.ticket,
                self._decider(wanted.user),
                is_approval=wanted.is_approval,
                why=wanted.why,
                channel=wanted.channel,
            )
        except AccessStoreError:
            for nonce in nonces:  # who sends it again, as it is told to, is taken
                self._nonces.give_back(nonce)
            raise
        return f"ticket {ticket.id} {told(ticket, now_s)}"

    def _decider(self, user: str) -> Decider:
        """Who a user is, by the table, and in which groups of the policy."""
        arn = self._webhooks.identity_by_user.get(user)
        if arn is None:
            raise RefusedError(HTTPStatus.FORBIDDEN, "this user is none of `[people]`")
        resolver = IdentityResolver(identity=arn, account_id=None, groups=self._groups, environ={})
        return decider_of(resolver.resolve(NO_CREDENTIALS, EMPTY_SCOPE))


class DecisionServer(ThreadingHTTPServer):
    """An HTTP server for a desk; its threads and the time of a request are bounded."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], desk: Desk) -> None:
        self.desk = desk
        self.turns = threading.BoundedSemaphore(MAX_AT_ONCE)
        self._connections = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for a connection, as long as there are not too many."""
        if not self._connections.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread was started that would give it back
            self._connections.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The work of such a thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base's
        """A request that failed, or whose client went: told in the log, by its kind alone."""
        kind = sys.exc_info()[0]
        _log.warning("a webhook request failed (%s)", kind.__name__ if kind else "unknown")


def make_server(
    deciding: Deciding,
    webhooks: Webhooks,
    document: PolicyDocument | None,
    address: tuple[str, int],
) -> DecisionServer:
    """A server that listens; `serve_forever()` has it answer."""
    return DecisionServer(address, Desk(deciding, webhooks, document))


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: DecisionServer
    timeout = REQUEST_TIMEOUT_S
    server_version = "dynaguard"
    sys_version = ""

    def setup(self) -> None:
        """As the base's; what is read has to come in time, all of it."""
        super().setup()
        self.rfile = io.BufferedReader(Arriving(self.connection, REQUEST_TIMEOUT_S))

    def do_GET(self) -> None:
        """Whether it is up."""
        is_health = self.path == "/health"
        self._answer(HTTPStatus.OK if is_health else HTTPStatus.NOT_FOUND, "")

    def do_POST(self) -> None:
        """A decision."""
        try:
            status, text = HTTPStatus.OK, self._decide()
        except RefusedError as err:
            status, text = err.status, str(err)
        except TicketError as err:
            # Slack shows the text of a 200 alone to who pressed the button.
            is_slack = self.path == "/slack"
            status, text = HTTPStatus.OK if is_slack else HTTPStatus.CONFLICT, str(err)
        except AccessStoreError as err:
            _log.warning("a decision could not be taken: %s", err)
            status, text = HTTPStatus.SERVICE_UNAVAILABLE, "try again later"
        self._answer(status, text)

    def _decide(self) -> str:
        """What became of it."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise RefusedError(HTTPStatus.LENGTH_REQUIRED, "the length is missing")
        if len(length) > 9 or int(length) > MAX_BODY_BYTES:
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too long")
        body = self.rfile.read(int(length))
        with self.server.turns:
            return self.server.desk.take(self.path.partition("?")[0], self.headers, body)

    def _answer(self, status: HTTPStatus, text: str) -> None:
        """Answers with JSON, as Slack wants it."""
        body = json.dumps({"response_type": "ephemeral", "text": text}).encode()
        self.connection.settimeout(REQUEST_TIMEOUT_S)
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base
        """To the log rather than to standard error."""
        _log.debug(format, *args)


class Arriving(io.RawIOBase):
    """What comes in by a socket until some time has passed; then `TimeoutError`.

    A socket's own time limit begins anew with each byte.

    Args:
        connection: The socket.
        timeout_s: How long, in seconds.
        monotonic: The clock.
    """

    def __init__(
        self,
        connection: socket.socket,
        timeout_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection, self._monotonic = connection, monotonic
        self._until_s = monotonic() + timeout_s

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As of the base."""
        left_s = self._until_s - self._monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._connection.settimeout(left_s)
        return self._connection.recv_into(buffer)


def _read_slack(body: bytes) -> _Wanted:
    """What a button of Slack says.

    Source: Slack API documentation, "Handling user interaction": a form whose `payload` is JSON
    of type `block_actions`.
    """
    try:
        payload = json.loads(parse_qs(body.decode())["payload"][0])
        (action,) = payload["actions"]
        return _wanted(
            action["value"],
            str(action["action_id"]).removeprefix("dynaguard_"),
            payload["user"]["id"],
            "button in Slack",
            "slack",
        )
    except (KeyError, ValueError, TypeError, IndexError, RecursionError) as err:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the payload is not understood") from err


def _read_json(body: bytes) -> _Wanted:
    """A decision as JSON: `ticket`, `decision`, `person`, `reason`, `nonce`."""
    try:
        data = json.loads(body)
        nonce = data["nonce"]
        if type(nonce) is not str or not _MIN_NONCE <= len(nonce) <= _MAX_NONCE:
            raise ValueError("the nonce has another length")  # noqa: TRY301
        return _wanted(
            data["ticket"], data["decision"], data["person"], data["reason"], "webhook", nonce
        )
    except (KeyError, ValueError, TypeError, RecursionError) as err:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the decision is not understood") from err


def _wanted(
    ticket: Any, verb: Any, user: Any, why: Any, channel: str, nonce: str | None = None
) -> _Wanted:
    """What is wanted; its parts are text."""
    if not all(type(text) is str for text in (ticket, verb, user, why)):
        raise TypeError("a part is no text")
    return _Wanted(ticket, _VERBS[verb], user, why, channel, nonce)
