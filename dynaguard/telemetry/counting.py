"""Counts the calls of a guard, and measures how long they took.

INVARIANT: what waits to be handed over keeps no call and no parameter alive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from opentelemetry import metrics
from opentelemetry.metrics import Histogram, Meter, MeterProvider

from dynaguard.call import Call, Decision, Outcome, Principal, Status
from dynaguard.telemetry import names
from dynaguard.telemetry.access import AccessMetrics
from dynaguard.telemetry.handover import HANDOVER, Handover, Measured, Reader, tell_now
from dynaguard.telemetry.measures import (
    budget_measure,
    decision_measure,
    duration_measure,
    masked_measure,
    retry_count,
    retry_measure,
)
from dynaguard.telemetry.series import Counted, Observed, Recorded, Series

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from dynaguard.telemetry.describing import Part
    from dynaguard.telemetry.handover import Counts

_SCOPE_NAME: Final = "dynaguard"
_DURATION_BUCKETS_S: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
"""Advice of the conventions for `db.client.operation.duration`."""
_ABSENT: Final = object()
_FAILED: Final = frozenset({Status.ERROR, Status.DENIED})


class CallMetrics:
    """The metrics of one guard's calls. Thread-safe.

    Args:
        meter_provider: Where metrics go; None: the global provider, whenever that is set.
        note_failure: Is told of what an instrument raises.
        handover: Where the measurements of recurring calls wait.

    Attributes:
        access: Metrics of access just in time.
    """

    __slots__ = (
        "_decisions",
        "_duration",
        "_handover",
        "_masked_values",
        "_note_failure",
        "_reader",
        "_refused",
        "_retried",
        "_throttled",
        "_tokens",
        "_waits",
        "access",
    )

    def __init__(
        self,
        meter_provider: MeterProvider | None,
        note_failure: Callable[[Exception], None],
        handover: Handover = HANDOVER,
    ) -> None:
        self._note_failure = note_failure
        self._handover = handover
        self._reader = handover.reader_of(meter_provider)
        meter = metrics.get_meter(_SCOPE_NAME, meter_provider=meter_provider)
        self._decisions = _counter(
            meter, names.DECISIONS_METRIC, "{call}", "Decided calls, by verdict."
        )
        self._throttled = _counter(
            meter, names.THROTTLED_METRIC, "{attempt}", "Attempts that AWS answered by a throttle."
        )
        self._refused = _counter(
            meter, names.REFUSED_METRIC, "{attempt}", "Further attempts that a budget refused."
        )
        self._retried = _counter(
            meter, names.RETRIES_METRIC, "{attempt}", "Attempts that repeated another."
        )
        self._tokens = _tokens_gauge(meter)
        self._waits = Recorded(
            meter.create_histogram(
                names.WAIT_METRIC,
                "s",
                "Waits for a turn and between attempts, of calls that waited.",
            )
        )
        self._masked_values = _counter(
            meter, names.MASKED_VALUES_METRIC, "{value}", "Values masked in answers."
        )
        self._duration = Recorded(_duration_histogram(meter))
        self.access = AccessMetrics(meter)
        meter.create_observable_counter(
            names.HANDOVER_METRIC, [self._reader.observe], "{call}", "Never has a value."
        )

    @property
    def is_taken(self) -> bool:
        """Whether anybody takes what is counted; a proxy without its real instrument does not."""
        return getattr(self._decisions.instrument, "_real_instrument", _ABSENT) is not None

    def count(
        self,
        part: Part,
        call: Call,
        principal: Principal,
        decision: Decision | None,
        outcome: Outcome,
        context: Context,
        *,
        is_timed: bool,
    ) -> None:
        """Counts a call that ended. May raise.

        Args:
            part: What recurs of the call, and remembers its series.
            call: The call.
            principal: Who made it.
            decision: What was decided.
            outcome: How it ended.
            context: What it ran in.
            is_timed: Whether its duration is ours to measure.

        Cost: for a call like the one before an append, and its share of a handover.
        """
        timed: Series | None = None
        if is_timed and call.service == "dynamodb" and outcome.attempts:
            timed = self._timed(part, call, decision, outcome)
        is_new = timed is not None and not timed.is_told
        masks, counted = part.counted  # both by one read: other threads write them
        if masks != outcome.masked:
            counted = self._counted(part, call, principal, decision, outcome)
            is_new = is_new or any(not series.is_told for series, _ in counted)
        measured = Measured(counted, timed, outcome.elapsed_s, context, self._note_failure)
        # For its reader a new series begins now; and one that never asked may never come.
        if is_new or not self._reader.has_asked:
            tell_now(measured)
        else:
            self._handover.put(measured)
        if outcome.throttles or outcome.wait_s or outcome.budget_refusal or outcome.attempts > 1:
            self._count_trouble(call, outcome, principal, decision)
        if decision is not None:
            self.access.count(call, principal, decision)

    def end(self) -> None:
        """Gives what waits. Calls that end later are told at once: nothing is kept for them."""
        self._reader = Reader(self._handover)  # of nobody, so that it is never asked
        self._handover.give()

    def _counted(
        self,
        part: Part,
        call: Call,
        principal: Principal,
        decision: Decision | None,
        outcome: Outcome,
    ) -> Counts:
        """What the decision and what was masked count; the part remembers it."""
        counted: list[tuple[Series, int]] = []
        if decision is not None:
            if part.decided is None:
                measure = decision_measure(call, principal, decision)
                part.decided = self._decisions.series(measure)
            counted.append((part.decided, 1))
        for masked in outcome.masked:
            way = masked[:-1]  # all but the count
            series = part.masked.get(way)
            if series is None:
                measure = masked_measure(call, principal, masked)
                series = part.masked[way] = self._masked_values.series(measure)
            counted.append((series, masked.value_count))
        found = tuple(counted)
        part.counted = (outcome.masked, found)
        return found

    def _timed(
        self, part: Part, call: Call, decision: Decision | None, outcome: Outcome
    ) -> Series:
        """The series of durations; of calls that failed, whose codes differ, it is looked for."""
        if outcome.status in _FAILED:
            return self._duration.series(duration_measure(call, decision, outcome))
        if part.timed is None:
            part.timed = self._duration.series(duration_measure(call, decision, outcome))
        return part.timed

    def _count_trouble(
        self, call: Call, outcome: Outcome, principal: Principal, decision: Decision | None
    ) -> None:
        """Throttles, retries, waits and refusals of one call, and what is left of its budget."""
        measure = retry_measure(call, principal, decision)
        retries = retry_count(call, outcome)
        if retries:
            self._retried.add(retries, measure)
        if outcome.budget is not None and self._tokens is not None:
            self._tokens.set(outcome.budget.tokens_left, budget_measure(outcome.budget))
        if outcome.throttles:
            self._throttled.add(outcome.throttles, measure)
        if outcome.wait_s:
            self._waits.record(outcome.wait_s, measure)
        if outcome.budget_refusal:
            self._refused.add(1, measure)


def _counter(meter: Meter, name: str, unit: str, description: str) -> Counted:
    """A counter whose attribute sets are bounded."""
    return Counted(meter.create_counter(name, unit, description))


def _duration_histogram(meter: Meter) -> Histogram:
    """The histogram of the conventions, with their buckets where the API knows of advice."""
    described = (names.DB_CLIENT_OPERATION_DURATION, "s", "Duration of database operations.")
    try:
        return meter.create_histogram(
            *described, explicit_bucket_boundaries_advisory=_DURATION_BUCKETS_S
        )
    except TypeError:  # opentelemetry-api before 1.30
        return meter.create_histogram(*described)


def _tokens_gauge(meter: Meter) -> Observed | None:
    """The gauge of retry tokens, where the API has gauges (1.23 and later)."""
    if not hasattr(meter, "create_gauge"):
        return None
    gauge = meter.create_gauge(
        names.BUDGET_TOKENS_METRIC, "{token}", "Retry tokens left after a call that had trouble."
    )
    return Observed(gauge)
