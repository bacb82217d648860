"""What is counted, and when nobody counts."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind

from dynaguard.call import Outcome, Status
from dynaguard.identity.findings import FindingCode, IdentityFinding
from dynaguard.telemetry import names
from dynaguard.telemetry.counting import CallMetrics, _duration_histogram
from dynaguard.telemetry.findings import FindingsCounter
from dynaguard.telemetry.telemetry import Telemetry
from tests.audit.audit_cases import CALL, DECISION, DENIAL, OUTCOME, PRINCIPAL


@pytest.fixture
def reader() -> InMemoryMetricReader:
    """What was measured."""
    return InMemoryMetricReader()


@pytest.fixture
def telemetry(reader: InMemoryMetricReader) -> Telemetry:
    """Telemetry that counts, without spans."""
    return Telemetry(meter_provider=MeterProvider([reader], shutdown_on_exit=False))


def points(reader: InMemoryMetricReader) -> dict[str, list[tuple[dict[str, Any], Any]]]:
    """Attributes and value (or count and sum) of every point by metric."""
    data = reader.get_metrics_data()
    return {
        metric.name: [
            (
                dict(point.attributes or {}),
                getattr(point, "value", None) or (point.count, point.sum),  # type: ignore[union-attr]
            )
            for point in metric.data.data_points
        ]
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def run(telemetry: Telemetry, call: Any = CALL, decision: Any = DECISION, **outcome: Any) -> None:
    """One call from start to finish."""
    span = telemetry.start(call, service_id="DynamoDB")
    span.finish(call, PRINCIPAL, decision, OUTCOME._replace(**outcome))


def test_a_call_is_counted_and_timed(telemetry: Telemetry, reader: InMemoryMetricReader) -> None:
    """Spans or not."""
    run(telemetry)

    found = points(reader)
    of_call = {
        "dynaguard.service": "dynamodb",
        "dynaguard.operation": "GetItem",
        "db.collection.name": "orders",
    }
    decided = {
        "dynaguard.identity.name": PRINCIPAL.name,
        "dynaguard.decision": "allow",
        "dynaguard.decision.is_enforced": True,
    }
    assert found[names.DECISIONS_METRIC] == [({**of_call, **decided}, 1)]
    by_job = {
        **of_call,
        "dynaguard.identity.name": PRINCIPAL.name,
        "dynaguard.priority": CALL.scope.priority.value,
        **({"dynaguard.job": CALL.scope.job} if CALL.scope.job else {}),
    }
    assert found[names.THROTTLED_METRIC] == [(by_job, 1)]
    assert found[names.WAIT_METRIC] == [(by_job, (1, OUTCOME.wait_s))]
    assert names.REFUSED_METRIC not in found
    by_identity = {**of_call, "dynaguard.identity.name": PRINCIPAL.name}
    assert found[names.MASKED_VALUES_METRIC] == [
        (
            {
                **by_identity,
                "dynaguard.masked.attribute": "email",
                "dynaguard.masked.strategy": "partial",
            },
            2,
        ),
        (
            {
                "dynaguard.service": "dynamodb",
                "dynaguard.operation": "GetItem",
                "dynaguard.identity.name": PRINCIPAL.name,
                "dynaguard.masked.attribute": "**",
                "dynaguard.masked.strategy": "redact",
                "dynaguard.masked.detector": "payment-card",
            },
            1,
        ),
    ]
    ((attributes, value),) = found[names.DB_CLIENT_OPERATION_DURATION]
    assert attributes["db.system.name"] == "aws.dynamodb"
    assert value == (1, OUTCOME.elapsed_s)


def test_a_refused_retry_is_counted(telemetry: Telemetry, reader: InMemoryMetricReader) -> None:
    """By identity, job and class, like throttles and waits."""
    run(telemetry, throttles=0, wait_s=0.0, budget_refusal="spent")

    found = points(reader)
    ((attributes, count),) = found[names.REFUSED_METRIC]
    assert count == 1
    assert attributes["dynaguard.identity.name"] == PRINCIPAL.name
    assert names.THROTTLED_METRIC not in found
    assert names.WAIT_METRIC not in found


def test_every_call_counts(telemetry: Telemetry, reader: InMemoryMetricReader) -> None:
    """The span that all of them share does not end."""
    for _ in range(3):
        run(telemetry)

    ((_, count),) = points(reader)[names.DECISIONS_METRIC]
    assert count == 3


def test_what_did_not_happen_is_not_counted(
    telemetry: Telemetry, reader: InMemoryMetricReader
) -> None:
    """No decision, no throttle, no mask, nothing sent: no series."""
    run(telemetry, decision=None, throttles=0, wait_s=0.0, masked=(), attempts=0)

    assert points(reader) == {}


def test_a_denial_is_counted_and_not_timed(
    telemetry: Telemetry, reader: InMemoryMetricReader
) -> None:
    """It never was an operation of the database."""
    denied = Outcome(Status.DENIED, "AccessDeniedException", elapsed_s=0.001)
    telemetry.start(CALL, service_id="DynamoDB").finish(CALL, PRINCIPAL, DENIAL, denied)

    assert list(points(reader)) == [names.DECISIONS_METRIC]


def test_another_service_is_not_timed_as_a_database(
    telemetry: Telemetry, reader: InMemoryMetricReader
) -> None:
    """`db.client.operation.duration` is for databases."""
    run(telemetry, call=CALL._replace(service="s3"))

    assert names.DB_CLIENT_OPERATION_DURATION not in points(reader)


def test_a_peers_call_is_counted_once_and_timed_by_the_peer(
    reader: InMemoryMetricReader,
) -> None:
    """Told at the answer and again at the end."""
    spans = TracerProvider(shutdown_on_exit=False)
    meters = MeterProvider([reader], shutdown_on_exit=False)
    telemetry = Telemetry(tracer_provider=spans, meter_provider=meters)
    attributes = {"rpc.system": "aws-api", "rpc.method": "GetItem"}
    tracer = spans.get_tracer("peer")
    with tracer.start_as_current_span("x", kind=SpanKind.CLIENT, attributes=attributes):
        span = telemetry.start(CALL, service_id="DynamoDB")
        span.finish(CALL, PRINCIPAL, DECISION, OUTCOME)
    span.finish(CALL, PRINCIPAL, DECISION, OUTCOME)

    found = points(reader)
    assert found[names.DECISIONS_METRIC][0][1] == 1
    assert names.DB_CLIENT_OPERATION_DURATION not in found


def test_without_an_sdk_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the attributes are built."""
    telemetry = Telemetry()
    monkeypatch.setattr(CallMetrics, "count", lambda *_: pytest.fail("counted"))

    run(telemetry)

    assert not telemetry.is_metering
    assert telemetry.failure_count == 0


def test_a_raising_instrument_breaks_no_call(
    telemetry: Telemetry, reader: InMemoryMetricReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is measured beside is told all the same."""

    def refuse(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(telemetry.metrics._decisions.instrument, "add", refuse)

    run(telemetry)

    assert telemetry.failure_count == 1
    found = points(reader)
    assert names.DECISIONS_METRIC not in found
    assert {names.DB_CLIENT_OPERATION_DURATION, names.THROTTLED_METRIC} <= set(found)


class OldMeter:
    """A meter of opentelemetry-api before 1.30: no advice."""

    def create_histogram(self, name: str, unit: str = "", description: str = "") -> Any:
        return name, unit


def test_an_api_without_advice_has_the_histogram_too() -> None:
    """With the buckets that its SDK chooses."""
    meter: Meter = OldMeter()  # type: ignore[assignment]

    assert _duration_histogram(meter) == (names.DB_CLIENT_OPERATION_DURATION, "s")


def test_findings_about_identities_are_counted(reader: InMemoryMetricReader) -> None:
    """By code, name and kind; never by key."""
    counter = FindingsCounter(MeterProvider([reader]))
    finding = IdentityFinding(
        FindingCode.LONG_LIVED_KEY, "etl", "user", "0123456789abcdef", "a long-lived key signs"
    )

    counter.count(finding)
    counter.count(finding)

    (metric,) = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics  # type: ignore[union-attr]
    (point,) = metric.data.data_points
    assert metric.name == "dynaguard.identity.findings"
    assert point.value == 2  # type: ignore[union-attr]
    assert dict(point.attributes or {}) == {
        "dynaguard.identity.finding": "long_lived_key",
        "dynaguard.identity.name": "etl",
        "dynaguard.identity.kind": "user",
    }
