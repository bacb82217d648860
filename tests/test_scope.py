"""Scopes: what surrounds calls in nested blocks, threads, tasks, generators and forks."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.acting import acting_as
from dynaguard.errors import ConfigurationError
from dynaguard.scope import (
    EMPTY_SCOPE,
    Priority,
    Scope,
    correlation,
    current_scope,
    job,
    set_process_scope,
)

# --- entering and leaving ----------------------------------------------------------------------


def test_outside_of_any_scope_is_the_process_s() -> None:
    """Empty, until `install()` sets it."""
    assert current_scope() is EMPTY_SCOPE

    set_process_scope(Scope(job="daemon"))

    assert current_scope() == Scope(job="daemon")


def test_a_block_derives_from_the_scope_around_it() -> None:
    """Process, job, correlation, acting: each adds its own, leaving takes it back."""
    set_process_scope(Scope(runbook="failover"))

    with job("nightly", run_id="7") as outer, correlation("INC-1"):
        with acting_as("bot", groups=["agents"]) as inner:
            assert current_scope() is inner
        assert inner == Scope(
            correlation_id="INC-1",
            job="nightly",
            run_id="7",
            runbook="failover",
            priority=Priority.BATCH,
            acting_name="bot",
            acting_kind="agent",
            acting_groups=frozenset({"agents"}),
        )
        assert current_scope() == Scope(
            correlation_id="INC-1",
            job="nightly",
            run_id="7",
            runbook="failover",
            priority=Priority.BATCH,
        )

    assert outer.correlation_id is None
    assert current_scope() == Scope(runbook="failover")


def test_an_exception_leaves_the_scope() -> None:
    """And goes on."""
    with pytest.raises(KeyError), correlation("x"):
        raise KeyError

    assert current_scope() is EMPTY_SCOPE


def test_a_manager_is_reusable_and_reentrant() -> None:
    """One object may be entered again, inside itself too."""
    manager = correlation("x")

    with manager, job("j"), manager:
        assert current_scope().correlation_id == "x"

    assert current_scope() is EMPTY_SCOPE


@given(st.lists(st.sampled_from("cja"), max_size=8))
def test_leaving_in_turn_restores_each_scope(kinds: list[str]) -> None:
    """However deep the nesting."""
    managers = {"c": correlation("c"), "j": job("j"), "a": acting_as("a")}
    seen = [current_scope()]
    seen += [managers[kind].__enter__() for kind in kinds]

    for kind in reversed(kinds):
        assert current_scope() is seen.pop()
        managers[kind].__exit__(None, None, None)

    assert current_scope() is EMPTY_SCOPE


def test_the_halves_of_a_generator_may_run_in_two_contexts() -> None:
    """Frameworks run a generator's set-up and tear-down in copies of a context."""

    def dependency() -> Iterator[Scope]:
        with correlation("request"):
            yield current_scope()

    generator = dependency()
    inside = contextvars.copy_context().run(next, generator)
    contextvars.copy_context().run(lambda: next(generator, None))

    assert inside.correlation_id == "request"
    assert current_scope() is EMPTY_SCOPE


def test_leaving_in_a_copy_made_inside_leaves_only_there() -> None:
    """The copy goes back to the outer scope, the original stays inside."""
    manager = correlation("x")
    with manager:
        context = contextvars.copy_context()
        context.run(manager.__exit__, None, None, None)
        outside = context.run(current_scope)
        inside = current_scope()

    assert outside is EMPTY_SCOPE
    assert inside.correlation_id == "x"


# --- threads, tasks, forks ---------------------------------------------------------------------


def test_a_thread_starts_outside_and_a_copied_context_inside() -> None:
    """`copy_context().run` is how a scope goes to a thread."""
    with correlation("x"), ThreadPoolExecutor(1) as pool:
        plain = pool.submit(current_scope).result()
        copied = pool.submit(contextvars.copy_context().run, current_scope).result()

    assert plain is EMPTY_SCOPE
    assert copied.correlation_id == "x"


def test_threads_share_a_manager_without_sharing_a_scope() -> None:
    """Each thread's blocks are its own."""
    manager = correlation("x")
    barrier = threading.Barrier(4)
    wrong: list[Scope] = []

    def work() -> None:
        for _ in range(50):
            barrier.wait()
            with manager:
                if current_scope().correlation_id != "x":
                    wrong.append(current_scope())
            if current_scope() is not EMPTY_SCOPE:
                wrong.append(current_scope())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_a_task_inherits_the_scope_current_at_its_creation() -> None:
    """And changes nobody else's."""

    async def main() -> tuple[Scope, Scope, Scope]:
        async with correlation("outer"):
            task = asyncio.create_task(child())
            await asyncio.sleep(0)
            meanwhile = current_scope()
        return await task, meanwhile, current_scope()

    async def child() -> Scope:
        async with job("j") as scope:
            await asyncio.sleep(0)
            return scope

    inner, meanwhile, after = asyncio.run(main())

    assert (inner.correlation_id, inner.job) == ("outer", "j")
    assert meanwhile == Scope(correlation_id="outer")
    assert after is EMPTY_SCOPE


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_inherits_the_scope() -> None:
    """The code after `fork()` goes on in the same block."""
    with correlation("x"):
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            os._exit(0 if current_scope().correlation_id == "x" else 1)
        _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0


# --- decorators --------------------------------------------------------------------------------


def test_a_decorated_function_runs_in_the_scope() -> None:
    """Name, arguments and result are its own."""

    @correlation("x")
    def load(table: str, *, limit: int) -> tuple[str, int, Scope]:
        """Loads."""
        return table, limit, current_scope()

    assert load("orders", limit=3) == ("orders", 3, Scope(correlation_id="x"))
    assert (load.__name__, load.__doc__) == ("load", "Loads.")
    assert current_scope() is EMPTY_SCOPE


def test_a_decorated_coroutine_function_runs_in_the_scope() -> None:
    """While it is awaited, not while it is made; it still is a coroutine function."""

    @job("nightly")
    async def load(table: str) -> tuple[str, str | None]:
        await asyncio.sleep(0)
        return table, current_scope().job

    assert asyncio.iscoroutinefunction(load)
    assert asyncio.run(load("orders")) == ("orders", "nightly")
    assert current_scope() is EMPTY_SCOPE


def test_recursion_nests() -> None:
    """Each level enters and leaves."""

    @correlation()
    def depth(levels: int) -> set[str | None]:
        mine = {current_scope().correlation_id}
        return mine | depth(levels - 1) if levels else mine

    assert len(depth(4)) == 5


def a_generator() -> Iterator[int]:
    """Its body would run outside of the call."""
    yield 1


async def an_async_generator() -> AsyncIterator[int]:
    """As `a_generator`."""
    yield 1


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (a_generator, "a_generator"),
        (an_async_generator, "an_async_generator"),
        (functools.partial(a_generator), "partial"),
    ],
)
def test_generator_functions_are_refused(function: Callable[[], Any], name: str) -> None:
    """The error says what to write instead."""
    with pytest.raises(ConfigurationError, match=f"`{name}` is a generator function .*`with`"):
        correlation("x")(function)
