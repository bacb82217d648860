"""The embedded endpoint and the demo's tables, over sockets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dynaguard.demo import endpoint as endpoint_module
from dynaguard.demo.endpoint import Endpoint, embedded_endpoint
from dynaguard.demo.isolation import Connections
from dynaguard.demo.tables import Tables
from dynaguard.errors import ConfigurationError, DynaguardError, MissingExtraError

pytestmark = pytest.mark.integration

ITEM = {"customer_id": "C-1", "country": "NL", "points": 5}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    """One server for the tests of this file."""
    with embedded_endpoint() as running:
        yield running


@pytest.fixture
def client(endpoint: Endpoint) -> Iterator[Any]:
    """A client of it."""
    made = Connections(endpoint.url).client()
    yield made
    made.close()


@pytest.fixture
def tables(client: Any) -> Iterator[Tables]:
    """Tables that are gone after the test."""
    made = Tables(client, "test-")
    yield made
    made.delete()


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not count."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def wait_until_gone(pid: int) -> bool:
    """Whether a process of somebody else's ends within ten seconds."""
    deadline_s = time.monotonic() + 10.0
    while is_alive(pid) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return not is_alive(pid)


def test_serves_on_loopback_while_the_block_runs(endpoint: Endpoint) -> None:
    """It answers on its own port, in a process of its own."""
    with urllib.request.urlopen(f"{endpoint.url}/moto-api/data.json") as answer:  # noqa: S310
        assert answer.status == 200

    assert endpoint.url.startswith("http://127.0.0.1:")
    assert endpoint.is_embedded
    assert endpoint.pid != os.getpid()
    assert endpoint.start_s > 0


def test_ends_with_the_block() -> None:
    """Also when the block ends by an error."""
    with pytest.raises(RuntimeError), embedded_endpoint() as running:
        raise RuntimeError

    assert running.pid is not None
    assert not is_alive(running.pid)


def test_ends_when_the_demo_is_killed() -> None:
    """No server stays behind, even where nothing of the demo's can run any more."""
    code = (
        "import sys, time; from dynaguard.demo.endpoint import embedded_endpoint\n"
        "with embedded_endpoint() as running:\n"
        "    print(running.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as demo:
        assert demo.stdout is not None
        pid = int(demo.stdout.readline())
        assert is_alive(pid)

        demo.send_signal(signal.SIGKILL)

    assert wait_until_gone(pid)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("import sys; sys.exit(3)", MissingExtraError),
        ("raise OSError('no more ports')", DynaguardError),
        ("print('hello')", DynaguardError),
    ],
)
def test_a_server_that_does_not_start_is_one_error(
    script: str, expected: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what it said last; a missing package names the install command."""
    path = tmp_path / "server.py"
    path.write_text(script)
    monkeypatch.setattr(endpoint_module, "_SERVER", path)

    with pytest.raises(expected) as caught, embedded_endpoint():
        pass

    if "ports" in script:
        assert "(OSError: no more ports)" in str(caught.value)
    if expected is MissingExtraError:
        assert "dynaguard[demo]" in str(caught.value)


def test_a_server_that_will_not_end_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked first, then made to."""
    path = tmp_path / "server.py"
    path.write_text("import time; print(1234, flush=True); time.sleep(60)")
    monkeypatch.setattr(endpoint_module, "_SERVER", path)
    monkeypatch.setattr(endpoint_module, "_STOP_TIMEOUT_S", 0.1)

    with embedded_endpoint() as running:
        pass

    assert running.url == "http://127.0.0.1:1234"
    assert running.pid is not None
    assert not is_alive(running.pid)


def test_a_server_without_moto_says_so() -> None:
    """The script's own exit code for a missing package."""
    script = Path(endpoint_module.__file__).with_name("server.py")
    # -S: no site-packages, so no moto
    done = subprocess.run(
        [sys.executable, "-S", "-I", str(script)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 3
    assert b"Traceback" not in done.stderr


def test_tables_are_made_filled_counted_and_deleted(client: Any, tables: Tables) -> None:
    """Under their prefix, with their indexes; nothing is left."""
    loaded: list[int] = []
    items = [{**ITEM, "customer_id": f"C-{number}"} for number in range(60)]

    tables.create(["dev-customers", "dev-totals"])
    tables.load({"dev-customers": items}, loaded.append)

    assert tables.made == ("test-dev-customers", "test-dev-totals")
    assert (tables.count("dev-customers"), tables.count("dev-totals")) == (60, 0)
    assert loaded == [25, 25, 10]
    answer = client.query(
        TableName="test-dev-customers",
        IndexName="by_country",
        KeyConditionExpression="country = :country",
        ExpressionAttributeValues={":country": {"S": "NL"}},
        Select="COUNT",
    )
    assert answer["Count"] == 60
    tables.delete()
    assert client.list_tables()["TableNames"] == []
    assert tables.made == ()


def test_tables_that_exist_are_not_touched(client: Any, tables: Tables) -> None:
    """An error names one of them, and the option that replaces them; no other is made."""
    tables.create(["dev-customers"])
    tables.load({"dev-customers": [ITEM]}, lambda _: None)
    others = Tables(client, "test-")

    with pytest.raises(ConfigurationError, match="`test-dev-customers`, add --replace"):
        others.create(["dev-customers", "dev-orders"])

    assert client.list_tables()["TableNames"] == ["test-dev-customers"]
    assert others.made == ()
    assert tables.count("dev-customers") == 1


def test_tables_are_replaced_when_told(client: Any, tables: Tables) -> None:
    """They are empty then."""
    tables.create(["dev-customers"])
    tables.load({"dev-customers": [ITEM]}, lambda _: None)

    tables.create(["dev-customers"], replace=True)

    assert tables.count("dev-customers") == 0


def test_a_table_that_is_gone_already_is_no_error(client: Any, tables: Tables) -> None:
    """Clearing up must not fail half way."""
    tables.create(["dev-customers", "dev-totals"])
    client.delete_table(TableName="test-dev-customers")

    tables.delete()

    assert client.list_tables()["TableNames"] == []
