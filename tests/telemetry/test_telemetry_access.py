"""Metrics, span attributes and log records of grants, approvals, break-glass and boundaries."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dynaguard.access_change import AccessChange
from dynaguard.boundary import Boundary
from dynaguard.call import ApprovalRef, Decision, GrantRef, StatementRef, Verdict
from dynaguard.scope import Scope
from dynaguard.telemetry import catalogue, names
from dynaguard.telemetry.describing import Descriptions
from dynaguard.telemetry.telemetry import Telemetry
from tests.audit.audit_cases import CALL, DECISION, NEED, OUTCOME, PRINCIPAL
from tests.telemetry.test_telemetry_metrics import points

GRANT = GrantRef("g1", "lea", "look", 1.0)
GLASS = GrantRef("g2", "sam", "down", 1.0, is_break_glass=True)
APPROVAL = ApprovalRef("tk-1", "c" * 64, ("lea",), 0.0, 1.0)
IN_TASK = CALL._replace(
    scope=Scope(task="t1", runbook="fix", boundaries=(Boundary("runbook", "fix", "t1"),))
)
WHO = {
    "dynaguard.service": "dynamodb",
    "dynaguard.operation": "GetItem",
    "db.collection.name": "orders",
    "dynaguard.identity.name": PRINCIPAL.name,
}


@pytest.fixture
def reader() -> InMemoryMetricReader:
    """What was measured."""
    return InMemoryMetricReader()


@pytest.fixture
def telemetry(reader: InMemoryMetricReader) -> Telemetry:
    """Telemetry that counts, without spans."""
    return Telemetry(meter_provider=MeterProvider([reader], shutdown_on_exit=False))


def finish(telemetry: Telemetry, call: Any, decision: Decision) -> None:
    """One call."""
    telemetry.start(call, service_id="DynamoDB").finish(call, PRINCIPAL, decision, OUTCOME)


def test_uses_of_grants_and_approvals_are_counted(
    telemetry: Telemetry, reader: InMemoryMetricReader
) -> None:
    """By whom and of what; break-glass by itself too, so that one alarm sees it."""
    finish(telemetry, CALL, DECISION)
    finish(telemetry, CALL, DECISION._replace(grants=(GRANT,)))
    finish(telemetry, CALL, DECISION._replace(grants=(GRANT, GLASS)))
    finish(telemetry, CALL, DECISION._replace(approval=APPROVAL))

    found = points(reader)

    assert found[names.GRANT_USES_METRIC] == [(WHO, 2)]
    assert found[names.BREAK_GLASS_METRIC] == [(WHO, 1)]
    assert found[names.APPROVAL_USES_METRIC] == [(WHO, 1)]


def test_refusals_of_boundaries_are_counted(
    telemetry: Telemetry, reader: InMemoryMetricReader
) -> None:
    """Not what a statement denied within one, nor what a boundary let."""
    of_boundary = Decision(Verdict.DENY, (NEED,), statement=StatementRef("fix", "runbook"))
    finish(telemetry, IN_TASK, of_boundary)
    finish(telemetry, IN_TASK, Decision(Verdict.DENY, (NEED,), statement=StatementRef("No")))
    finish(telemetry, IN_TASK, Decision(Verdict.DENY, (NEED,)))
    finish(telemetry, IN_TASK, DECISION._replace(statement=StatementRef("fix", "runbook")))
    finish(telemetry, CALL, of_boundary)

    assert points(reader)[names.BOUNDARY_REFUSED_METRIC] == [
        (
            {
                "dynaguard.service": "dynamodb",
                "dynaguard.operation": "GetItem",
                "db.collection.name": "orders",
                "dynaguard.boundary.kind": "runbook",
                "dynaguard.boundary.name": "fix",
            },
            1,
        )
    ]


def test_changes_are_counted_by_kind(telemetry: Telemetry, reader: InMemoryMetricReader) -> None:
    """Ids would be without end and stay out."""
    telemetry.note_change(AccessChange("run begun", "t1", "lea", channel="cli", runbook="fix"))
    telemetry.note_change(AccessChange("break-glass used", "g2", "sam", is_break_glass=True))

    assert points(reader)[names.ACCESS_CHANGES_METRIC] == [
        (
            {
                "dynaguard.access.change": "run begun",
                "dynaguard.break_glass": False,
                "dynaguard.access.channel": "cli",
                "dynaguard.runbook": "fix",
            },
            1,
        ),
        ({"dynaguard.access.change": "break-glass used", "dynaguard.break_glass": True}, 1),
    ]


def test_a_wait_for_an_approval_is_an_event_and_a_metric(reader: InMemoryMetricReader) -> None:
    """With its ticket on the span alone."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = Telemetry(
        tracer_provider=provider,
        meter_provider=MeterProvider([reader], shutdown_on_exit=False),
    )
    span = telemetry.start(CALL, service_id="DynamoDB")
    span.add_approval_wait("tk-1", 2.5, "approved")
    span.finish(CALL, PRINCIPAL, DECISION, OUTCOME)

    (event,) = exporter.get_finished_spans()[0].events
    assert (event.name, dict(event.attributes or {})) == (
        names.APPROVAL_EVENT,
        {
            "dynaguard.approval.ticket": "tk-1",
            "dynaguard.approval.state": "approved",
            "dynaguard.wait_s": 2.5,
        },
    )
    assert {each.name for each in catalogue.APPROVAL} == set(event.attributes or {})
    assert points(reader)[names.APPROVAL_WAIT_METRIC] == [
        ({"dynaguard.approval.state": "approved"}, (1, 2.5))
    ]


def test_without_anybody_who_takes_it_a_wait_is_nothing() -> None:
    """Neither span nor meter."""
    telemetry = Telemetry()

    telemetry.start(CALL, service_id="DynamoDB").add_approval_wait("tk-1", 2.5, "approved")

    assert telemetry.failure_count == 0


def test_metrics_are_as_described(telemetry: Telemetry, reader: InMemoryMetricReader) -> None:
    """Name, unit, and attributes within the list."""
    finish(telemetry, CALL, DECISION._replace(grants=(GLASS,), approval=APPROVAL))
    denied = Decision(Verdict.DENY, (NEED,), statement=StatementRef("fix", "runbook"))
    finish(telemetry, IN_TASK, denied)
    telemetry.access.record_wait(1.0, "denied")
    telemetry.note_change(AccessChange("run begun", "t1", "lea", channel="cli", runbook="fix"))
    data = reader.get_metrics_data()
    assert data is not None
    made: dict[str, Any] = {
        metric.name: metric
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }

    for described in catalogue.ACCESS:
        metric = made[described.name]
        assert metric.unit == described.unit
        for point in metric.data.data_points:
            assert set(point.attributes) <= set(described.attributes)


def test_spans_name_task_boundaries_and_what_let_the_call() -> None:
    """Kept parts are not mixed up between a plain call, a granted and an approved one."""
    descriptions = Descriptions()
    plain, granted, approved = (
        descriptions.of(call, PRINCIPAL, decision, OUTCOME)
        for call, decision in (
            (CALL, DECISION),
            (IN_TASK, DECISION._replace(grants=(GRANT, GLASS))),
            (IN_TASK, DECISION._replace(approval=APPROVAL)),
        )
    )

    own = {names.TASK, names.BOUNDARIES, names.GRANT_ID, names.BREAK_GLASS, names.APPROVAL_TICKET}
    assert {name: plain[name] for name in own & set(plain)} == {}
    assert {name: granted[name] for name in own & set(granted)} == {
        "dynaguard.task": "t1",
        "dynaguard.boundaries": ("fix",),
        "dynaguard.grant.id": ("g1", "g2"),
        "dynaguard.break_glass": True,
    }
    assert {name: approved[name] for name in own & set(approved)} == {
        "dynaguard.task": "t1",
        "dynaguard.boundaries": ("fix",),
        "dynaguard.approval.ticket": "tk-1",
    }


def test_a_change_that_cannot_be_told_breaks_nothing() -> None:
    """An instrument of somebody's own may raise."""
    telemetry = Telemetry()
    broken: Any = AccessChange(kind=[], id="x", by="lea")  # type: ignore[arg-type]

    telemetry.note_change(broken)

    assert telemetry.failure_count == 1


def test_a_change_is_a_log_record() -> None:
    """Break-glass as a warning; with what it belongs to."""
    logs = pytest.importorskip("opentelemetry.sdk._logs")
    export = pytest.importorskip("opentelemetry.sdk._logs.export")
    if not hasattr(export, "InMemoryLogRecordExporter"):
        pytest.skip("this SDK has other logs")
    from dynaguard.telemetry.logs import CallLogs

    exporter = export.InMemoryLogRecordExporter()
    provider = logs.LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(export.SimpleLogRecordProcessor(exporter))
    telemetry = Telemetry(logs=CallLogs(logger_provider=provider, time_ns=lambda: 42))

    telemetry.note_change(AccessChange("run begun", "t1", "lea", task="t1", runbook="fix"))
    telemetry.note_change(AccessChange("break-glass used", "g2", "sam", is_break_glass=True))

    begun, glass = [each.log_record for each in exporter.get_finished_logs()]
    assert (begun.event_name, begun.severity_text, begun.timestamp) == (
        "dynaguard.access",
        "INFO",
        42,
    )
    assert dict(begun.attributes) == {
        "dynaguard.access.change": "run begun",
        "dynaguard.access.id": "t1",
        "dynaguard.access.by": "lea",
        "dynaguard.break_glass": False,
        "dynaguard.task": "t1",
        "dynaguard.runbook": "fix",
    }
    assert (glass.severity_text, glass.body) == ("WARN", "break-glass used: `g2` by `sam`")
