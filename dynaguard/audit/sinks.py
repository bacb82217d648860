"""Where lines go: a file, or standard output. One line is written whole, or its loss is raised."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import stat
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

RECHECK_AFTER_S: Final = 1.0
"""How long a file that was removed or replaced may go unnoticed where records may be lost."""

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


class AuditSink(Protocol):
    """Takes lines."""

    def write(self, line: bytes) -> None:
        """Writes one line that ends in a newline, whole.

        Raises:
            OSError: It is not, or not wholly, written.
        """
        ...

    def close(self) -> None:
        """Gives back what is held; a line that comes later is still written, if it can be."""
        ...


class StdoutSink:
    """Lines on standard output, as it is at that moment (redirected, wrapped by a platform).

    Effects: flushes each line; blocks while nobody reads a full pipe. Nothing to close.
    """

    __slots__ = ()

    def write(self, line: bytes) -> None:
        """Writes one line.

        Raises:
            OSError: Standard output is closed, missing or broken.
        """
        try:
            sys.stdout.write(line.decode("ascii"))
            sys.stdout.flush()
        except (AttributeError, ValueError) as err:
            raise OSError(errno.EBADF, "standard output is closed") from err

    def close(self) -> None:
        """Does nothing: standard output is not ours."""


class FileSink:
    """Lines at the end of a file, shared by threads, forked children and other processes.

    Each line is one `write` to a file opened with `O_APPEND`, which the kernel puts at the end as
    a whole: what is written outlives the process, and lines of several writers do not mix. A file
    that was moved away or removed is made anew.

    Args:
        path: The file; its folder must exist. A new one is readable by its owner alone.
        recheck_after_s: At most this long lines go to a file that is no longer at `path`; 0 looks
            before every line.
        monotonic: A clock in seconds.

    Raises:
        OSError: The file cannot be opened for appending.

    Effects: keeps one file descriptor, not inherited by programs that are started. Thread-safe;
    usable in signal handlers; a fork while another thread writes is safe. Does not `fsync`.
    """

    def __init__(
        self, path: str, *, recheck_after_s: float, monotonic: Callable[[], float]
    ) -> None:
        self._path = Path(path).absolute()  # the working directory may change later
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
        _renew_lock_after_fork(self)

    def write(self, line: bytes) -> None:
        """Writes one line.

        Raises:
            OSError: The file cannot be opened any more, or the line is not wholly written.
        """
        with self._lock:
            try:
                _write_whole(self._usable_fd(), line)
            except OSError:
                self._release()  # to open it again tells what is wrong, and heals a torn line
                raise
            if self._is_closed:
                self._release()

    def close(self) -> None:
        """Closes the file; a call that is under way opens it once more for its record."""
        with self._lock:
            self._is_closed = True
            self._release()

    def renew_lock(self) -> None:
        """Forgets a lock that a thread of the parent process held when it forked."""
        self._lock = threading.RLock()

    def _usable_fd(self) -> int:
        """The open file, opened again where it is not what stands at the path any more."""
        fd = self._fd
        if fd is not None:
            now_s = self._monotonic()
            if now_s - self._checked_s < self._recheck_after_s:
                return fd
            self._checked_s = now_s
            if self._is_ours(fd) and self._is_in_place():
                return fd
        self._release()
        return self._open()

    def _open(self) -> int:
        """Opens the file; a line that a crash or a full disk tore gets its end."""
        fd = os.open(self._path, _FLAGS, _OWNER_ONLY)
        self._fd, self._file, self._checked_s = fd, os.fstat(fd), self._monotonic()
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
            with contextlib.suppress(OSError):  # some network file systems report late, here
                os.close(fd)


def _write_whole(fd: int, line: bytes) -> None:
    """Writes a line; the kernel takes less than all of it only at a limit, mostly the disk's.

    Raises:
        OSError: Part of it, or nothing, is written.
    """
    count = os.write(fd, line)
    while count < len(line):
        written = os.write(fd, line[count:])
        if not written:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        count += written


_sinks: weakref.WeakSet[FileSink] = weakref.WeakSet()


def renew_locks() -> None:
    """Gives every sink a new lock; in a forked child nobody is left to open the old ones."""
    for sink in list(_sinks):
        sink.renew_lock()


@functools.cache
def _watch_forks() -> None:
    """Asks to be told of forks, once per process."""
    os.register_at_fork(after_in_child=renew_locks)


def _renew_lock_after_fork(sink: FileSink) -> None:
    """Sees to it that a forked child does not wait for a thread that it does not have."""
    if hasattr(os, "register_at_fork"):
        _watch_forks()
        _sinks.add(sink)
