"""The span of a call: opened, annotated, ended, and never in the way."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode

from dynaguard.call import Outcome, Status
from dynaguard.telemetry.telemetry import Telemetry
from tests.audit.audit_cases import CALL, CANARY, DECISION, DENIAL, OUTCOME, PRINCIPAL
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


DENIED = Outcome(Status.DENIED, "AccessDeniedException")
FAILED = Outcome(Status.ERROR, "ThrottlingException", 400, attempts=3)


@pytest.fixture
def global_provider(provider: TracerProvider) -> Iterator[Callable[[], None]]:
    """Sets the provider as the process's own, as an application does at its start."""
    before = trace._TRACER_PROVIDER

    def configure() -> None:
        trace._TRACER_PROVIDER = provider

    yield configure
    trace._TRACER_PROVIDER = before


def peer_span(
    provider: TracerProvider, *, kind: SpanKind = SpanKind.CLIENT, **attributes: str
) -> Any:
    """A span as the botocore instrumentation opens it, current while the block runs."""
    found = {name.replace("_", "."): value for name, value in attributes.items()}
    tracer = provider.get_tracer("opentelemetry.instrumentation.botocore")
    return tracer.start_as_current_span("peer", kind=kind, attributes=found)


def test_a_call_is_a_client_span(telemetry: Telemetry, exporter: InMemorySpanExporter) -> None:
    """Named by service and operation; it tells who, what, why and how it ended."""
    run(telemetry)

    (span,) = exporter.get_finished_spans()
    attributes = span.attributes or {}
    assert (span.name, span.kind) == ("DynamoDB.GetItem", SpanKind.CLIENT)
    assert span.status.status_code is StatusCode.UNSET
    assert attributes["db.operation.name"] == "GetItem"
    assert attributes["db.collection.name"] == "orders"
    assert attributes["dynaguard.job"] == "nightly"
    assert attributes["dynaguard.identity.name"] == "etl"
    assert attributes["dynaguard.decision"] == "allow"
    assert attributes["dynaguard.attempts"] == 2
    assert CANARY not in span.to_json()


def test_a_batch_is_named_as_one(telemetry: Telemetry, exporter: InMemorySpanExporter) -> None:
    """With two members or more."""
    params = {"TransactItems": [{}, {}]}
    run(telemetry, call=CALL._replace(operation="TransactGetItems", params=params))

    (span,) = exporter.get_finished_spans()
    assert span.name == "BATCH DynamoDB.TransactGetItems"
    assert (span.attributes or {})["db.operation.batch.size"] == 2


def test_the_span_is_current_until_the_call_ends(telemetry: Telemetry) -> None:
    """HTTP spans of other instrumentations become its children."""
    outside = trace.get_current_span()
    span = telemetry.start(CALL, service_id="DynamoDB")
    inside = trace.get_current_span()
    is_recording = span.is_recording
    span.finish(CALL, PRINCIPAL, DECISION, OUTCOME)

    assert inside is not outside
    assert inside.get_span_context().is_valid
    assert is_recording
    assert trace.get_current_span() is outside


@pytest.mark.parametrize(
    ("decision", "outcome", "description"),
    [
        (DENIAL, DENIED, "no statement allows it"),
        (DECISION, FAILED, None),
        (None, FAILED, None),
        (None, DENIED, None),
    ],
)
def test_a_failure_is_an_error_of_the_span(
    telemetry: Telemetry,
    exporter: InMemorySpanExporter,
    decision: Any,
    outcome: Outcome,
    description: str | None,
) -> None:
    """A denial says why; AWS's own message may hold values and stays out."""
    run(telemetry, decision=decision, outcome=outcome)

    (span,) = exporter.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, description)
    assert (span.attributes or {})["error.type"] == outcome.error_code


def test_attempts_that_failed_are_events(
    telemetry: Telemetry, exporter: InMemorySpanExporter
) -> None:
    """Number, code and the time waited until then."""
    span = telemetry.start(CALL, service_id="DynamoDB")
    span.add_attempt(1, "ThrottlingException", 0.0)
    span.add_attempt(2, None, 0.123456789)
    span.finish(CALL, PRINCIPAL, DECISION, OUTCOME)

    (finished,) = exporter.get_finished_spans()
    assert [(event.name, dict(event.attributes or {})) for event in finished.events] == [
        (
            "dynaguard.attempt",
            {
                "dynaguard.attempt.number": 1,
                "dynaguard.wait_s": 0.0,
                "error.type": "ThrottlingException",
            },
        ),
        (
            "dynaguard.attempt",
            {
                "dynaguard.attempt.number": 2,
                "dynaguard.wait_s": 0.123457,
                "error.type": "_OTHER",
            },
        ),
    ]


def test_a_second_finish_does_nothing(
    telemetry: Telemetry, exporter: InMemorySpanExporter
) -> None:
    """The call may be recorded at two places; the first tells."""
    span = telemetry.start(CALL, service_id="DynamoDB")
    span.finish(CALL, PRINCIPAL, DECISION, OUTCOME)
    span.finish(CALL, PRINCIPAL, DENIAL, DENIED)

    assert len(exporter.get_finished_spans()) == 1


@pytest.mark.parametrize(
    "attributes",
    [
        {"rpc_system": "aws-api", "rpc_method": "GetItem"},
        {"rpc_system_name": "aws-api", "rpc_method": "DynamoDB/GetItem"},
    ],
)
def test_a_peers_span_of_this_call_is_annotated(
    telemetry: Telemetry,
    provider: TracerProvider,
    exporter: InMemorySpanExporter,
    attributes: dict[str, str],
) -> None:
    """No second span; its name, its status and its end stay the peer's."""
    tracer = provider.get_tracer("opentelemetry.instrumentation.botocore")
    found = {
        {"rpc_system_name": "rpc.system.name"}.get(name, name.replace("_", ".")): value
        for name, value in attributes.items()
    }
    with tracer.start_as_current_span("peer", kind=SpanKind.CLIENT, attributes=found):
        span = telemetry.start(CALL, service_id="DynamoDB")
        span.add_attempt(1, "ThrottlingException", 0.0)
        span.finish(CALL, PRINCIPAL, DENIAL, DENIED)
        is_open = trace.get_current_span().is_recording()

    (finished,) = exporter.get_finished_spans()
    assert (span.is_owned, is_open) == (False, True)
    assert (finished.name, finished.status.status_code) == ("peer", StatusCode.UNSET)
    assert (finished.attributes or {})["dynaguard.decision"] == "implicit_deny"
    assert len(finished.events) == 1


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        (SpanKind.CLIENT, {"rpc_system": "aws-api", "rpc_method": "PutItem"}),
        (SpanKind.CLIENT, {"rpc_system": "grpc", "rpc_method": "GetItem"}),
        (SpanKind.INTERNAL, {"rpc_system": "aws-api", "rpc_method": "GetItem"}),
        (SpanKind.CLIENT, {}),
    ],
)
def test_any_other_span_is_a_parent(
    telemetry: Telemetry,
    provider: TracerProvider,
    exporter: InMemorySpanExporter,
    kind: SpanKind,
    attributes: dict[str, str],
) -> None:
    """The application's own, or the one of an outer call."""
    with peer_span(provider, kind=kind, **attributes):
        run(telemetry)

    ours, theirs = exporter.get_finished_spans()
    assert ours.parent is not None
    assert ours.parent.span_id == theirs.context.span_id
    assert "dynaguard.decision" not in (theirs.attributes or {})


def test_a_call_made_within_a_call_of_its_kind_has_its_own_span(
    telemetry: Telemetry, exporter: InMemorySpanExporter
) -> None:
    """A handler of a GetItem makes a GetItem: ours is no peer's."""
    outer = telemetry.start(CALL, service_id="DynamoDB")
    run(telemetry)
    outer.finish(CALL, PRINCIPAL, DECISION, OUTCOME)

    assert len(exporter.get_finished_spans()) == 2


def test_a_peers_span_that_has_ended_is_left_alone(
    telemetry: Telemetry, provider: TracerProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """The SDK would complain in the log."""
    with peer_span(provider, rpc_system="aws-api", rpc_method="GetItem"):
        span = telemetry.start(CALL, service_id="DynamoDB")
    span.add_attempt(1, "ThrottlingException", 0.0)
    span.finish(CALL, PRINCIPAL, DECISION, OUTCOME)

    assert not span.is_recording
    assert caplog.messages == []


def test_without_an_sdk_nothing_is_built(caplog: pytest.LogCaptureFixture) -> None:
    """Every call shares one span that does nothing, and nothing is logged."""
    telemetry = Telemetry()
    span = telemetry.start(CALL, service_id="DynamoDB")
    span.add_attempt(1, "ThrottlingException", 0.0)
    span.finish(CALL, PRINCIPAL, DECISION, OUTCOME)

    assert telemetry.start(CALL, service_id="DynamoDB") is span
    assert (span.is_owned, span.is_recording, span.is_watched) == (True, False, False)
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert caplog.messages == []


def test_an_sdk_that_comes_later_is_used(
    global_provider: Callable[[], None], exporter: InMemorySpanExporter
) -> None:
    """`install()` may run before the application configures its telemetry."""
    telemetry = Telemetry()
    run(telemetry)
    global_provider()
    run(telemetry)

    assert len(exporter.get_finished_spans()) == 1


def test_an_api_that_hides_its_provider_is_asked_all_the_same(
    global_provider: Callable[[], None],
    exporter: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one look at the API's inside is a shortcut only."""
    telemetry = Telemetry()
    global_provider()
    run(telemetry)  # the API's proxy finds its provider

    with monkeypatch.context() as patch:
        patch.delattr(trace, "_TRACER_PROVIDER")
        run(telemetry)

    assert len(exporter.get_finished_spans()) == 2


def test_a_call_that_is_not_sampled_stays_in_its_trace(
    make_provider: Callable[..., TracerProvider], exporter: InMemorySpanExporter
) -> None:
    """Its children see that the trace is not recorded."""
    telemetry = Telemetry(tracer_provider=make_provider(ALWAYS_OFF))
    span = telemetry.start(CALL, service_id="DynamoDB")
    current = trace.get_current_span().get_span_context()
    span.finish(CALL, PRINCIPAL, DECISION, OUTCOME)

    assert not span.is_recording
    assert (current.is_valid, current.trace_flags.sampled) == (True, False)
    assert exporter.get_finished_spans() == ()


def test_a_tracer_that_does_nothing_leaves_the_current_span_current(
    provider: TracerProvider,
) -> None:
    """A provider of its own makes none of the application's spans disappear."""
    telemetry = Telemetry(tracer_provider=NoOpTracerProvider())
    with provider.get_tracer("app").start_as_current_span("app") as app:
        span = telemetry.start(CALL, service_id="DynamoDB")
        current = trace.get_current_span()
        span.finish(CALL, PRINCIPAL, DECISION, OUTCOME)

    assert current is app


def test_an_exporters_own_call_has_no_span(
    telemetry: Telemetry, exporter: InMemorySpanExporter
) -> None:
    """It would be exported by a call of its own, and so on."""
    token = otel_context.attach(otel_context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    run(telemetry)
    otel_context.detach(token)

    assert exporter.get_finished_spans() == ()


def test_context_that_others_leave_behind_does_not_keep_ours_current(
    telemetry: Telemetry,
) -> None:
    """A handler that attaches baggage and forgets it."""
    outside = otel_context.get_current()
    span = telemetry.start(CALL, service_id="DynamoDB")
    otel_context.attach(baggage.set_baggage("tenant", "t1"))
    span.finish(CALL, PRINCIPAL, DECISION, OUTCOME)

    assert otel_context.get_current() == outside


def test_a_call_that_ends_in_another_context_ends_its_span_quietly(
    telemetry: Telemetry, exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """There is nothing to take back there."""
    spans: list[Any] = []
    contextvars.copy_context().run(
        lambda: spans.append(telemetry.start(CALL, service_id="DynamoDB"))
    )

    spans[0].finish(CALL, PRINCIPAL, DECISION, OUTCOME)

    assert len(exporter.get_finished_spans()) == 1
    assert caplog.messages == []


def test_threads_do_not_see_each_others_spans(
    telemetry: Telemetry, exporter: InMemorySpanExporter
) -> None:
    """Each call is a trace of its own."""
    threads = [
        threading.Thread(target=lambda: [run(telemetry) for _ in range(20)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    spans = exporter.get_finished_spans()
    assert len({span.context.trace_id for span in spans}) == len(spans) == 80


def test_a_repr_shows_no_item_value(telemetry: Telemetry) -> None:
    """Neither of the telemetry nor of a span."""
    span = telemetry.start(CALL, service_id="DynamoDB")
    text = f"{telemetry!r} {span!r}"
    span.finish(CALL, PRINCIPAL, DECISION, OUTCOME)

    assert CANARY not in text
