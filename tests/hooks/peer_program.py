"""Run as a program: one tracing peer and dynaguard in one process, in either order.

Peers patch for good, so each order has a process of its own. Prints what was seen, as JSON.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
from botocore.awsrequest import AWSResponse, HeadersDict
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import dynaguard

CANARY = "CANARY-4711"
POLICY = {
    "version": 1,
    "default": "deny",
    "govern": ["dynamodb"],
    "statement": [
        {"Sid": "Reads", "Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*"}
    ],
}


class _Raw(io.BytesIO):
    def stream(self, *_args: Any, **_kwargs: Any) -> Iterator[bytes]:
        yield self.read()


class _Wire:
    """Stands where the socket would be."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []

    def send(self, request: Any) -> AWSResponse:
        self.headers.append(
            {
                name.lower(): value.decode() if isinstance(value, bytes) else str(value)
                for name, value in request.headers.items()
            }
        )
        body = json.dumps({"Item": {"pk": {"S": CANARY}}}).encode()
        headers = {"x-amzn-requestid": "REQ", "content-type": "application/x-amz-json-1.0"}
        return AWSResponse(request.url, 200, HeadersDict(headers), _Raw(body))

    def close(self) -> None:
        pass


def _x_ray() -> tuple[Callable[[], None], Callable[[], list[dict[str, Any]]]]:
    """AWS X-Ray's SDK, and what it recorded."""
    from aws_xray_sdk.core import patch, xray_recorder

    xray_recorder.configure(service="test", sampling=False, context_missing="LOG_ERROR")
    segment = xray_recorder.begin_segment("test")

    def spans() -> list[dict[str, Any]]:
        return [json.loads(each.serialize()) for each in segment.subsegments]

    return lambda: patch(["botocore"]), spans


def _datadog() -> tuple[Callable[[], None], Callable[[], list[dict[str, Any]]]]:
    """ddtrace, and what it recorded."""
    import ddtrace
    from ddtrace.trace import TraceFilter, tracer

    kept: list[dict[str, Any]] = []

    class Keep(TraceFilter):
        def process_trace(self, trace: Any) -> None:
            kept.extend({"name": span.name, "tags": str(span.get_tags())} for span in trace)

    tracer.configure(trace_processors=[Keep()])
    return lambda: ddtrace.patch(botocore=True), lambda: kept


def _opentelemetry() -> tuple[Callable[[], None], Callable[[], list[dict[str, Any]]]]:
    """OpenTelemetry's own instrumentation; its spans are those that dynaguard annotates."""
    from opentelemetry.instrumentation.botocore import BotocoreInstrumentor

    return lambda: BotocoreInstrumentor().instrument(), list


def main(peer: str, first: str) -> None:
    """One call that is allowed and one that is refused."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    patch, spans = {"x-ray": _x_ray, "ddtrace": _datadog, "otel": _opentelemetry}[peer]()
    if first == "peer":
        patch()
    dynaguard.install(POLICY, identity="etl")
    if first == "dynaguard":
        patch()
    session = botocore.session.Session()
    session.set_credentials("AKIAIOSFODNN7EXAMPLE", "not-a-secret")
    client = session.create_client("dynamodb", region_name="eu-west-1")
    client._endpoint.http_session = wire = _Wire()
    with dynaguard.correlation("INC-4711"):
        item = client.get_item(TableName="orders", Key={"pk": {"S": CANARY}})["Item"]
        try:
            client.scan(TableName="orders")
            refusal = None
        except dynaguard.PolicyDenied as err:
            refusal = err.response["Error"]["Code"]
    ours = [
        {"name": span.name, "attributes": {k: str(v) for k, v in (span.attributes or {}).items()}}
        for span in exporter.get_finished_spans()
    ]
    print(  # noqa: T201 - read by the test
        json.dumps(
            {
                "item": item,
                "refusal": refusal,
                "headers": wire.headers,
                "spans": ours,
                "peers": spans(),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
