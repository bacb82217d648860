"""Collects the spans of the demo's calls in memory, through the OpenTelemetry SDK."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON


@contextlib.contextmanager
def collected_spans() -> Iterator[InMemorySpanExporter]:
    """Collects every span that ends in this process until the block ends.

    Effects: sets the process's tracer provider, if none is set; OpenTelemetry has no way to take
    that back, and a provider without exporters does nothing.
    """
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        resource = Resource({"service.name": "dynaguard-demo"})
        provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
        trace.set_tracer_provider(provider)
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    try:
        yield exporter
    finally:
        exporter.shutdown()


def find_span(exporter: InMemorySpanExporter, value: str) -> ReadableSpan | None:
    """The last span that has an attribute of that value, or None."""
    for span in reversed(exporter.get_finished_spans()):
        if value in (span.attributes or {}).values():
            return span
    return None


def readable_span(span: ReadableSpan) -> dict[str, Any]:
    """A span as plain values; times in milliseconds."""
    context = span.get_span_context()
    start_ns, end_ns = span.start_time or 0, span.end_time or 0
    return {
        "name": span.name,
        "kind": span.kind.name.lower(),
        "trace_id": f"{context.trace_id:032x}" if context else "",
        "span_id": f"{context.span_id:016x}" if context else "",
        "duration_ms": round((end_ns - start_ns) / 1e6, 3),
        "status": span.status.status_code.name.lower(),
        "attributes": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in sorted((span.attributes or {}).items())
        },
        "events": [event.name for event in span.events],
    }
