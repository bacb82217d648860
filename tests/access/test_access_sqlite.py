"""The SQLite store: the contract, its file, threads, processes and forks."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dynaguard.access import sqlite_store
from dynaguard.access.sqlite_store import SqliteStore
from dynaguard.errors import AccessStoreError
from tests.access.sqlite_files import check_integrity, path, run, store
from tests.access.store_contract import END_S, MakeStore, StoreContract, count_up, grant

__all__ = ["path", "store"]  # fixtures


class TestSqliteStore(StoreContract):
    """The contract."""

    @pytest.fixture
    def make_store(self, tmp_path: Path) -> MakeStore:
        """Opens one file."""
        return lambda: SqliteStore(tmp_path / "access.sqlite")


# --- the file ----------------------------------------------------------------------------------


def test_reading_makes_no_file(store: SqliteStore, path: Path) -> None:
    """A missing file has no grants, and nothing to replace."""
    token = store.change_token()

    assert store.get("grant", "g-1") is None
    assert store.records("grant", after_epoch_s=0) == []
    assert not store.replace(grant().changed("{}", END_S))
    assert list(path.parent.iterdir()) == []

    SqliteStore(path).add(grant())
    assert store.change_token() != token


def test_the_file_is_its_owners_alone(store: SqliteStore, path: Path) -> None:
    """Who may write to it may grant; the journal beside it as well."""
    old = os.umask(0)
    try:
        store.add(grant())
    finally:
        os.umask(old)

    modes = {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert modes == {0o600}


def test_create_tells_whether_there_was_one(store: SqliteStore, path: Path) -> None:
    """The second time there is."""
    assert (store.create(), store.create()) == (True, False)
    assert path.exists()


def test_an_empty_file_is_one_that_was_just_made(store: SqliteStore, path: Path) -> None:
    """Whoever made it was killed before it had tables."""
    path.touch()

    assert store.get("grant", "g-1") is None
    assert store.add(grant())
    assert store.get("grant", "g-1") == grant()


def test_a_file_that_was_deleted_counts_no_longer(store: SqliteStore, path: Path) -> None:
    """Though the process has it open still."""
    store.add(grant())
    token = store.change_token()

    path.unlink()

    assert store.records("grant", after_epoch_s=0) == []
    assert store.change_token() != token


def test_what_was_deleted_does_not_come_back(store: SqliteStore, path: Path) -> None:
    """Though its journal lies about still."""
    store.add(grant())
    path.unlink()
    assert path.with_name("access.sqlite-wal").stat().st_size > 0

    store.add(grant("g-2"))

    assert [record.id for record in store.records("grant", after_epoch_s=0)] == ["g-2"]
    check_integrity(path)


def test_a_file_that_was_replaced_is_opened_anew(store: SqliteStore, path: Path) -> None:
    """As by a backup that is put back."""
    store.add(grant())
    other = SqliteStore(path.with_name("other.sqlite"))
    other.add(grant("g-2"))
    other.close()

    for suffix in ("-wal", "-shm"):
        path.with_name(f"access.sqlite{suffix}").unlink()
    path.with_name("other.sqlite").replace(path)

    assert [record.id for record in store.records("grant", after_epoch_s=0)] == ["g-2"]


def test_a_name_of_any_letters_is_a_path(tmp_path: Path) -> None:
    """SQLite reads it as part of a URI."""
    path = tmp_path / "a ?mode=memory&%20#é.sqlite"

    SqliteStore(path).add(grant())

    assert path.exists()
    assert SqliteStore(path).get("grant", "g-1") == grant()


def test_a_relative_path_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the process goes elsewhere."""
    monkeypatch.chdir(tmp_path)
    store = SqliteStore("access.sqlite")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    store.add(grant())

    assert (tmp_path / "access.sqlite").exists()
    assert store.name == "access.sqlite"


def test_commits_are_on_disk_before_they_count(store: SqliteStore) -> None:
    """A power cut takes nothing back: the journal is written ahead, and synchronised."""
    store.add(grant())

    connection = store._connection
    assert connection is not None
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone()[0] >= 2


def test_old_records_go_a_day_after_their_end(path: Path) -> None:
    """With some write, an hour after the last time at the earliest."""
    now_s, monotonic_s = [END_S], [0.0]
    store = SqliteStore(path, time_s=lambda: now_s[0], monotonic=lambda: monotonic_s[0])
    store.add(grant("g-old", end_s=END_S - 86_401))
    store.add(grant("g-day", end_s=END_S - 86_399))
    assert store.get("grant", "g-old") is not None

    monotonic_s[0] = 3600.0
    store.add(grant("g-new"))

    found = store.records("grant", after_epoch_s=0)
    assert [record.id for record in found] == ["g-day", "g-new"]


def test_a_clock_that_jumps_takes_no_record_with_it(path: Path) -> None:
    """Ahead by years, or back: what was stored stays."""
    now_s, monotonic_s = [1_000_000.0], [0.0]
    store = SqliteStore(path, time_s=lambda: now_s[0], monotonic=lambda: monotonic_s[0])
    store.add(grant("g-1", end_s=1_000_600.0))

    for jumped_s in (9e9, 0.0):
        now_s[0] = jumped_s
        monotonic_s[0] += 3600.0
        store.add(grant(f"g-{jumped_s}", end_s=1_000_600.0))

    assert store.get("grant", "g-1") is not None


# --- threads, processes, forks -----------------------------------------------------------------


def test_processes_lose_no_change(store: SqliteStore, path: Path) -> None:
    """Each of many changes of one record counts once; who comes first makes the file."""
    store.add(grant())
    command = [sys.executable, "-W", "ignore", "-m", "tests.access.store_program", "count"]
    processes = [subprocess.Popen([*command, str(path), "40"]) for _ in range(4)]

    count_up(store, 40)

    assert [process.wait() for process in processes] == [0] * 4
    found = store.get("grant", "g-1")
    assert found is not None
    assert (found.body, found.version) == ('{"n":200}', 201)


def test_the_file_is_made_once_by_many(path: Path) -> None:
    """All of them at once; nobody is told of a lock."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.access.store_program", "add_one"]
    processes = [subprocess.Popen([*command, str(path), f"g-{index}"]) for index in range(6)]

    assert [process.wait() for process in processes] == [0] * 6
    assert len(SqliteStore(path).records("grant", after_epoch_s=0)) == 6
    check_integrity(path)


def test_forked_children_lose_no_change(store: SqliteStore, path: Path) -> None:
    """They are forked while threads of their parent write, and use the store they inherited."""
    store.add(grant())
    store.close()

    told = run("forks", path, 8, 15)

    assert told == "10 {0}\n"
    found = store.get("grant", "g-1")
    assert found is not None
    assert found.body == f'{{"n":{10 * 15}}}'
    check_integrity(path)


def test_a_parent_that_closes_takes_nothing_from_its_child(path: Path) -> None:
    """Nor the journal that the child writes to, as SQLite would that believed itself alone."""
    store = SqliteStore(path)
    store.add(grant())

    told = run("forked_close", path)

    assert told == "50\n"
    assert len(store.records("grant", after_epoch_s=0)) == 1 + 1 + 50
    check_integrity(path)


def test_nothing_is_open_while_the_process_forks(store: SqliteStore) -> None:
    """Nor can another thread open it meanwhile; afterwards it is used again."""
    store.add(grant())

    was_paused = store.before_fork()

    assert (was_paused, store._connection, store._lock.locked()) == (True, None, True)
    store.after_fork(is_child=False, was_paused=was_paused)
    assert store.get("grant", "g-1") == grant()


def test_a_child_has_a_lock_of_its_own(store: SqliteStore) -> None:
    """The parent's may be held by a thread that the child does not have."""
    store.add(grant())
    store.before_fork()

    store.after_fork(is_child=True, was_paused=True)

    assert store.get("grant", "g-1") == grant()


def test_a_fork_does_not_wait_without_end(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operation goes on, or is what the forking signal handler interrupted."""
    monkeypatch.setattr(sqlite_store, "BUSY_TIMEOUT_S", 0.01)
    store.add(grant())
    with store._lock:
        was_paused = store.before_fork()
        store.after_fork(is_child=False, was_paused=was_paused)

    assert not was_paused
    assert store.get("grant", "g-1") == grant()


def test_a_child_of_a_fork_unknown_to_python_is_refused(store: SqliteStore, path: Path) -> None:
    """It would believe in locks that it does not have; each time that it tries."""
    store.add(grant())

    told = run("bare_fork", path).splitlines()

    assert len(told) == 2
    assert all("the process was forked while it was in use" in line for line in told)


def test_a_thread_that_never_comes_out_is_told(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a signal handler uses the store whose use it interrupted; closing never raises."""
    monkeypatch.setattr(sqlite_store, "_THREADS_WAIT_S", 0.01)
    store.add(grant())

    with store._lock:
        with pytest.raises(AccessStoreError, match="other threads of this process use it"):
            store.get("grant", "g-1")
        store.close()

    assert store.get("grant", "g-1") == grant()


def test_a_reader_that_holds_up_a_commit_is_waited_for(path: Path) -> None:
    """Where the file system knows no WAL: the change is undone, and made anew when it is gone."""
    other = sqlite3.connect(path, isolation_level=None)
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        other.execute("COMMIT")

    store = SqliteStore(path, sleep=nap)
    store.add(grant())
    assert store._connection is not None
    store._connection.execute("PRAGMA journal_mode = DELETE")
    other.execute("BEGIN")
    other.execute("SELECT * FROM records").fetchall()

    assert store.add(grant("g-2"))

    assert len(naps) == 1
    assert store.records("grant", after_epoch_s=0) == [grant(), grant("g-2")]
    other.close()
    store.close()


def test_another_process_than_opened_it_is_refused(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's locks do not pass to a child; what the parent has open stays open."""
    store.add(grant())
    parent = os.getpid()

    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: parent + 1)
        for use in (lambda: store.get("grant", "g-1"), lambda: store.add(grant("g-2"))):
            with pytest.raises(AccessStoreError, match=r"forked while it was in use.*`spawn`"):
                use()

    assert store.get("grant", "g-1") == grant()
    assert store.get("grant", "g-2") is None
