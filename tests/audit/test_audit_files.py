"""Lines reach the file whole, whoever moves it, forks or writes beside."""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
import threading
from pathlib import Path

import pytest

from dynaguard.audit import files
from dynaguard.audit.files import FileSink
from dynaguard.audit.sinks import AuditSink
from dynaguard.audit.streams import StdoutSink
from tests.audit.file_cases import Clock, clock, path, posix_only, sink

__all__ = ["clock", "path", "sink"]  # fixtures


class Contract:
    """What every sink does."""

    def written(self) -> bytes:
        raise NotImplementedError

    def test_writes_lines_in_order(self, any_sink: AuditSink) -> None:
        """Each is there when `write` returns."""
        any_sink.write(b"one\n")
        any_sink.write(b"two\n")

        assert self.written() == b"one\ntwo\n"

    def test_a_line_after_the_close_is_written(self, any_sink: AuditSink) -> None:
        """A call that is under way while dynaguard is uninstalled gets its record."""
        any_sink.close()
        any_sink.write(b"late\n")
        any_sink.close()

        assert self.written() == b"late\n"


class TestFileSinkContract(Contract):
    """A file is a sink."""

    @pytest.fixture
    def any_sink(self, sink: FileSink, path: Path) -> AuditSink:
        self.path = path
        return sink

    def written(self) -> bytes:
        return self.path.read_bytes()


class TestStdoutSinkContract(Contract):
    """Standard output is a sink."""

    @pytest.fixture
    def any_sink(self, capsys: pytest.CaptureFixture[str]) -> AuditSink:
        self.capsys = capsys
        return StdoutSink()

    def written(self) -> bytes:
        return self.capsys.readouterr().out.encode()


def test_standard_output_that_is_closed_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon may have none at all."""
    with open(os.devnull, "w", encoding="ascii") as closed:  # noqa: PTH123
        pass
    for stdout in (None, closed):
        monkeypatch.setattr(sys, "stdout", stdout)

        with pytest.raises(OSError, match="standard output is closed"):
            StdoutSink().write(b"line\n")


def test_lines_go_behind_what_is_there(path: Path, clock: Clock) -> None:
    """A restart goes on in the same file."""
    path.write_bytes(b"before\n")

    sink = FileSink(str(path), recheck_after_s=1.0, monotonic=clock)
    sink.write(b"after\n")
    sink.close()

    assert path.read_bytes() == b"before\nafter\n"


@posix_only
def test_a_new_file_is_readable_by_its_owner_alone(sink: FileSink, path: Path) -> None:
    """Records name people, tables and habits."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_relative_path_stays_where_it_was(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working directory may change after `install()`."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    sink = FileSink("audit.jsonl", recheck_after_s=0.0, monotonic=clock)

    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "audit.jsonl").unlink()
    sink.write(b"line\n")
    sink.close()

    assert (tmp_path / "audit.jsonl").read_bytes() == b"line\n"


def test_a_file_that_was_moved_away_is_made_anew(sink: FileSink, path: Path, clock: Clock) -> None:
    """Rotation by another program: at most a second of lines still goes to the old file."""
    sink.write(b"one\n")
    path.rename(path.with_suffix(".1"))
    sink.write(b"two\n")
    clock.now_s += 1.0
    sink.write(b"three\n")

    assert path.with_suffix(".1").read_bytes() == b"one\ntwo\n"
    assert path.read_bytes() == b"three\n"


def test_without_a_delay_no_line_goes_to_a_removed_file(path: Path, clock: Clock) -> None:
    """As `required` audit wants it."""
    sink = FileSink(str(path), recheck_after_s=0.0, monotonic=clock)
    path.unlink()

    sink.write(b"line\n")
    sink.close()

    assert path.read_bytes() == b"line\n"


def test_a_file_in_place_stays_open(sink: FileSink, path: Path, clock: Clock) -> None:
    """The look after it costs no new descriptor."""
    before = sink._fd
    for _ in range(3):
        clock.now_s += 1.0
        sink.write(b"line\n")

    assert sink._fd == before


def test_a_file_that_may_not_be_seen_any_more_is_still_written(
    sink: FileSink, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service opens it as root and goes on as somebody else."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", refuse)
        clock.now_s += 1.0
        sink.write(b"line\n")

    assert path.read_bytes() == b"line\n"


def test_recovers_when_the_folder_is_back(tmp_path: Path, clock: Clock) -> None:
    """Nothing has to be restarted."""
    folder = tmp_path / "logs"
    folder.mkdir()
    path = folder / "audit.jsonl"
    sink = FileSink(str(path), recheck_after_s=0.0, monotonic=clock)
    path.unlink()
    folder.rmdir()

    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            sink.write(b"lost\n")
    folder.mkdir()
    sink.write(b"kept\n")
    sink.close()

    assert path.read_bytes() == b"kept\n"


@posix_only
def test_a_descriptor_that_is_somebody_elses_now_is_left_alone(
    sink: FileSink, path: Path, tmp_path: Path, clock: Clock
) -> None:
    """A daemon closes all descriptors; ours may then be a customer's socket."""
    number = sink._fd
    assert number is not None
    os.close(number)
    theirs = os.open(tmp_path / "theirs", os.O_RDWR | os.O_CREAT)
    os.dup2(theirs, number)
    clock.now_s += 1.0

    sink.write(b"line\n")

    assert path.read_bytes() == b"line\n"
    assert (tmp_path / "theirs").read_bytes() == b""
    assert os.fstat(number).st_ino == os.fstat(theirs).st_ino
    os.close(theirs)
    if number != theirs:
        os.close(number)


@posix_only
def test_a_descriptor_that_was_closed_by_others_is_opened_again(
    sink: FileSink, path: Path, clock: Clock
) -> None:
    """No line is lost, and none goes into whatever has the number now."""
    assert sink._fd is not None
    os.close(sink._fd)
    theirs = path.with_name("theirs")
    number = os.open(theirs, os.O_RDWR | os.O_CREAT)

    sink.write(b"kept\n")

    assert (path.read_bytes(), theirs.read_bytes()) == (b"kept\n", b"")
    os.close(number)
    assert sink._fd is not None
    os.close(sink._fd)
    sink.write(b"too\n")
    assert sink._fd is not None
    os.close(sink._fd)
    clock.now_s += 1.0
    sink.write(b"and this\n")
    assert path.read_bytes() == b"kept\ntoo\nand this\n"


def test_where_no_number_is_left_each_write_looks(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that nothing goes into whatever has the number now."""
    monkeypatch.setitem(sys.modules, "resource", None)
    sink = FileSink(str(path), recheck_after_s=1.0, monotonic=clock)
    assert sink._fd is not None
    os.close(sink._fd)
    theirs = os.open(path.with_name("theirs"), os.O_RDWR | os.O_CREAT)

    sink.write(b"kept\n")
    sink.close()

    assert path.read_bytes() == b"kept\n"
    os.close(theirs)


@posix_only
def test_a_signal_handler_may_write_while_its_thread_writes(
    sink: FileSink, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is the same thread's already."""
    write = os.write
    previous = signal.signal(signal.SIGUSR1, lambda *_: sink.write(b"handler\n"))

    def interrupted(fd: int, data: bytes) -> int:
        if data == b"outer\n":
            os.kill(os.getpid(), signal.SIGUSR1)
        return write(fd, data)

    monkeypatch.setattr(files.os, "write", interrupted)
    try:
        sink.write(b"outer\n")
    finally:
        signal.signal(signal.SIGUSR1, previous)

    assert sorted(path.read_bytes().splitlines()) == [b"handler", b"outer"]


@posix_only
def test_a_child_does_not_wait_for_a_thread_of_its_parent(sink: FileSink, path: Path) -> None:
    """The parent forks while another of its threads holds the lock."""
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with sink._lock:
            is_held.set()
            may_end.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait()
    pid = os.fork()
    if pid == 0:  # pragma: no cover - coverage does not see the end of a child
        signal.alarm(20)
        sink.write(b"child\n")
        os._exit(0)
    may_end.set()
    holder.join()

    assert os.waitpid(pid, 0)[1] == 0
    assert path.read_bytes() == b"child\n"


def test_a_lock_that_nobody_can_open_is_renewed(sink: FileSink, path: Path) -> None:
    """What a child does first, without the fork."""
    lock = sink._lock
    holder = threading.Thread(target=lock.acquire)
    holder.start()
    holder.join()

    sink.renew()
    sink.write(b"line\n")

    assert path.read_bytes() == b"line\n"


def test_a_system_without_forks_needs_no_care(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows has no `register_at_fork`."""
    monkeypatch.delattr(files.os, "register_at_fork", raising=False)
    sink = FileSink(str(path), recheck_after_s=1.0, monotonic=clock)

    sink.write(b"line\n")
    sink.close()

    assert path.read_bytes() == b"line\n"
