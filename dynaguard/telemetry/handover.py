"""Measurements on their way to the SDK: those of several calls are handed over at once.

A measurement costs an SDK 6 microseconds in a loop and twice that between two calls, whose code
has taken its place in the processor's caches; and counts of one series can be told as one. So the
measurements of calls like others before wait here until a reader collects, or enough are there.
Both together take three quarters off what metrics cost (`benchmarks/span_cost.py`).

Nothing is late for a reader: it is told before it collects, by the callback of an observable
instrument, which is how the specification has values asked for. Each value keeps the context that
it was measured in, for exemplars.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from opentelemetry import trace
from opentelemetry.context import Context

from dynaguard.forks import renew_after_fork
from dynaguard.telemetry.series import Series

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Observation

MAX_WAITING_CALLS: Final = 64
"""Most calls whose measurements wait."""

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


class Handover:
    """What waits. Thread-safe, without a lock: a signal's handler may make calls too.

    Args:
        max_waiting_calls: How many calls may wait.
    """

    __slots__ = ("__weakref__", "_max_waiting_calls", "_waiting")

    def __init__(self, max_waiting_calls: int = MAX_WAITING_CALLS) -> None:
        self._max_waiting_calls = max_waiting_calls
        self._waiting: deque[Measured] = deque()
        renew_after_fork(self)

    def put(self, measured: Measured) -> None:
        """Takes the measurements of one call.

        Cost: one append; every `max_waiting_calls` calls all are given.
        """
        self._waiting.append(measured)
        if len(self._waiting) >= self._max_waiting_calls:
            self.give()

    def give(self) -> None:
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

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        """What a reader calls before it collects: gives, and observes nothing itself."""
        self.give()
        return ()

    def renew(self) -> None:
        """In a forked child: what waits is the parent's to give."""
        self._waiting.clear()


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
"""Of this process, as meters are: one callback serves every guard, and an SDK takes a callback of
one name only once."""
