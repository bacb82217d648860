"""Decorated functions run in a task of their own each time; a manager and an id are good once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

import dynaguard
from dynaguard import ConfigurationError
from dynaguard.runbooks.tasks import TaskManager
from dynaguard.scope import current_scope

POLICY = {"version": 1, "default": "allow", "govern": ["dynamodb"]}
ORDERS = "arn:aws:dynamodb:*:*:table/orders"


def reading() -> TaskManager:
    """A task that may read single orders."""
    return dynaguard.task(
        name="fix orders", actions=["dynamodb:GetItem"], resources=[ORDERS], duration_s=60
    )


def test_a_decorated_function_gets_a_task_with_each_call() -> None:
    """Two calls are two tasks."""
    dynaguard.install(POLICY)

    @dynaguard.task(name="fix", duration_s=60)
    def work() -> str | None:
        task = dynaguard.current_task()
        return task and task.id

    assert work() != work()
    assert dynaguard.current_task() is None


def test_a_decorated_coroutine_function_runs_in_a_task() -> None:
    """The body, not only its making."""
    dynaguard.install(POLICY)

    @dynaguard.task(name="fix", duration_s=60)
    async def work() -> str | None:
        await asyncio.sleep(0)
        return current_scope().task

    assert str(asyncio.run(work())).startswith("fix-")


def test_generator_functions_cannot_be_decorated() -> None:
    """Their bodies run outside of the call, so they would run outside of the task."""

    def numbers() -> Iterator[int]:
        yield 1

    async def more_numbers() -> AsyncIterator[int]:
        yield 1

    for function in (numbers, more_numbers):
        with pytest.raises(ConfigurationError, match="generator function"):
            dynaguard.task(name="fix")(function)


def test_a_decorated_function_shares_no_id() -> None:
    """An id names one run."""
    with pytest.raises(ConfigurationError, match="`id`"):
        dynaguard.task(name="fix", id="INC-7")(lambda: None)


def test_a_manager_is_entered_once() -> None:
    """The second time would be another run."""
    dynaguard.install(POLICY)
    manager = reading()
    with manager:
        pass

    with pytest.raises(ConfigurationError, match="begun before"):
        manager.__enter__()


def test_an_id_is_good_for_one_run() -> None:
    """While it is open, and after: what has ended never lives again."""
    dynaguard.install(POLICY)
    with (
        dynaguard.task(name="fix", id="used-once", duration_s=60),
        pytest.raises(ConfigurationError, match="used before"),
    ):
        dynaguard.task(name="fix", id="used-once", duration_s=60).__enter__()

    with pytest.raises(ConfigurationError, match="used before"):
        dynaguard.task(name="fix", id="used-once", duration_s=60).__enter__()
