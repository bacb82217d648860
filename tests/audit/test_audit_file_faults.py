"""Lines torn by a full disk or a crash get their end, and what cannot be written is an error."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dynaguard.audit import files
from dynaguard.audit.files import FileSink
from tests.audit.file_cases import Clock, Disk, clock, path, posix_only, sink

__all__ = ["clock", "path", "sink"]  # fixtures


FULL = Path("/dev/full")
full_disk = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"", b"new\n"), (b"whole\n", b"whole\nnew\n"), (b"torn", b"torn\nnew\n")],
)
def test_a_torn_line_gets_its_end_when_the_file_is_opened(
    path: Path, clock: Clock, before: bytes, after: bytes
) -> None:
    """The next record does not disappear in what a crash left."""
    path.write_bytes(before)

    sink = FileSink(str(path), recheck_after_s=1.0, monotonic=clock)
    sink.write(b"new\n")
    sink.close()

    assert path.read_bytes() == after


def test_a_file_that_may_not_be_read_gets_a_blank_line(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its last line is whole cannot be seen; readers pass blank lines over."""
    path.write_bytes(b"before\n")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        sink = FileSink(str(path), recheck_after_s=1.0, monotonic=clock)
    sink.write(b"new\n")
    sink.close()

    assert path.read_bytes() == b"before\n\nnew\n"


def test_a_torn_file_on_a_full_disk_is_not_opened(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error comes at once, and no descriptor stays behind."""
    path.write_bytes(b"torn")
    closed: list[int] = []
    close = os.close
    monkeypatch.setattr(files.os, "write", Disk([-1]).write)
    monkeypatch.setattr(files.os, "close", lambda fd: (closed.append(fd), close(fd)))

    with pytest.raises(OSError, match="No space left"):
        FileSink(str(path), recheck_after_s=1.0, monotonic=clock)

    assert len(set(closed)) == len(closed) == 2  # the first number, and the one set apart


@full_disk
def test_a_full_disk_is_an_error_of_each_line(clock: Clock) -> None:
    """And keeps no descriptor."""
    sink = FileSink(str(FULL), recheck_after_s=1.0, monotonic=clock)

    for _ in range(2):
        with pytest.raises(OSError, match="No space left"):
            sink.write(b"line\n")

    assert sink._fd is None


def test_the_rest_of_a_short_write_follows(
    sink: FileSink, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel may take less than a line."""
    monkeypatch.setattr(files.os, "write", Disk([2, 1]).write)

    sink.write(b"one line\n")

    assert path.read_bytes() == b"one line\n"


@pytest.mark.parametrize("takes", [[2, -1], [2, 0]])
def test_a_line_torn_by_a_full_disk_gets_its_end_later(
    sink: FileSink, path: Path, monkeypatch: pytest.MonkeyPatch, takes: list[int]
) -> None:
    """The error says that it is lost; the next line stands on its own."""
    monkeypatch.setattr(files.os, "write", Disk(takes).write)

    with pytest.raises(OSError, match=r"No space left|Input/output error"):
        sink.write(b"torn\n")
    sink.write(b"whole\n")

    assert path.read_bytes() == b"to\nwhole\n"


def test_a_failing_close_is_no_loss(
    sink: FileSink, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network file systems report what went wrong before only now."""
    sink.write(b"line\n")
    close = os.close

    def failing(fd: int) -> None:
        close(fd)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(files.os, "close", failing)
    sink.close()

    assert path.read_bytes() == b"line\n"


@posix_only
def test_a_fifo_without_a_reader_is_an_error_not_a_hang(tmp_path: Path, clock: Clock) -> None:
    """`install()` must come back."""
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(OSError, match="No such device or address"):
        FileSink(str(tmp_path / "fifo"), recheck_after_s=1.0, monotonic=clock)
