"""The CloudWatch dashboard: its documented structure, and fields and metrics that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from moto import mock_aws

from dynaguard.alarms import limits
from dynaguard.alarms.cloudwatch_dashboard import cloudwatch_dashboard
from dynaguard.alarms.patterns import metric_filters
from dynaguard.alarms.plan import DEFAULT_NAMES, AlarmPlan, MetricNames
from dynaguard.alarms.subjects import Pair, named_subjects, subjects_of
from dynaguard.audit.schema import access_schema, record_schema
from dynaguard.errors import ConfigurationError
from tests.alarms.alarm_cases import LOG_GROUP, SUBJECTS, ascii_names, plan

SOURCES = ("logs", "otel", "aws")

# Source: CloudWatch API reference, Dashboard body structure and syntax.
_METRIC = {
    "type": "array",
    "oneOf": [
        {
            "minItems": 2,
            "prefixItems": [{"type": "string"}, {"type": "string"}],
            "items": {"type": ["string", "object"]},
        },
        {
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "type": "object",
                "required": ["expression"],
                "properties": {"id": {"pattern": "^[a-z][A-Za-z0-9_]*$"}},
                "additionalProperties": {"type": "string"},
            },
        },
    ],
}
_PROPERTIES: dict[str, dict[str, Any]] = {
    "text": {
        "required": ["markdown"],
        "properties": {"markdown": {"type": "string"}},
        "additionalProperties": False,
    },
    "log": {
        "required": ["query", "region"],
        "properties": {
            "title": {"type": "string"},
            "query": {"type": "string", "pattern": "^SOURCE '"},
            "region": {"type": "string", "minLength": 1},
            "view": {"enum": ["table", "timeSeries", "bar", "pie"]},
        },
        "additionalProperties": False,
    },
    "metric": {
        "required": ["metrics", "region"],
        "properties": {
            "title": {"type": "string"},
            "metrics": {"type": "array", "maxItems": 500, "items": _METRIC},
            "region": {"type": "string", "minLength": 1},
            "view": {"enum": ["timeSeries", "singleValue", "gauge", "bar", "pie", "table"]},
            "stacked": {"type": "boolean"},
            "stat": {"type": "string"},
            "period": {"type": "integer", "minimum": 60, "multipleOf": 60},
            "yAxis": {"type": "object"},
        },
        "additionalProperties": False,
    },
}
BODY = Draft202012Validator(
    {
        "type": "object",
        "required": ["widgets"],
        "properties": {
            "start": {"type": "string", "pattern": "^-PT?[0-9]+[MHDW]$"},
            "periodOverride": {"enum": ["auto", "inherit"]},
            "widgets": {
                "type": "array",
                "maxItems": 500,
                "items": {
                    "required": ["type", "x", "y", "width", "height", "properties"],
                    "properties": {
                        "type": {"enum": list(_PROPERTIES)},
                        "x": {"type": "integer", "minimum": 0, "maximum": 23},
                        "y": {"type": "integer", "minimum": 0},
                        "width": {"type": "integer", "minimum": 1, "maximum": 24},
                        "height": {"type": "integer", "minimum": 1, "maximum": 1000},
                    },
                    "allOf": [
                        {
                            "if": {"properties": {"type": {"const": sort}}},
                            "then": {"properties": {"properties": schema}},
                        }
                        for sort, schema in _PROPERTIES.items()
                    ],
                },
            },
        },
        "additionalProperties": False,
    }
)


def widgets(plan_: AlarmPlan, sort: str) -> list[dict[str, Any]]:
    """Properties of the widgets of one type."""
    return [
        each["properties"]
        for each in cloudwatch_dashboard(plan_)["widgets"]
        if each["type"] == sort
    ]


def overlaps(places: list[tuple[int, int, int, int]]) -> list[tuple[int, int]]:
    """Grid cells that two places share, or that are outside of 24 columns."""
    cells = [
        (column, line)
        for x, y, width, height in places
        for column in range(x, x + width)
        for line in range(y, y + height)
    ]
    return [cell for cell in set(cells) if cells.count(cell) > 1 or cell[0] > 23]


@pytest.mark.parametrize("metrics_from", SOURCES)
@pytest.mark.parametrize("log_group", [LOG_GROUP, None])
def test_the_body_has_the_documented_structure(metrics_from: Any, log_group: str | None) -> None:
    """Every widget; none over another."""
    body = cloudwatch_dashboard(plan(metrics_from=metrics_from, log_group=log_group))

    assert [error.message for error in BODY.iter_errors(body)] == []
    places = [(each["x"], each["y"], each["width"], each["height"]) for each in body["widgets"]]
    assert overlaps(places) == []
    assert len(body["widgets"]) <= limits.MAX_WIDGETS


@given(st.lists(st.builds(Pair, ascii_names, ascii_names), max_size=5), st.sampled_from(SOURCES))
def test_any_names_make_a_valid_body(pairs: list[Pair], metrics_from: Any) -> None:
    """None at all, too."""
    body = cloudwatch_dashboard(plan(subjects_of(pairs), metrics_from=metrics_from))

    assert [error.message for error in BODY.iter_errors(body)] == []


def _paths(schema: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The fields of a record as Logs Insights names them; places in lists are `N`."""
    for name, member in schema.get("properties", {}).items():
        yield f"{prefix}{name}"
        yield from _paths(member, f"{prefix}{name}.")
        yield f"{prefix}{name}.N"
        yield from _paths(member.get("items", {}), f"{prefix}{name}.N.")


def test_queries_name_fields_that_records_have() -> None:
    """A renamed field of the record is seen here."""
    fields = {*_paths(record_schema()), *_paths(access_schema())}
    made_up = re.compile(r"\bas (\w+)|\binto (\w+)")

    for query in (each["query"] for each in widgets(plan(), "log")):
        text = re.sub(r"SOURCE '[^']*'|\"[^\"]*\"|/[^/]*/", " ", query)
        own = {name for pair in made_up.findall(text) for name in pair if name}
        unnested = re.findall(r"unnest record\.([\w.]+) into (\w+)", text)
        for list_field, name in unnested:
            assert list_field in fields
            members = set(re.findall(rf"(?<![.\w]){name}\.(\w+)", text))
            assert {f"{list_field}.N.{member}" for member in members} <= fields
        aliases = {"record", *(name for _, name in unnested)}
        for path in re.findall(r"\b[a-z_]+(?:\.\w+)+", text):
            if path.split(".")[0] not in aliases | own:
                assert re.sub(r"\.\d+(?=\.|$)", ".N", path) in fields, path


def test_queries_find_records_that_are_a_field_of_the_event() -> None:
    """Every field has the prefix."""
    for query in (each["query"] for each in widgets(plan(field_prefix="log"), "log")):
        assert "log.phase" in query or "log.outcome" in query
        assert not re.search(r"(?<!log\.)\b(?:identity\.name|decision\.|outcome\.)", query)


def test_searches_name_the_metrics_of_the_filters() -> None:
    """With their dimensions."""
    made = plan(names=MetricNames("My Team/Guard", "Who", "Store"))
    expected = {
        (each.metric, tuple(name for name, _ in each.dimensions))
        for each in metric_filters(made)
        if each.dimensions
    }

    found = set()
    for widget in widgets(made, "metric"):
        for metric in widget["metrics"]:
            if isinstance(metric[0], dict):
                search = re.fullmatch(
                    r"SEARCH\('\{(.+)\} MetricName=\"(\w+)\"', 'Sum', 60\)",
                    metric[0]["expression"],
                )
                assert search
                namespace, *dimensions = re.findall(r'"([^"]+)"', search[1])
                assert namespace == "My Team/Guard"
                found.add((search[2], tuple(dimensions)))

    assert found == expected


@pytest.mark.parametrize(
    ("source", "name"),
    [("logs", "BreakGlassUses"), ("otel", "dynaguard.break_glass.uses"), ("aws", None)],
)
def test_uses_of_break_glass_are_shown(source: Any, name: str | None) -> None:
    """Of every identity together, where anything counts them."""
    made = plan(metrics_from=source)
    found = [each["metrics"] for each in widgets(made, "metric") if "Break" in each["title"]]

    assert found == ([] if name is None else [[["dynaguard", name]]])


def test_opentelemetry_metrics_have_searches_of_their_own() -> None:
    """Throttles, denials and refused retries; failures are counted by no such metric."""
    expressions = [
        metric[0]["expression"]
        for widget in widgets(plan(metrics_from="otel", names=DEFAULT_NAMES["otel"]), "metric")
        for metric in widget["metrics"]
        if isinstance(metric[0], dict)
    ]

    assert [re.findall(r'MetricName="([^"]+)"', each) for each in expressions] == [
        ["dynaguard.decisions"],
        ["dynaguard.retry.throttled"],
        ["dynaguard.retry.refused"],
    ]


def test_tables_and_indexes_have_their_throttles_by_cause() -> None:
    """As DynamoDB counts them."""
    shown = {
        tuple(map(str, metric))
        for widget in widgets(plan(), "metric")
        for metric in widget["metrics"]
    }

    for name in ("ReadThrottleEvents", "WriteKeyRangeThroughputThrottleEvents"):
        assert ("AWS/DynamoDB", name, "TableName", "orders") in shown
        index = ("GlobalSecondaryIndexName", "by_status")
        assert ("AWS/DynamoDB", name, "TableName", "orders", *index) in shown


def test_the_head_names_who_what_and_the_runbooks() -> None:
    """Twenty of them at most."""
    many = named_subjects([f"s{number:02}" for number in range(25)], ["orders"])

    head = widgets(plan(), "text")[0]["markdown"]
    long = widgets(plan(many), "text")[0]["markdown"]

    assert "Identities: `billing`, `etl`. Tables: `customers`, `orders`." in head
    assert "on call https://wiki.example.com/read-throttles/etl/orders" in head
    assert "5 more" in long


def test_a_region_is_needed() -> None:
    """CloudWatch's widgets have one each."""
    with pytest.raises(ConfigurationError, match="--region"):
        cloudwatch_dashboard(plan(region=None))


def test_too_many_metrics_are_refused() -> None:
    """500 in a widget, 2500 altogether."""
    subjects = named_subjects(["etl"], [f"t{number}" for number in range(200)])

    with pytest.raises(ConfigurationError, match=r"2500.*make several"):
        cloudwatch_dashboard(plan(subjects))


@mock_aws
def test_moto_takes_the_dashboard() -> None:
    """As a body of `PutDashboard`."""
    client = boto3.client("cloudwatch", region_name="eu-west-1")

    client.put_dashboard(
        DashboardName="dynaguard", DashboardBody=json.dumps(cloudwatch_dashboard(plan(SUBJECTS)))
    )

    assert client.list_dashboards()["DashboardEntries"][0]["DashboardName"] == "dynaguard"
