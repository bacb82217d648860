"""Access stores on real servers, raced by processes, killed at any moment, slow or gone."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import dynaguard
from dynaguard.access.opening import open_store
from dynaguard.access.store import AccessStore
from dynaguard.access.table_layout import create_table
from dynaguard.cli.commands import cli
from dynaguard.errors import AccessStoreError
from dynaguard.hooks.access_clients import table_calls
from tests import servers
from tests.access.store_contract import MakeStore, StoreContract, count_up, grant
from tests.access.store_program import body_of

KILLS = int(os.environ.get("ACCESS_STORE_KILLS", "12"))
"""How often writers are killed; some hundreds take a minute."""
WRITERS = 3
TABLE = "access"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the environment of a process gives them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", servers.FAKE_ACCESS_KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def location_of(server: servers.Server, table: str = TABLE) -> str:
    """The setting's text."""
    return f"dynamodb://{table}?region={servers.DEFAULT_REGION}&endpoint_url={server.url}"


def open_table(server: servers.Server, table: str = TABLE) -> AccessStore:
    """The store, opened as `install()` does."""
    return open_store(location_of(server, table), make_table_calls=table_calls)


def new_table(server: servers.Server, table: str = TABLE) -> None:
    """An empty table, made as `dynaguard access init` makes it."""
    client = server.client("dynamodb")
    if table in client.list_tables()["TableNames"]:
        client.delete_table(TableName=table)
        client.get_waiter("table_not_exists").wait(TableName=table, WaiterConfig={"Delay": 1})
    create_table(
        table, table_calls(servers.DEFAULT_REGION, server.url), sleep=lambda _: time.sleep(0.05)
    )


class TableContract(StoreContract):
    """The contract on a server."""

    @pytest.fixture
    def make_store(self, server: servers.Server) -> MakeStore:
        """Opens one table."""
        new_table(server)
        return lambda: open_table(server)


class TestDynoxide(TableContract):
    """The contract, on dynoxide."""

    @pytest.fixture
    def server(self, dynoxide: servers.Server) -> servers.Server:
        """The server."""
        return dynoxide


class TestMinistack(TableContract):
    """The contract, on ministack."""

    @pytest.fixture
    def server(self, ministack: servers.Ministack) -> servers.Server:
        """The server."""
        return ministack


class TestMoto(TableContract):
    """The contract, on moto."""

    @pytest.fixture
    def server(self, moto_server: servers.Server) -> servers.Server:
        """The server."""
        return moto_server


def program(what: str, *arguments: str, **options: int) -> subprocess.Popen[bytes]:
    """A process that uses a store."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.access.store_program", what]
    return subprocess.Popen([*command, *arguments], **options)


@pytest.fixture(params=["sqlite", "dynamodb"])
def location(
    request: pytest.FixtureRequest, tmp_path: Path, dynoxide: servers.Server
) -> Iterator[str]:
    """Where an empty store is that survives the processes that use it."""
    if request.param == "sqlite":
        yield str(tmp_path / "access.sqlite")
        return
    new_table(dynoxide)
    yield location_of(dynoxide)


def test_threads_and_processes_lose_no_change(location: str) -> None:
    """Each of many changes of one record counts once."""
    store = open_store(location, make_table_calls=table_calls)
    store.add(grant())
    processes = [program("count", location, "50") for _ in range(4)]

    count_up(store, 50)

    assert [process.wait() for process in processes] == [0] * 4
    found = store.get("grant", "g-1")
    assert found is not None
    assert (found.body, found.version) == ('{"n":250}', 251)


def test_what_was_acknowledged_outlives_kill_9(location: str) -> None:
    """At random moments: every acknowledged write is there, no document is there in half."""
    random_ = random.Random(7)
    versions: dict[str, int] = {}
    for round_ in range(-(-KILLS // WRITERS)):
        writers = [
            program("stream", location, f"w-{round_}-{index}", stdout=subprocess.PIPE)
            for index in range(WRITERS)
        ]
        for writer in writers:
            assert writer.stdout is not None
            first = writer.stdout.readline()
            versions[first.split()[0].decode()] = int(first.split()[1])
        for writer in writers:
            time.sleep(random_.random() * 0.05)
            writer.send_signal(signal.SIGKILL)
        for writer in writers:
            told, _ = writer.communicate()
            for line in told.splitlines(keepends=True):
                assert line.endswith(b"\n")
                id_, version = line.split()
                versions[id_.decode()] = int(version)

    store = open_store(location, make_table_calls=table_calls)
    found = {record.id: record for record in store.records("grant", after_epoch_s=0)}

    assert len(versions) > KILLS
    for id_, version in versions.items():
        assert found[id_].version >= version
    for record in found.values():
        name, _, number = record.id.rpartition("-")
        assert record.body == body_of(name, int(number), record.version)


def test_forked_children_lose_no_change(location: str) -> None:
    """They use the store, and the client, that they inherited, each with sockets of its own."""
    store = open_store(location, make_table_calls=table_calls)
    store.add(grant())
    store.close()
    forker = program("forks", location, "6", "10", stdout=subprocess.PIPE)

    told, _ = forker.communicate()

    assert told == b"8 {0}\n"
    found = store.get("grant", "g-1")
    assert found is not None
    assert found.body == '{"n":80}'


def test_the_stores_own_calls_are_neither_guarded_nor_recorded(
    dynoxide: servers.Server, tmp_path: Path
) -> None:
    """The policy denies all of DynamoDB; the application's own call is denied."""
    new_table(dynoxide)
    audit = tmp_path / "audit.jsonl"
    policy = {"version": 1, "default": "deny", "govern": ["dynamodb"]}
    client = dynoxide.client("dynamodb")
    with dynaguard.install(policy, audit=audit, access_store=location_of(dynoxide)) as guard:
        store = guard.rooms.access.store
        assert store is not None
        store.add(grant())
        found = store.records("grant", after_epoch_s=0)
        with pytest.raises(dynaguard.PolicyDenied):
            client.list_tables()
        told = dynaguard.status().access

    assert found == [grant()]
    records = [json.loads(line) for line in audit.read_text(encoding="utf-8").splitlines()]
    assert [each["operation"] for each in records if "operation" in each] == ["ListTables"]
    assert told["is_reachable"] is True
    assert told["answered_s_ago"] >= 0


def test_a_deleted_table_is_told(dynoxide: servers.Server) -> None:
    """While it was in use; and what to do."""
    new_table(dynoxide, "gone")
    store = open_table(dynoxide, "gone")
    store.add(grant())
    dynoxide.client("dynamodb").delete_table(TableName="gone")

    with pytest.raises(AccessStoreError, match="make it with `dynaguard access init`"):
        store.get("grant", "g-1")


def test_a_table_of_another_layout_is_told(dynoxide: servers.Server) -> None:
    """Somebody made it by hand."""
    dynoxide.client("dynamodb").create_table(
        TableName="other-keys",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    store = open_table(dynoxide, "other-keys")

    with pytest.raises(AccessStoreError, match="the table has other keys"):
        store.add(grant())
    with pytest.raises(AccessStoreError, match="the table has other keys"):
        store.change_token()


def test_the_command_line_makes_and_shows_a_table(dynoxide: servers.Server) -> None:
    """The second time it is there already; a missing one is a finding."""
    location = location_of(dynoxide, "by-command")

    def access(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["access", *arguments, "--store", location])

    missing = access("status")
    outputs = [access("init").output, access("init").output]
    open_table(dynoxide, "by-command").add(grant())
    found = access("status")

    assert (missing.exit_code, found.exit_code) == (1, 0)
    assert "make it with `dynaguard access init`" in missing.output
    assert outputs == [f"{location}: made\n", f"{location}: is there already\n"]
    assert "alive: 1 grant, 0 tickets" in found.output


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_server_that_never_answers_is_given_up(silent_port: int) -> None:
    """Within some seconds; a write may have been made, a read changed nothing."""
    server = servers.Server(f"http://127.0.0.1:{silent_port}", 0)
    store = open_table(server)
    started_s = time.monotonic()

    with pytest.raises(AccessStoreError, match="DynamoDB does not answer"):
        store.get("grant", "g-1")

    assert time.monotonic() - started_s < 9


def test_a_server_that_is_gone_is_told_at_once() -> None:
    """Nothing was sent, so nothing was changed."""
    store = open_table(servers.Server(f"http://127.0.0.1:{servers.free_port()}", 0))
    started_s = time.monotonic()

    with pytest.raises(AccessStoreError) as caught:
        store.add(grant())

    assert "DynamoDB does not answer, check network, region and endpoint" in str(caught.value)
    assert "not known" not in str(caught.value)
    assert time.monotonic() - started_s < 3
