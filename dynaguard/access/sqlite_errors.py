"""What went wrong with the SQLite file of an access store, in words that say what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from dynaguard.errors import AccessStoreError

_WHY_BY_CODE: Final = {
    sqlite3.SQLITE_BUSY: "others hold its lock for too long, try again",
    sqlite3.SQLITE_LOCKED: "others hold its lock for too long, try again",
    sqlite3.SQLITE_CORRUPT: "it is damaged, put it aside and restore it or begin a new one",
    sqlite3.SQLITE_NOTADB: "it is no SQLite database, name another file",
    sqlite3.SQLITE_READONLY: "it cannot be written, check the permissions of file and folder",
    sqlite3.SQLITE_PERM: "its permissions do not allow it",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened, check that its folder exists and may be "
    "written (readers need that too; for read-only places there are signed files)",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk did not read or write",
}
_PRIMARY: Final = 0xFF
"""The low byte of an extended code is the primary one."""
_CERTAINLY_UNDONE: Final = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}
)


def refused(name: str, why: str) -> AccessStoreError:
    """The error of a store that cannot be used."""
    return AccessStoreError(f"access store `{name}` cannot be used: {why}")


def is_busy(err: BaseException) -> bool:
    """Whether others hold a lock."""
    return _code(err) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def explained(
    err: BaseException, name: str, path: Path, *, is_committing: bool = False
) -> AccessStoreError:
    """The error of a store for one of SQLite's or of the system's.

    Args:
        err: What was raised.
        name: How messages name the store.
        path: Its file.
        is_committing: Whether the change was just to be made for good.
    """
    if isinstance(err, UnicodeEncodeError):
        return refused(name, "a record holds text that is no Unicode, nothing was changed")
    code = _code(err)
    if isinstance(err, OSError):
        why = f"`{path}` {(err.strerror or 'failed').lower()}"
    else:
        why = _WHY_BY_CODE.get(code, f"SQLite says `{err}`")
    if is_committing and code not in _CERTAINLY_UNDONE:
        why += "; whether the change was made is not known, look before you repeat it"
    return refused(name, why)


def _code(err: BaseException) -> int:
    """SQLite's primary code, 0 where there is none."""
    return getattr(err, "sqlite_errorcode", 0) & _PRIMARY
