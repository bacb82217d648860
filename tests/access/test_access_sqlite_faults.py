"""Everything that can be wrong with the file of the SQLite store is told, and loses nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dynaguard.access import sqlite_store
from dynaguard.access.sqlite_store import SqliteStore
from dynaguard.errors import AccessStoreError
from tests.access.sqlite_files import check_integrity, path, run, store
from tests.access.store_contract import grant

__all__ = ["path", "store"]  # fixtures


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (name)")
    connection.close()


def _newer(path: Path) -> None:
    store = SqliteStore(path)
    store.create()
    store.close()  # else the file changes when the store is collected
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
