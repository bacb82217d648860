"""How long tasks live: what has ended never lives again, and what is remembered stays small."""

from __future__ import annotations

import os
import threading

import pytest

from dynaguard import ConfigurationError
from dynaguard.access import lives
from dynaguard.access.lives import TaskLife, bound_scope, has_ended
from dynaguard.boundary import Boundary
from dynaguard.scope import Scope
from tests.runbooks.tasks.conftest import FakeClock


def life(task: str, clock: FakeClock, left_s: float = 60.0) -> TaskLife:
    """The life of a task that has so long."""
    end_s = clock.now_s + left_s
    return TaskLife(Boundary("task", "fix", task, expires_epoch_s=end_s), clock)


def test_a_life_ends_once(clock: FakeClock) -> None:
    """Ending it again changes nothing."""
    made = life("lives-1", clock)
    assert not made.is_over
    assert not has_ended("lives-1")

    made.end()
    made.end()

    assert made.is_over
    assert has_ended("lives-1")


def test_one_of_many_threads_takes_an_id(clock: FakeClock) -> None:
    """The others are told that it is taken."""
    taken: list[bool] = []

    def take() -> None:
        try:
            life("lives-2", clock)
        except ConfigurationError:
            taken.append(False)
        else:
            taken.append(True)

    threads = [threading.Thread(target=take) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(taken) == [False] * 15 + [True]


def test_those_whose_time_is_up_are_forgotten(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory does not grow with the number of tasks; those that could still act are kept."""
    monkeypatch.setattr(lives, "_MAX_REMEMBERED", 1)
    life("lives-3", clock, left_s=10.0).end()
    life("lives-4", clock, left_s=100.0).end()
    clock.advance(50)

    life("lives-5", clock).end()

    assert not has_ended("lives-3")
    assert has_ended("lives-4")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_not_stuck_and_remembers(clock: FakeClock) -> None:
    """Even where another thread held the lock at that moment."""
    made = life("lives-6", clock)
    life("lives-7", clock).end()
    with lives._lives._lock:
        child = os.fork()
        if child == 0:  # pragma: no cover - the child's own life
            made.end()
            os._exit(0 if has_ended("lives-6") and has_ended("lives-7") else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not has_ended("lives-6")


def test_a_call_elsewhere_gets_the_task_s_scope_and_keeps_its_own_boundaries() -> None:
    """What bounds either bounds the call."""
    of_task = Boundary("task", "fix", "t-1")
    other = Boundary("agent", "bot", "t-2")
    task = Scope(task="t-1", runbook="r", boundaries=(of_task,), acting_name="ada")
    elsewhere = Scope(boundaries=(other,), acting_name="bot", correlation_id="c")

    found = bound_scope(elsewhere, task)

    assert found.boundaries == (of_task, other)
    assert (found.task, found.runbook, found.correlation_id) == ("t-1", "r", "c")
    assert found.acting_name == "bot"
    assert bound_scope(found, task) is found


def test_a_boundary_of_the_same_task_does_not_stand_for_the_task_s_own() -> None:
    """Who acts names the task that they work for; that is no way out of it."""
    of_task = Boundary("runbook", "fix", "t-1", statements="[]", expires_epoch_s=10.0)
    task = Scope(task="t-1", runbook="fix", boundaries=(of_task,))
    of_agent = Boundary("agent", "bot", "t-1")
    elsewhere = Scope(task="t-1", boundaries=(of_agent,), acting_name="bot")

    found = bound_scope(elsewhere, task)

    assert found.boundaries == (of_task, of_agent)
    assert found.runbook == "fix"


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until a test moves it."""
    return FakeClock()
