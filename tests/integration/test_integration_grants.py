"""200 requesters over several processes share counted grants in one SQLite file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dynaguard.access.granting import create_grant, show_grant
from dynaguard.access.grants import Grant
from dynaguard.access.sqlite_store import SqliteStore
from dynaguard.access.terms import GrantTerms
from tests.access.desk import statements

PROCESSES = 4
THREADS = 50
REQUESTER = """
import os, sys, threading
import boto3, dynaguard

store, threads = sys.argv[1], int(sys.argv[3])
log = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND)
client = boto3.client("dynamodb", region_name="eu-west-1")
answer = type("Answer", (), {"status_code": 200})()
client.meta.events.register("before-call.dynamodb", lambda **_: (answer, {"Answered": True}))
policy = {"version": 1, "default": "deny", "govern": ["dynamodb"]}
dynaguard.install(policy, access_store=store, identity="etl", account_id="111122223333")
begin = threading.Barrier(threads)

def ask():
    begin.wait()
    while True:
        try:
            client.get_item(TableName="orders", Key={"id": {"S": "1"}})
        except dynaguard.PolicyDenied as denial:
            if "no statement allows it" not in str(denial) or "is not known" in str(denial):
                os.write(log, b"!" + str(denial).encode() + b"\\n")
            return
        os.write(log, b"+\\n")

workers = [threading.Thread(target=ask) for _ in range(threads)]
print("ready", flush=True)
sys.stdin.readline()
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
"""


def _grants(store: SqliteStore, *uses: int) -> list[Grant]:
    now_s = time.time()
    return [
        create_grant(
            store,
            GrantTerms(statements(), "etl", "stress", 600.0 + count, uses=count),
            owner="ada",
            now_epoch_s=now_s,
        )
        for count in uses
    ]


def _start(store: Path, log: Path, count: int) -> list[subprocess.Popen[str]]:
    """Requesters that wait for the word."""
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", REQUESTER, str(store), str(log), str(THREADS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for _ in range(count)
    ]
    for each in started:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    return started


def _go(requesters: list[subprocess.Popen[str]]) -> None:
    for each in requesters:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()


def _end(requesters: list[subprocess.Popen[str]]) -> list[int]:
    codes = []
    for each in requesters:
        codes.append(each.wait(timeout=60))
        assert each.stdin is not None
        assert each.stdout is not None
        each.stdin.close()
        each.stdout.close()
    return codes


@pytest.mark.timeout(120)
def test_no_use_is_lost_and_none_is_made_up(tmp_path: Path) -> None:
    """200 requesters draw three grants down to the last use, and not one further."""
    path, log = tmp_path / "access.sqlite", tmp_path / "log"
    log.touch()
    store = SqliteStore(path)
    given = _grants(store, 40, 60, 100)
    requesters = _start(path, log, PROCESSES)

    _go(requesters)
    codes = _end(requesters)

    lines = log.read_text().splitlines()
    assert codes == [0] * PROCESSES
    assert [line for line in lines if line != "+"] == []
    assert len(lines) == 200
    assert [show_grant(store, each.id).uses_left for each in given] == [0, 0, 0]


@pytest.mark.timeout(120)
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill")
def test_killed_requesters_make_no_use_twice(tmp_path: Path) -> None:
    """What was acknowledged is spent; a killed one may have spent what it had in hand."""
    path, log = tmp_path / "access.sqlite", tmp_path / "log"
    log.touch()
    store = SqliteStore(path)
    given = _grants(store, 300)
    requesters = _start(path, log, PROCESSES)

    _go(requesters)
    while log.stat().st_size < 2 * 60:
        time.sleep(0.01)
    requesters[0].send_signal(signal.SIGKILL)
    codes = _end(requesters)

    lines = log.read_text().splitlines()
    assert codes == [-signal.SIGKILL, *[0] * (PROCESSES - 1)]
    assert [line for line in lines if line != "+"] == []
    assert 300 - THREADS <= len(lines) <= 300
    assert show_grant(store, given[0].id).uses_left == 0
