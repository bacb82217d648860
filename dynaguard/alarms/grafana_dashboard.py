"""A Grafana dashboard over dynaguard's OpenTelemetry metrics in Prometheus.

Data sources, identity and table are variables, so that one dashboard serves every installation;
a second data source, CloudWatch, has what DynamoDB alone knows.

Source: Grafana documentation, Dashboard JSON model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from dynaguard.alarms import dynamodb_metrics
from dynaguard.alarms.dynamodb_metrics import NAMESPACE
from dynaguard.alarms.grafana_panels import ROWS
from dynaguard.alarms.grafana_values import Panel, Target
from dynaguard.alarms.kinds import AlarmKind
from dynaguard.alarms.layout import COLUMNS, Grid, Place
from dynaguard.alarms.plan import AlarmPlan
from dynaguard.alarms.prometheus import TABLE, counter, prometheus_name
from dynaguard.telemetry import names

_SCHEMA_VERSION: Final = 39
"""Grafana 11; later versions migrate it when they load it."""
_PROMETHEUS: Final = {"type": "prometheus", "uid": "${datasource}"}
_CLOUDWATCH: Final = {"type": "cloudwatch", "uid": "${cloudwatch}"}
_CHOICE: Final = {
    "refresh": 2,
    "sort": 1,
    "multi": True,
    "includeAll": True,
    "current": {"text": ["All"], "value": ["$__all"]},
}
"""Several values or all, looked up when the time range changes."""
_PANEL_HEIGHT: Final = 8
_MAX_LINKS: Final = 20


def grafana_dashboard(plan: AlarmPlan) -> dict[str, Any]:
    """The dashboard, for Grafana's import or a provisioning folder.

    Returns:
        **Shape**: Grafana's dashboard model: `panels` with `id` and `gridPos`, `templating`,
        `links` to the runbooks of the plan.
    """
    return {
        "uid": hashlib.sha256(plan.prefix.encode()).hexdigest()[:16],
        "title": f"{plan.prefix}: calls to AWS",
        "description": "Decisions, throttles, retries, masks and latency by identity and table",
        "tags": ["dynaguard", "dynamodb"],
        "schemaVersion": _SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "utc",
        "annotations": {"list": []},
        "links": _links(plan),
        "templating": {"list": _variables(plan)},
        "panels": list(_panels()),
    }


def _links(plan: AlarmPlan) -> list[dict[str, Any]]:
    """The runbooks, in the dashboard's head."""
    if plan.runbook.url is None:
        return []
    subjects = plan.subjects.pairs or (None,)
    title_by_url: dict[str, str] = {}
    for pair in subjects:
        identity, table = pair or (None, None)
        text = plan.runbook_text(AlarmKind.READ_THROTTLES, identity, table)
        title, _, url = text.rpartition(" ")
        title_by_url.setdefault(url, title or "Runbook")
    return [
        {"type": "link", "title": title, "url": url, "icon": "doc", "targetBlank": True}
        for url, title in list(title_by_url.items())[:_MAX_LINKS]
    ]


def _variables(plan: AlarmPlan) -> list[dict[str, Any]]:
    """The data sources, and what every panel is narrowed to."""
    decisions = counter(names.DECISIONS_METRIC)
    return [
        _source_variable("datasource", "prometheus", "Metrics"),
        _source_variable("cloudwatch", "cloudwatch", "CloudWatch"),
        {
            "name": "region",
            "type": "textbox",
            "label": "Region",
            "query": plan.region or "default",
            "current": {"text": plan.region or "default", "value": plan.region or "default"},
        },
        _label_variable("identity", "Identity", decisions, names.IDENTITY_NAME),
        _label_variable("table", "Table", decisions, TABLE),
        _table_variable(),
    ]


def _source_variable(name: str, sort: str, label: str) -> dict[str, Any]:
    return {"name": name, "type": "datasource", "query": sort, "label": label}


def _table_variable() -> dict[str, Any]:
    """The tables that CloudWatch knows: a regular expression for all would match none there."""
    return {
        "name": "dynamodb_table",
        "type": "query",
        "label": "Table (CloudWatch)",
        "datasource": _CLOUDWATCH,
        "query": {
            "refId": "dynamodb_table",
            "queryType": "dimensionValues",
            "namespace": NAMESPACE,
            "metricName": dynamodb_metrics.consumed_units("Read"),
            "dimensionKey": dynamodb_metrics.TABLE,
            "region": "$region",
        },
        **_CHOICE,
    }


def _label_variable(name: str, label: str, series: str, attribute: str) -> dict[str, Any]:
    """All values of an attribute; `.*` for all also covers series without it."""
    query = f"label_values({series}, {prometheus_name(attribute)})"
    return {
        "name": name,
        "type": "query",
        "label": label,
        "datasource": _PROMETHEUS,
        "query": {"query": query, "refId": name},
        "definition": query,
        "allValue": ".*",
        **_CHOICE,
    }


def _panels() -> Iterator[dict[str, Any]]:
    """Headlines and panels, numbered from 1."""
    grid, number = Grid(), 0
    for row in ROWS:
        number += 1
        [place] = grid.row([COLUMNS], 1)
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": _position(place),
            "panels": [],
        }
        for line in _lines(row.panels):
            places = grid.row([panel.width for panel in line], _PANEL_HEIGHT)
            for place, panel in zip(places, line, strict=True):
                number += 1
                yield _panel(number, place, panel)


def _lines(panels: tuple[Panel, ...]) -> Iterator[list[Panel]]:
    """The panels that stand side by side."""
    line: list[Panel] = []
    for panel in panels:
        if line and sum(each.width for each in line) + panel.width > COLUMNS:
            yield line
            line = []
        line.append(panel)
    yield line


def _panel(number: int, place: Place, panel: Panel) -> dict[str, Any]:
    """One panel."""
    source = _CLOUDWATCH if panel.targets[0].metric else _PROMETHEUS
    made: dict[str, Any] = {
        "id": number,
        "type": panel.view,
        "title": panel.title,
        "description": panel.description,
        "datasource": source,
        "gridPos": _position(place),
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            _target(chr(ord("A") + at), panel, target) for at, target in enumerate(panel.targets)
        ],
    }
    if panel.view == "table":
        made["options"] = {"showHeader": True, "sortBy": [{"displayName": "Value", "desc": True}]}
        made["transformations"] = [
            {"id": "organize", "options": {"excludeByName": {"Time": True}}}
        ]
    return made


def _target(ref_id: str, panel: Panel, target: Target) -> dict[str, Any]:
    """One query of a panel."""
    if target.metric:
        return {
            "refId": ref_id,
            "datasource": _CLOUDWATCH,
            "queryMode": "Metrics",
            "metricQueryType": 0,
            "metricEditorMode": 0,
            "namespace": NAMESPACE,
            "metricName": target.metric,
            "dimensions": {dynamodb_metrics.TABLE: "$dynamodb_table"},
            # Not exact: the series of indexes have a further dimension.
            "matchExact": False,
            "statistic": "Sum",
            "period": "60",
            "region": "$region",
            "label": target.legend,
            "id": "",
            "expression": "",
        }
    is_table = panel.view == "table"
    return {
        "refId": ref_id,
        "datasource": _PROMETHEUS,
        "expr": target.expr,
        "legendFormat": target.legend or "__auto",
        "range": not is_table,
        "instant": is_table,
        "format": "table" if is_table else "time_series",
    }


def _position(place: Place) -> dict[str, int]:
    return {"x": place.x, "y": place.y, "w": place.width, "h": place.height}
