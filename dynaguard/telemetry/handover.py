"""Measurements on their way to the SDK: those of several calls are handed over at once.

A measurement costs an SDK 6 microseconds in a loop and twice that between two calls, whose code
has taken its place in the processor's caches; and counts of one series can be told as one. So the
measurements of calls like others before wait here until a reader collects, or enough are there.
Both together take three quarters off what metrics cost (`benchmarks/span_cost.py`).

Nothing is late for a reader: it is told before it collects, by the callback of an observable
instrument, which is how the specification has values asked for. A provider that never calls it,
such as a bridge to another system, is told at once. Each value keeps the context that it was
measured in, for exemplars.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakKeyDictionary

from opentelemetry import trace
from opentelemetry.context import Context

from dynaguard.forks import renew_after_fork
from dynaguard.telemetry.series import Series

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

MAX_WAITING_CALLS: Final = 64
"""Most calls whose measurements wait."""

MAX_OBSERVE_WAIT_S: Final = 0.25
"""How long a reader waits for threads that are giving. They tell 64 calls in about 0.001 s."""

NO_TRACE: Final = trace.set_span_in_context(trace.INVALID_SPAN, Context())
"""A context without a trace. An empty one would not do: the SDK takes it for none given."""

Counts = tuple[tuple["Series", int], ...]
NoteFailure = Callable[[Exception], None]


class Measured(NamedTuple):
    """The measurements of one call.

    Attributes:
        counts: What it adds to counters; the same object for calls that count the same.
        timed: The series of its duration, or None.
        elapsed_s: The duration.
        context: What it ran in.
        note_failure: Is told of what an instrument raises.
    """

    counts: Counts
    timed: Series | None
    elapsed_s: float
    context: Context
    note_failure: NoteFailure


class Reader:
    """The readers of one meter provider, as far as the handover knows them.

    Args:
        handover: What gives when they ask.

    Attributes:
        has_asked: Whether one has ever asked. Until then nothing should wait for it.
    """

    __slots__ = ("_handover", "has_asked")

    def __init__(self, handover: Handover) -> None:
        self._handover = handover
        self.has_asked = False

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        """What a reader calls before it collects: gives, and observes nothing itself."""
        self.has_asked = True
        self._handover.give()
        self._handover.await_givers()
        return ()


class Handover:
    """What waits. Thread-safe.

    Whoever puts or gives waits for nobody: a signal's handler may make calls too.

    Args:
        max_waiting_calls: How many calls may wait.
    """

    __slots__ = (
        "__weakref__",
        "_giving",
        "_global_reader",
        "_max_waiting_calls",
        "_readers",
        "_waiting",
    )

    def __init__(self, max_waiting_calls: int = MAX_WAITING_CALLS) -> None:
        self._max_waiting_calls = max_waiting_calls
        self._waiting: deque[Measured] = deque()
        # The locks of threads that are giving, each held by its thread, which may take it again.
        self._giving: dict[threading.RLock, None] = {}
        self._global_reader = Reader(self)
        self._readers: WeakKeyDictionary[MeterProvider, Reader] = WeakKeyDictionary()
        renew_after_fork(self)

    def reader_of(self, meter_provider: MeterProvider | None) -> Reader:
        """The readers of a provider; None: of the global one.

        The same for every guard of that provider: an SDK takes the callback of the first alone.
        """
        if meter_provider is None:
            return self._global_reader
        try:
            return self._readers.setdefault(meter_provider, Reader(self))
        except TypeError:  # it has no weak references, or no hash
            return Reader(self)

    def put(self, measured: Measured) -> None:
        """Takes the measurements of one call.

        Cost: one append; every `max_waiting_calls` calls all are given.
        """
        self._waiting.append(measured)
        if len(self._waiting) >= self._max_waiting_calls:
            self.give()

    def give(self) -> None:
        """Hands over what waits. Who reads meanwhile can wait for it.

        INVARIANT: whatever was taken out and is not told yet has its lock in `_giving`.
        """
        lock = threading.RLock()
        with lock:
            try:
                self._giving[lock] = None
                self._give()
            finally:
                self._giving.pop(lock, None)  # a forked child has forgotten it

    def _give(self) -> None:
        """Hands over what waits.

        Of a counter's series the last value goes by itself, in its own context, and the rest as
        one sum: an exemplar tells what one call counted, and which.
        """
        waiting = self._waiting
        calls: dict[int, int] = {}  # how many counted the same, by its address
        lasts: dict[int, Measured] = {}  # keeps these addresses taken
        while waiting:
            try:
                measured = waiting.popleft()
            except IndexError:  # another thread was faster
                break
            same = id(measured.counts)
            calls[same] = calls.get(same, 0) + 1
            lasts[same] = measured
            if measured.timed is not None:
                _tell(measured.timed, measured.elapsed_s, measured.context, measured.note_failure)
        for same, last in lasts.items():
            others = calls[same] - 1
            for series, value in last.counts:
                _tell(series, value, last.context, last.note_failure)
                if others:
                    _tell(series, value * others, NO_TRACE, last.note_failure)

    def await_givers(self) -> None:
        """Waits for other threads to tell what they took out, `MAX_OBSERVE_WAIT_S` at most.

        No longer: such a thread may itself be waiting for the one that reads.
        """
        deadline_s = time.monotonic() + MAX_OBSERVE_WAIT_S
        for lock in tuple(self._giving):
            if lock.acquire(timeout=max(0.0, deadline_s - time.monotonic())):
                lock.release()

    def renew(self) -> None:
        """In a forked child: what waits is the parent's to give, and so is what it is giving."""
        self._waiting.clear()
        self._giving = {}


def tell_now(measured: Measured) -> None:
    """Hands over the measurements of one call at once; one that fails leaves the others alone."""
    context, note_failure = measured.context, measured.note_failure
    for series, value in measured.counts:
        _tell(series, value, context, note_failure)
    if measured.timed is not None:
        _tell(measured.timed, measured.elapsed_s, context, note_failure)


def _tell(series: Series, value: float, context: Context, note_failure: NoteFailure) -> None:
    try:
        series.tell(value, context or NO_TRACE)
    except Exception as err:  # noqa: BLE001 - observation never breaks a call
        note_failure(err)


HANDOVER: Final = Handover()
"""Of this process, as meters are: an SDK takes a callback of one name only once, so that it serves
every guard."""
