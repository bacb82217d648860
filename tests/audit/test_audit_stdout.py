"""Standard output that is full, slow or closed holds no call up, and its losses are counted."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path

import pytest

from dynaguard.audit import endings, queueing, streams
from dynaguard.audit.queueing import QueuedWriter
from dynaguard.audit.reading import read_lines
from dynaguard.audit.sinks import UnsureError
from dynaguard.audit.streams import StdoutSink, stdout_takes
from dynaguard.audit.verifying import verify
from dynaguard.audit.writer import ChainedWriter
from tests.audit.chain_cases import TEXT

TIMEOUT_S = 20


def text(number: int) -> str:
    """One record."""
    return f'{TEXT},"n":{number}'


def into_pipe(monkeypatch: pytest.MonkeyPatch) -> int:
    """Makes standard output a pipe; gives the end to read from.

    No fixture: between the phases of a test, pytest puts its own output in place.
    """
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "stdout", os.fdopen(writing, "w", encoding="ascii"))
    return reading


def to_stdout() -> QueuedWriter:
    """As `audit = "stdout"` makes it."""
    writer = ChainedWriter(StdoutSink(), service="s", version="1", is_ended=False)
    return QueuedWriter(writer, takes=stdout_takes, linger_s=0.0)


@pytest.mark.skipif(not hasattr(streams.select, "poll"), reason="needs `poll`")
@pytest.mark.parametrize("size", [500, 10_000])
def test_a_full_pipe_does_not_hold_a_call_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: int
) -> None:
    """What nobody reads waits in the queue, and comes in order when somebody does."""
    pipe = into_pipe(monkeypatch)
    queued = to_stdout()
    count = 200
    for number in range(count):
        queued.write(f'{text(number)},"long":"{"x" * size}"', 1)
    assert queued.waiting_count
    received = b""
    while received.count(b'"n":') < count or not received.endswith(b"\n"):
        received += os.read(pipe, 65_536)
    queued.close()  # the writer counts its last line after it arrived
    sys.stdout.close()
    while chunk := os.read(pipe, 65_536):
        received += chunk
    os.close(pipe)
    monkeypatch.undo()

    (tmp_path / "out.jsonl").write_bytes(received)
    found = verify([read_lines(tmp_path / "out.jsonl")])
    assert (found.faults, found.record_count, queued.lost_count) == ([], count, 0)


@pytest.mark.skipif(not hasattr(streams.select, "poll"), reason="needs `poll`")
def test_a_full_pipe_does_not_hold_the_end_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing waits in the queue, but the last checkpoint would."""
    pipe = into_pipe(monkeypatch)
    queued = to_stdout()
    number = 0
    while stdout_takes(len(text(number))):
        queued.write(text(number), 1)
        number += 1
    assert not queued.waiting_count

    queued.close()
    endings.end_all()

    received = os.read(pipe, 1_000_000)
    assert b'"is_final":true' not in received
    sys.stdout.close()
    os.close(pipe)


def test_what_is_no_pipe_takes_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file does not wait for a reader."""
    with (tmp_path / "out").open("w", encoding="ascii") as output:
        monkeypatch.setattr(sys, "stdout", output)
        queued = to_stdout()
        queued.write(text(1), 1)
        assert stdout_takes(100_000)
        monkeypatch.undo()

    assert (tmp_path / "out").read_text().count('"n":1') == 1


def test_a_record_that_waits_too_long_for_its_turn_is_queued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread writes, and its reader is slow."""
    monkeypatch.setattr(queueing, "DIRECT_WAIT_S", 0.001)
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    queued = to_stdout()
    is_held, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        with queued._writer.lock:
            is_held.set()
            may_go.wait(TIMEOUT_S)

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait(TIMEOUT_S)
    queued.write(text(1), 1)
    assert queued.waiting_count == 1
    may_go.set()
    holder.join()
    queued.close()
    monkeypatch.undo()

    assert output.getvalue().count('"n":1') == 1


def test_lines_behind_a_closed_output_are_lost_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Directly, and in the queue."""
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    queued = to_stdout()
    output.close()

    with pytest.raises(OSError, match="standard output is closed"):
        queued.write(text(1), 1)
    monkeypatch.setattr(queued, "_takes", None)
    queued.write(text(2), 1)
    queued.close()

    assert queued.lost_count == 1
    assert queued._writer._lines[0].chain.lost == 2


def test_an_output_that_breaks_leaves_a_line_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of it may be out."""
    output = io.StringIO()

    def break_down(_: str) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(output, "write", break_down)
    monkeypatch.setattr(sys, "stdout", output)

    with pytest.raises(UnsureError, match="standard output is broken"):
        StdoutSink().write(b"line\n")
