"""The SQLite store: the contract, its file, forks, and everything that can be wrong with it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dynaguard.access import sqlite_store
from dynaguard.access.sqlite_store import SqliteStore
from dynaguard.errors import AccessStoreError
from tests.access.store_contract import END_S, MakeStore, StoreContract, count_up, grant


class TestSqliteStore(StoreContract):
    """The contract."""

    @pytest.fixture
    def make_store(self, tmp_path: Path) -> MakeStore:
        """Opens one file."""
        return lambda: SqliteStore(tmp_path / "access.sqlite")


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


# --- what can be wrong -------------------------------------------------------------------------


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (name)")
    connection.close()


def _newer(path: Path) -> None:
    SqliteStore(path).create()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()


def _text(path: Path) -> None:
    path.write_text("not a database at all, but text of more than a hundred bytes " * 20)


def _damaged(path: Path) -> None:
    store = SqliteStore(path)
    for number in range(50):
        store.add(grant(f"g-{number:02d}", body="x" * 3000))
    store.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("break_it", "text"),
    [
        (_foreign, "is a SQLite database, but no access store, name another file"),
        (_newer, "is an access store of version 2, this dynaguard reads version 1"),
        (_text, "it is no SQLite database, name another file"),
        (_damaged, "it is damaged, put it aside and restore it or begin a new one"),
        (_folder, "it cannot be opened, check that its folder exists"),
    ],
)
@pytest.mark.parametrize("use", ["add", "get", "records"])
def test_a_file_that_is_no_store_is_told(
    path: Path, break_it: Callable[[Path], None], text: str, use: str
) -> None:
    """Which file, why, what to do; and it stays as it was."""
    break_it(path)
    before = path.read_bytes() if path.is_file() else None
    store = SqliteStore(path, name="conf/access.sqlite")
    uses: dict[str, Callable[[], object]] = {
        "add": lambda: store.add(grant("g-10")),
        "get": lambda: store.get("grant", "g-10"),
        "records": lambda: store.records("grant", after_epoch_s=0),
    }

    with pytest.raises(AccessStoreError) as caught:
        uses[use]()

    assert "`conf/access.sqlite`" in str(caught.value)
    assert text in str(caught.value)
    assert caught.value is not caught.value.__cause__
    store.close()
    assert before is None or path.read_bytes() == before


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    """To whoever writes; who reads finds nothing."""
    store = SqliteStore(tmp_path / "missing" / "access.sqlite")

    assert store.get("grant", "g-1") is None
    with pytest.raises(AccessStoreError, match="no such file or directory"):
        store.add(grant())


def test_a_lock_that_others_keep_is_told(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some seconds; who reads does not wait at all."""
    store.add(grant())
    store.close()
    monkeypatch.setattr(sqlite_store, "BUSY_TIMEOUT_S", 0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(AccessStoreError, match="others hold its lock for too long, try again"):
        store.add(grant("g-2"))
    assert store.get("grant", "g-1") == grant()

    other.close()
    assert store.add(grant("g-2"))


def test_text_that_is_no_unicode_is_told(store: SqliteStore) -> None:
    """Half of a surrogate pair; the record's text is not shown."""
    with pytest.raises(AccessStoreError, match="text that is no Unicode, nothing was changed"):
        store.add(grant(body='"\ud800 hidden"'))

    assert store.records("grant", after_epoch_s=0) == []


def test_an_interrupted_change_is_undone(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a signal handler raises."""
    store.add(grant())
    original = SqliteStore._purge

    def interrupt(self: SqliteStore, connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE records SET version = 9")
        raise KeyboardInterrupt

    monkeypatch.setattr(SqliteStore, "_purge", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.add(grant("g-2"))
    monkeypatch.setattr(SqliteStore, "_purge", original)

    assert store.records("grant", after_epoch_s=0) == [grant()]
    assert store.add(grant("g-2"))


def test_a_commit_that_fails_on_disk_is_not_known(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the disk did not confirm may be there all the same; a full disk has certainly not."""

    class Failing:
        def __init__(self, connection: sqlite3.Connection, code: int) -> None:
            self._connection, self._code = connection, code

        def execute(self, text: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
            if text == "COMMIT":
                err = sqlite3.OperationalError("no")
                err.sqlite_errorcode = self._code
                raise err
            return self._connection.execute(text, values)

        def close(self) -> None:
            self._connection.close()

    original = SqliteStore._connected
    outcomes = []
    for code in (sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_FULL):
        store.create()
        store._connection = Failing(original(store), code)  # type: ignore[assignment]
        with pytest.raises(AccessStoreError) as caught:
            store.add(grant())
        outcomes.append("whether the change was made is not known" in str(caught.value))

    assert outcomes == [True, False]


def test_a_full_disk_is_told_and_loses_nothing(path: Path) -> None:
    """No file may grow past a limit; what was acknowledged before is there."""
    told = run("fill", path, 400_000)

    number, _, text = told.partition(" ")
    assert int(number) > 3
    assert "the disk is full" in text or "the disk did not read or write" in text
    ids = {record.id for record in SqliteStore(path).records("grant", after_epoch_s=0)}
    assert {f"g-{index}" for index in range(int(number) + 1)} <= ids
    check_integrity(path)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that everybody may look into."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o700)
    shutil.rmtree(folder)


def test_a_file_of_somebody_else_is_told(public_folder: Path) -> None:
    """It is as private as it was made."""
    if os.getuid():
        pytest.skip("only root can become somebody else")
    path = public_folder / "access.sqlite"
    SqliteStore(path).add(grant("g-1"))

    read, written = run("unprivileged", path).splitlines()

    assert "it cannot be opened" in read
    assert "it cannot be opened" in written


def test_a_file_that_may_only_be_read_is_read(public_folder: Path) -> None:
    """While a writer has it open; whoever writes is told."""
    path = public_folder / "access.sqlite"
    store = SqliteStore(path)
    store.add(grant("g-1"))
    for each in public_folder.iterdir():
        each.chmod(0o444)
    public_folder.chmod(0o555)

    read, written = run("unprivileged", path).splitlines()

    assert "g-1" in read
    assert "it cannot be written, check the permissions of file and folder" in written
    store.close()


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
