"""The tables of the telemetry page are what is sent."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from dynaguard.identity.findings import FindingCode, IdentityFinding
from dynaguard.telemetry import attributes, catalogue, names
from dynaguard.telemetry.describing import Descriptions
from dynaguard.telemetry.findings import FindingsCounter
from dynaguard.telemetry.telemetry import Telemetry
from tests.audit.audit_cases import (
    CALL,
    DECISION,
    DENIAL,
    OUTCOME,
    PRINCIPAL,
    calls,
    decisions,
    outcomes,
    principals,
)

ON_SPANS = {each.name for each in catalogue.CONVENTIONAL + catalogue.OWN}
NOT_SENT = {
    "AWS_API",
    "AWS_DYNAMODB",
    "ERROR_TYPE_OTHER",
    "HANDOVER_METRIC",
    "OTEL_METRIC_OVERFLOW",
    "RPC_SYSTEM",
}
METRICS = catalogue.METRICS + catalogue.ACCESS + catalogue.CONSUMPTION
EVENTS = {"ACCESS_EVENT", "APPROVAL_EVENT", "ATTEMPT_EVENT", "CALL_EVENT"}


def test_every_name_is_explained() -> None:
    """An attribute, a metric, or what one is split by."""
    explained = (
        ON_SPANS
        | {
            each.name
            for each in catalogue.EVENT + catalogue.APPROVAL + catalogue.CHANGE + catalogue.LOG
        }
        | {metric.name for metric in METRICS}
        | {name for metric in METRICS for name in metric.attributes}
    )
    constants = {name: value for name, value in vars(names).items() if name.isupper()}

    assert {
        name
        for name, value in constants.items()
        if name not in NOT_SENT | EVENTS and value not in explained
    } == set()


def test_instruments_are_as_described() -> None:
    """Name, unit, and attributes within the list."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    telemetry = Telemetry(meter_provider=provider)
    for decision, outcome in (
        (DECISION, OUTCOME),
        (DENIAL, OUTCOME._replace(budget_refusal="spent", error_code="X")),
    ):
        telemetry.start(CALL, service_id="DynamoDB").finish(CALL, PRINCIPAL, decision, outcome)
    FindingsCounter(provider).count(
        IdentityFinding(FindingCode.OWNER_MISSING, "etl", "assumed_role", None, "no owner")
    )
    data = reader.get_metrics_data()
    assert data is not None
    made: dict[str, Any] = {
        metric.name: metric
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }

    described = {metric.name: metric for metric in catalogue.METRICS}

    if not hasattr(metrics.Meter, "create_gauge"):  # the oldest API
        del described[names.BUDGET_TOKENS_METRIC]
    assert set(made) == set(described)
    for name, metric in made.items():
        assert metric.unit == described[name].unit
        for point in metric.data.data_points:
            assert set(point.attributes) <= set(described[name].attributes)


@given(calls, principals, st.none() | decisions, outcomes, st.booleans())
def test_spans_bear_what_is_described(
    call: Any, principal: Any, decision: Any, outcome: Any, is_dynamodb: bool
) -> None:
    """Nothing else."""
    if is_dynamodb:
        call = call._replace(service="dynamodb")

    found = attributes.span_start(call, "X")[1] | Descriptions().of(
        call, principal, decision, outcome
    )

    assert set(found) <= ON_SPANS


def test_types_are_as_described() -> None:
    """Of a call that has nearly all of them."""
    kinds = {str: "string", int: "int", float: "double", bool: "boolean", tuple: "string[]"}
    described = {each.name: each.kind for each in catalogue.CONVENTIONAL + catalogue.OWN}
    outcome = OUTCOME._replace(unprocessed_count=1, budget_refusal="spent")

    found = attributes.span_start(CALL, "DynamoDB")[1] | Descriptions().of(
        CALL, PRINCIPAL, DENIAL, outcome
    )

    assert {name: kinds[type(value)] for name, value in found.items()} == {
        name: described[name] for name in found
    }
