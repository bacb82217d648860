"""Where the lines of records go: a file that several processes may share, or standard output.

A line is one `write` to a descriptor opened with `O_APPEND`, which on a local POSIX file system
puts it whole behind what is there, whoever else writes. On a pipe that holds up to 4,096 bytes.
"""

from __future__ import annotations

import os
import stat
import threading
from typing import Final, Protocol

HEALING: Final = b"\n\n"
"""Goes before a record when the file ends within a line: ends that line, and an empty line after
it tells readers that it was torn, not changed later."""

_STDOUT_FD: Final = 1
_FLAGS: Final = (
    os.O_WRONLY
    | os.O_APPEND
    | os.O_CREAT
    | getattr(os, "O_CLOEXEC", 0)  # not on Windows
    | getattr(os, "O_BINARY", 0)  # only on Windows
)
_OWNER_ONLY: Final = 0o600


class Sink(Protocol):
    """Takes the lines of records. Thread-safe, and usable in a forked child."""

    def write(self, line: bytes) -> None:
        """Writes a line, its newline included.

        Raises:
            OSError: It could not be written whole.
        """
        ...

    def close(self) -> None:
        """Gives back what it holds; a later `write` takes it again for that line alone."""
        ...


class ProcessLock:
    """A lock that a forked child gets anew: the parent's may be held by a thread left behind."""

    __slots__ = ("_lock", "_pid")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def of_this_process(self) -> threading.Lock:
        """The lock to hold."""
        pid = os.getpid()
        if pid != self._pid:
            self._lock = threading.Lock()
            self._pid = pid
        return self._lock


class StandardOutput:
    """Descriptor 1 of the process, past `sys.stdout` and whatever redirects that."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = ProcessLock()

    def write(self, line: bytes) -> None:
        """Writes a line; may block while the reader of a pipe is slow."""
        with self._lock.of_this_process():
            _write_all(_STDOUT_FD, line)

    def close(self) -> None:
        """Nothing to give back: the descriptor is the process's."""


class AppendedFile:
    """A file that lines are appended to; made if it does not exist, its directory is not.

    A file that was renamed or deleted is made anew at the next line, and one that could not be
    written is opened again then, so the sink recovers by itself.

    Args:
        path: The file. A relative path is taken from the working directory now.

    Raises:
        OSError: It cannot be opened.
    """

    __slots__ = ("_fd", "_identity", "_is_closed", "_is_torn", "_lock", "_path")

    def __init__(self, path: str) -> None:
        # realpath would follow a link that rotation may turn elsewhere.
        self._path = os.path.abspath(path)  # noqa: PTH100
        self._lock = ProcessLock()
        self._fd: int | None = None
        self._identity = (0, 0)
        self._is_torn = False
        self._is_closed = False
        self._open()

    def write(self, line: bytes) -> None:
        """Writes a line. Cost: one `stat` and one `write`."""
        with self._lock.of_this_process():
            try:
                fd = self._descriptor()
                _write_all(fd, HEALING + line if self._is_torn else line)
                self._is_torn = False
            except OSError:
                self._release()
                raise
            if self._is_closed:
                self._release()

    def close(self) -> None:
        """Closes the file; the record of a call that is still under way opens it once more."""
        with self._lock.of_this_process():
            self._is_closed = True
            self._release()

    def _descriptor(self) -> int:
        """The descriptor of the file that has the path now."""
        if self._fd is not None and self._is_in_place():
            return self._fd
        self._release()
        return self._open()

    def _open(self) -> int:
        fd = self._fd = os.open(self._path, _FLAGS, _OWNER_ONLY)
        found = os.fstat(fd)
        self._identity = (found.st_dev, found.st_ino)
        self._is_torn = stat.S_ISREG(found.st_mode) and _ends_within_a_line(self._path)
        return fd

    def _is_in_place(self) -> bool:
        """Whether the path still leads to the open file: it may be rotated away, or deleted."""
        try:
            found = os.stat(self._path)  # noqa: PTH116 - a Path would double the cost
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True  # not to be seen any more, after a change of user: still to be written
        return (found.st_dev, found.st_ino) == self._identity

    def _release(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def _ends_within_a_line(path: str) -> bool:
    """Whether the file's last byte is no newline; False where it may not be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            if file.seek(0, os.SEEK_END) == 0:
                return False
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:
        return False


def _write_all(fd: int, line: bytes) -> None:
    """Writes the line; what a short write left over follows at once."""
    written = os.write(fd, line)
    while written < len(line):
        line = line[written:]
        written = os.write(fd, line)
