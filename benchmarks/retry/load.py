"""The processes that make the load: batch jobs in a closed loop, a service in an open loop.

Each runs in a process of its own with one client. It says `ready` over its pipe, is told the
instant of the start (`time.monotonic()` is one clock for all processes), and sends its result.
Whatever a policy does, a process reports by its time limit: threads still in a call are left.
"""

from __future__ import annotations

import itertools
import queue
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Final

from benchmarks.retry.policies import batch_scope, isolate, make_client

READY: Final = "ready"
DRAIN_S: Final = 8.0
_START_LIMIT_S: Final = 60.0
_PAUSE_AFTER_ERROR_S: Final = 0.1
_PAUSE_WITHOUT_WORK_S: Final = 0.02
_VALUE: Final = {"S": "x" * 64}


@dataclass(frozen=True, slots=True)
class BatchLoad:
    """One process of the job.

    Attributes:
        policy, endpoint, role: Of its client.
        table: Where it writes.
        index, processes: Which process it is, of how many.
        items: Of the whole job; None: without end.
        partitions: Partition keys that the items are spread over; None: one each.
        batch_size: Items of a request; 1: PutItem.
        threads: Workers.
        limit_s: When it ends at the latest, in seconds after the start.
    """

    policy: str
    endpoint: str
    role: str
    table: str
    index: int
    processes: int
    items: int | None
    partitions: int | None
    batch_size: int
    threads: int
    limit_s: float

    def indices(self) -> Iterator[int]:
        """The items that are this process's."""
        if self.items is None:
            return itertools.count(self.index, self.processes)
        return iter(range(self.index, self.items, self.processes))


@dataclass(frozen=True, slots=True)
class ServiceLoad:
    """An open loop of single writes.

    Attributes:
        policy, endpoint, role: Of its client.
        table: Where it writes.
        per_s: Arrivals, Poisson.
        threads: How many calls can be under way.
        limit_s: When arrivals end at the latest, in seconds after the start.
        seed: Of the arrivals.
    """

    policy: str
    endpoint: str
    role: str
    table: str
    per_s: float
    threads: int
    limit_s: float
    seed: int


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a process of the job saw.

    Attributes:
        role: Its role.
        acknowledged: Items whose write succeeded.
        surfaced: Errors that reached the job, by name.
        leftover_calls: Successful BatchWriteItem calls that left items unprocessed.
        done_s: When the last of its items was accepted; None: it did not finish.
    """

    role: str
    acknowledged: frozenset[int]
    surfaced: dict[str, int]
    leftover_calls: int
    done_s: float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """One arrival of an open loop.

    Attributes:
        at_s: When it was scheduled, in seconds after the start.
        latency_s: From then to its answer; to the end of the run where none came.
        outcome: `ok`, `unfinished` or an error's name.
    """

    at_s: float
    latency_s: float
    outcome: str


def item_key(index: int, partitions: int | None) -> tuple[str, str]:
    """Partition and sort key of a job's item."""
    return f"k{index if partitions is None else index % partitions}", str(index)


def run_batch(load: BatchLoad, pipe: Connection) -> None:
    """Entry of a batch process."""
    isolate()
    client = make_client(load.policy, load.endpoint, load.role)
    with batch_scope(load.policy):
        _warm(client)
    start_s = _await_start(pipe)
    job = _Job(load, start_s)
    job.start(client)
    job.join()
    pipe.send(job.result())


def run_service(load: ServiceLoad, pipe: Connection) -> None:
    """Entry of the interactive process; anything sent to it ends its arrivals."""
    isolate()
    client = make_client(load.policy, load.endpoint, load.role)
    _warm(client)
    loop = _OpenLoop(load, client, nullcontext)
    pipe.send(loop.run(_await_start(pipe), pipe.poll))


def run_two_tables(hot: BatchLoad, idle: ServiceLoad, pipe: Connection) -> None:
    """Entry of a process whose one client writes a closed loop to one table, an open to another.

    Both belong to the job.
    """
    isolate()
    client = make_client(hot.policy, hot.endpoint, hot.role)
    with batch_scope(hot.policy):
        _warm(client)
    loop = _OpenLoop(idle, client, lambda: batch_scope(idle.policy))
    start_s = _await_start(pipe)
    job = _Job(hot, start_s)
    job.start(client)
    samples = loop.run(start_s, lambda: False)
    job.join()
    pipe.send((job.result(), samples))


def _warm(client: Any) -> None:
    """A first call, so that loading models and rules is not measured."""
    client.get_item(TableName="warmup", Key={"pk": {"S": "k"}, "sk": {"S": "0"}})


def _await_start(pipe: Connection) -> float:
    """Reports readiness; waits until the start; gives its instant."""
    pipe.send(READY)
    if not pipe.poll(_START_LIMIT_S):
        raise TimeoutError("the start was never given")
    start_s: float = pipe.recv()
    time.sleep(max(0.0, start_s - time.monotonic()))
    return start_s


def _chunks(indices: Iterable[int], size: int) -> Iterator[tuple[int, ...]]:
    """Pieces of that size; the last may be smaller."""
    iterator = iter(indices)
    while chunk := tuple(itertools.islice(iterator, size)):
        yield chunk


class _Job:
    """A process's part of the job: every item is tried until it is accepted."""

    def __init__(self, load: BatchLoad, start_s: float) -> None:
        self._load, self._start_s = load, start_s
        self._stop_s = start_s + load.limit_s
        self._fresh = _chunks(load.indices(), load.batch_size)
        self._again: deque[tuple[int, ...]] = deque()
        self._total = None if load.items is None else sum(1 for _ in load.indices())
        self._lock = threading.Lock()
        self._acknowledged: set[int] = set()
        self._surfaced: Counter[str] = Counter()
        self._leftover_calls = 0
        self._done_s: float | None = None
        self._threads: list[threading.Thread] = []

    def start(self, client: Any) -> None:
        """Starts its workers."""
        for _ in range(self._load.threads):
            thread = threading.Thread(target=self._work, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def join(self) -> None:
        """Waits for its workers, to the limit and hardly longer."""
        for thread in self._threads:
            thread.join(max(0.0, self._stop_s + 0.2 - time.monotonic()))

    def result(self) -> BatchResult:
        """What it came to."""
        with self._lock:
            return BatchResult(
                self._load.role,
                frozenset(self._acknowledged),
                dict(self._surfaced),
                self._leftover_calls,
                self._done_s,
            )

    def _work(self, client: Any) -> None:
        """One worker: takes items, and gives back what failed."""
        with batch_scope(self._load.policy):
            while not self._is_over():
                chunk = self._take()
                if chunk is None:
                    time.sleep(_PAUSE_WITHOUT_WORK_S)
                    continue
                try:
                    self._write(client, chunk)
                except Exception as error:  # noqa: BLE001 - whatever surfaces is counted by name
                    self._give_back(chunk, error)
                    time.sleep(_PAUSE_AFTER_ERROR_S)

    def _write(self, client: Any, chunk: tuple[int, ...]) -> None:
        """Writes items, by PutItem or by BatchWriteItem."""
        if self._load.batch_size == 1:
            client.put_item(TableName=self._load.table, Item=self._item(chunk[0]))
            self._acknowledge(chunk)
            return
        requests = [{"PutRequest": {"Item": self._item(index)}} for index in chunk]
        waiting = set(chunk)
        while requests and time.monotonic() < self._stop_s:
            answer = client.batch_write_item(RequestItems={self._load.table: requests})
            # At once, and only what is left: what boto3's BatchWriter does.
            requests = answer.get("UnprocessedItems", {}).get(self._load.table, [])
            left = {int(each["PutRequest"]["Item"]["sk"]["S"]) for each in requests}
            self._acknowledge(waiting - left)
            waiting = left
            if left:
                with self._lock:
                    self._leftover_calls += 1

    def _item(self, index: int) -> dict[str, Any]:
        """The item of that number."""
        partition_key, sort_key = item_key(index, self._load.partitions)
        return {"pk": {"S": partition_key}, "sk": {"S": sort_key}, "v": _VALUE}

    def _is_over(self) -> bool:
        """Whether everything is written, or the time is up."""
        return self._done_s is not None or time.monotonic() >= self._stop_s

    def _take(self) -> tuple[int, ...] | None:
        """The next piece of work; None while all of it is in other hands."""
        with self._lock:
            chunk = next(self._fresh, None)
            return chunk or (self._again.popleft() if self._again else None)

    def _acknowledge(self, indices: Iterable[int]) -> None:
        """Notes accepted items."""
        with self._lock:
            self._acknowledged.update(indices)
            if self._done_s is None and len(self._acknowledged) == self._total:
                self._done_s = time.monotonic() - self._start_s

    def _give_back(self, chunk: tuple[int, ...], error: Exception) -> None:
        """Notes an error, and puts back what it left unwritten."""
        with self._lock:
            self._surfaced[name_of(error)] += 1
            left = tuple(index for index in chunk if index not in self._acknowledged)
            if left:
                self._again.append(left)


@dataclass(slots=True)
class _OpenLoop:
    """Arrivals on schedule, whether or not earlier calls are done."""

    load: ServiceLoad
    client: Any
    scope: Callable[[], AbstractContextManager[object]]
    _samples: list[Sample] = field(default_factory=list)
    _pending: dict[int, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _queue: queue.SimpleQueue[tuple[int, float] | None] = field(default_factory=queue.SimpleQueue)

    def run(self, start_s: float, should_stop: Callable[[], bool]) -> list[Sample]:
        """Lets calls arrive until told to stop; gives every arrival."""
        threads = [
            threading.Thread(target=self._serve, args=(start_s,), daemon=True)
            for _ in range(self.load.threads)
        ]
        for thread in threads:
            thread.start()
        self._arrive(start_s, should_stop)
        for _ in threads:
            self._queue.put(None)
        end_s = time.monotonic() + DRAIN_S
        for thread in threads:
            thread.join(max(0.0, end_s - time.monotonic()))
        return self._collect(start_s)

    def _arrive(self, start_s: float, should_stop: Callable[[], bool]) -> None:
        """Schedules the calls."""
        source = random.Random(self.load.seed)
        at_s = start_s
        for number in itertools.count():
            at_s += source.expovariate(self.load.per_s)
            if at_s >= start_s + self.load.limit_s or should_stop():
                return
            time.sleep(max(0.0, at_s - time.monotonic()))
            with self._lock:
                self._pending[number] = at_s
            self._queue.put((number, at_s))

    def _serve(self, start_s: float) -> None:
        """One thread that makes calls."""
        with self.scope():
            while (arrival := self._queue.get()) is not None:
                number, at_s = arrival
                outcome = self._call(number)
                latency_s = time.monotonic() - at_s
                with self._lock:
                    del self._pending[number]
                    self._samples.append(Sample(at_s - start_s, latency_s, outcome))

    def _call(self, number: int) -> str:
        """Makes one call; gives its outcome."""
        item = {"pk": {"S": f"i{number}"}, "sk": {"S": "0"}, "v": _VALUE}
        try:
            self.client.put_item(TableName=self.load.table, Item=item)
        except Exception as error:  # noqa: BLE001 - whatever surfaces is counted by name
            return name_of(error)
        return "ok"

    def _collect(self, start_s: float) -> list[Sample]:
        """Every arrival in order; what has no answer yet has waited until now."""
        now_s = time.monotonic()
        with self._lock:
            unfinished = [
                Sample(at_s - start_s, now_s - at_s, "unfinished")
                for at_s in self._pending.values()
            ]
            return sorted([*self._samples, *unfinished], key=lambda sample: sample.at_s)


def name_of(error: Exception) -> str:
    """The error's code where AWS gave one, the class otherwise."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", type(error).__name__))
    return type(error).__name__
