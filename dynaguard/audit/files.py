"""Lines in files: shared ones, or one per writer and day. Whole, or their loss is raised."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import re
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dynaguard.audit.keeping import IntervalSync, put_aside
from dynaguard.audit.sinks import UnsureError
from dynaguard.forks import renew_after_fork

_FLAGS: Final = (
    os.O_WRONLY
    | os.O_APPEND
    | os.O_CREAT
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    # A FIFO that nobody reads must hang neither the process nor, when it is full, a call.
    | getattr(os, "O_NONBLOCK", 0)
)
_OWNER_ONLY: Final = 0o600
_NEWLINE: Final = b"\n"
RECHECK_TURN_S: Final = 1.0
"""How long a file that could not be put aside is left alone."""
_MOST_DESCRIPTORS: Final = 4_096
_DAY_NS: Final = 86_400 * 10**9
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")


class FileSink:
    """Lines at the end of a file, shared by threads, forked children and other processes.

    Each line is one `write` to a file opened with `O_APPEND`, which the kernel puts at the end as
    a whole: what is written outlives the process, and lines of several writers do not mix. A file
    that was moved away or removed is made anew. One that has grown to `max_bytes` is put aside
    under a name with the time in it; of several processes the first does that, and the others
    follow within `recheck_after_s`.

    Args:
        path: The file; its folder must exist. A new one is readable by its owner alone.
        recheck_after_s: At most this long lines go to a file that is no longer at `path`; 0 looks
            before every line.
        monotonic: A clock in seconds.
        fsync: `never`; `always`, each line in the caller's thread; or at an `interval` of a
            second, in a thread of its own.
        max_bytes: Size at which it is put aside; None: never.
        time_ns: A clock in nanoseconds since the epoch, for the names of files put aside.

    Raises:
        OSError: The file cannot be opened for appending.

    Effects: keeps one file descriptor, not inherited by programs that are started. Thread-safe;
    usable in signal handlers; a fork while another thread writes is safe.
    """

    def __init__(
        self,
        path: str,
        *,
        recheck_after_s: float,
        monotonic: Callable[[], float],
        fsync: str = "never",
        max_bytes: int | None = None,
        time_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._path = Path(path).absolute()  # the working directory may change later
        self._fsync, self._max_bytes, self._time_ns = fsync, max_bytes, time_ns
        self._syncing = IntervalSync(self._sync) if fsync == "interval" else None
        self._size, self._turn_again_s = 0, -math.inf
        self._is_apart = False
        self._recheck_after_s = recheck_after_s
        self._monotonic = monotonic
        # Reentrant: a signal handler may make a call while its own thread writes a line.
        self._lock = threading.RLock()
        self._fd: int | None = None
        self._file: os.stat_result | None = None
        self._checked_s = 0.0
        self._is_closed = False
        try:
            self._open()
        except OSError:
            self._release()
            raise
        renew_after_fork(self)

    def write(self, line: bytes) -> None:
        """Writes one line.

        Raises:
            UnsureError: A part of it may be written, or all of it but not for sure to the disk.
            OSError: The file cannot be opened any more, or nothing is written.
        """
        with self._lock:
            try:
                self._write(line)
            except OSError:
                self._release()  # to open it again tells what is wrong, and heals a torn line
                raise
            self._size += len(line)
            if self._is_closed:
                self._release()
        if self._syncing is not None:
            self._syncing.note()

    def _write(self, line: bytes) -> None:
        """Writes one line; to the file opened anew, where somebody closed it."""
        fd = self._usable_fd()
        try:
            _write_whole(fd, line)
        except OSError as err:
            if err.errno != errno.EBADF or isinstance(err, UnsureError):
                raise
            self._fd = None
            fd = self._open()
            _write_whole(fd, line)
        if self._fsync == "always":
            self._sync_now(fd)

    def close(self) -> None:
        """Closes the file; a call that is under way opens it once more for its record."""
        with self._lock:
            self._is_closed = True
            self._release()
        if self._syncing is not None:
            self._syncing.stop()

    def renew(self) -> None:
        """Forgets a lock that a thread of the parent process held when it forked."""
        self._lock = threading.RLock()
        self._checked_s = -math.inf
        if self._syncing is not None:
            self._syncing = IntervalSync(self._sync)

    def _usable_fd(self) -> int:
        """The open file, opened again where it is not what stands at the path any more."""
        fd = self._fd
        if fd is None or not (self._is_apart or self._is_ours(fd)):
            self._fd = None  # a program that closes all descriptors closed ours as well
            return self._open()
        now_s = self._monotonic()
        if self._has_grown(now_s):
            return self._turn(fd, now_s)
        if now_s - self._checked_s < self._recheck_after_s:
            return fd
        self._checked_s = now_s
        if self._is_ours(fd) and self._is_in_place():
            self._size = os.fstat(fd).st_size  # others write to it, too
            return fd
        self._release()
        return self._open()

    def _has_grown(self, now_s: float) -> bool:
        """Whether it is to be put aside."""
        max_bytes = self._max_bytes
        return max_bytes is not None and self._size >= max_bytes and now_s >= self._turn_again_s

    def _turn(self, fd: int, now_s: float) -> int:
        """Puts the file aside and gives the new one, unless another process does or did."""
        if self._is_in_place():
            put_aside(self._path, fd, self._time_ns(), at_least=self._max_bytes or 0)
        if self._is_in_place():
            self._turn_again_s = now_s + RECHECK_TURN_S
            return fd
        mode = os.fstat(fd).st_mode
        self._release()
        fd = self._open()
        with contextlib.suppress(OSError):  # another user's
            os.fchmod(fd, stat.S_IMODE(mode))
        return fd

    def _sync_now(self, fd: int) -> None:
        """Makes a line outlive the machine, where it is in a file at all."""
        if self._file is not None and stat.S_ISREG(self._file.st_mode):
            try:
                os.fsync(fd)
            except OSError as err:
                raise UnsureError(err.errno, err.strerror) from err

    def _sync(self) -> None:
        """Makes what is written outlive the machine; others may write meanwhile."""
        with self._lock:
            is_there = self._fd is not None and self._is_ours(self._fd)
            fd = os.dup(self._fd) if is_there and self._fd is not None else None
        if fd is not None:
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def _open(self) -> int:
        """Opens the file; a line that a crash or a full disk tore gets its end."""
        fd, self._is_apart = _set_apart(os.open(self._path, _FLAGS, _OWNER_ONLY))
        self._fd, self._file, self._checked_s = fd, os.fstat(fd), self._monotonic()
        self._size = self._file.st_size
        if stat.S_ISREG(self._file.st_mode) and self._file.st_size and not self._ends_a_line():
            _write_whole(fd, _NEWLINE)
        return fd

    def _ends_a_line(self) -> bool:
        """Whether the last line has its end; False where the file may not be read."""
        try:
            with self._path.open("rb") as file:
                file.seek(-1, os.SEEK_END)
                return file.read(1) == _NEWLINE
        except OSError:
            return False

    def _is_in_place(self) -> bool:
        """Whether the path still leads to the open file: it may be moved away or removed."""
        try:
            return self._file is not None and os.path.samestat(self._path.stat(), self._file)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True  # not to be seen any more, as after a change of user: still to be written

    def _is_ours(self, fd: int) -> bool:
        """Whether a descriptor is the file that was opened.

        A program that closes all descriptors, as daemons do, leaves ours to whoever opens next.
        """
        try:
            return self._file is not None and os.path.samestat(os.fstat(fd), self._file)
        except OSError:
            return False

    def _release(self) -> None:
        """Closes the descriptor, if there is one and it is still ours."""
        fd, self._fd = self._fd, None
        if fd is not None and self._is_ours(fd):
            if self._fsync == "interval" and self._is_closed:
                with contextlib.suppress(OSError):
                    os.fsync(fd)
            with contextlib.suppress(OSError):  # some network file systems report late, here
                os.close(fd)


class FolderSink:
    """Lines in a folder: a file per writer and day, in the layout that query engines partition by.

    `date=2026-11-21/service_name=orders/<writer id>.jsonl`, by UTC days. No two processes share a
    file. `service_name` rather than `service`, which records have already: the AWS service.

    Args:
        folder: The folder; it and what is below it are made.
        service: Name of the service; `unknown` without one.
        writer_id: Gives the id of the writer at that moment.
        time_ns: A clock in nanoseconds since the epoch.
        open_file: Opens a file of it.

    Raises:
        OSError: The folder cannot be made.

    Effects: as `FileSink`'s.
    """

    def __init__(
        self,
        folder: Path,
        *,
        service: str | None,
        writer_id: Callable[[], str],
        time_ns: Callable[[], int],
        open_file: Callable[[Path], FileSink],
    ) -> None:
        self._folder = folder.absolute()
        self._service = _UNSAFE.sub("-", service or "unknown")
        self._writer_id, self._time_ns, self._open_file = writer_id, time_ns, open_file
        self._file: FileSink | None = None
        self._place: tuple[int, str] | None = None
        _make_folder(self._folder)

    def write(self, line: bytes) -> None:
        """Writes one line, to the file of this writer and day.

        Raises:
            OSError: It is not, or not wholly, written.
        """
        place = (self._time_ns() // _DAY_NS, self._writer_id())
        if place != self._place or self._file is None:
            self.close()
            self._file, self._place = self._open_file(self._path_of(*place)), place
        try:
            self._file.write(line)
        except FileNotFoundError:  # the folder is gone: it is made again
            self._file.close()
            self._file = self._open_file(self._path_of(*place))
            self._file.write(line)

    def close(self) -> None:
        """Closes the file; a line that comes later opens it again."""
        if self._file is not None:
            self._file.close()

    def _path_of(self, day: int, writer_id: str) -> Path:
        """The file of a writer and day; its folder is made."""
        date = time.strftime("%Y-%m-%d", time.gmtime(day * 86_400))
        folder = self._folder / f"date={date}" / f"service_name={self._service}"
        _make_folder(folder)
        return folder / f"{writer_id}.jsonl"


def _make_folder(folder: Path) -> None:
    """Makes a folder and those above it, which only their owner may read, as the files."""
    for each in (*reversed(folder.parents), folder):
        if not each.is_dir():
            each.mkdir(mode=0o700, exist_ok=True)


def _set_apart(fd: int) -> tuple[int, bool]:
    """The same file under a number that no other will get, and whether there is one.

    A program that closes all descriptors, as daemons do, leaves ours to whoever opens next; the
    system gives the lowest number that is free. So a high one need not be looked at each time.
    """
    try:
        import fcntl
        import resource

        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        least = min(limit, _MOST_DESCRIPTORS) * 7 // 8
        apart = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, least)
    except (ImportError, OSError, ValueError):  # another system, or no number is left
        return fd, False
    os.close(fd)
    return apart, True


def _write_whole(fd: int, line: bytes) -> None:
    """Writes a line; the kernel takes less than all of it only at a limit, mostly the disk's.

    Raises:
        UnsureError: A part of it is written.
        OSError: Nothing is.
    """
    count = os.write(fd, line)
    while count < len(line):
        try:
            written = os.write(fd, line[count:])
        except OSError as err:
            raise UnsureError(err.errno, err.strerror) from err
        if not written:
            raise UnsureError(errno.EIO, os.strerror(errno.EIO))
        count += written
