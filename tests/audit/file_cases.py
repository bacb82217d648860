"""What tests of audit files share: a clock, a path, a sink that writes there."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dynaguard.audit.files import FileSink

posix_only = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a POSIX system")


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """The sink's clock."""
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the records go."""
    return tmp_path / "audit.jsonl"


@pytest.fixture
def sink(path: Path, clock: Clock) -> Iterator[FileSink]:
    """A sink that looks after its file once a second."""
    sink = FileSink(str(path), recheck_after_s=1.0, monotonic=clock)
    yield sink
    sink.close()


class Disk:
    """Takes a few bytes per write, then none, then all again."""

    def __init__(self, takes: list[int]) -> None:
        self.takes = takes
        self._write = os.write

    def write(self, fd: int, data: bytes) -> int:
        count = self.takes.pop(0) if self.takes else len(data)
        if count < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._write(fd, data[:count])
