"""A store that remembers when it last answered, so that `status()` can tell without asking it.

Whatever a store of somebody's own raises is a store that cannot be used: nothing that it does may
count as a failure of dynaguard, which `on_error` lets pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from dynaguard.access.store import AccessStore, RecordKind, StoredRecord
from dynaguard.errors import AccessStoreError
from dynaguard.interruption import came_from_handler

_ValueT = TypeVar("_ValueT")


class WatchedStore:
    """Another store, watched. As thread-safe as that one.

    Args:
        store: The store.
        monotonic: The clock of ages.
    """

    def __init__(
        self, store: AccessStore, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._monotonic = store, monotonic
        self._answered_at_s: float | None = None
        self._problem: str | None = None

    @property
    def name(self) -> str:
        """As `AccessStore.name`."""
        return self._store.name

    @property
    def is_read_only(self) -> bool:
        """As `AccessStore.is_read_only`."""
        return self._store.is_read_only

    def add(self, record: StoredRecord) -> bool:
        """As `AccessStore.add`."""
        return self._watch(lambda: self._store.add(record))

    def replace(self, record: StoredRecord) -> bool:
        """As `AccessStore.replace`."""
        return self._watch(lambda: self._store.replace(record))

    def get(self, kind: RecordKind, id: str) -> StoredRecord | None:
        """As `AccessStore.get`."""
        return self._watch(lambda: self._store.get(kind, id))

    def records(self, kind: RecordKind, *, after_epoch_s: float) -> list[StoredRecord]:
        """As `AccessStore.records`."""
        return self._watch(lambda: self._store.records(kind, after_epoch_s=after_epoch_s))

    def change_token(self) -> str | None:
        """As `AccessStore.change_token`."""
        return self._watch(self._store.change_token)

    def close(self) -> None:
        """As `AccessStore.close`."""
        self._store.close()

    def report(self) -> dict[str, Any]:
        """What is known of it, without asking it.

        Returns:
            **Shape**: `store` (its name), `is_read_only`, `is_reachable` (None before it was
            first used), `answered_s_ago` (None: never did), `problem` (of the last use, or None).
        """
        answered_at_s, problem = self._answered_at_s, self._problem
        is_unused = answered_at_s is None and problem is None
        return {
            "store": self.name,
            "is_read_only": self.is_read_only,
            "is_reachable": None if is_unused else problem is None,
            "answered_s_ago": None if answered_at_s is None else self._monotonic() - answered_at_s,
            "problem": problem,
        }

    def _watch(self, use: Callable[[], _ValueT]) -> _ValueT:
        """Uses the store, and notes how that went."""
        try:
            found = use()
        except AccessStoreError as err:
            self._problem = str(err)
            raise
        except Exception as err:
            if came_from_handler(err):
                raise  # meant for the application
            # The kind alone: its text may hold a URL with a password.
            why = f"access store `{self.name}` cannot be used: it failed ({type(err).__name__})"
            self._problem = why
            raise AccessStoreError(why) from err
        self._answered_at_s, self._problem = self._monotonic(), None
        return found
