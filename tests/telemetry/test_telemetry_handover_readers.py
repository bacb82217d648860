"""Measurements wait for readers that ask, and for nobody else."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from dynaguard.telemetry import handover as module
from dynaguard.telemetry import names
from dynaguard.telemetry.describing import Part
from dynaguard.telemetry.handover import Handover
from dynaguard.telemetry.series import Series
from dynaguard.telemetry.telemetry import Telemetry
from tests.audit.audit_cases import CALL, DECISION, OUTCOME, PRINCIPAL
from tests.telemetry.test_telemetry_handover import PLAIN, Instrument, measured
from tests.telemetry.test_telemetry_metrics import points, run


class Bridge(metrics.NoOpMeterProvider):
    """A provider of the API alone: it takes what is counted, and never asks for anything."""

    def __init__(self) -> None:
        self.decisions = 0

    def get_meter(self, *_: Any, **__: Any) -> metrics.Meter:
        bridge = self

        class Taking(metrics.NoOpCounter):
            def add(self, amount: float, *_: Any, **__: Any) -> None:
                bridge.decisions += int(amount)

        class BridgeMeter(metrics.NoOpMeter):
            def create_counter(
                self, name: str, unit: str = "", description: str = ""
            ) -> metrics.Counter:
                if name == names.DECISIONS_METRIC:
                    return Taking(name, unit, description)
                return super().create_counter(name, unit, description)

        return BridgeMeter("bridge")


def asked_provider() -> tuple[MeterProvider, InMemoryMetricReader, Telemetry]:
    """A provider whose reader has collected once since a guard was built."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    telemetry = Telemetry(meter_provider=provider)
    reader.collect()
    return provider, reader, telemetry


def test_a_provider_that_never_asks_is_told_at_once() -> None:
    """Such as a bridge to another system."""
    bridge = Bridge()
    telemetry = Telemetry(meter_provider=bridge)

    for _ in range(30):
        run(telemetry, **PLAIN)

    assert bridge.decisions == 30


def test_one_provider_that_asks_makes_no_other_wait() -> None:
    """Each has readers of its own, or none."""
    asked_provider()
    bridge = Bridge()
    telemetry = Telemetry(meter_provider=bridge)

    for _ in range(3):
        run(telemetry, **PLAIN)

    assert bridge.decisions == 3


def test_what_is_told_before_a_reader_asks_is_counted_once() -> None:
    """And so is what comes after."""
    reader = InMemoryMetricReader()
    telemetry = Telemetry(meter_provider=MeterProvider([reader], shutdown_on_exit=False))

    for expected in (5, 10, 15):
        for _ in range(5):
            run(telemetry, **PLAIN)

        assert points(reader)[names.DECISIONS_METRIC][0][1] == expected


def test_measurements_wait_once_a_reader_has_asked() -> None:
    """Of a second guard too, whose callback the SDK does not take."""
    provider, reader, first = asked_provider()
    second = Telemetry(meter_provider=provider)
    handed = []
    for telemetry in (first, second):
        run(telemetry, **PLAIN)
        before = len(module.HANDOVER._waiting)
        run(telemetry, **PLAIN)
        handed.append(len(module.HANDOVER._waiting) - before)

    assert handed == [1, 1]
    assert points(reader)[names.DECISIONS_METRIC][0][1] == 4


def test_a_provider_that_cannot_be_remembered_counts_all_the_same() -> None:
    """It has no weak references; its calls never wait."""

    class Slotted:
        __slots__ = ("get_meter",)

    provider: Any = Slotted()
    bridge = Bridge()
    provider.get_meter = bridge.get_meter
    telemetry = Telemetry(meter_provider=provider)

    for _ in range(3):
        run(telemetry, **PLAIN)

    assert bridge.decisions == 3


def test_the_end_of_a_guard_gives_what_waits() -> None:
    """And lets go of the contexts that its calls ran in."""

    class Request:
        """What an application keeps in a context."""

    provider, _, telemetry = asked_provider()
    watched = []
    for _ in range(10):
        request = Request()
        watched.append(weakref.ref(request))
        token = otel_context.attach(otel_context.set_value("request", request))
        run(telemetry, **PLAIN)
        otel_context.detach(token)
    del request, token
    gc.collect()
    assert any(each() for each in watched)

    telemetry.end()

    gc.collect()
    assert not any(each() for each in watched)
    assert provider is not None


def test_calls_that_outlive_their_guard_do_not_wait() -> None:
    """They were under way when it was uninstalled."""
    _, _, telemetry = asked_provider()
    run(telemetry, **PLAIN)
    telemetry.end()
    before = len(module.HANDOVER._waiting)

    run(telemetry, **PLAIN)

    assert len(module.HANDOVER._waiting) == before


class Slow:
    """An instrument in the midst of being told by another thread."""

    def __init__(self) -> None:
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.sum = 0.0
        self.series = Series(self.take, {}, is_summed=True)

    def take(self, value: float, *_: Any) -> None:
        if not self.entered.is_set():
            self.entered.set()
            self.go_on.wait(10.0)
        self.sum += value


@pytest.fixture
def slow() -> Any:
    """An instrument, and a thread that gives it four calls."""
    instrument, handover = Slow(), Handover()
    counts = ((instrument.series, 1),)
    for _ in range(4):
        handover.put(measured()._replace(counts=counts))
    thread = threading.Thread(target=handover.give)
    thread.start()
    assert instrument.entered.wait(10.0)
    yield instrument, handover
    instrument.go_on.set()
    thread.join()


def test_a_reader_waits_for_a_thread_that_is_giving(
    slow: tuple[Slow, Handover], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What that took out is told before the reader collects."""
    instrument, handover = slow
    monkeypatch.setattr(module, "MAX_OBSERVE_WAIT_S", 10.0)
    threading.Timer(0.01, instrument.go_on.set).start()

    handover.reader_of(None).observe(metrics.CallbackOptions())

    assert instrument.sum == 4


def test_a_reader_does_not_wait_for_ever(
    slow: tuple[Slow, Handover], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other thread may be waiting for the reader's."""
    instrument, handover = slow
    monkeypatch.setattr(module, "MAX_OBSERVE_WAIT_S", 0.01)

    observed = handover.reader_of(None).observe(metrics.CallbackOptions())

    assert (tuple(observed), instrument.sum) == ((), 0)


def test_a_forked_child_waits_for_no_thread_of_its_parent(
    slow: tuple[Slow, Handover],
) -> None:
    """It does not have that thread."""
    _, handover = slow

    handover.renew()

    assert not handover._giving


def test_a_reader_that_is_run_while_its_own_thread_gives_goes_on() -> None:
    """By a signal's handler, or an instrument that collects."""
    handover, instrument = Handover(), Instrument()
    reader = handover.reader_of(None)
    nested = Series(lambda *_: reader.observe(metrics.CallbackOptions()), {}, is_summed=True)
    handover.put(measured((nested, 1), (instrument.count, 1)))

    handover.give()

    assert instrument.sum() == 1
    assert not handover._giving


def test_masks_and_what_they_count_are_not_mixed_up_between_threads() -> None:
    """Another call of the kind, whose masks counted otherwise, comes between any two reads."""
    reader = InMemoryMetricReader()
    telemetry = Telemetry(meter_provider=MeterProvider([reader], shutdown_on_exit=False))
    others: list[Any] = []

    class Shared(Part):
        """A part that another thread uses right after it was read."""

        __slots__ = ()

        @property
        def counted(self) -> Any:
            read = Part.counted.__get__(self)  # type: ignore[attr-defined]
            if others:
                count(others.pop())
            return read

        @counted.setter
        def counted(self, value: Any) -> None:
            Part.counted.__set__(self, value)  # type: ignore[attr-defined]

    part, mask = Shared(is_plain=True, owners=()), OUTCOME.masked[0]

    def count(values: int) -> None:
        masked = (mask._replace(value_count=values),)
        outcome, here = OUTCOME._replace(masked=masked, **PLAIN), otel_context.get_current()
        telemetry.metrics.count(part, CALL, PRINCIPAL, DECISION, outcome, here, is_timed=False)

    count(1)
    others.append(10)
    count(10)

    ((_, total),) = points(reader)[names.MASKED_VALUES_METRIC]
    assert total == 21
