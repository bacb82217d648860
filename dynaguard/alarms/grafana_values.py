"""The values that Grafana's panels are made of, and the queries that they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dynaguard.alarms.prometheus import counter, legend, quantile, summed_rate


@dataclass(frozen=True, slots=True)
class Target:
    """One query of a panel: over Prometheus, or of a metric of DynamoDB in CloudWatch.

    Attributes:
        legend: Text of each line.
        expr: PromQL, or empty.
        metric: Name of a metric of DynamoDB, or empty.
    """

    legend: str
    expr: str = ""
    metric: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        title: What it shows.
        description: What to read in it.
        targets: Its queries.
        unit: Grafana's id of the unit.
        view: Lines over time, or a table over the whole range.
        width: Columns, of 24.
    """

    title: str
    description: str
    targets: tuple[Target, ...]
    unit: str = "short"
    view: Literal["timeseries", "table"] = "timeseries"
    width: int = 12


@dataclass(frozen=True, slots=True)
class Row:
    """A row of panels under a headline."""

    title: str
    panels: tuple[Panel, ...]


def rates(name: str, selection: str, *by: str) -> tuple[Target, ...]:
    """A counter per second, one line for each combination of attributes."""
    return (Target(legend(*by), summed_rate(counter(name), selection, *by)),)


def of_dynamodb(*metric_names: str) -> tuple[Target, ...]:
    """DynamoDB's own metrics, by table and index."""
    label = (
        "${PROP('MetricName')} ${PROP('Dim.TableName')} ${PROP('Dim.GlobalSecondaryIndexName')}"
    )
    return tuple(Target(label, metric=name) for name in metric_names)


def quantiles(name: str, selection: str, *by: str) -> tuple[Target, ...]:
    """Median and 99th percentile of a histogram."""
    return tuple(
        Target(f"{mark} {legend(*by)}", quantile(share, name, selection, *by))
        for mark, share in (("p50", 0.5), ("p99", 0.99))
    )
