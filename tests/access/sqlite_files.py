"""What tests of the SQLite store share: its file, and programs that use it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dynaguard.access.sqlite_store import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is to be."""
    return tmp_path / "access.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """A store whose file is not there yet."""
    opened = SqliteStore(path)
    yield opened
    opened.close()


def run(what: str, *arguments: object) -> str:
    """What a process of its own says of a store."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.access.store_program", what]
        + [str(argument) for argument in arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def check_integrity(path: Path) -> None:
    """Whether SQLite finds the file whole."""
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
