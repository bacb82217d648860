"""The Grafana dashboard: its model, and metrics and labels that telemetry really has."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Gauge, Histogram, InMemoryMetricReader, Sum

from dynaguard.access_change import AccessChange
from dynaguard.alarms.grafana_dashboard import grafana_dashboard
from dynaguard.alarms.plan import Runbook
from dynaguard.alarms.subjects import NOBODY
from dynaguard.boundary import Boundary
from dynaguard.call import (
    ApprovalRef,
    ConsumedCapacity,
    GrantRef,
    MaskedValues,
    Outcome,
    StatementRef,
    Status,
    Verdict,
)
from dynaguard.consumption.keys import HotKey, KeyFigures
from dynaguard.consumption.queries import QueryWarning, Shape
from dynaguard.telemetry.consumption import ConsumptionMetrics
from dynaguard.telemetry.telemetry import Telemetry
from tests.alarms.alarm_cases import plan
from tests.alarms.test_alarms_cloudwatch_dashboard import overlaps
from tests.audit.audit_cases import CALL, DECISION, OUTCOME, PRINCIPAL, STATEMENT

_FUNCTIONS = {"sum", "min", "by", "rate", "increase", "histogram_quantile", "le"}


@pytest.fixture(scope="module")
def labels_by_series() -> dict[str, set[str]]:
    """Series and labels in Prometheus of what real telemetry measures."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    telemetry = Telemetry(meter_provider=provider)
    denied = DECISION._replace(verdict=Verdict.DENY, statement=STATEMENT)
    given_up = OUTCOME._replace(
        budget_refusal="spent", masked=(MaskedValues("t", "a", "r", "d", 1),)
    )
    failed = Outcome(Status.ERROR, "ThrottlingException", 400, attempts=1)
    for decision, outcome in ((DECISION, given_up), (denied, OUTCOME), (DECISION, failed)):
        span = telemetry.start(CALL, service_id="DynamoDB")
        span.finish(CALL, PRINCIPAL, decision, outcome)
    _measure_consumption(provider)
    _measure_access(telemetry)
    data = reader.get_metrics_data()
    assert data
    found: dict[str, set[str]] = {}
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        names = {
            re.sub(r"\W", "_", name)
            for point in metric.data.data_points
            for name in point.attributes or ()
        }
        for series in _series(metric):
            found[series] = names | ({"le"} if series.endswith("_bucket") else set())
    return found


class _Keys:
    """Figures of one table's keys."""

    def figures(self) -> tuple[KeyFigures, ...]:
        hot = HotKey("0" * 16, 5, 6, 0.5)
        return (KeyFigures("orders", "by_date", 10, 0, 2, 0.01, (hot,)),)


_KEYS: Any = _Keys()


def _measure_consumption(provider: MeterProvider) -> None:
    """One of each: units, a warning, a limit, figures of keys."""
    metrics = ConsumptionMetrics(_KEYS, meter_provider=provider)
    call = CALL._replace(scope=replace(CALL.scope, runbook="rb"))
    metrics.count_units(call, "etl", [ConsumedCapacity("orders", 1.0, 1.0, 2.0, "by_date")])
    metrics.count_warning(Shape("Query", "orders", "by_date", "nightly"), QueryWarning.FILTER)
    metrics.count_limit("nightly", "Nightly", "soft")


def _measure_access(telemetry: Telemetry) -> None:
    """One of each: a grant, an approval, a refusal of a boundary, a wait, a change."""
    boundary = Boundary("runbook", "fix", "t1")
    call = CALL._replace(scope=replace(CALL.scope, boundaries=(boundary,)))
    grant, approval = GrantRef("g", "o", "r", 1.0, True), ApprovalRef("t", "c", ("a",), 0.0, 1.0)
    allowed = DECISION._replace(grants=(grant,), approval=approval)
    refused = DECISION._replace(verdict=Verdict.DENY, statement=StatementRef("fix", "runbook"))
    for decision in (allowed, refused):
        telemetry.access.count(call, PRINCIPAL, decision)
    telemetry.access.record_wait(1.0, "approved")
    telemetry.note_change(AccessChange("run begun", "t1", "lea", channel="cli", runbook="fix"))


def _series(metric: Any) -> list[str]:
    """What Prometheus makes of a metric: dots, units by their full name, suffixes of the type."""
    name = metric.name.replace(".", "_")
    if isinstance(metric.data, Gauge):
        return [f"{name}_ratio" if metric.unit == "1" else name]
    if metric.unit and not metric.unit.startswith("{"):
        name += {"s": "_seconds", "By": "_bytes"}[metric.unit]
    if isinstance(metric.data, Histogram):
        return [f"{name}{suffix}" for suffix in ("_bucket", "_sum", "_count")]
    if isinstance(metric.data, Gauge):
        return [name]
    assert isinstance(metric.data, Sum)
    return [f"{name}_total" if metric.data.is_monotonic else name]


def panels(kind: str | None = None) -> list[dict[str, Any]]:
    """The panels, rows left out."""
    found = [each for each in grafana_dashboard(plan())["panels"] if each["type"] != "row"]
    return [each for each in found if each["datasource"]["type"] == kind] if kind else found


def targets(kind: str) -> list[dict[str, Any]]:
    """The queries over one kind of data source."""
    return [target for panel in panels(kind) for target in panel["targets"]]


def test_every_expression_names_series_and_labels_that_there_are(
    labels_by_series: dict[str, set[str]],
) -> None:
    """A renamed metric or attribute is seen here."""
    for target in targets("prometheus"):
        expr = target["expr"]
        bare = re.sub(r'"[^"]*"', "", expr)
        series = set(re.findall(r"\b[a-z_]+(?=\{)", bare))
        assert series <= set(labels_by_series), expr
        known = set.union(*(labels_by_series[each] for each in series))
        words = set(re.findall(r"(?<![$\w])[a-z_]+\b", bare)) - series - _FUNCTIONS
        assert words <= known, expr
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= known


def test_every_metric_of_telemetry_is_shown(labels_by_series: dict[str, set[str]]) -> None:
    """A new one has its panel, or stands here with the reason."""
    text = " ".join(target["expr"] for target in targets("prometheus"))
    base = {re.sub(r"_(?:bucket|sum|count|total)$", "", each) for each in labels_by_series}

    assert {each for each in base if each not in text} == set()


def test_expressions_are_balanced_and_use_defined_variables() -> None:
    """Brackets, and the variables of the dashboard or of Grafana."""
    dashboard = grafana_dashboard(plan())
    defined = {each["name"] for each in dashboard["templating"]["list"]}

    for target in [*targets("prometheus"), *targets("cloudwatch")]:
        text = (
            f"{target.get('expr', '')} {target.get('dimensions', '')} {target.get('region', '')}"
        )
        for opening, closing in ("()", "[]", "{}"):
            assert text.count(opening) == text.count(closing)
        used = set(re.findall(r"\$(\w+)", text))
        assert used <= defined | {"__rate_interval", "__range"}


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    """Within 24 columns."""
    made = grafana_dashboard(plan())["panels"]
    ids = [each["id"] for each in made]
    positions = [each["gridPos"] for each in made]

    assert len(set(ids)) == len(ids)
    assert overlaps([(each["x"], each["y"], each["w"], each["h"]) for each in positions]) == []
    assert all(set(each) == {"x", "y", "w", "h"} for each in positions)


def test_panels_keep_the_rules_of_grafana_s_linter() -> None:
    """Title, description, unit, data source variable, unique query letters; `$__rate_interval`."""
    for panel in panels():
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] in {"${datasource}", "${cloudwatch}"}
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters)
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]
            if "rate(" in target.get("expr", ""):
                assert "$__rate_interval" in target["expr"]


def test_the_dashboard_has_what_an_import_needs() -> None:
    """And the variables in the order in which they depend on each other."""
    dashboard = grafana_dashboard(plan())

    assert dashboard["schemaVersion"] >= 36
    assert dashboard["uid"]
    assert "id" not in dashboard
    assert [each["name"] for each in dashboard["templating"]["list"]] == [
        "datasource",
        "cloudwatch",
        "region",
        "identity",
        "table",
        "dynamodb_table",
    ]
    rows = [each["title"] for each in dashboard["panels"] if each["type"] == "row"]
    assert rows == [
        "Calls and decisions",
        "Denials",
        "Grants, approvals, tasks",
        "Throttles",
        "Retries",
        "Masked values",
        "Consumed units",
        "Keys and reads",
        "Latency",
    ]


def test_metrics_of_dynamodb_are_those_of_the_models() -> None:
    """Both sides; throttles, causes and units."""
    names = {target["metricName"] for target in targets("cloudwatch")}

    assert len(names) == 12
    assert {"ReadThrottleEvents", "WriteThrottleEvents", "ConsumedReadCapacityUnits"} <= names
    assert "ReadAccountLimitThrottleEvents" in names


def test_runbooks_are_links() -> None:
    """One for each address; none without an address."""
    links = grafana_dashboard(plan(runbook=Runbook("on call", "https://w/{table}")))["links"]
    nobody = grafana_dashboard(plan(NOBODY, runbook=Runbook(url="https://w/all")))["links"]

    assert [(each["title"], each["url"]) for each in links] == [
        ("on call", "https://w/orders"),
        ("on call", "https://w/customers"),
    ]
    assert [(each["title"], each["url"]) for each in nobody] == [("Runbook", "https://w/all")]
    assert grafana_dashboard(plan(runbook=Runbook("name")))["links"] == []
