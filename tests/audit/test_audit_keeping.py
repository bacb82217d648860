"""Files are put aside when they have grown, partitioned by day, and synced as asked."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from dynaguard.audit import files, keeping
from dynaguard.audit.files import FileSink
from dynaguard.audit.keeping import IntervalSync, put_aside
from dynaguard.audit.log import AuditLog
from dynaguard.audit.reading import audit_files, read_lines
from dynaguard.audit.verifying import verify
from dynaguard.errors import ConfigurationError
from tests.audit.audit_cases import NOW_NS, record_values

TIMEOUT_S = 20
DAY_NS = 86_400 * 10**9


class Clock:
    """Both clocks, moved by hand."""

    def __init__(self) -> None:
        self.now_s, self.now_ns = 100.0, NOW_NS

    def monotonic(self) -> float:
        """Seconds."""
        return self.now_s

    def time_ns(self) -> int:
        """Every look is a microsecond later, so that names differ."""
        self.now_ns += 1_000
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    """The clocks of sinks and logs."""
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the records go."""
    return tmp_path / "audit.jsonl"


def sink_of(path: Path, clock: Clock, **options: Any) -> FileSink:
    """A sink that is checked once a second."""
    return FileSink(
        str(path),
        recheck_after_s=1.0,
        monotonic=clock.monotonic,
        time_ns=clock.time_ns,
        **options,
    )


def test_a_file_that_has_grown_is_put_aside(path: Path, clock: Clock) -> None:
    """Sorted names are in order of time; no line is lost or torn."""
    sink = sink_of(path, clock, max_bytes=20)
    for number in range(10):
        sink.write(b"line %02d\n" % number)
    sink.close()

    found = audit_files(path)
    assert len(found) == 4
    assert found[0].name.startswith("audit-20261120T123015")
    assert b"".join(each.read_bytes() for each in found) == b"".join(
        b"line %02d\n" % number for number in range(10)
    )


def test_what_others_write_counts_too(path: Path, clock: Clock) -> None:
    """Seen when the file is looked after."""
    sink = sink_of(path, clock, max_bytes=20)
    sink.write(b"one\n")
    with path.open("ab") as other:
        other.write(b"a long line of somebody else\n")
    clock.now_s += 1.0
    sink.write(b"two\n")
    sink.write(b"three\n")

    assert path.read_bytes() == b"three\n"


def test_only_one_process_puts_aside(path: Path, clock: Clock) -> None:
    """The other one goes on in the old file, leaves it alone for a second, then follows."""
    sink = sink_of(path, clock, max_bytes=4)
    sink.write(b"one\n")
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        sink.write(b"two\n")

    sink.write(b"three\n")
    assert path.read_bytes() == b"one\ntwo\nthree\n"
    clock.now_s += 1.0
    sink.write(b"four\n")
    assert path.read_bytes() == b"four\n"
    sink.close()


def test_a_file_that_another_process_put_aside_is_left_alone(path: Path, clock: Clock) -> None:
    """A new one stands in its place already."""
    sink = sink_of(path, clock, max_bytes=4)
    sink.write(b"one\n")
    path.rename(path.with_suffix(".aside"))
    path.write_bytes(b"new\n")

    sink.write(b"two\n")

    assert path.read_bytes() == b"new\ntwo\n"
    assert len(audit_files(path)) == 1


def test_a_system_without_locks_keeps_one_file(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows cannot rename an open file anyway."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    sink = sink_of(path, clock, max_bytes=4)
    for _ in range(3):
        sink.write(b"line\n")

    assert path.read_bytes() == b"line\n" * 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a POSIX system")
def test_a_new_file_may_be_used_by_whom_the_old_one_was(path: Path, clock: Clock) -> None:
    """Several users share it."""
    sink = sink_of(path, clock, max_bytes=4)
    path.chmod(0o660)
    sink.write(b"one\n")
    sink.write(b"two\n")

    assert path.read_bytes() == b"two\n"
    assert path.stat().st_mode & 0o777 == 0o660


def test_parts_stay_beside_the_file_that_a_link_leads_to(tmp_path: Path, clock: Clock) -> None:
    """On its volume; the link stays."""
    (tmp_path / "volume").mkdir()
    link = tmp_path / "audit.jsonl"
    link.symlink_to(tmp_path / "volume" / "audit.jsonl")
    sink = sink_of(link, clock, max_bytes=4)
    sink.write(b"one\n")
    sink.write(b"two\n")

    assert link.is_symlink()
    assert len(audit_files(tmp_path / "volume")) == 2


def test_a_device_is_not_synced(clock: Clock) -> None:
    """It has no disk."""
    sink_of(Path(os.devnull), clock, fsync="always").write(b"line\n")


def test_a_thread_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of threads is reached."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    has_synced = threading.Event()
    syncing = IntervalSync(has_synced.set, interval_s=0.0)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        syncing.note()
    syncing.note()

    assert has_synced.wait(TIMEOUT_S)
    syncing.stop()


def test_a_file_that_shrank_is_not_put_aside(path: Path) -> None:
    """Somebody cut it meanwhile."""
    path.write_bytes(b"one\n")
    with path.open("rb") as file:
        put_aside(path, file.fileno(), NOW_NS, at_least=5)

    assert path.exists()


def test_always_syncs_each_line(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before `write` returns; what cannot be synced is not written for sure."""
    synced: list[int] = []
    monkeypatch.setattr(files.os, "fsync", synced.append)
    sink = sink_of(path, clock, fsync="always")
    sink.write(b"one\n")
    sink.write(b"two\n")
    assert len(synced) == 2

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        sink.write(b"three\n")


def test_an_interval_syncs_in_a_thread_of_its_own(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller does not wait; a close syncs what is left."""
    synced: list[str] = []
    is_synced = threading.Event()
    monkeypatch.setattr(keeping, "SYNC_INTERVAL_S", 0.0)

    def fsync(fd: int) -> None:
        synced.append(threading.current_thread().name)
        is_synced.set()

    monkeypatch.setattr(files.os, "fsync", fsync)
    sink = sink_of(path, clock, fsync="interval")
    sink._syncing = IntervalSync(sink._sync, interval_s=0.0)
    sink.write(b"one\n")
    assert is_synced.wait(TIMEOUT_S)
    assert set(synced) == {"dynaguard-fsync"}

    sink.close()
    assert synced[-1] == threading.current_thread().name
    sink._sync()  # nothing is open, and nothing to sync
    sink.renew()
    assert sink._syncing._thread is None


def test_a_sync_that_fails_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Records are still written."""

    def fail() -> None:
        raise OSError(errno.EIO, "Input/output error")

    syncing = IntervalSync(fail)
    syncing._noted.set()
    syncing.note()  # there is a note already, which a thread will come to
    assert syncing._thread is None
    syncing._noted.clear()
    syncing._thread = threading.Thread()
    syncing.note()
    assert syncing._noted.is_set()
    syncing._sync_once()
    syncing._sync_once()

    assert caplog.messages == ["audit records could not be synced to disk (Input/output error)"]


def test_the_thread_of_an_interval_ends_and_starts_again() -> None:
    """Uninstalled, and installed anew."""
    syncs: list[int] = []
    has_synced = threading.Event()

    def sync() -> None:
        syncs.append(1)
        has_synced.set()

    syncing = IntervalSync(sync, interval_s=0.0)
    syncing.note()
    syncing.note()
    assert has_synced.wait(TIMEOUT_S)
    thread = syncing._thread
    assert thread is not None
    syncing.stop()
    thread.join(TIMEOUT_S)
    assert not thread.is_alive()

    has_synced.clear()
    syncing.note()
    assert has_synced.wait(TIMEOUT_S)
    syncing.stop()


def open_folder(folder: Path, clock: Clock, **options: Any) -> AuditLog:
    """A log that writes to a folder."""
    return AuditLog(
        f"{folder}/",
        mode="best-effort",
        time_ns=clock.time_ns,
        monotonic=clock.monotonic,
        **options,
    )


def test_a_folder_is_partitioned_by_day_and_service(tmp_path: Path, clock: Clock) -> None:
    """A file per writer; its chain goes on over midnight."""
    log = open_folder(tmp_path / "audit", clock, service="billing api/eu")
    log.outcome(**record_values())
    clock.now_ns += DAY_NS
    log.outcome(**record_values())
    log.close()

    found = audit_files(tmp_path / "audit")
    parents = [str(each.parent.relative_to(tmp_path / "audit")) for each in found]
    assert parents == [
        "date=2026-11-20/service_name=billing-api-eu",
        "date=2026-11-21/service_name=billing-api-eu",
    ]
    record = json.loads(found[0].read_text().splitlines()[0])
    assert found[0].name == f"{record['writer']['id']}.jsonl"
    assert verify(map(read_lines, found)).faults == []


def test_two_logs_share_no_file(tmp_path: Path, clock: Clock) -> None:
    """Nor do parent and child, which is another writer."""
    logs = [open_folder(tmp_path, clock) for _ in range(2)]
    for log in logs:
        log.outcome(**record_values())
    logs[0]._writer.renew()  # type: ignore[union-attr]  # as in a forked child
    logs[0].outcome(**record_values())
    for log in logs:
        log.close()

    found = audit_files(tmp_path)
    assert len(found) == 3
    assert {each.parent.name for each in found} == {"service_name=unknown"}
    assert verify(map(read_lines, found)).faults == []


def test_a_folder_that_was_removed_is_made_again(tmp_path: Path, clock: Clock) -> None:
    """No record is lost by that."""
    log = open_folder(tmp_path / "audit", clock)
    log.outcome(**record_values())
    (file,) = audit_files(tmp_path / "audit")
    file.unlink()
    for folder in (file.parent, file.parent.parent, tmp_path / "audit"):
        folder.rmdir()
    clock.now_s += 1.0

    log.outcome(**record_values())

    assert (log.written_count, log.dropped_count) == (2, 0)
    assert len(audit_files(tmp_path / "audit")) == 1


def test_a_folder_that_is_a_file_is_a_configuration_error(tmp_path: Path, clock: Clock) -> None:
    """Found at `install()`."""
    (tmp_path / "audit").touch()

    with pytest.raises(ConfigurationError, match="cannot be opened"):
        open_folder(tmp_path / "audit", clock)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a POSIX system")
def test_a_folder_is_its_owners(tmp_path: Path, clock: Clock) -> None:
    """Records name people, tables and habits."""
    open_folder(tmp_path / "audit", clock).outcome(**record_values())

    folders = [tmp_path / "audit", *(tmp_path / "audit").rglob("date=*")]
    assert len(folders) == 2
    assert all(folder.stat().st_mode & 0o077 == 0 for folder in folders)
