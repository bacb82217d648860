"""A slow sink costs records at most, and says how many."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from dynaguard.audit import queueing, streams
from dynaguard.audit.log import AuditLog
from dynaguard.audit.queueing import QueuedSink
from dynaguard.audit.streams import StdoutSink
from dynaguard.errors import ConfigurationError
from tests.audit.audit_cases import NOW_NS, record_values

TIMEOUT_S = 20


class Receiver:
    """Takes batches when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.is_open = threading.Event()
        self.is_open.set()
        self.has_begun = threading.Event()
        self.lost_of_each = 0
        self.is_broken = False

    def __call__(self, lines: Sequence[bytes]) -> int:
        """One batch."""
        self.has_begun.set()
        assert self.is_open.wait(TIMEOUT_S)
        if self.is_broken:
            raise ConnectionError("no way")
        self.batches.append(list(lines))
        return self.lost_of_each

    @property
    def lines(self) -> list[bytes]:
        """All that arrived."""
        return [line for batch in self.batches for line in batch]


def test_lines_arrive_in_order_and_in_batches() -> None:
    """The first may go alone; what came meanwhile goes together."""
    receiver = Receiver()
    sink = QueuedSink(receiver, linger_s=0.0)
    sink.write(b"0\n")
    receiver.has_begun.wait(TIMEOUT_S)
    for number in range(1, 50):
        sink.write(b"%d\n" % number)
    sink.close()

    assert receiver.lines == [b"%d\n" % number for number in range(50)]
    assert sink.lost_count == 0


def test_a_batch_waits_a_little_for_more_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By lines and by bytes, as Firehose takes them."""
    monkeypatch.setattr(queueing, "BATCH_LINES", 4)
    monkeypatch.setattr(queueing, "BATCH_BYTES", 10)
    receiver = Receiver()
    sink = QueuedSink(receiver, linger_s=60.0)
    for line in (b"1\n", b"2\n", b"a-long-line\n", b"3\n"):
        sink.write(line)
    assert receiver.has_begun.wait(TIMEOUT_S)  # it is full, so nothing more is waited for
    sink.write(b"4\n")
    sink.close()

    assert receiver.lines == [b"1\n", b"2\n", b"a-long-line\n", b"3\n", b"4\n"]
    assert all(len(batch) <= 4 for batch in receiver.batches)
    assert all(len(batch) == 1 or len(b"".join(batch)) <= 10 for batch in receiver.batches)


def test_a_full_queue_refuses_and_a_call_never_waits() -> None:
    """The log counts it; what the receiver loses itself counts as well."""
    receiver = Receiver()
    receiver.is_open.clear()
    sink = QueuedSink(receiver, max_lines=3, linger_s=0.0)
    sink.write(b"0\n")
    receiver.has_begun.wait(TIMEOUT_S)
    for number in range(3):
        sink.write(b"%d\n" % number)

    with pytest.raises(OSError, match="queue of audit records is full"):
        sink.write(b"too much\n")
    assert sink.waiting_count == 4

    receiver.lost_of_each = 1
    receiver.is_open.set()
    sink.close()
    assert sink.lost_count == len(receiver.batches)


def test_a_broken_receiver_loses_its_batch_and_the_thread_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With the kind of the error in the log, not its text."""
    receiver = Receiver()
    receiver.is_broken = True
    sink = QueuedSink(receiver, linger_s=0.0)
    sink.write(b"lost\n")
    sink.close()
    receiver.is_broken = False
    sink.write(b"kept\n")
    sink.close()

    assert (receiver.lines, sink.lost_count) == ([b"kept\n"], 1)
    assert caplog.messages == ["1 audit records could not be sent (ConnectionError)"]


def test_a_close_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not even begun is lost, and counted."""
    monkeypatch.setattr(queueing, "CLOSE_TIMEOUT_S", 0.01)
    receiver = Receiver()
    receiver.is_open.clear()
    sink = QueuedSink(receiver, linger_s=0.0)
    sink.write(b"under way\n")
    receiver.has_begun.wait(TIMEOUT_S)
    sink.write(b"waiting\n")

    sink.close()

    assert sink.lost_count == 1
    receiver.is_open.set()


def test_the_end_of_the_process_sends_what_waits() -> None:
    """As `atexit` does."""
    receiver = Receiver()
    sink = QueuedSink(receiver, linger_s=60.0)
    queueing.renew_sinks()  # what a forked child does first
    sink.write(b"line\n")

    queueing.close_sinks()

    assert receiver.lines == [b"line\n"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a POSIX system")
def test_what_waits_is_sent_by_the_parent_alone(tmp_path: Path) -> None:
    """A forked child starts empty, with a thread of its own."""
    path = tmp_path / "arrived"
    may_send = threading.Event()

    def ship(lines: Sequence[bytes]) -> int:
        may_send.wait(TIMEOUT_S)
        with path.open("ab") as file:
            file.writelines(lines)
        return 0

    sink = QueuedSink(ship, linger_s=0.0)
    sink.write(b"parent's\n")
    pid = os.fork()
    may_send.set()
    if pid == 0:  # pragma: no cover - coverage does not see the end of a child
        signal.alarm(TIMEOUT_S)
        sink.write(b"child's\n")
        sink.close()
        os._exit(0)

    assert os.waitpid(pid, 0)[1] == 0
    sink.close()
    assert sorted(path.read_bytes().splitlines()) == [b"child's", b"parent's"]


def test_a_system_without_forks_needs_no_care(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no `register_at_fork`."""
    monkeypatch.delattr(queueing.os, "register_at_fork", raising=False)
    monkeypatch.setattr(queueing.atexit, "register", lambda function: None)

    queueing._watch_process.__wrapped__()


def into_pipe(monkeypatch: pytest.MonkeyPatch) -> int:
    """Makes standard output a pipe; gives the end to read from.

    No fixture: between the phases of a test, pytest puts its own output in place.
    """
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "stdout", os.fdopen(writing, "w", encoding="ascii"))
    return reading


@pytest.mark.skipif(not hasattr(streams.select, "poll"), reason="needs `poll`")
def test_a_full_pipe_does_not_hold_a_call_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody reads waits in the queue, and comes in order when somebody does."""
    pipe = into_pipe(monkeypatch)
    sink = StdoutSink(may_block=False)
    line = b"x" * 999 + b"\n"
    count = 0
    while not sink._queue.waiting_count:
        sink.write(line)
        count += 1
    sink.write(b"last\n")

    expected = count * len(line) + 5
    received = b""
    while len(received) < expected:
        received += os.read(pipe, 65_536)
    sink.close()

    assert received == line * count + b"last\n"
    assert sink.lost_count == 0
    sys.stdout.close()
    os.close(pipe)


@pytest.mark.skipif(not hasattr(streams.select, "poll"), reason="needs `poll`")
def test_a_long_line_goes_through_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe may take a part of it, and block for the rest."""
    pipe = into_pipe(monkeypatch)
    sink = StdoutSink(may_block=False)
    sink.write(b"y" * 10_000 + b"\n")
    received = b""
    while len(received) < 10_001:
        received += os.read(pipe, 65_536)
    sink.close()

    assert received == b"y" * 10_000 + b"\n"
    sys.stdout.close()
    os.close(pipe)


def test_lines_behind_a_closed_output_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the batch before it are not."""
    output = io.StringIO()
    write = output.write

    def closing(text: str) -> int:
        if text == "b\n":
            output.close()
        return write(text)

    monkeypatch.setattr(output, "write", closing)
    monkeypatch.setattr(sys, "stdout", output)

    assert streams._print_all([b"a\n", b"b\n", b"c\n"]) == 2

    sink = StdoutSink(may_block=False)
    sink._queue.lost_count = 3
    assert sink.lost_count == 3


def test_what_is_no_pipe_takes_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file does not wait for a reader."""
    with (tmp_path / "out").open("w", encoding="ascii") as output:
        monkeypatch.setattr(sys, "stdout", output)
        StdoutSink(may_block=False).write(b"z" * 100_000 + b"\n")

    assert (tmp_path / "out").stat().st_size == 100_001


class TestRemoteTargets:
    """S3 and Firehose, behind a queue."""

    def test_records_are_shipped(self) -> None:
        """With their chain, to the target that is named."""
        receiver, targets = Receiver(), []

        def ship(target: str) -> Receiver:
            targets.append(target)
            return receiver

        log = AuditLog("firehose://audit", mode="best-effort", time_ns=lambda: NOW_NS, ship=ship)
        log.outcome(**record_values())
        log.close()

        assert targets == ["firehose://audit"]
        phases = [json.loads(line)["phase"] for line in receiver.lines]
        assert phases == ["outcome", "checkpoint"]
        assert log.dropped_count == 0

    def test_required_needs_a_sink_that_is_there_first(self) -> None:
        """A queue is not a disk."""
        with pytest.raises(ConfigurationError, match=r"required.*s3://bucket/x.*after the call"):
            AuditLog("s3://bucket/x", mode="required", ship=lambda target: Receiver())

    def test_somebody_must_ship(self) -> None:
        """A guard that was put together without it says so."""
        with pytest.raises(ConfigurationError, match="nothing here can send"):
            AuditLog("s3://bucket/x", mode="best-effort")


def test_what_the_queue_lost_counts_as_dropped(tmp_path: Path) -> None:
    """Beside what the log itself could not write."""
    receiver = Receiver()
    receiver.is_broken = True
    log = AuditLog("s3://b-u", mode="best-effort", ship=lambda target: receiver)
    log.outcome(**record_values())
    log.close()

    assert (log.written_count, log.dropped_count) == (1, 2)
