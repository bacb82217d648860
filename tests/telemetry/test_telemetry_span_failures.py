"""Whatever raises in the making of a span breaks no call."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from dynaguard.telemetry.span import CallSpan
from dynaguard.telemetry.telemetry import Telemetry
from tests.audit.audit_cases import CALL, CANARY, DECISION, OUTCOME, PRINCIPAL
from tests.telemetry.span_stage import (
    exporter,
    make_provider,
    nothing_stays_current,
    provider,
    run,
    telemetry,
)

__all__ = [
    "exporter",
    "make_provider",
    "nothing_stays_current",
    "provider",
    "telemetry",
]  # fixtures


class RaisingProcessor(SpanProcessor):
    """Raises, with a secret, where it is told to."""

    def __init__(self, where: str) -> None:
        self.where = where

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        if self.where == "start":
            raise RuntimeError(CANARY)

    def on_end(self, span: ReadableSpan) -> None:
        if self.where == "end":
            raise RuntimeError(CANARY)


class RaisingExporter(SpanExporter):
    """Cannot export."""

    def export(self, spans: Any) -> SpanExportResult:
        raise RuntimeError


class RaisingSpan(trace.NonRecordingSpan):
    """A span of a third-party SDK that raises at everything but `end`."""

    def is_recording(self) -> bool:
        raise RuntimeError(CANARY)


@pytest.mark.parametrize("where", ["start", "end"])
def test_a_raising_span_processor_breaks_no_call(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted, and logged once, without the text of the error."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(RaisingProcessor(where))
    telemetry = Telemetry(tracer_provider=provider)

    run(telemetry)
    run(telemetry)

    assert telemetry.failure_count == 2
    (message,) = caplog.messages
    assert "RuntimeError" in message
    assert CANARY not in message


def test_a_raising_exporter_breaks_no_call(caplog: pytest.LogCaptureFixture) -> None:
    """The SDK itself says so in the log."""
    caplog.set_level(logging.CRITICAL, "opentelemetry")
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(RaisingExporter()))
    telemetry = Telemetry(tracer_provider=provider)

    run(telemetry)

    assert telemetry.failure_count == 0


def test_a_raising_span_breaks_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step on its own: the span is ended whatever went wrong before."""
    context = trace.SpanContext(1, 2, is_remote=False)
    telemetry = Telemetry(tracer_provider=TracerProvider(shutdown_on_exit=False))
    broken = RaisingSpan(context)
    monkeypatch.setattr(telemetry._tracer, "start_span", lambda *_, **__: broken)

    span = telemetry.start(CALL, service_id="DynamoDB")
    span.add_attempt(1, "ThrottlingException", 0.0)
    span.finish(CALL, PRINCIPAL, DECISION, OUTCOME)

    assert telemetry.failure_count == 2
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_a_peers_span_that_raises_breaks_no_call() -> None:
    """When it is told who calls, before the call is sent."""

    class Refusing(trace.NonRecordingSpan):
        def is_recording(self) -> bool:
            return True

        def set_attributes(self, attributes: object) -> None:
            raise RuntimeError(CANARY)

    telemetry = Telemetry()
    span = Refusing(trace.SpanContext(1, 2, is_remote=False))

    CallSpan(telemetry, span).introduce(CALL, PRINCIPAL, DECISION)

    assert telemetry.failure_count == 1


def test_a_raising_event_breaks_no_call(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An SDK's limits, a bug of a peer."""

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError(CANARY)

    span = telemetry.start(CALL, service_id="DynamoDB")
    monkeypatch.setattr(trace.get_current_span(), "add_event", refuse)
    span.add_attempt(1, "ThrottlingException", 0.0)
    span.finish(CALL, PRINCIPAL, DECISION, OUTCOME)

    assert telemetry.failure_count == 1
