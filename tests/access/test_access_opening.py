"""The text of the setting: which store it names, what is said of other text, what opens when."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dynaguard
from dynaguard.access.dynamodb_store import DynamoDbStore
from dynaguard.access.opening import open_store
from dynaguard.access.signed_store import SignedStore
from dynaguard.access.sqlite_store import SqliteStore
from dynaguard.access.watched_store import WatchedStore
from dynaguard.errors import AccessStoreError, ConfigurationError
from dynaguard.settings import resolve_settings
from dynaguard.settings.locations import StoreLocation, read_store_location
from dynaguard.testing.stores import MemoryStore
from tests.access.fake_table import FakeTable
from tests.access.store_contract import grant


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("a.sqlite", StoreLocation("sqlite", "a.sqlite", path="a.sqlite")),
        ("/var/a.DB", StoreLocation("sqlite", "/var/a.DB", path="/var/a.DB")),
        ("a/b.sqlite3", StoreLocation("sqlite", "a/b.sqlite3", path="a/b.sqlite3")),
        ("grants.json", StoreLocation("signed", "grants.json", path="grants.json")),
        (
            "dynamodb://access",
            StoreLocation("dynamodb", "dynamodb://access", table="access"),
        ),
        (
            "dynamodb://My_access-1.x?region=eu-west-1",
            StoreLocation(
                "dynamodb",
                "dynamodb://My_access-1.x?region=eu-west-1",
                table="My_access-1.x",
                region="eu-west-1",
            ),
        ),
        (
            "dynamodb://access?endpoint_url=http://127.0.0.1:8000&region=us-gov-west-1",
            StoreLocation(
                "dynamodb",
                "dynamodb://access?endpoint_url=http://127.0.0.1:8000&region=us-gov-west-1",
                table="access",
                region="us-gov-west-1",
                endpoint_url="http://127.0.0.1:8000",
            ),
        ),
    ],
)
def test_a_location_is_read(text: str, location: StoreLocation) -> None:
    """A file by its ending, a table by its URL."""
    assert read_store_location(text) == location


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is needed, not empty text"),
        ("a\n.sqlite", "not unprintable text"),
        ("access", "`access` is no access store, it must be `dynamodb://TABLE`, or a path that"),
        ("access.sqlit", "did you mean `access.sqlite`?"),
        ("access.jsn", "did you mean `access.json`?"),
        ("access.toml", "it must be `dynamodb://TABLE`, or a path"),
        ("dynamdb://access", "did you mean `dynamodb://access`?"),
        ("redis://access", "`redis://access` is no access store, it must be"),
        ("dynamodb://", "names no table"),
        ("dynamodb://ab", "names no table"),
        ("dynamodb://access/more", "names no table"),
        ("dynamodb://user:secret@access", "names no table"),
        ("dynamodb://access?regio=eu-west-1", "`regio` in .* is unknown, did you mean `region`"),
        ("dynamodb://access?x=1", "it must be `region` or `endpoint_url`"),
        ("dynamodb://access?region=Ireland", "`Ireland` in .* is no region, such as `eu-west-1`"),
        ("dynamodb://access?region=", "is no region"),
        ("dynamodb://access?endpoint_url=localhost:8000", "must begin with `https://`"),
        ("dynamodb://access?endpoint_url=http://me:secret@host", "may hold no password"),
    ],
)
def test_other_text_is_refused_with_the_nearest_form(text: str, message: str) -> None:
    """By `open_store()` and by the settings alike."""
    with pytest.raises(ConfigurationError, match=message):
        open_store(text)
    with pytest.raises(ConfigurationError, match="access_store"):
        resolve_settings({"access_store": text}, {})


@given(st.text(max_size=40))
def test_any_text_is_a_location_or_an_error_of_one_line(text: str) -> None:
    """Nothing else happens."""
    try:
        found = read_store_location(text)
    except ValueError as err:
        message = str(err)
    else:
        message = ""
        assert found.text == text
        assert bool(found.path) != bool(found.table)

    assert "\n" not in message


def test_a_password_is_not_shown() -> None:
    """Even where it does not belong."""
    with pytest.raises(ConfigurationError) as caught:
        open_store("dynamodb://access?endpoint_url=http://me:hidden@host")

    assert "hidden" not in str(caught.value)


def test_each_location_opens_its_store(tmp_path: Path) -> None:
    """None of them is touched yet."""
    asked = []

    def make_calls(region: str | None, endpoint_url: str | None) -> FakeTable:
        asked.append((region, endpoint_url))
        return FakeTable()

    table = open_store("dynamodb://access?region=eu-west-1", make_table_calls=make_calls)

    assert isinstance(table, DynamoDbStore)
    assert table.name == "dynamodb://access"
    assert asked == [("eu-west-1", None)]
    assert isinstance(open_store(tmp_path / "x.sqlite"), SqliteStore)
    assert isinstance(open_store(tmp_path / "x.json"), SignedStore)
    assert list(tmp_path.iterdir()) == []


def test_a_table_needs_calls() -> None:
    """Only `hooks/` can make them unguarded."""
    with pytest.raises(ConfigurationError, match="needs calls of DynamoDB"):
        open_store("dynamodb://access")


def test_a_path_in_a_document_starts_at_its_folder() -> None:
    """Of the store, and of the key; a table has no folder."""
    document = {"access_store": "a.json", "access_verify_key_file": "keys/a.pub"}
    found = resolve_settings({}, {}, document, document_source="conf/policy.toml").settings
    table = {"access_store": "dynamodb://access"}
    other = resolve_settings({}, {}, table, document_source="conf/policy.toml").settings

    assert found.access_store == "conf/a.json"
    assert found.access_verify_key_file == Path("conf/keys/a.pub")
    assert other.access_store == "dynamodb://access"


@pytest.mark.parametrize("value", [7, True, ["a.sqlite"], {"path": "a.sqlite"}])
def test_a_document_gives_text_only(value: object) -> None:
    """A number or a table is no location."""
    with pytest.raises(ConfigurationError, match=r"settings\.access_store: a path is needed"):
        resolve_settings({}, {}, {"access_store": value})


# --- install() ---------------------------------------------------------------------------------


def test_install_opens_nothing(tmp_path: Path) -> None:
    """No file is made, nothing is read; `status()` says that it was not used yet."""
    with dynaguard.install(access_store=tmp_path / "a.sqlite") as guard:
        store = guard.rooms.access.store
        told = dynaguard.status()

    assert isinstance(store, WatchedStore)
    assert list(tmp_path.iterdir()) == []
    assert told.access == {
        "store": str(tmp_path / "a.sqlite"),
        "is_read_only": False,
        "is_reachable": None,
        "answered_s_ago": None,
        "problem": None,
        "grants": 0,
        "grants_read_s_ago": None,
        "unreadable": {},
    }
    assert told.settings["access_store"] == str(tmp_path / "a.sqlite")


def test_without_a_store_nothing_of_one_is_imported() -> None:
    """Neither at import nor at install."""
    code = (
        "import sys, dynaguard; dynaguard.install(); "
        "print([name for name in sys.modules if name.startswith('dynaguard.access.') "
        "and ('_store' in name or 'opening' in name or 'table' in name)])"
    )

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"


def test_a_store_of_the_applications_own_is_taken() -> None:
    """Whatever keeps the protocol; `status()` shows its name."""
    store = MemoryStore()
    with dynaguard.install(access_store=store) as guard:
        in_force = guard.rooms.access.store
        assert in_force is not None
        in_force.add(grant())
        told = dynaguard.status()

    assert store.get("grant", "g-1") == grant()
    assert told.settings["access_store"] == "memory"


def test_status_tells_how_the_store_was_last_used() -> None:
    """Its age by the guard's clock, and what was wrong."""
    memory, now_s = MemoryStore(), [100.0]
    store = WatchedStore(memory, monotonic=lambda: now_s[0])
    store.change_token()
    now_s[0] = 107.0
    memory.problem = "the disk is gone"

    with pytest.raises(AccessStoreError):
        store.get("grant", "g-1")

    assert store.report() == {
        "store": "memory",
        "is_read_only": False,
        "is_reachable": False,
        "answered_s_ago": 7.0,
        "problem": "access store `memory` cannot be used: the disk is gone",
    }
    memory.problem = None
    store.records("grant", after_epoch_s=0)
    assert store.report()["is_reachable"] is True


@pytest.mark.parametrize("use", ["get", "records", "change_token", "add", "replace"])
def test_whatever_a_store_raises_is_a_store_that_cannot_be_used(
    use: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own text stays out: it may hold a URL with a password."""
    memory = MemoryStore()

    def fail(*_args: object, **_options: object) -> None:
        raise ConnectionError("redis://user:hunter2@host")

    monkeypatch.setattr(memory, use, fail)
    store = WatchedStore(memory)
    uses = {
        "get": lambda: store.get("grant", "g-1"),
        "records": lambda: store.records("grant", after_epoch_s=0),
        "change_token": store.change_token,
        "add": lambda: store.add(grant()),
        "replace": lambda: store.replace(grant()),
    }

    with pytest.raises(AccessStoreError) as caught:
        uses[use]()

    assert str(caught.value) == (
        "access store `memory` cannot be used: it failed (ConnectionError)"
    )
    assert store.report()["is_reachable"] is False


def test_what_a_signal_handler_raises_is_no_failure_of_the_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It goes on to the application, through a file's store as well."""

    def handler(*_: object, **_options: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("signal.getsignal", lambda _number: handler)
    inner = SqliteStore(tmp_path / "a.sqlite")
    inner.add(grant())
    monkeypatch.setattr(inner, "_found_file", handler)

    with pytest.raises(TimeoutError):
        WatchedStore(inner).get("grant", "g-1")


def test_uninstall_closes_the_store(tmp_path: Path) -> None:
    """Files and connections are given back."""
    with dynaguard.install(access_store=tmp_path / "a.sqlite") as guard:
        store = guard.rooms.access.store
        assert store is not None
        store.add(grant())
        assert (tmp_path / "a.sqlite-wal").exists()

    assert [each.name for each in tmp_path.iterdir()] == ["a.sqlite"]
