"""Lines on standard output, as containers and Lambda functions leave them."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
from typing import Final

from dynaguard.audit.sinks import UnsureError

_ALWAYS_WHOLE_BYTES: Final = getattr(select, "PIPE_BUF", 512)
"""A pipe that is writable takes so many bytes at once without blocking, says POSIX."""
_CHAIN_BYTES: Final = 1_500
"""What the chain adds to a record at most."""


class StdoutSink:
    """Lines on standard output, as it is at that moment (redirected, wrapped by a platform).

    Effects: flushes each line, with what the application left in the buffer; blocks while nobody
    reads a full pipe. Nothing to close.
    """

    __slots__ = ()

    def write(self, line: bytes) -> None:
        """Writes one line.

        Raises:
            UnsureError: Standard output broke while it was written.
            OSError: Standard output is closed or missing.
        """
        stdout = sys.stdout
        if stdout is None or stdout.closed:
            raise OSError(errno.EBADF, "standard output is closed")
        try:
            stdout.write(line.decode("ascii"))
            stdout.flush()
        except (OSError, ValueError) as err:
            raise UnsureError(errno.EIO, "standard output is broken") from err

    def close(self) -> None:
        """Does nothing: standard output is not ours."""


def stdout_takes(size: int) -> bool:
    """Whether standard output takes a record of that size without waiting for a reader."""
    try:
        fd = sys.stdout.fileno()
        mode = os.fstat(fd).st_mode
    except (AttributeError, ValueError, OSError):
        return True  # no file at all: what is in its place does not wait for a reader
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)) or not hasattr(select, "poll"):
        return True
    if size + _CHAIN_BYTES > _ALWAYS_WHOLE_BYTES:
        return False
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(0))
