"""Beside the instrumentation of aiobotocore: annotated, never doubled. Needs aiobotocore."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import dynaguard

pytestmark = pytest.mark.aio
aio_session = pytest.importorskip("aiobotocore.session")
peers = pytest.importorskip("opentelemetry.instrumentation.botocore")

POLICY = {
    "version": 1,
    "default": "deny",
    "govern": ["dynamodb"],
    "statement": [
        {"Sid": "Reads", "Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*"}
    ],
}


class Sent(Exception):
    """The request reached the place where it would have been sent."""


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """An SDK for this test alone, and what it exported."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    before = trace._TRACER_PROVIDER
    trace._TRACER_PROVIDER = provider
    yield exporter
    trace._TRACER_PROVIDER = before


def read() -> None:
    """One read in a job, which ends where it would be sent."""

    async def main() -> None:
        async with aio_session.get_session().create_client(
            "dynamodb", region_name="eu-west-1"
        ) as client:

            def stop(**_: Any) -> None:
                raise Sent

            client.meta.events.register("request-created", stop)
            with contextlib.suppress(Sent):
                await client.get_item(TableName="orders", Key={"pk": {"S": "1"}})

    with dynaguard.job("nightly", run_id="7"):
        asyncio.run(main())


def test_a_call_is_one_span(spans: Any) -> None:
    """Tasks inherit the scope."""
    dynaguard.install(POLICY, identity="etl")

    read()

    (span,) = spans.get_finished_spans()
    assert span.name == "DynamoDB.GetItem"
    assert span.attributes["dynaguard.job"] == "nightly"


@pytest.mark.parametrize("first", ["peer", "dynaguard"])
def test_the_peer_s_span_is_annotated_whoever_came_first(spans: Any, first: str) -> None:
    """One span per call, the peer's, with ours on it."""
    instrumentor = peers.AiobotocoreInstrumentor()
    if first == "dynaguard":
        dynaguard.install(POLICY, identity="etl")
    instrumentor.instrument(tracer_provider=trace._TRACER_PROVIDER)
    if first == "peer":
        dynaguard.install(POLICY, identity="etl")
    try:
        read()
    finally:
        dynaguard.uninstall()
        instrumentor.uninstrument()

    (span,) = spans.get_finished_spans()
    assert span.instrumentation_scope.name != "dynaguard"
    assert span.attributes["dynaguard.identity.name"] == "etl"
    assert span.attributes["dynaguard.decision"] == "allow"
    assert span.attributes["dynaguard.run_id"] == "7"
