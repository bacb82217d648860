"""The coordinator on a real Redis: the arithmetic is that of one process, faults are survived."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from dynaguard.budgets.budget import RetryBudgets
from dynaguard.budgets.coordination import Coordinator, Errand, LocalCoordinator, Report
from dynaguard.budgets.load import Lesson, Load, Part
from dynaguard.budgets.redis_coordinator import RedisCoordinator
from dynaguard.budgets.signals import Signal
from dynaguard.hooks.waiting import _tell_fault, wait_for_turn
from dynaguard.scope import Priority, Scope

BATCH = Scope(job="nightly", priority=Priority.BATCH)
LOAD = Load("nightly", (Part("arn:aws:dynamodb:eu-west-1:111122223333:table/orders"),), True)
THREADS = 4


class Server:
    """A Redis of this test's own."""

    def __init__(self, program: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process = subprocess.Popen(
            [program, "--port", str(self.port), "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
        )
        end_s = time.monotonic() + 10
        while time.monotonic() < end_s:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            threading.Event().wait(0.02)
        pytest.fail("redis-server does not answer")

    @property
    def url(self) -> str:
        """As settings take it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def stop(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait(5)


@pytest.fixture
def redis() -> Iterator[Server]:
    """A server; skipped visibly where the distribution's package is not installed."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (apt-get install redis-server)")
    server = Server(program)
    yield server
    server.stop()


def errand(ticket: float | None = None, report: Report = Report()) -> Errand:  # noqa: B008
    """One call that wants to go."""
    return Errand("orders:write", ticket, 1.0, 1.0, report)


def limited(members: list[Coordinator]) -> None:
    """Half a second of acceptance by all of them, then a throttle: a rate is known."""
    for _ in range(12):
        for member in members:
            member.ask(errand(report=Report(accepted=2.0)))
        threading.Event().wait(0.05)
    epoch = members[0].ask(errand()).epoch
    for _ in range(2):
        members[0].ask(errand(report=Report(throttles=1.0, epoch=epoch)))
        threading.Event().wait(0.12)


def count_served(members: list[Coordinator], seconds: float) -> list[int]:
    """How many calls each member gets through in so many seconds, each as fast as it may."""
    end_s = time.monotonic() + seconds

    def work(member: Coordinator) -> int:
        served, ticket = 0, None
        while time.monotonic() < end_s:
            report = Report(accepted=1.0) if ticket is None else Report()
            grant = member.ask(errand(ticket, report))
            ticket = grant.ticket
            if ticket is None:
                served += 1
            else:
                threading.Event().wait(grant.wait_s)
        return served

    with ThreadPoolExecutor(len(members)) as pool:
        return list(pool.map(work, members))


@pytest.mark.parametrize("kind", ["redis", "local"])
def test_members_share_a_rate_fairly(redis: Server, kind: str) -> None:
    """The same arithmetic on Redis and in one process: at a rate, in equal parts."""
    local = LocalCoordinator(monotonic=time.monotonic)
    members: list[Coordinator] = [
        RedisCoordinator(redis.url) if kind == "redis" else local.member(str(index))
        for index in range(THREADS)
    ]
    limited(members)

    served = count_served(members, 1.5)

    # 4 members reported 160 a second; the first throttle halves that, at the least
    assert 20 < sum(served) < 300
    assert max(served) - min(served) <= 0.2 * max(served) + 2


def test_two_processes_of_budgets_keep_to_one_rate(redis: Server) -> None:
    """Whole budgets, each with its own connection; a throttle of one slows the other."""
    pair = [RetryBudgets((), coordinator=RedisCoordinator(redis.url)) for _ in range(2)]

    def go(budgets: RetryBudgets) -> None:
        turn = budgets.admit(LOAD, BATCH, started_s=time.monotonic()).turn
        if turn is not None:
            wait_for_turn(turn)
        budgets.learn(LOAD, BATCH, Lesson(Signal.OK, time.monotonic()))

    end_s = time.monotonic() + 0.5
    while time.monotonic() < end_s:
        for budgets in pair:
            go(budgets)
        threading.Event().wait(0.02)
    pair[0].learn(LOAD, BATCH, Lesson(Signal.THROTTLE, time.monotonic()))
    for _ in range(3):
        go(pair[0])
        threading.Event().wait(0.06)
    begun_s = time.monotonic()
    for _ in range(20):
        go(pair[1])
    assert time.monotonic() - begun_s > 0.1


def test_a_redis_that_goes_away_stops_nobody(
    redis: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """The process goes on by what it learnt itself."""
    budgets = RetryBudgets((), coordinator=RedisCoordinator(redis.url))
    first = budgets.admit(LOAD, BATCH, started_s=time.monotonic()).turn
    assert first is not None
    wait_for_turn(first)
    redis.stop()
    budgets.learn(LOAD, BATCH, Lesson(Signal.THROTTLE, time.monotonic()))
    _tell_fault.cache_clear()

    begun_s = time.monotonic()
    for _ in range(10):
        turn = budgets.admit(LOAD, BATCH, started_s=time.monotonic()).turn
        if turn is not None:
            wait_for_turn(turn)

    assert time.monotonic() - begun_s < 5.0
    assert any("goes on by itself" in text for text in caplog.messages)
