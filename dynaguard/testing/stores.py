"""An access store in memory, for tests of what uses one; it can be made to fail."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from dynaguard.access.store import RecordKind, StoredRecord
from dynaguard.errors import AccessStoreError

_ValueT = TypeVar("_ValueT")


class MemoryStore:
    """An access store that lives as long as the object. Thread-safe, within one process.

    Args:
        name: How messages name it.
        is_read_only: Whether writes are refused, as by a signed file.

    Attributes:
        problem: While set, every use raises `AccessStoreError` with it: the store is unreachable.
        uses: Name of each use so far, in order, such as `get`.

    Example:
        >>> store = MemoryStore()
        >>> store.add(StoredRecord("grant", "grant-1", 1, "{}", 4e9))
        True
        >>> store.problem = "the disk is gone"
        >>> store.get("grant", "grant-1")
        Traceback (most recent call last):
            ...
        dynaguard.errors.AccessStoreError: access store `memory` cannot be used: the disk is gone
    """

    def __init__(self, name: str = "memory", *, is_read_only: bool = False) -> None:
        self.name = name
        self.is_read_only = is_read_only
        self.problem: str | None = None
        self.uses: list[str] = []
        self._lock = threading.Lock()
        self._records: dict[tuple[RecordKind, str], StoredRecord] = {}
        self._changes = 0

    def add(self, record: StoredRecord) -> bool:
        """As `AccessStore.add`."""
        return self._use("add", lambda: self._store(record, None))

    def replace(self, record: StoredRecord) -> bool:
        """As `AccessStore.replace`."""
        return self._use("replace", lambda: self._store(record, record.version - 1))

    def get(self, kind: RecordKind, id: str) -> StoredRecord | None:
        """As `AccessStore.get`."""
        return self._use("get", lambda: self._records.get((kind, id)))

    def records(self, kind: RecordKind, *, after_epoch_s: float) -> list[StoredRecord]:
        """As `AccessStore.records`."""

        def find() -> list[StoredRecord]:
            found = [
                record
                for record in self._records.values()
                if record.kind == kind and record.expires_epoch_s > after_epoch_s
            ]
            return sorted(found, key=lambda record: record.id)

        return self._use("records", find)

    def change_token(self) -> str | None:
        """As `AccessStore.change_token`."""
        return self._use("change_token", lambda: str(self._changes))

    def close(self) -> None:
        """As `AccessStore.close`; the records stay."""

    def _use(self, what: str, use: Callable[[], _ValueT]) -> _ValueT:
        """One use, alone."""
        with self._lock:
            self.uses.append(what)
            if self.problem is not None:
                raise AccessStoreError(
                    f"access store `{self.name}` cannot be used: {self.problem}"
                )
            return use()

    def _store(self, record: StoredRecord, version_before: int | None) -> bool:
        """Stores a document whose version before is as it should be."""
        if self.is_read_only:
            raise AccessStoreError(f"access store `{self.name}` is read only")
        key = record.kind, record.id
        found = self._records.get(key)
        if (found.version if found is not None else None) != version_before:
            return False
        self._records[key] = record
        self._changes += 1
        return True
