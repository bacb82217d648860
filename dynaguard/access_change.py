"""A change in who may do what, as a value, and who is told of it in this process.

Grants, tickets, tasks and runs change outside of any call: a person approves on the command line,
a run begins. Each change is told once, here, after it is in the store; the guard in force writes
it to its audit log and counts it.

INVARIANT: ids, names, reasons and times only; never the value of a parameter.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Literal

from dynaguard.interruption import came_from_handler
from dynaguard.scope import current_scope
from dynaguard.values import dataclass

ChangeKind = Literal[
    "grant created",
    "grant revoked",
    "grant used up",
    "break-glass used",
    "ticket opened",
    "ticket approved",
    "ticket denied",
    "ticket cancelled",
    "ticket expired",
    "ticket used up",
    "session opened",
    "session refreshed",
    "session ended",
    "task begun",
    "task ended",
    "task refused",
    "run begun",
    "run ended",
    "run refused",
]
Channel = Literal["process", "cli", "http"]
"""How somebody did it: code of the process, the command line, the approvals page."""

_log: Final = logging.getLogger("dynaguard.access")


@dataclass(frozen=True, slots=True)
class AccessChange:
    """One change.

    Attributes:
        kind: What happened.
        id: Id of the grant, ticket, session, task or run that it happened to.
        by: Who did it, as records name people.
        identity: Whom it opens or closes access for, or None.
        reason: Why, one line; empty where nobody had to say.
        expires_epoch_s: When that access ends, in seconds since the epoch; None: not known yet.
        is_break_glass: Whether it was done in an emergency, without anybody's approval.
        subject_sha256: Hash of what a ticket or run is about: the request, or the runbook with
            its parameters. Or None.
        by_arn: ARN of who did it, or None.
        acting_as: Name of who acts for them, or None.
        channel: How they did it; None: as this process does it all.
        task: Id of the task that it belongs to; None: that of the scope.
        ticket: Ticket by which it was approved, or None.
        runbook: Name of the runbook, or None.
        runbook_sha256: Its content hash, or None.
        parameters: Names of the parameters that were bound, never their values.
        status: How a task or run ended, such as `ok` or `failed`; None while it goes on.
        role_arn: ARN of the role of a session, or None.
        correlation_id: None: that of the scope.
    """

    kind: ChangeKind
    id: str
    by: str
    identity: str | None = None
    reason: str = ""
    expires_epoch_s: float | None = None
    is_break_glass: bool = False
    subject_sha256: str | None = None
    by_arn: str | None = None
    acting_as: str | None = None
    channel: Channel | None = None
    task: str | None = None
    ticket: str | None = None
    runbook: str | None = None
    runbook_sha256: str | None = None
    parameters: tuple[str, ...] = ()
    status: str | None = None
    role_arn: str | None = None
    correlation_id: str | None = None

    def __str__(self) -> str:
        """One line, such as ``grant created: `grant-...` by `ada`, for ... until ...: reason``."""
        text = f"{self.kind}: `{self.id}` by `{self.by}`"
        if self.identity is not None:
            text += f", for `{self.identity}`"
        if self.expires_epoch_s is not None:
            end = datetime.fromtimestamp(self.expires_epoch_s, UTC)
            text += f", until {end:%Y-%m-%dT%H:%M:%SZ}"
        return f"{text}: {self.reason}" if self.reason else text


Receiver = Callable[[AccessChange], None]


class _Receivers:
    """Who is told in this process; changed by `install()`, `uninstall()` and the command line."""

    def __init__(self) -> None:
        self.own: list[Receiver] = []
        self.fallback: Receiver | None = None
        self.channel: Channel = "process"


_receivers = _Receivers()


def receive(receiver: Receiver) -> Callable[[], None]:
    """Has changes told to `receiver` from now on; gives what ends that. Thread-safe."""
    _receivers.own = [*_receivers.own, receiver]

    def end() -> None:
        _receivers.own = [each for each in _receivers.own if each is not receiver]

    return end


def receive_otherwise(receiver: Receiver | None, channel: Channel) -> None:
    """Has changes told to `receiver` where no other is there, and says how this process acts.

    For the command line, whose commands install no guard.
    """
    _receivers.fallback, _receivers.channel = receiver, channel


def tell(change: AccessChange) -> None:
    """Tells everybody who is to know. The change is made already, so no failure is raised.

    What the change leaves open (channel, task, correlation id) comes from the process and scope.
    """
    scope = current_scope()
    whole = replace(
        change,
        channel=change.channel or _receivers.channel,
        task=change.task or scope.task,
        correlation_id=change.correlation_id or scope.correlation_id,
    )
    fallback = _receivers.fallback
    for receiver in _receivers.own or ([fallback] if fallback is not None else []):
        try:
            receiver(whole)
        except Exception as err:
            if came_from_handler(err):
                raise  # meant for the application
            # The change cannot be undone by failing here.
            _log.warning("a change of access is not on record (%s)", type(err).__name__)
