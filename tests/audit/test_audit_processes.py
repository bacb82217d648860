"""One file, many threads and processes: every line is whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from dynaguard.audit.log import AuditLog
from dynaguard.audit.reading import read_records
from dynaguard.call import MaskedValues, Outcome, Status
from tests.audit.audit_cases import NOW_NS, record_values

THREADS = 8
RECORDS = 100
posix_only = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a POSIX system")


def write_records(log: AuditLog, writer: int) -> None:
    """Writes records that tell who wrote them, of very different lengths."""
    for number in range(RECORDS):
        outcome = Outcome(
            Status.OK,
            attempts=writer,
            masked=tuple(
                MaskedValues("t", f"attribute-{n}", "redact", None, 1) for n in range(number % 40)
            ),
        )
        log.outcome(**record_values(outcome=outcome))


def write_from_threads(log: AuditLog, offset: int) -> None:
    """Writes from several threads at once."""
    threads = [
        threading.Thread(target=write_records, args=(log, offset + number))
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    """And lose none; the count is exact."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(str(path), mode="best-effort", time_ns=lambda: NOW_NS)

    write_from_threads(log, 0)

    attempts = Counter(record["outcome"]["attempts"] for record in read_records(path))
    assert attempts == dict.fromkeys(range(THREADS), RECORDS)
    assert log.written_count == THREADS * RECORDS


@posix_only
def test_forked_children_write_whole_lines_under_their_own_id(tmp_path: Path) -> None:
    """They share the parent's descriptor."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(str(path), mode="best-effort", time_ns=lambda: NOW_NS)
    children = []
    for number in range(3):
        pid = os.fork()
        if pid == 0:  # pragma: no cover - coverage does not see the end of a child
            signal.alarm(60)
            write_from_threads(log, 100 * number)
            os._exit(0)
        children.append(pid)

    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
    pids = Counter(record["writer"]["pid"] for record in read_records(path))
    assert pids == dict.fromkeys(children, THREADS * RECORDS)


def test_processes_of_their_own_write_whole_lines(tmp_path: Path, repository: Path) -> None:
    """Each opens the file itself."""
    path = tmp_path / "audit.jsonl"
    code = (
        "import sys; from dynaguard.audit.log import AuditLog; "
        "from tests.audit.audit_cases import NOW_NS; "
        "from tests.audit.test_audit_processes import write_from_threads; "
        "log = AuditLog(sys.argv[1], mode='required', time_ns=lambda: NOW_NS); "
        "write_from_threads(log, 0); log.close()"
    )
    command = [sys.executable, "-c", code, str(path)]
    writers = [subprocess.Popen(command, cwd=repository) for _ in range(2)]

    assert [writer.wait(60) for writer in writers] == [0, 0]
    pids = Counter(record["writer"]["pid"] for record in read_records(path))
    assert pids == {writer.pid: THREADS * RECORDS for writer in writers}


@posix_only
def test_a_killed_process_loses_nothing_that_was_written(tmp_path: Path, repository: Path) -> None:
    """A record is in the kernel's hands when `outcome` returns."""
    path = tmp_path / "audit.jsonl"
    code = (
        "import os, signal, sys; from dynaguard.audit.log import AuditLog; "
        "from tests.audit.audit_cases import NOW_NS; "
        "from tests.audit.test_audit_processes import write_records; "
        "log = AuditLog(sys.argv[1], mode='best-effort', time_ns=lambda: NOW_NS); "
        "write_records(log, 1); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=repository, check=False, timeout=60
    )

    assert done.returncode == -signal.SIGKILL
    assert len(list(read_records(path))) == RECORDS
