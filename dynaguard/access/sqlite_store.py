"""The access store in one SQLite file: the default on one machine, with nothing to run or pay.

Every write is one transaction that is on disk before it is acknowledged; whoever is killed while
writing leaves the documents as they were. One connection per process, whose lock threads share:
SQLite lets one writer at a time in anyhow.

INVARIANT: no connection is open while the process forks. SQLite keeps the state of its file locks
per process and file, not per connection: a child that inherits it believes in locks that it does
not have, even for connections of its own, and loses what it wrote. So connections are closed just
before a fork.
INVARIANT: the file is opened and closed by SQLite alone. Closing any other handle on it would drop
the process's locks (POSIX).

Source: sqlite.org, "How To Corrupt An SQLite Database File" (2.2, 2.6), "Write-Ahead Logging",
`PRAGMA data_version`, `PRAGMA synchronous`.
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

from dynaguard.access.clock import SKEW_TOLERANCE_S, StrictClock
from dynaguard.access.forking import pause_for_forks
from dynaguard.access.sqlite_errors import explained, is_busy, refused
from dynaguard.access.sqlite_schema import prepare
from dynaguard.access.store import RecordKind, StoredRecord
from dynaguard.errors import AccessStoreError
from dynaguard.interruption import came_from_handler

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY_TIMEOUT_S: Final = 5.0
"""How long a writer waits for the others."""
_THREADS_WAIT_S: Final = 30.0
PURGE_AFTER_S: Final = 86_400.0
_PURGE_INTERVAL_S: Final = 3600.0
_MODE: Final = 0o600
_HANDLER_WAIT_S: Final = 0.005
"""How long SQLite waits by itself: its waits grow, and who waits longest would come last."""
_RETRY_INTERVAL_S: Final = 0.004
_COLUMNS: Final = "kind, id, version, body, expires_epoch_s"
_ValueT = TypeVar("_ValueT")


class SqliteStore:
    """An access store in a SQLite file. Thread-safe, and safe across processes and forks.

    Args:
        path: The file; one that is missing has no records, and the first `add` makes it.
        name: How messages name it; not given: the path.
        time_s: The wall clock; only decides which old records are purged.
        monotonic: The clock of waiting.
        sleep: Waits some seconds.
        jitter: Gives a number from 0 to 1.
    """

    is_read_only = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        time_s: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._path = Path(path).absolute()
        self.name = os.fspath(path) if name is None else name
        self._monotonic, self._sleep, self._jitter = monotonic, sleep, jitter
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._pid = 0
        self._file_id: tuple[int, int] | None = None
        self._openings = 0
        self._writes = 0
        self._purged_at_s = -_PURGE_INTERVAL_S
        self._clock = StrictClock(time_s, monotonic)
        pause_for_forks(self)

    def create(self) -> bool:
        """Makes the file with its tables where there is none; whether it did.

        Raises:
            AccessStoreError: It cannot be made, or is something else.
        """
        is_new = not self._path.exists()
        self._write(lambda _: None)
        return is_new

    def add(self, record: StoredRecord) -> bool:
        """As `AccessStore.add`."""

        def insert(connection: sqlite3.Connection) -> bool:
            done = connection.execute(
                f"INSERT INTO records ({_COLUMNS}) VALUES (?, ?, ?, ?, ?) "  # noqa: S608 - a constant
                "ON CONFLICT DO NOTHING",
                (record.kind, record.id, record.version, record.body, record.expires_epoch_s),
            )
            return done.rowcount == 1

        return self._write(insert)

    def replace(self, record: StoredRecord) -> bool:
        """As `AccessStore.replace`."""

        def update(connection: sqlite3.Connection) -> bool:
            done = connection.execute(
                "UPDATE records SET version = ?, body = ?, expires_epoch_s = ? "
                "WHERE kind = ? AND id = ? AND version = ?",
                (
                    record.version,
                    record.body,
                    record.expires_epoch_s,
                    record.kind,
                    record.id,
                    record.version - 1,
                ),
            )
            return done.rowcount == 1

        return self._path.exists() and self._write(update)

    def get(self, kind: RecordKind, id: str) -> StoredRecord | None:
        """As `AccessStore.get`."""

        def find(connection: sqlite3.Connection) -> StoredRecord | None:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM records WHERE kind = ? AND id = ?",  # noqa: S608 - a constant
                (kind, id),
            )
            return next(_read(rows), None)

        return self._read(find, None)

    def records(self, kind: RecordKind, *, after_epoch_s: float) -> list[StoredRecord]:
        """As `AccessStore.records`."""

        def find(connection: sqlite3.Connection) -> list[StoredRecord]:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM records "  # noqa: S608 - a constant
                "WHERE kind = ? AND expires_epoch_s > ? ORDER BY id",
                (kind, after_epoch_s),
            )
            return list(_read(rows))

        return self._read(find, [])

    def change_token(self) -> str | None:
        """As `AccessStore.change_token`. Cost: some 10 microseconds."""

        def find(connection: sqlite3.Connection) -> str:
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            return f"{self._openings}.{version}.{self._writes}"

        return self._read(find, "missing")

    def close(self) -> None:
        """As `AccessStore.close`; the next use opens it again."""
        with suppress(AccessStoreError), self._alone():
            self._drop()

    def before_fork(self) -> bool:
        """Closes the connection and keeps everybody out; False where an operation goes on."""
        # INVARIANT: no lock is asked without an end, so a fork within a signal handler comes on.
        if not self._lock.acquire(timeout=2 * BUSY_TIMEOUT_S):
            return False
        self._drop()
        return True

    def after_fork(self, *, is_child: bool, was_paused: bool) -> None:
        """Lets everybody in again."""
        if is_child:
            self._lock = threading.Lock()
        elif was_paused:
            self._lock.release()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps the other threads out; ends where one never comes out, as a handler in a write."""
        lock = self._lock
        if not lock.acquire(timeout=_THREADS_WAIT_S):
            raise refused(self.name, "other threads of this process use it for too long")
        try:
            yield
        finally:
            lock.release()

    def _read(self, find: Callable[[sqlite3.Connection], _ValueT], missing: _ValueT) -> _ValueT:
        """What a query finds; a file that is not there holds nothing."""

        def look() -> _ValueT:
            connection = self._opened(is_writing=False)
            return missing if connection is None else find(connection)

        with self._alone():
            try:
                return self._patiently(look)
            except BaseException as err:
                self._fail(err)
                raise

    def _write(self, change: Callable[[sqlite3.Connection], _ValueT]) -> _ValueT:
        """Makes one change, on disk when it returns."""
        is_committing = False

        def make() -> _ValueT:
            nonlocal is_committing
            is_committing = False
            connection = self._opened(is_writing=True)
            assert connection is not None  # noqa: S101 - writers make the file
            connection.execute("BEGIN IMMEDIATE")
            self._purge(connection)
            done = change(connection)
            is_committing = True
            connection.execute("COMMIT")
            return done

        with self._alone():
            try:
                done = self._patiently(make)
            except BaseException as err:
                self._fail(err, is_committing=is_committing)
                raise
            self._writes += 1
            return done

    def _patiently(self, use: Callable[[], _ValueT]) -> _ValueT:
        """Tries anew while others hold a lock, all waiters with the same chance."""
        deadline_s = self._monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                return use()
            except sqlite3.OperationalError as err:
                if not is_busy(err) or self._monotonic() >= deadline_s:
                    raise
                if self._connection is not None and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            self._sleep(_RETRY_INTERVAL_S * (0.5 + self._jitter()))

    def _fail(self, err: BaseException, *, is_committing: bool = False) -> None:
        """Undoes what was not committed; raises what the disk or SQLite said in our words."""
        self._drop()
        if isinstance(err, AccessStoreError) or came_from_handler(err):
            return  # said already, or meant for the application
        if isinstance(err, sqlite3.Error | OSError | UnicodeEncodeError):
            raise explained(err, self.name, self._path, is_committing=is_committing) from err

    def _purge(self, connection: sqlite3.Connection) -> None:
        """Deletes what has not mattered for a day, now and then."""
        if self._monotonic() - self._purged_at_s < _PURGE_INTERVAL_S:
            return
        self._purged_at_s = self._monotonic()
        # of two clocks the earlier: one that jumps ahead must not take living records with it
        now_s = self._clock.for_beginning_s() - SKEW_TOLERANCE_S
        connection.execute(
            "DELETE FROM records WHERE expires_epoch_s < ?", (now_s - PURGE_AFTER_S,)
        )

    def _opened(self, *, is_writing: bool) -> sqlite3.Connection | None:
        """The connection of this process to the file as it is now; None where there is none."""
        if self._connection is not None and self._pid != os.getpid():
            raise refused(
                self.name,
                "the process was forked while it was in use, and Python was not told; close it "
                "before the fork, or start processes with `spawn`",
            )
        found = self._found_file()
        if self._connection is not None and found != self._file_id:
            self._drop()  # deleted or replaced: what the old file held counts no longer
        if self._connection is None:
            if found is None and not is_writing:
                return None
            self._open(is_writing=is_writing)
        return self._connection

    def _open(self, *, is_writing: bool) -> None:
        """Opens the file and checks that it is an access store; leaves none open that is not."""
        if is_writing:
            self._make_file()
        # before it is opened: if it is replaced meanwhile, the next use finds another file
        file_id = self._found_file()
        connection = self._connected()
        try:
            is_ready = prepare(connection, self.name, is_writing=is_writing)
        except BaseException:
            connection.close()
            raise
        if not is_ready:
            connection.close()
            return
        self._connection, self._pid = connection, os.getpid()
        self._file_id = file_id
        self._openings += 1

    def _connected(self) -> sqlite3.Connection:
        """A connection; it makes no file."""
        return sqlite3.connect(
            f"file:{quote(os.fspath(self._path))}?mode=rw",
            uri=True,
            timeout=_HANDLER_WAIT_S,
            isolation_level=None,
            check_same_thread=False,
        )

    def _make_file(self) -> None:
        """Makes the file, for its owner alone, where there is none."""
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _MODE))

    def _found_file(self) -> tuple[int, int] | None:
        """Which file has the path now."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _drop(self) -> None:
        """Closes the connection; what it had not committed is undone."""
        if self._connection is None or self._pid != os.getpid():
            return  # a parent's must be kept: it would be closed where nothing refers to it
        connection, self._connection = self._connection, None
        with suppress(sqlite3.Error):
            connection.close()


def _read(rows: sqlite3.Cursor) -> Iterator[StoredRecord]:
    """The records of rows."""
    for kind, id_, version, body, expires_epoch_s in rows:
        yield StoredRecord(kind, id_, version, body, expires_epoch_s)
