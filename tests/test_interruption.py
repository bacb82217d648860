"""What an application's signal handler raises is told from our own failures."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

import dynaguard
from dynaguard.audit.log import AuditLog
from dynaguard.interruption import came_from_handler
from dynaguard.telemetry.telemetry import Telemetry
from tests.audit.audit_cases import NOW_NS, record_values

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR2"), reason="needs a POSIX system")


class TimeLimit(Exception):
    """A time limit of the application."""


def raise_limit(*_: object) -> None:
    """A plain handler."""
    raise TimeLimit


class Limit:
    """Handlers of other kinds."""

    def method(self, *_: object) -> None:
        """A bound method."""
        raise TimeLimit

    def __call__(self, *_: object) -> None:
        """An object that is called."""
        raise TimeLimit


@pytest.fixture
def restored() -> Iterator[None]:
    """The handler that was there before."""
    previous = signal.getsignal(signal.SIGUSR2)
    yield
    signal.signal(signal.SIGUSR2, previous)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize(
    "handler", [raise_limit, Limit().method, Limit(), functools.partial(raise_limit)]
)
def test_an_exception_of_a_handler_is_known(handler: Any) -> None:
    """Of whatever kind it is."""
    signal.signal(signal.SIGUSR2, handler)

    with pytest.raises(TimeLimit) as caught:
        os.kill(os.getpid(), signal.SIGUSR2)

    assert came_from_handler(caught.value)


def test_any_other_is_not() -> None:
    """Nor one that was never raised."""
    with pytest.raises(ZeroDivisionError) as caught:
        1 / 0  # noqa: B018 - raises

    assert not came_from_handler(caught.value)
    assert not came_from_handler(TimeLimit())


@pytest.mark.usefixtures("restored")
def test_a_time_limit_in_the_middle_of_a_record_reaches_the_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And leaves a chain that verifies."""
    log = AuditLog(str(tmp_path / "a.jsonl"), mode="best-effort", time_ns=lambda: NOW_NS)
    log.outcome(**record_values())
    signal.signal(signal.SIGUSR2, raise_limit)
    write = os.write

    def interrupted(fd: int, data: bytes) -> int:
        count = write(fd, data)
        os.kill(os.getpid(), signal.SIGUSR2)
        return count

    with monkeypatch.context() as patch:
        patch.setattr("dynaguard.audit.files.os.write", interrupted)
        with pytest.raises(TimeLimit):
            log.outcome(**record_values())
    log.outcome(**record_values())
    log.close()

    from dynaguard.audit.reading import read_lines
    from dynaguard.audit.verifying import verify

    found = verify([read_lines(tmp_path / "a.jsonl")])
    assert (found.faults, found.record_count) == ([], 3)


class Late:
    """A span whose description is interrupted; a rule that is, too."""

    def interrupted(self, *_: object, **__: object) -> None:
        """A signal arrives just now."""
        os.kill(os.getpid(), signal.SIGUSR2)


@pytest.mark.usefixtures("restored")
def test_a_time_limit_in_telemetry_reaches_the_application() -> None:
    """It is no failure of telemetry."""
    signal.signal(signal.SIGUSR2, raise_limit)
    telemetry = Telemetry()
    with pytest.raises(TimeLimit) as caught:
        Late().interrupted()

    with pytest.raises(TimeLimit):
        telemetry.note_failure(caught.value)

    assert telemetry.failure_count == 0


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("on_error", ["deny", "allow"])
def test_a_time_limit_while_a_call_is_decided_reaches_the_application(
    on_error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the call is not sent, whatever `on_error` says."""
    signal.signal(signal.SIGUSR2, raise_limit)
    client = botocore.session.Session().create_client(
        "dynamodb",
        "eu-west-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="x",
    )
    sent: list[object] = []
    client.meta.events.register("before-send", lambda **_: sent.append(1))
    policy = {"version": 1, "default": "deny", "govern": ["dynamodb"]}

    with dynaguard.install(policy, on_error=on_error) as guard:  # type: ignore[arg-type]
        monkeypatch.setattr(type(guard.rooms.resolver), "resolve", Late().interrupted)
        with pytest.raises(TimeLimit):
            client.scan(TableName="orders")

        assert (sent, guard.counters.failures) == ([], 0)
