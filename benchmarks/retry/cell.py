"""One cell: a policy under a scenario, once. Starts the processes, ends them, gathers."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Final, Self

from benchmarks.retry import load
from benchmarks.retry.control import ServerProcess
from benchmarks.retry.load import BatchLoad, BatchResult, Sample, ServiceLoad
from benchmarks.retry.policies import CONNECTIONS
from benchmarks.retry.scenarios import HOT_TABLE, IDLE_TABLE, TABLE, Scenario

SERVICE_ROLE: Final = "INTER"
_context: Final = multiprocessing.get_context("spawn")
_START_LIMIT_S: Final = 60.0
_LEAD_S: Final = 0.3
_GRACE_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Observation:
    """What one run showed.

    Attributes:
        policy: Whose run.
        scenario: Its shape.
        seed: Its seed.
        batches: What the job's processes saw.
        samples: What the service saw, or the idle table's callers.
        stats: The server's counts.
        keys: Keys written, by table.
    """

    policy: str
    scenario: Scenario
    seed: int
    batches: list[BatchResult]
    samples: list[Sample]
    stats: Mapping[str, Any]
    keys: Mapping[str, frozenset[str]]


def run_cell(server: ServerProcess, scenario: Scenario, policy: str, seed: int) -> Observation:
    """Runs a scenario under a policy.

    Raises:
        TimeoutError: A process did not report in time.
    """
    server.reset({})
    if scenario.idle_per_s:
        return _run_two_tables(server, scenario, policy, seed)
    with _Fleet() as fleet:
        batches = [
            fleet.start(load.run_batch, _batch_load(server, scenario, policy, TABLE, index))
            for index in range(scenario.processes)
        ]
        service = fleet.start(
            load.run_service,
            ServiceLoad(
                policy,
                server.endpoint,
                SERVICE_ROLE,
                TABLE,
                scenario.interactive_per_s,
                CONNECTIONS,
                scenario.limit_s,
                seed,
            ),
        )
        fleet.release(server, scenario, seed)
        limit_s = scenario.limit_s + _GRACE_S
        results = [_receive(pipe, limit_s) for pipe in batches]
        if batches:
            with suppress(BrokenPipeError):  # its time was up by itself
                service.send("stop")
        samples = _receive(service, limit_s)
        return Observation(
            policy,
            scenario,
            seed,
            results,
            samples,
            server.stats(),
            {TABLE: server.keys(TABLE)},
        )


def _run_two_tables(
    server: ServerProcess, scenario: Scenario, policy: str, seed: int
) -> Observation:
    """The scenario of one client and two tables."""
    hot = _batch_load(server, scenario, policy, HOT_TABLE, 0)
    idle = ServiceLoad(
        policy,
        server.endpoint,
        hot.role,
        IDLE_TABLE,
        scenario.idle_per_s,
        CONNECTIONS - scenario.threads,
        scenario.limit_s,
        seed,
    )
    with _Fleet() as fleet:
        pipe = fleet.start(load.run_two_tables, hot, idle)
        fleet.release(server, scenario, seed)
        result, samples = _receive(pipe, scenario.limit_s + _GRACE_S)
    keys = {table: server.keys(table) for table in (HOT_TABLE, IDLE_TABLE)}
    return Observation(policy, scenario, seed, [result], samples, server.stats(), keys)


def _batch_load(
    server: ServerProcess, scenario: Scenario, policy: str, table: str, index: int
) -> BatchLoad:
    """What one process of the job does."""
    return BatchLoad(
        policy=policy,
        endpoint=server.endpoint,
        role=f"BATCH{index}",
        table=table,
        index=index,
        processes=scenario.processes,
        items=scenario.items,
        partitions=scenario.partitions,
        batch_size=scenario.batch_size,
        threads=scenario.threads,
        limit_s=scenario.limit_s,
    )


class _Fleet:
    """The processes of a cell; a context manager that leaves none behind."""

    def __init__(self) -> None:
        self._processes: list[Any] = []
        self._pipes: list[Connection] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends every process that is still there."""
        for process in self._processes:
            if exc_type is None:
                process.join(2.0)
            if process.is_alive():
                process.kill()
                process.join()
        for pipe in self._pipes:
            pipe.close()

    def start(self, target: Callable[..., None], *arguments: Any) -> Connection:
        """Starts a process; gives the pipe to it."""
        ours, theirs = _context.Pipe()
        process = _context.Process(target=target, args=(*arguments, theirs), daemon=True)
        process.start()
        theirs.close()
        self._processes.append(process)
        self._pipes.append(ours)
        return ours

    def release(self, server: ServerProcess, scenario: Scenario, seed: int) -> None:
        """Lets all begin at one instant, once all are ready."""
        for pipe in self._pipes:
            assert _receive(pipe, _START_LIMIT_S) == load.READY
        start_s = time.monotonic() + _LEAD_S
        server.reset(scenario.settings(seed, start_s))
        for pipe in self._pipes:
            pipe.send(start_s)


def _receive(pipe: Connection, limit_s: float) -> Any:
    """What a process sends next."""
    if not pipe.poll(limit_s):
        raise TimeoutError(f"a process of the load did not report within {limit_s:g} s")
    return pipe.recv()
