"""What the tests of spans share: a provider that exports at once, telemetry with it, a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from dynaguard.telemetry.telemetry import Telemetry
from tests.audit.audit_cases import CALL, DECISION, OUTCOME, PRINCIPAL


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """What was exported."""
    return InMemorySpanExporter()


@pytest.fixture
def make_provider(exporter: InMemorySpanExporter) -> Callable[..., TracerProvider]:
    """Makes a tracer provider that exports at once."""

    def make(sampler: Sampler = ALWAYS_ON) -> TracerProvider:
        provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        return provider

    return make


@pytest.fixture
def provider(make_provider: Callable[..., TracerProvider]) -> TracerProvider:
    """A provider that records everything."""
    return make_provider()


@pytest.fixture
def telemetry(provider: TracerProvider) -> Telemetry:
    """Telemetry with that provider."""
    return Telemetry(tracer_provider=provider)


@pytest.fixture(autouse=True)
def nothing_stays_current() -> Iterator[None]:
    """Each test leaves the context as it was."""
    before = otel_context.get_current()
    yield
    assert otel_context.get_current() == before


def run(telemetry: Telemetry, **values: Any) -> None:
    """One call from start to finish."""
    call = values.get("call", CALL)
    span = telemetry.start(call, service_id=values.get("service_id", "DynamoDB"))
    span.finish(call, PRINCIPAL, values.get("decision", DECISION), values.get("outcome", OUTCOME))
