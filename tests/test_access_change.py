"""Changes in access are told once, with what process and scope know, and break nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from dynaguard.access.changes import note_change
from dynaguard.access_change import AccessChange, receive, receive_otherwise, tell
from dynaguard.scope import Scope, ScopeManager

CHANGE = AccessChange("grant created", "g1", "lea", reason="incident 4711")


@pytest.fixture
def told() -> Iterator[list[AccessChange]]:
    """What the one receiver is told."""
    found: list[AccessChange] = []
    end = receive(found.append)
    yield found
    end()


def test_what_is_left_open_comes_from_process_and_scope(told: list[AccessChange]) -> None:
    """Channel, task and correlation id; what the change names itself stays."""
    scope = Scope(correlation_id="INC-1", task="t1")
    with ScopeManager(lambda _: scope):
        tell(CHANGE)
        tell(replace(CHANGE, channel="http", task="t2", correlation_id="INC-2"))

    assert [(each.channel, each.task, each.correlation_id) for each in told] == [
        ("process", "t1", "INC-1"),
        ("http", "t2", "INC-2"),
    ]


def test_a_command_records_where_no_guard_does() -> None:
    """And says how it was done; with a guard in force that one writes alone."""
    by_command: list[AccessChange] = []
    by_guard: list[AccessChange] = []
    receive_otherwise(by_command.append, "cli")
    try:
        tell(CHANGE)
        end = receive(by_guard.append)
        tell(CHANGE)
        end()
    finally:
        receive_otherwise(None, "process")
    tell(CHANGE)

    assert [each.channel for each in by_command] == ["cli"]
    assert len(by_guard) == 1


def test_a_receiver_that_fails_is_told_of_and_breaks_nothing(
    told: list[AccessChange], caplog: pytest.LogCaptureFixture
) -> None:
    """The change is made already; the next receiver is told all the same."""

    def fail(_change: AccessChange) -> None:
        raise OSError("disk full of secrets")

    end = receive(fail)
    last: list[AccessChange] = []
    end_last = receive(last.append)
    tell(CHANGE)
    end()
    end_last()

    assert len(told) == len(last) == 1
    assert "a change of access is not on record (OSError)" in caplog.text
    assert "secrets" not in caplog.text


@pytest.mark.parametrize(
    ("change", "level", "text"),
    [
        (CHANGE, logging.INFO, "grant created: `g1` by `lea`: incident 4711"),
        (
            AccessChange(
                "break-glass used",
                "g2",
                "sam",
                identity="ops",
                expires_epoch_s=0.0,
                is_break_glass=True,
            ),
            logging.WARNING,
            "BREAK-GLASS break-glass used: `g2` by `sam`, for `ops`, until 1970-01-01T00:00:00Z",
        ),
    ],
)
def test_a_change_is_logged(
    told: list[AccessChange],
    caplog: pytest.LogCaptureFixture,
    change: AccessChange,
    level: int,
    text: str,
) -> None:
    """Break-glass as a warning, all else for information; and told to those who record."""
    with caplog.at_level(logging.INFO, logger="dynaguard.access"):
        note_change(change)

    assert [(each.levelno, each.getMessage()) for each in caplog.records] == [(level, text)]
    assert [each.id for each in told] == [change.id]


def test_what_a_signal_handler_raises_meanwhile_is_the_applications(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A time limit that strikes while a change is put on record."""

    def handler(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("signal.getsignal", lambda _number: handler)
    end = receive(handler)
    try:
        with pytest.raises(TimeoutError):
            tell(AccessChange("grant created", "grant-1", "ada"))
    finally:
        end()
