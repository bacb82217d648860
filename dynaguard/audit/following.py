"""Follows an audit file while processes write it: whole lines only, and through rotation."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from dynaguard.errors import ConfigurationError

TAIL_BYTES: Final = 4 * 1024 * 1024
"""What is read of a file that is there already: the end of it."""
_CHUNK_BYTES: Final = 1024 * 1024


class Follower:
    """Reads what was appended since the last look.

    Args:
        path: The file; it need not be there yet.
        tail_bytes: How much of its end is read at first.
    """

    def __init__(self, path: Path, *, tail_bytes: int = TAIL_BYTES) -> None:
        self._path = path
        self._tail_bytes = tail_bytes
        self._fd: int | None = None
        self._rest = b""

    def __del__(self) -> None:
        """Gives the file back."""
        self.close()

    def close(self) -> None:
        """Closes the file; the next look opens it again."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def read(self) -> Iterator[Mapping[str, Any]]:
        """The records that are new; lines that are no records are left out.

        A file that was replaced is read to its end, then the new one from its beginning; one that
        was cut, from its beginning.

        Raises:
            ConfigurationError: It is there and cannot be read.
        """
        try:
            lines = list(self._new_lines())
        except OSError as err:
            raise ConfigurationError(
                f"audit file `{self._path}` cannot be read ({err.strerror})"
            ) from err
        yield from filter(None, map(_record_in, lines))

    def _new_lines(self) -> Iterator[bytes]:
        """Whole lines; may raise `OSError`."""
        if self._fd is None:
            if not self._path.exists():
                return
            self._fd = os.open(self._path, os.O_RDONLY)
            size = os.fstat(self._fd).st_size
            os.lseek(self._fd, max(0, size - self._tail_bytes), os.SEEK_SET)
        yield from self._lines_left(self._fd)
        if self._is_replaced(self._fd):
            yield from self._lines_left(self._fd)  # what came in between
            self.close()
            self._rest = b""
            self._fd = os.open(self._path, os.O_RDONLY)
            yield from self._lines_left(self._fd)

    def _lines_left(self, fd: int) -> Iterator[bytes]:
        """The rest of a file, but for a line that has no end yet."""
        while data := os.read(fd, _CHUNK_BYTES):
            *lines, self._rest = (self._rest + data).split(b"\n")
            yield from lines

    def _is_replaced(self, fd: int) -> bool:
        """Whether another file is at the path now, or this one was cut."""
        try:
            state = self._path.stat()
        except FileNotFoundError:
            return False  # between two files
        ours = os.fstat(fd)
        return not os.path.samestat(state, ours) or ours.st_size < os.lseek(fd, 0, os.SEEK_CUR)


def _record_in(line: bytes) -> Mapping[str, Any] | None:
    """The record in a line, or None."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "schema_version" in record else None
