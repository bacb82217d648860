"""Beside peers that wrap the same methods, and around botocore's own calls."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import dynaguard
from dynaguard import PolicyDenied
from dynaguard.audit.reading import read_records

KEY = {"pk": {"S": "1"}}


@pytest.fixture
def spans() -> Any:
    """An SDK provider for this test alone, and what it exported."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    before = trace._TRACER_PROVIDER
    trace._TRACER_PROVIDER = provider
    yield exporter
    trace._TRACER_PROVIDER = before


def instrument() -> BotocoreInstrumentor:
    """OpenTelemetry's own botocore instrumentation."""
    instrumentor = BotocoreInstrumentor()
    instrumentor.instrument(tracer_provider=trace._TRACER_PROVIDER)
    return instrumentor


def test_a_span_names_the_calling_identity_and_the_decision(
    client: Any, policy: Any, spans: Any
) -> None:
    """One CLIENT span per call, in semantic conventions."""
    dynaguard.install(policy(), identity="etl")

    with dynaguard.job("nightly"):
        client.get_item(TableName="orders", Key=KEY)

    (span,) = spans.get_finished_spans()
    assert span.name == "DynamoDB.GetItem"
    assert span.kind is trace.SpanKind.CLIENT
    assert span.attributes["db.operation.name"] == "GetItem"
    assert span.attributes["dynaguard.decision"] == "allow"
    assert span.attributes["dynaguard.identity.name"] == "etl"
    assert span.attributes["dynaguard.job"] == "nightly"


def test_a_denial_is_a_span_with_an_error(client: Any, policy: Any, spans: Any) -> None:
    """Denied calls are seen too."""
    dynaguard.install(policy())

    with pytest.raises(PolicyDenied):
        client.scan(TableName="orders")

    (span,) = spans.get_finished_spans()
    assert span.attributes["error.type"] == "AccessDeniedException"
    assert span.status.status_code is trace.StatusCode.ERROR
    assert trace.get_current_span() is trace.INVALID_SPAN


@pytest.mark.parametrize("first", ["peer", "dynaguard"])
def test_annotates_the_span_of_the_botocore_instrumentation(
    client: Any, policy: Any, spans: Any, first: str
) -> None:
    """One span per call, the peer's, with our attributes; whoever came first."""
    if first == "dynaguard":
        dynaguard.install(policy(), identity="etl")
    instrumentor = instrument()
    if first == "peer":
        dynaguard.install(policy(), identity="etl")

    try:
        client.get_item(TableName="orders", Key=KEY)
    finally:
        dynaguard.uninstall()  # first: the peer takes off whatever is outermost
        instrumentor.uninstrument()

    (span,) = spans.get_finished_spans()
    assert span.attributes["rpc.method"] == "GetItem"
    assert span.attributes["dynaguard.identity.name"] == "etl"
    assert span.attributes["dynaguard.decision"] == "allow"


@pytest.mark.parametrize("first", ["peer", "dynaguard"])
def test_annotates_the_span_of_a_call_that_got_no_answer(
    client: Any, wire: Any, policy: Any, spans: Any, first: str
) -> None:
    """A peer inside of our wrapper ends its span by the error, before we see the end."""

    def refuse(_: Any) -> None:
        raise OSError("no route")

    wire.send = refuse
    if first == "dynaguard":
        dynaguard.install(policy(), identity="etl")
    instrumentor = instrument()
    if first == "peer":
        dynaguard.install(policy(), identity="etl")

    try:
        with pytest.raises(OSError, match="no route"), dynaguard.job("nightly"):
            client.get_item(TableName="orders", Key=KEY)
    finally:
        dynaguard.uninstall()
        instrumentor.uninstrument()

    (span,) = spans.get_finished_spans()
    assert span.attributes["dynaguard.identity.name"] == "etl"
    assert span.attributes["dynaguard.decision"] == "allow"
    assert span.attributes["dynaguard.job"] == "nightly"


def test_decisions_outlive_a_peer_that_takes_our_outer_wrapper_off(
    client: Any, wire: Any, policy: Any, tmp_path: Any
) -> None:
    """Uninstrumenting a peer may remove ours from `_make_api_call`; denials and records stay."""
    from botocore.client import BaseClient

    audit_file = tmp_path / "audit.jsonl"
    original = BaseClient.__dict__["_make_api_call"]
    dynaguard.install(policy(), audit=audit_file)
    BaseClient._make_api_call = original  # type: ignore[method-assign]

    with pytest.raises(PolicyDenied):
        client.scan(TableName="orders")
    client.get_item(TableName="orders", Key=KEY)

    assert len(wire.sent) == 1
    assert len(list(read_records(audit_file))) == 2


def test_uninstall_beneath_a_peer_leaves_the_peer_working(
    client: Any, wire: Any, policy: Any, spans: Any
) -> None:
    """The peer instrumented after us; we go, it stays."""
    dynaguard.install(policy())
    instrumentor = instrument()

    try:
        dynaguard.uninstall()
        client.scan(TableName="orders")
    finally:
        instrumentor.uninstrument()

    (span,) = spans.get_finished_spans()
    assert "dynaguard.decision" not in span.attributes
    assert "x-dynaguard-correlation-id" not in wire.headers()


def test_credential_calls_of_botocore_are_exempt(make_client: Any, wire: Any, policy: Any) -> None:
    """Fetching the role that signs is botocore's own call; the same call by the user is not."""
    from botocore.credentials import DeferredRefreshableCredentials

    sso = make_client("sso")
    client = make_client()
    dynaguard.install(policy(govern=["dynamodb", "sso"]))

    def fetch() -> Any:
        return sso.get_role_credentials(roleName="r", accountId="1", accessToken="t")

    def refresh() -> dict[str, Any]:
        fetch()
        expiry = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)
        return {
            "access_key": "ASIA1",
            "secret_key": "s",
            "token": "t",
            "expiry_time": expiry.isoformat(),
        }

    credentials = DeferredRefreshableCredentials(refresh, "sso")
    client._request_signer._credentials = credentials
    client.get_item(TableName="orders", Key=KEY)

    assert len(wire.sent) == 2
    with pytest.raises(PolicyDenied):
        fetch()
