"""`kill -9` in the middle of a run, over a real socket: resumed, every write is there once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from dynaguard.runbooks.journal import summaries
from tests import servers

_PROGRAM = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    import boto3, dynaguard
    from dynaguard.errors import RunbookError
    from tests.runbooks.run_cases import POLICY, find_orders, run_once, runbook
    from tests.runbooks.test_runbooks_resuming import count_orders

    url, directory, resume = sys.argv[1], Path(sys.argv[2]), sys.argv[3] or None
    dynaguard.install(POLICY)
    def slow(event):
        if event.kind == "item":
            print(event.count, flush=True)
            time.sleep(0.03)
    try:
        run_once(
            runbook(find_orders(max_pages=50), count_orders()),
            {"customer": "ada"}, directory, endpoint_url=url, on_event=slow, resume=resume,
            doubtful=sys.argv[4] or None,
        )
    except RunbookError as err:
        sys.exit(f"{err}")
    """
)


@pytest.mark.parametrize("kill_at", [1, 7, 18])
def test_a_killed_run_is_resumed_without_a_second_write(
    moto_server: servers.Server, tmp_path: Path, repository: Path, kill_at: int
) -> None:
    """Killed between any two lines: at most one write is in doubt, and the run says so."""
    client = moto_server.client("dynamodb")
    _make(client)
    process = _start(moto_server.url, tmp_path, repository)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == kill_at:
            break
    time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.close()
    (run,) = summaries(tmp_path)

    again = _start(moto_server.url, tmp_path, repository, run["task"])
    _, problem = again.communicate(timeout=60)
    if again.returncode != 0:
        assert "not known whether the UpdateItem of step `add`" in problem
        counts = _counts(client)
        began = sum(count > 0 for count in counts)
        answer = "done" if began > _done(tmp_path, run["task"]) else "repeat"
        last = _start(moto_server.url, tmp_path, repository, run["task"], answer)
        assert last.communicate(timeout=60)[1] == ""

    counts = _counts(client)
    client.delete_table(TableName="orders")
    assert counts == [1] * 20


def _make(client: object) -> None:
    from tests.runbooks.run_cases import make_table

    make_table(client, {"ada": 20})


def _counts(client: object) -> list[int]:
    items = client.scan(TableName="orders", ConsistentRead=True)["Items"]  # type: ignore[attr-defined]
    return [int(each.get("seen", {"N": "0"})["N"]) for each in items]


def _done(directory: Path, run: str) -> int:
    from dynaguard.runbooks.journal import reopen

    journal = reopen(directory, run)
    try:
        return journal.done
    finally:
        journal.close()


def _start(
    url: str, directory: Path, repository: Path, resume: str = "", doubtful: str = ""
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _PROGRAM, url, str(directory), resume, doubtful],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
