"""Measurements that wait are neither late, nor lost, nor told of another call."""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from dynaguard.telemetry import names
from dynaguard.telemetry.handover import (
    HANDOVER,
    MAX_WAITING_CALLS,
    NO_TRACE,
    Handover,
    Measured,
    tell_now,
)
from dynaguard.telemetry.series import _TAKES_CONTEXT, Series
from dynaguard.telemetry.telemetry import Telemetry
from tests.audit.audit_cases import CALL, DECISION, OUTCOME, PRINCIPAL
from tests.telemetry.test_telemetry_metrics import points, run

PLAIN: Any = {"throttles": 0, "wait_s": 0.0, "attempts": 1}
needs_exemplars = pytest.mark.skipif(not _TAKES_CONTEXT, reason="the API has no exemplars yet")


class Instrument:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[float, Context | None]] = []
        self.count = Series(self.take, {"a": 1}, is_summed=True)
        self.time = Series(self.take, {"a": 1}, is_summed=False)

    def take(self, value: float, _: Any, context: Context | None = None) -> None:
        self.told.append((value, context))

    def sum(self) -> float:
        return sum(value for value, _ in self.told)


def measured(
    *counts: tuple[Series, int],
    timed: tuple[Series, float] | None = None,
    context: Context = NO_TRACE,
    failures: list[Exception] | None = None,
) -> Measured:
    """The measurements of one call."""
    series, elapsed_s = timed or (None, 0.0)
    note_failure = (failures if failures is not None else []).append
    return Measured(counts, series, elapsed_s, context, note_failure)


def traced(number: int) -> Context:
    """A context of the trace of that number."""
    inside = trace.SpanContext(number, number, is_remote=False, trace_flags=trace.TraceFlags(1))
    return trace.set_span_in_context(trace.NonRecordingSpan(inside), Context())


def asked(reader: InMemoryMetricReader) -> Telemetry:
    """Telemetry whose reader has collected, so that measurements wait for it."""
    telemetry = Telemetry(meter_provider=MeterProvider([reader], shutdown_on_exit=False))
    reader.collect()
    return telemetry


def test_what_waits_is_given_when_a_reader_collects() -> None:
    """However few calls there were; and once."""
    reader = InMemoryMetricReader()
    telemetry = Telemetry(meter_provider=MeterProvider([reader], shutdown_on_exit=False))

    for expected in (3, 6):
        for _ in range(3):
            run(telemetry, **PLAIN)

        found = points(reader)
        assert [count for _, count in found[names.DECISIONS_METRIC]] == [expected]
        assert [count for _, count in found[names.MASKED_VALUES_METRIC]] == [
            2 * expected,
            expected,
        ]
        (((_, (count, total)),)) = found[names.DB_CLIENT_OPERATION_DURATION]
        assert (count, total) == (expected, pytest.approx(expected * OUTCOME.elapsed_s))


def test_readers_and_guards_of_one_provider_see_the_same() -> None:
    """The SDK takes the callback of the first guard alone."""
    readers = [InMemoryMetricReader(), InMemoryMetricReader()]
    provider = MeterProvider(readers, shutdown_on_exit=False)
    guards = [Telemetry(meter_provider=provider) for _ in range(2)]
    readers[0].collect()
    for telemetry in guards:
        for _ in range(4):
            run(telemetry, **PLAIN)

    counts = [points(reader)[names.DECISIONS_METRIC][0][1] for reader in readers]

    assert counts == [8, 8]


def test_what_a_guard_left_behind_is_given() -> None:
    """It was uninstalled, and the reader comes later."""
    reader = InMemoryMetricReader()
    telemetry = asked(reader)
    for _ in range(4):
        run(telemetry, **PLAIN)

    del telemetry

    assert points(reader)[names.DECISIONS_METRIC][0][1] == 4


def test_a_new_series_is_told_at_once() -> None:
    """Its reader takes it to begin with its first value."""
    instrument = Instrument()
    telemetry = asked(InMemoryMetricReader())
    telemetry.metrics._decisions._bounds._instrument = instrument
    instrument.add = instrument.take  # type: ignore[attr-defined]

    run(telemetry, **PLAIN)
    after_first = instrument.sum()
    run(telemetry, **PLAIN)

    assert (after_first, instrument.sum()) == (1, 1)
    HANDOVER.give()
    assert instrument.sum() == 2


def test_no_more_wait_than_may() -> None:
    """Without a reader too."""
    handover, instrument = Handover(), Instrument()

    for _ in range(3 * MAX_WAITING_CALLS - 1):
        handover.put(measured((instrument.count, 1)))

    assert instrument.sum() == 2 * MAX_WAITING_CALLS
    assert len(handover._waiting) == MAX_WAITING_CALLS - 1


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 5), st.integers(0, 3)), max_size=60),
    st.integers(1, 20),
)
def test_sums_and_values_are_those_of_telling_each(
    calls: list[tuple[int, int, int]], max_waiting: int
) -> None:
    """Whatever came between, and however often it was given."""
    handover = Handover(max_waiting)
    instruments = [Instrument() for _ in range(3)]
    durations = Instrument()
    remembered = [((each.count, 2),) for each in instruments]

    for which, value, kind in calls:
        counts = remembered[which] if kind else ((instruments[which].count, value),)
        timed = (durations.time, float(value)) if kind > 1 else None
        handover.put(measured(*counts, timed=timed)._replace(counts=counts))
    handover.give()

    for index, instrument in enumerate(instruments):
        told = [2 if kind else value for which, value, kind in calls if which == index]
        assert instrument.sum() == sum(told)
    assert [value for value, _ in durations.told] == [
        float(value) for _, value, kind in calls if kind > 1
    ]


def test_each_duration_has_its_own_context_and_a_count_that_of_the_last() -> None:
    """A sum of others is of no trace, and of no single call."""
    handover, counted, timed = Handover(), Instrument(), Instrument()
    counts = ((counted.count, 3),)
    contexts = [traced(number) for number in (1, 2, 3)]

    for context in contexts:
        one = measured(timed=(timed.time, 0.5), context=context)
        handover.put(one._replace(counts=counts))
    handover.give()

    if _TAKES_CONTEXT:
        assert timed.told == [(0.5, context) for context in contexts]
        assert counted.told == [(3, contexts[2]), (6, NO_TRACE)]


@needs_exemplars
def test_exemplars_lead_to_the_calls_that_were_measured() -> None:
    """Their values too."""
    reader = InMemoryMetricReader()
    tracing = TracerProvider(shutdown_on_exit=False)
    metering = MeterProvider([reader], shutdown_on_exit=False)
    telemetry = Telemetry(tracer_provider=tracing, meter_provider=metering)
    reader.collect()
    elapsed_by_trace = {}
    for elapsed_s in (0.002, 0.02, 0.2, 2.0):
        span = telemetry.start(CALL, service_id="DynamoDB")
        elapsed_by_trace[trace.get_current_span().get_span_context().trace_id] = elapsed_s
        span.finish(CALL, PRINCIPAL, DECISION, OUTCOME._replace(elapsed_s=elapsed_s, **PLAIN))

    exemplars = exemplars_of(reader)

    durations = exemplars[names.DB_CLIENT_OPERATION_DURATION]
    assert {each.trace_id: each.value for each in durations} == elapsed_by_trace
    decisions = exemplars[names.DECISIONS_METRIC]
    assert decisions
    assert all(each.value == 1 and each.trace_id in elapsed_by_trace for each in decisions)


@needs_exemplars
def test_a_call_without_a_trace_takes_no_other_s() -> None:
    """It waited, and was given within somebody's trace."""
    reader = InMemoryMetricReader()
    telemetry = asked(reader)
    for _ in range(3):
        run(telemetry, **PLAIN)

    token = otel_context.attach(traced(7))
    HANDOVER.give()
    exemplars = exemplars_of(reader)
    otel_context.detach(token)

    assert not any(exemplars.values())


def exemplars_of(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    """The exemplars by metric."""
    data: Any = reader.get_metrics_data()
    return {
        metric.name: [each for point in metric.data.data_points for each in point.exemplars]
        for scope in data.resource_metrics[0].scope_metrics
        for metric in scope.metrics
    }


def test_an_instrument_that_raises_leaves_the_others_alone() -> None:
    """And the guard whose call it was is told."""
    handover, instrument, failures = Handover(), Instrument(), []  # type: ignore[var-annotated]

    def refuse(*_: object) -> None:
        raise RuntimeError

    broken = Series(refuse, {}, is_summed=True)
    one = measured(
        (broken, 1), (instrument.count, 1), timed=(instrument.time, 5.0), failures=failures
    )

    handover.put(one)
    handover.give()
    tell_now(one)

    assert instrument.sum() == 12
    assert [type(each) for each in failures] == [RuntimeError, RuntimeError]


def test_a_forked_child_does_not_give_what_its_parent_will() -> None:
    """What waits at the fork is the parent's."""
    handover, instrument = Handover(), Instrument()
    handover.put(measured((instrument.count, 1)))

    handover.renew()
    handover.give()

    assert instrument.told == []


def test_nothing_is_lost_between_threads() -> None:
    """Some put while others give."""
    handover, instrument = Handover(7), Instrument()
    counts = ((instrument.count, 1),)
    one = measured()._replace(counts=counts)

    def put() -> None:
        for _ in range(2000):
            handover.put(one)

    threads = [threading.Thread(target=put) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    handover.give()

    assert instrument.sum() == 12_000


def test_what_waits_keeps_no_parameters_alive() -> None:
    """They may be large, and hold item values."""

    class Params(dict[str, Any]):
        """One that can be watched."""

    telemetry = asked(InMemoryMetricReader())
    for _ in range(2):
        params = Params(CALL.params)
        watched = weakref.ref(params)
        decision = DECISION._replace(
            authorizations=tuple(need._replace(member=params) for need in DECISION.authorizations)
        )
        run(telemetry, CALL._replace(params=params), decision, **PLAIN)
    del params, decision

    assert HANDOVER._waiting
    assert watched() is None


def test_calls_of_one_kind_with_other_masks_are_told_apart() -> None:
    """Counts of one call do not stand for the next."""
    reader = InMemoryMetricReader()
    telemetry = asked(reader)
    one, _ = OUTCOME.masked
    expected: Counter[str] = Counter()

    for number in (1, 5, 5, 2, 1):
        run(telemetry, **PLAIN, masked=(one._replace(value_count=number),))
        expected[one.attribute] += number
    run(telemetry, **PLAIN, masked=())

    ((attributes, count),) = points(reader)[names.MASKED_VALUES_METRIC]
    assert (attributes[names.MASKED_ATTRIBUTE], count) == (one.attribute, expected[one.attribute])
    assert points(reader)[names.DECISIONS_METRIC][0][1] == 6


def test_tables_verdicts_and_identities_are_told_apart() -> None:
    """Each in its own series, though they wait together."""
    reader = InMemoryMetricReader()
    telemetry = asked(reader)
    expected: Counter[tuple[str, str]] = Counter()

    for number in range(40):
        operation = ("GetItem", "Query")[number % 2]
        endpoint = ("https://a.example", "https://b.example")[number % 3 % 2]
        call = CALL._replace(operation=operation, endpoint_url=endpoint)
        run(telemetry, call, **PLAIN)
        expected[operation, endpoint[8:]] += 1

    found = {
        (each["db.operation.name"], each["server.address"]): count
        for each, (count, _) in points(reader)[names.DB_CLIENT_OPERATION_DURATION]
    }
    assert found == expected
