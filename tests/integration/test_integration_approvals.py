"""200 who ask and 20 who decide, in eight processes, some of them killed, over each store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from dynaguard.access.clock import StrictClock
from dynaguard.access.opening import open_store
from dynaguard.access.table_layout import create_table
from dynaguard.access.ticket_book import TicketBook
from dynaguard.access.tickets import Ticket
from dynaguard.hooks.access_clients import table_calls
from tests import servers
from tests.integration.approval_workers import DURATION_S, QUORUM, USES

ASKERS, DECIDERS, PROCESSES = 200, 20, 4
SECONDS = float(os.environ.get("DYNAGUARD_TEST_STRESS_S", "14"))
"""How long each of the two runs goes on at most."""
_SLACK_S = 3.0
"""How late a thread may come to note what it was allowed, on a busy machine."""
_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["sqlite", "dynamodb"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh store."""
    if request.param == "sqlite":
        return str(tmp_path / "access.sqlite")
    server: servers.Server = request.getfixturevalue("dynoxide")
    table = f"approvals-{time.time_ns()}"
    create_table(table, table_calls("eu-west-1", server.url))
    return f"dynamodb://{table}?region=eu-west-1&endpoint_url={server.url}"


def start(mode: str, location: str, log: Path, first: int, count: int) -> subprocess.Popen[bytes]:
    """One process with its threads."""
    module = ["-m", "tests.integration.approval_workers", mode, location, str(log)]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    environment.pop("DYNAGUARD_TEST_STRESS_S", None)
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", *module, str(first), str(count), str(SECONDS)],
        env=environment,
        cwd=_ROOT,
    )


@pytest.mark.timeout(180)
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill")
def test_nothing_is_used_twice_and_nothing_is_lost(location: str, tmp_path: Path) -> None:
    """Whoever is killed, whenever: what was acknowledged is in the store, once."""
    log = tmp_path / "log"
    log.touch()
    asking = [
        start("ask", location, log, at * ASKERS // PROCESSES, ASKERS // PROCESSES)
        for at in range(PROCESSES)
    ]
    deciding = [
        start("decide", location, log, at * DECIDERS // PROCESSES, DECIDERS // PROCESSES)
        for at in range(PROCESSES)
    ]
    began_s = time.monotonic()
    _wait_for(log, lines=60)
    for process in (asking[0], deciding[0]):
        process.send_signal(signal.SIGKILL)
    codes = [process.wait(timeout=120) for process in (*asking, *deciding)]
    elapsed_s = time.monotonic() - began_s

    lines = [line.split() for line in log.read_text().splitlines()]
    book = TicketBook(open_store(location, make_table_calls=table_calls), StrictClock())
    tickets = {each.id: each for each in book.tickets(with_ended=True)}
    used = _check_uses(lines, tickets)
    decisions = _check_decisions(lines, tickets)
    assert sorted(codes) == [-signal.SIGKILL] * 2 + [0] * (2 * PROCESSES - 2)
    assert used > ASKERS // 4
    print(  # noqa: T201 - the figures that this test is for
        f"\n{'dynamodb' if ':' in location else 'sqlite'}: {ASKERS} ask, {DECIDERS} decide, "
        f"{len(tickets)} tickets, {decisions} decisions acknowledged, {used} uses, "
        f"{sum(line[0] == 'late' for line in lines)} decisions that came second, 2 processes "
        f"killed, {elapsed_s:.1f} s"
    )


def _wait_for(log: Path, *, lines: int) -> None:
    """Until something is going on."""
    until_s = time.monotonic() + SECONDS
    while len(log.read_bytes().splitlines()) < lines and time.monotonic() < until_s:
        time.sleep(0.05)


def _check_uses(lines: list[list[str]], tickets: dict[str, Ticket]) -> int:
    """No approval was used more often, or later, than it allowed; gives how many uses."""
    passes = [(line[1], float(line[2])) for line in lines if line[0] == "+"]
    for ticket_id, count in Counter(id_ for id_, _ in passes).items():
        ticket = tickets[ticket_id]
        approvers = {each.person for each in ticket.decisions if each.is_approval}
        assert count <= USES
        assert ticket.uses_left is not None
        assert count <= USES - ticket.uses_left
        assert len(approvers) >= QUORUM
        assert ticket.denial is None
    for ticket_id, at_s in passes:
        approved_s = tickets[ticket_id].approved_epoch_s
        assert approved_s is not None
        assert at_s < approved_s + DURATION_S + _SLACK_S
    return len(passes)


def _check_decisions(lines: list[list[str]], tickets: dict[str, Ticket]) -> int:
    """Each acknowledged decision is in the store, once; gives how many there were."""
    acknowledged = [tuple(line[1:]) for line in lines if line[0] == "decided"]
    kept = [
        (ticket.id, each.person.arn, str(each.is_approval))
        for ticket in tickets.values()
        for each in ticket.decisions
    ]
    assert len(set(acknowledged)) == len(acknowledged)
    assert len(set(kept)) == len(kept)
    assert set(acknowledged) <= set(kept)
    for ticket in tickets.values():
        assert len({each.person for each in ticket.decisions}) == len(ticket.decisions)
    return len(acknowledged)
