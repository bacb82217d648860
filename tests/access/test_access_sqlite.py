"""The SQLite store: the contract, its file, forks, and everything that can be wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynaguard.access.sqlite_store import SqliteStore
from tests.access.store_contract import MakeStore, StoreContract


class TestSqliteStore(StoreContract):
    """The contract."""

    @pytest.fixture
    def make_store(self, tmp_path: Path) -> MakeStore:
        """Opens one file."""
        return lambda: SqliteStore(tmp_path / "access.sqlite")
