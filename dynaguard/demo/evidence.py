"""What one call left behind: on the wire, as a span, and in the audit file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from dynaguard.demo.proxy import Witnessed
from dynaguard.demo.records import Record
from dynaguard.demo.results import Evidence
from dynaguard.demo.spans import find_span, readable_span

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

_HEADER: Final = "x-dynaguard-correlation-id"
_TOKEN: Final = re.compile(r"md/dynaguard#\S+")


def collect_evidence(
    correlation_id: str,
    witnessed: Iterable[Witnessed],
    spans: InMemorySpanExporter,
    records: Sequence[Record],
) -> Evidence:
    """Everything that tells of the call with this correlation id; empty where nothing does."""
    request = next((w for w in witnessed if w.headers.get(_HEADER) == correlation_id), None)
    token = _TOKEN.search(request.user_agent) if request else None
    span = find_span(spans, correlation_id)
    record = next((r for r in records if r.get("correlation_id") == correlation_id), {})
    return Evidence(
        correlation_id=correlation_id,
        header=request.headers[_HEADER] if request else "",
        is_header_signed=request is not None and _HEADER in request.signed_headers,
        user_agent_token=token.group() if token else "",
        span=readable_span(span) if span else {},
        record=record,
    )
