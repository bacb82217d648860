"""The tables of an access store in SQLite: made once, known again, refused where others are."""

from __future__ import annotations

import sqlite3
from typing import Final

from dynaguard.errors import AccessStoreError

_APPLICATION_ID: Final = 0x64796761
SCHEMA_VERSION: Final = 1
_SCHEMA: Final = (
    """CREATE TABLE records (
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        version INTEGER NOT NULL,
        expires_epoch_s REAL NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (kind, id)
    ) WITHOUT ROWID""",
    "CREATE INDEX records_by_expiry ON records (kind, expires_epoch_s)",
    f"PRAGMA application_id = {_APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


def prepare(connection: sqlite3.Connection, name: str, *, is_writing: bool) -> bool:
    """Makes a connection fit for use; False where the file is new and nobody writes to it.

    Raises:
        AccessStoreError: The file is something else, or of another dynaguard.
    """
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id == 0 and version == 0 and tables == 0:
        if not is_writing:
            return False
    elif application_id != _APPLICATION_ID:
        raise AccessStoreError(
            f"`{name}` is a SQLite database, but no access store, name another file"
        )
    elif version != SCHEMA_VERSION:
        raise AccessStoreError(
            f"`{name}` is an access store of version {version}, this dynaguard reads version "
            f"{SCHEMA_VERSION}, use the same dynaguard everywhere"
        )
    connection.execute("PRAGMA trusted_schema = OFF")
    # for WAL the same as FULL; without WAL, the end of the journal is on disk too
    connection.execute("PRAGMA synchronous = EXTRA")
    connection.execute("PRAGMA fullfsync = ON")
    if is_writing:
        connection.execute("PRAGMA journal_mode = WAL")
        _make_tables(connection)
    return True


def _make_tables(connection: sqlite3.Connection) -> None:
    """Makes the tables where nobody has."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version:
        return
    connection.execute("BEGIN IMMEDIATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for statement in () if version else _SCHEMA:
        connection.execute(statement)
    connection.execute("COMMIT")
