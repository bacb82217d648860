"""Lines on standard output, as containers and Lambda functions leave them."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
from collections.abc import Sequence
from typing import Final

from dynaguard.audit.queueing import QueuedSink

_ALWAYS_WHOLE_BYTES: Final = getattr(select, "PIPE_BUF", 512)
"""A pipe that is writable takes so many bytes at once without blocking, says POSIX."""


class StdoutSink:
    """Lines on standard output, as it is at that moment (redirected, wrapped by a platform).

    A line goes out in the caller's thread, so that it is not lost where the process is frozen or
    killed next. Only where nobody reads a full pipe it goes to a bounded queue instead.

    Args:
        may_block: Whether to wait for the reader in any case, so that nothing is lost.

    Effects: flushes each line. What the application itself has left in the buffer of a pipe is
    flushed with it, and may block. Nothing to close.

    Attributes:
        lost_count: Lines that waited in the queue and were lost.
    """

    __slots__ = ("_may_block", "_queue")

    def __init__(self, *, may_block: bool) -> None:
        self._may_block = may_block
        self._queue = QueuedSink(_print_all, linger_s=0.0)

    @property
    def lost_count(self) -> int:
        """Lines that waited in the queue and were lost."""
        return self._queue.lost_count

    def write(self, line: bytes) -> None:
        """Writes one line, or queues it.

        Raises:
            OSError: Standard output is closed, missing or broken, or the queue is full.
        """
        if self._may_block or (not self._queue.waiting_count and _takes(len(line))):
            _print(line)
        else:
            self._queue.write(line)

    def close(self) -> None:
        """Writes what waits; standard output is not ours."""
        self._queue.close()


def _takes(size: int) -> bool:
    """Whether standard output takes so many bytes without waiting for a reader."""
    try:
        fd = sys.stdout.fileno()
        mode = os.fstat(fd).st_mode
    except (AttributeError, ValueError, OSError):
        return True  # no file at all: what is in its place does not wait for a reader
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)) or not hasattr(select, "poll"):
        return True
    if size > _ALWAYS_WHOLE_BYTES:
        return False
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return any(event & ~select.POLLNVAL for _, event in poll.poll(0))


def _print_all(lines: Sequence[bytes]) -> int:
    """Writes lines; gives how many were lost."""
    for number, line in enumerate(lines):
        try:
            _print(line)
        except OSError:
            return len(lines) - number
    return 0


def _print(line: bytes) -> None:
    """Writes one line.

    Raises:
        OSError: Standard output is closed, missing or broken.
    """
    try:
        sys.stdout.write(line.decode("ascii"))
        sys.stdout.flush()
    except (AttributeError, ValueError) as err:
        raise OSError(errno.EBADF, "standard output is closed") from err
