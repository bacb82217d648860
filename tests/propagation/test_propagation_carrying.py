"""Scopes go on to threads, tasks, worker processes and subprocesses."""

from __future__ import annotations

import asyncio
import functools
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace

import dynaguard
from dynaguard.errors import ConfigurationError
from dynaguard.propagation.traces import trace_finder
from dynaguard.scope import EMPTY_SCOPE, Scope, current_scope, set_process_scope
from dynaguard.settings import resolve_settings
from dynaguard.settings.table import SETTING_BY_ENV
from tests.propagation.carried_work import scope_here, scope_of_task, stamped_header

METHODS = [
    method
    for method in ("fork", "spawn", "forkserver")
    if method in multiprocessing.get_all_start_methods()
]


@pytest.fixture
def scope() -> Iterator[Scope]:
    """The test runs in a scope of every sort."""
    with (
        dynaguard.correlation("INC-4711"),
        dynaguard.job("nightly", run_id="7", stage="load", deadline_s=600),
        dynaguard.acting_as("bot", groups=["agents"]) as entered,
    ):
        yield entered


# --- in this process ----------------------------------------------------------------------------


def test_a_thread_does_not_inherit_and_is_carried_into(scope: Scope) -> None:
    """`submit`, `map` and a bare thread."""
    seen: list[Scope] = []
    with ThreadPoolExecutor(1) as pool:
        bare = pool.submit(scope_here).result()
        submitted = pool.submit(dynaguard.carry(scope_here)).result()
        mapped = list(pool.map(dynaguard.carry(scope_here), range(2)))
        after = pool.submit(scope_here).result()
    thread = threading.Thread(target=dynaguard.carry(lambda: seen.append(current_scope())))
    thread.start()
    thread.join()

    assert bare == after == EMPTY_SCOPE
    assert [submitted, *mapped, *seen] == [scope] * 4


def test_an_initializer_can_be_carried(scope: Scope) -> None:
    """It runs in the scope; the tasks after it do not."""
    seen: list[Scope] = []
    initializer = dynaguard.carry(lambda: seen.append(current_scope()))

    with ThreadPoolExecutor(1, initializer=initializer) as pool:
        assert pool.submit(scope_here).result() == EMPTY_SCOPE

    assert seen == [scope]


def test_tasks_inherit_and_other_loops_are_carried_into(scope: Scope) -> None:
    """Tasks and `to_thread` by themselves; `run_in_executor` and other threads' loops by carry."""

    async def all_ways() -> list[Scope]:
        loop = asyncio.get_running_loop()
        return [
            await asyncio.create_task(scope_of_task()),
            await asyncio.to_thread(scope_here),
            await loop.run_in_executor(None, dynaguard.carry(scope_here)),
            await dynaguard.carry(scope_of_task)(),
        ]

    inherited = asyncio.run(all_ways())
    carried = dynaguard.carry(scope_of_task)
    with ThreadPoolExecutor(1) as pool:
        elsewhere = pool.submit(lambda: asyncio.run(carried())).result()

    assert [*inherited, elsewhere] == [scope] * 5


def test_arguments_results_and_errors_pass() -> None:
    """Carrying changes the scope, nothing else."""

    def divide(first: float, *, by: float) -> float:
        return first / by

    carried = dynaguard.carry(divide)

    assert carried(3.0, by=2.0) == 1.5
    with pytest.raises(ZeroDivisionError):
        carried(1.0, by=0.0)
    assert dynaguard.carry(functools.partial(divide, by=4.0))(2.0) == 0.5
    assert dynaguard.carry("a".upper)() == "A"


def test_the_scope_is_the_one_of_the_carrying(scope: Scope) -> None:
    """Not of the call, wherever that is made."""
    carried = dynaguard.carry(scope_here)

    with dynaguard.job("other"):
        assert carried() == scope
        assert current_scope().job == "other"


def test_the_trace_goes_along_as_correlation_id() -> None:
    """Threads have no current span; their calls have its trace's id all the same."""
    set_process_scope(EMPTY_SCOPE, trace_finder({}))
    context = trace.SpanContext(0xABC, 0xDEF, is_remote=True)
    token = otel_context.attach(trace.set_span_in_context(trace.NonRecordingSpan(context)))
    try:
        carried, variables = dynaguard.carry(scope_here), dynaguard.scope_environ()
    finally:
        otel_context.detach(token)

    assert carried().correlation_id == f"{0xABC:032x}"
    assert variables == {
        "DYNAGUARD_CORRELATION_ID": f"{0xABC:032x}",
        "DYNAGUARD_PRIORITY": "interactive",
        "TRACEPARENT": f"00-{0xABC:032x}-{0xDEF:016x}-00",
    }
    assert dynaguard.carry(scope_here)().correlation_id is None


@pytest.mark.parametrize("wrong", [None, "work", 1])
def test_what_is_no_function_is_refused(wrong: Any) -> None:
    """`carry(work())` in place of `carry(work)` is the likely mistake."""
    with pytest.raises(ConfigurationError, match="takes a function"):
        dynaguard.carry(wrong)


def test_generators_are_refused() -> None:
    """Their bodies run after the call."""

    def numbers() -> Iterator[int]:
        yield 1

    with pytest.raises(ConfigurationError, match="`numbers` is a generator function"):
        dynaguard.carry(numbers)


def test_a_carried_function_pickles(scope: Scope) -> None:
    """As the function does; the deadline too, since the clock is the machine's."""
    carried = pickle.loads(pickle.dumps(dynaguard.carry(scope_here)))

    with dynaguard.job("other"):
        assert carried() == scope


# --- in other processes -------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_worker_processes_are_carried_into(scope: Scope, method: str) -> None:
    """However they start; the worker installs dynaguard itself, and its calls bear the id."""
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        found = list(pool.map(dynaguard.carry(scope_here), [0]))
        header = pool.submit(dynaguard.carry(stamped_header)).result()

    assert found == [scope]
    assert header == "INC-4711"


@pytest.mark.parametrize("method", METHODS)
def test_a_process_of_its_own_is_carried_into(scope: Scope, method: str) -> None:
    """`multiprocessing.Pool`, whose workers start with the pool."""
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(dynaguard.carry(scope_here)) == scope


def test_a_subprocess_reads_the_scope_from_its_environment(scope: Scope) -> None:
    """`dynaguard.install()` there makes it the process's own."""
    code = (
        "import dataclasses, dynaguard, json; from dynaguard.scope import current_scope; "
        "dynaguard.install(); print(json.dumps({name: value for name, value in "
        "dataclasses.asdict(current_scope()).items() if name != 'acting_groups'}))"
    )

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=os.environ | dynaguard.scope_environ(),
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout) == {
        "correlation_id": "INC-4711",
        "job": "nightly",
        "run_id": "7",
        "stage": "load",
        "runbook": None,
        "priority": "batch",
        "deadline_monotonic_s": None,
        "acting_name": "bot",
        "acting_kind": "agent",
        "task": None,
        "boundaries": [],
    }


def test_every_variable_is_one_that_settings_read(scope: Scope) -> None:
    """None is unknown, none is malformed, and they give the scope back."""
    variables = dynaguard.scope_environ()

    settings = resolve_settings({}, variables).settings

    assert set(variables) <= set(SETTING_BY_ENV)
    assert (settings.correlation_id, settings.job, settings.run_id, settings.stage) == (
        scope.correlation_id,
        scope.job,
        scope.run_id,
        scope.stage,
    )


def test_a_name_of_spaces_stays_behind() -> None:
    """A variable of white space alone would keep the subprocess from starting."""
    with dynaguard.job(" "):
        assert "DYNAGUARD_JOB" not in dynaguard.scope_environ()
