"""A slow sink costs records at most, and says how many."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dynaguard import forks
from dynaguard.audit import endings, queueing
from dynaguard.audit.log import AuditLog
from dynaguard.audit.queueing import QueuedWriter
from dynaguard.audit.reading import read_lines
from dynaguard.audit.sinks import Batch
from dynaguard.audit.verifying import verify
from dynaguard.audit.writer import ChainedWriter
from dynaguard.errors import ConfigurationError
from tests.audit.audit_cases import NOW_NS, record_values
from tests.audit.chain_cases import TEXT

TIMEOUT_S = 20


class Receiver:
    """Takes batches when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.is_open = threading.Event()
        self.is_open.set()
        self.has_begun = threading.Event()
        self.is_broken = False

    def __call__(self, lines: Sequence[bytes]) -> None:
        """One batch."""
        self.has_begun.set()
        assert self.is_open.wait(TIMEOUT_S)
        if self.is_broken:
            raise ConnectionError("no way")
        self.batches.append(list(lines))

    @property
    def lines(self) -> list[bytes]:
        """All that arrived."""
        return [line for batch in self.batches for line in batch]

    @property
    def numbers(self) -> list[int]:
        """Of the records that arrived."""
        found = map(json.loads, self.lines)
        return [record["n"] for record in found if record["phase"] == "outcome"]

    def verifies(self, folder: Path) -> bool:
        """Whether what arrived is as it was written."""
        path = folder / "arrived.jsonl"
        path.write_bytes(b"".join(self.lines))
        return not verify([read_lines(path)]).faults


def queue(receiver: Receiver, **options: Any) -> QueuedWriter:
    """A queue in front of a receiver."""
    batch = Batch(receiver)
    writer = ChainedWriter(batch, service="s", version="1")
    return QueuedWriter(writer, flush=batch.flush, **options)


def text(number: int) -> str:
    """One record."""
    return f'{TEXT},"n":{number}'


def test_records_arrive_in_order_in_batches_that_vouch_for_themselves(tmp_path: Path) -> None:
    """Each ends with a checkpoint."""
    receiver = Receiver()
    queued = queue(receiver, linger_s=0.0)
    queued.write(text(0), 1)
    assert receiver.has_begun.wait(TIMEOUT_S)
    for number in range(1, 50):
        queued.write(text(number), 1)
    queued.close()

    assert receiver.numbers == list(range(50))
    assert all(b'"checkpoint"' in batch[-1] for batch in receiver.batches)
    assert receiver.verifies(tmp_path)
    assert (queued.lost_count, queued.waiting_count) == (0, 0)
    assert json.loads(receiver.lines[0])["writer"]["id"] == queued.writer_id


def test_a_batch_waits_a_little_for_more_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By records and by size, as Firehose takes them."""
    monkeypatch.setattr(queueing, "BATCH_RECORDS", 4)
    monkeypatch.setattr(queueing, "BATCH_CHARACTERS", 3 * len(text(0)))
    receiver = Receiver()
    queued = queue(receiver, linger_s=60.0)
    for number in range(4):
        queued.write(text(number), 1)
    assert receiver.has_begun.wait(TIMEOUT_S)  # it is full, so nothing more is waited for
    queued.write(text(4), 1)
    queued.close()

    assert receiver.numbers == [0, 1, 2, 3, 4]
    counts = [sum(b'"n":' in line for line in batch) for batch in receiver.batches]
    assert max(counts) <= 3


def test_a_full_queue_refuses_and_a_call_never_waits() -> None:
    """The next record that is written says how many are lost."""
    receiver = Receiver()
    receiver.is_open.clear()
    queued = queue(receiver, max_records=3, linger_s=0.0)
    queued.write(text(0), 1)
    assert receiver.has_begun.wait(TIMEOUT_S)
    for number in range(1, 4):
        queued.write(text(number), 1)

    with pytest.raises(OSError, match="queue of audit records is full"):
        queued.write(text(4), 1)
    assert queued.waiting_count == 4
    queued.lose()

    receiver.is_open.set()
    queued.close()
    assert json.loads(receiver.lines[-1])["writer"]["lost"] == 2


def test_after_a_lost_batch_another_writer_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It may have arrived or not: nothing is missing in the chains of either."""
    receiver = Receiver()
    queued = queue(receiver, linger_s=0.0)
    queued.write(text(0), 1)
    queued.close()
    receiver.is_broken = True
    queued.write(text(1), 1)
    queued.close()
    receiver.is_broken = False
    queued.write(text(2), 1)
    queued.close()

    assert (receiver.numbers, queued.lost_count) == ([0, 2], 1)
    assert json.loads(receiver.lines[-1])["writer"]["lost"] == 1
    assert receiver.verifies(tmp_path)
    assert "1 audit records could not be sent (ConnectionError)" in caplog.messages


def test_a_close_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is under way and what was not even begun is lost, and said to be."""
    receiver = Receiver()
    receiver.is_open.clear()
    queued = queue(receiver, linger_s=0.0)
    queued.write(text(0), 1)
    assert receiver.has_begun.wait(TIMEOUT_S)
    queued.write(text(1), 1)

    queued.close(timeout_s=0.01)

    assert queued.lost_count == 2
    assert caplog.messages == ["2 audit records were lost at the end: too slow to write"]
    receiver.is_open.set()


def test_a_checkpoint_that_cannot_be_sent_breaks_no_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The records are there."""
    receiver = Receiver()
    queued = queue(receiver, linger_s=0.0)
    queued.write(text(0), 1)
    queued.close()
    receiver.is_broken = True
    queued._writer.write(text(1), 1)

    queued.close()

    assert caplog.messages == ["the last audit checkpoint was not written (ConnectionError)"]


def test_without_a_thread_a_record_is_lost_and_the_next_one_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The limit of threads is reached, or the interpreter is ending."""
    receiver = Receiver()
    queued = queue(receiver, linger_s=0.0)

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OSError, match="no thread could be started"):
            queued.write(text(0), 1)
        queued.close()
    queued.write(text(1), 1)
    queued.close()

    assert receiver.numbers == [1]


def test_the_end_of_the_process_sends_what_waits() -> None:
    """As `atexit` does."""
    receiver = Receiver()
    queued = queue(receiver, linger_s=60.0)
    forks.renew_all()  # what a forked child does first
    queued.write(text(0), 1)

    endings.end_all()

    assert receiver.numbers == [0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a POSIX system")
def test_what_waits_is_sent_by_the_parent_alone(tmp_path: Path) -> None:
    """A forked child starts empty, with a thread and a chain of its own."""
    path = tmp_path / "arrived"
    may_send = threading.Event()

    class Late(Receiver):
        """Appends to a file, later."""

        def __call__(self, lines: Sequence[bytes]) -> None:
            may_send.wait(TIMEOUT_S)
            with path.open("ab") as file:
                file.write(b"".join(lines))

    queued = queue(Late(), linger_s=0.0)
    queued.write(text(0), 1)
    pid = os.fork()
    may_send.set()
    if pid == 0:  # pragma: no cover - coverage does not see the end of a child
        signal.alarm(TIMEOUT_S)
        queued.write(text(1), 1)
        queued.close()
        os._exit(0)

    assert os.waitpid(pid, 0)[1] == 0
    queued.close()
    found = verify([read_lines(path)])
    assert (found.faults, found.record_count, len(found.states)) == ([], 2, 2)


# --- remote targets ------------------------------------------------------------------------------


def test_records_are_shipped(tmp_path: Path) -> None:
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
    assert phases[:2] == ["checkpoint", "outcome"]
    assert receiver.verifies(tmp_path)
    assert (log.written_count, log.dropped_count) == (1, 0)


def test_what_the_queue_lost_counts_as_dropped() -> None:
    """Beside what the log itself could not write."""
    receiver = Receiver()
    receiver.is_broken = True
    log = AuditLog("s3://b-u", mode="best-effort", ship=lambda target: receiver)
    log.outcome(**record_values())
    log.close()

    assert (log.written_count, log.dropped_count) == (1, 1)


def test_required_needs_a_sink_that_is_there_first() -> None:
    """A queue is not a disk."""
    with pytest.raises(ConfigurationError, match=r"required.*s3://bucket/x.*after the call"):
        AuditLog("s3://bucket/x", mode="required", ship=lambda target: Receiver())


def test_somebody_must_ship() -> None:
    """A guard that was put together without it says so."""
    with pytest.raises(ConfigurationError, match="nothing here can send"):
        AuditLog("s3://bucket/x", mode="best-effort")
