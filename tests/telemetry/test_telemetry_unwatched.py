"""A call that nobody watches leaves nothing behind, and costs next to nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler

from dynaguard.call import Status
from dynaguard.passage import Passage
from dynaguard.recording import Recording
from dynaguard.telemetry import names
from dynaguard.telemetry.describing import Descriptions
from dynaguard.telemetry.telemetry import Telemetry
from tests.audit.audit_cases import CALL, DECISION, OUTCOME, PRINCIPAL
from tests.telemetry.test_telemetry_metrics import points


def telemetry_of(sampler: Sampler, reader: InMemoryMetricReader | None = None) -> Telemetry:
    """Telemetry with a tracer, and with a meter if somebody reads it."""
    meters = MeterProvider([reader], shutdown_on_exit=False) if reader else None
    tracers = TracerProvider(sampler, shutdown_on_exit=False)
    return Telemetry(tracer_provider=tracers, meter_provider=meters)


def leave(telemetry: Telemetry) -> Passage:
    """A call from its start to its end, with neither audit nor books."""
    audit: Any = SimpleNamespace(is_on=False, outcome=lambda *_: None)
    recording = Recording(
        audit,
        telemetry,
        None,
        SimpleNamespace(),  # type: ignore[arg-type]
        mode="enforce",
        monotonic=lambda: 1.0,
        note_failure=lambda: None,
    )
    passage = Passage(CALL, PRINCIPAL, 0.0, decision=DECISION)
    passage.span = telemetry.start(CALL, service_id="DynamoDB")
    recording.leave(passage, Status.OK)
    return passage


def test_a_dropped_span_has_no_outcome_built_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is current during the call, and not afterwards."""
    monkeypatch.setattr(Passage, "outcome", lambda *_: pytest.fail("built"))
    telemetry = telemetry_of(ALWAYS_OFF)

    passage = leave(telemetry)

    assert trace.get_current_span() is trace.INVALID_SPAN
    assert passage.is_recorded
    assert telemetry.failure_count == 0


def test_a_dropped_span_is_current_during_the_call() -> None:
    """Spans below and headers go on with its trace."""
    telemetry = telemetry_of(ALWAYS_OFF)

    span = telemetry.start(CALL, service_id="DynamoDB")
    inside = trace.get_current_span().get_span_context()
    released = [span.release_unwatched() for _ in range(2)]
    span.finish(CALL, PRINCIPAL, DECISION, OUTCOME)

    assert released == [True, True]
    assert inside.is_valid
    assert not inside.trace_flags.sampled
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_a_dropped_span_has_no_attributes_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call counts all the same, where somebody counts."""
    monkeypatch.setattr(Descriptions, "recurring", lambda *_: pytest.fail("built"))
    monkeypatch.setattr(Descriptions, "own", lambda *_: pytest.fail("built"))
    reader = InMemoryMetricReader()
    telemetry = telemetry_of(ALWAYS_OFF, reader)

    leave(telemetry)

    assert telemetry.failure_count == 0
    assert points(reader)[names.DECISIONS_METRIC][0][1] == 1


def test_without_an_sdk_no_outcome_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor anything else."""
    monkeypatch.setattr(Passage, "outcome", lambda *_: pytest.fail("built"))

    assert leave(Telemetry()).is_recorded


def test_a_recording_span_has_its_outcome() -> None:
    """Nobody else asks for it."""
    telemetry = telemetry_of(ALWAYS_ON)
    ended: list[Any] = []
    telemetry._tracer.span_processor.on_end = ended.append  # type: ignore[attr-defined]

    leave(telemetry)

    assert [span.attributes[names.STATUS] for span in ended] == ["ok"]
