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


class Follower:
    """Reads what was appended since the last look.

    Args:
        path: The file; it need not be there yet.
        tail_bytes: How much of its end is read at first.
    """

    def __init__(self, path: Path, *, tail_bytes: int = TAIL_BYTES) -> None:
        self._path = path
        self._tail_bytes = tail_bytes
        self._position: int | None = None
        self._inode: int | None = None
        self._rest = b""

    def read(self) -> Iterator[Mapping[str, Any]]:
        """The records that are new; lines that are no records are left out.

        A file that was replaced or cut is read from its beginning.

        Raises:
            ConfigurationError: It is there and cannot be read.
        """
        try:
            with self._path.open("rb") as file:
                state = os.fstat(file.fileno())
                self._find_place(state.st_size, state.st_ino)
                file.seek(self._position or 0)
                data = file.read()
        except FileNotFoundError:
            return
        except OSError as err:
            raise ConfigurationError(
                f"audit file `{self._path}` cannot be read ({err.strerror})"
            ) from err
        self._position = (self._position or 0) + len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        yield from filter(None, map(_record_in, lines))

    def _find_place(self, size: int, inode: int) -> None:
        """Where to go on: behind what was read, or at the start of a new file."""
        if self._position is None:
            self._position = max(0, size - self._tail_bytes)
        elif inode != self._inode or size < self._position:
            self._position, self._rest = 0, b""
        self._inode = inode


def _record_in(line: bytes) -> Mapping[str, Any] | None:
    """The record in a line, or None."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "schema_version" in record else None
