"""A CloudWatch dashboard: DynamoDB's own metrics, dynaguard's, and queries over audit records.

Source: CloudWatch API reference, Dashboard body structure and syntax.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from dynaguard.alarms import dynamodb_metrics, limits, queries
from dynaguard.alarms.dynamodb_metrics import NAMESPACE, SIDES
from dynaguard.alarms.kinds import AlarmKind
from dynaguard.alarms.layout import Grid, Place
from dynaguard.alarms.patterns import METRIC_BY_KIND
from dynaguard.alarms.plan import AlarmPlan
from dynaguard.alarms.queries import LogQuery
from dynaguard.errors import ConfigurationError
from dynaguard.telemetry import names

_Metrics = list[list[Any]]
_LATENCY_OPERATIONS: Final = ("GetItem", "Query", "PutItem", "UpdateItem")
_MAX_LISTED: Final = 20


_BREAK_GLASS: Final = {
    "logs": METRIC_BY_KIND[AlarmKind.BREAK_GLASS],
    "otel": names.BREAK_GLASS_METRIC,
}
"""Of all identities together, without dimensions."""


def cloudwatch_dashboard(plan: AlarmPlan) -> dict[str, Any]:
    """The body of a dashboard, for `aws cloudwatch put-dashboard`.

    Returns:
        **Shape**: `{"start", "periodOverride", "widgets": [{"type", "x", "y", "width", "height",
        "properties"}]}`.

    Raises:
        ConfigurationError: No region, or more metrics than a dashboard takes.
    """
    if plan.region is None:
        raise ConfigurationError(
            "a CloudWatch dashboard needs the region of its metrics, name it with --region or "
            "the variable AWS_REGION"
        )
    grid = Grid()
    widgets = [
        *_headline(plan, grid),
        *_calls(plan, grid),
        *_privileged(plan, grid),
        *_throttles(plan, grid),
        *_retries(plan, grid),
        *_data(plan, grid),
        *_latency(plan, grid),
    ]
    _check(widgets)
    return {"start": "-PT3H", "periodOverride": "inherit", "widgets": widgets}


def _check(widgets: Iterable[dict[str, Any]]) -> None:
    """Refuses what CloudWatch would."""
    counts = [len(widget["properties"].get("metrics", ())) for widget in widgets]
    if max(counts) > limits.MAX_WIDGET_METRICS or sum(counts) > limits.MAX_DASHBOARD_METRICS:
        raise ConfigurationError(
            f"{sum(counts)} metrics are more than a dashboard takes "
            f"({limits.MAX_DASHBOARD_METRICS}, and {limits.MAX_WIDGET_METRICS} in one widget); "
            "make several, each with some --table"
        )


# --- rows -------------------------------------------------------------------------------------


def _headline(plan: AlarmPlan, grid: Grid) -> Iterator[dict[str, Any]]:
    """What the dashboard is about, and the runbooks."""
    subjects = plan.subjects
    lines = [
        f"# {plan.prefix}",
        f"Identities: {_listed(subjects.identities)}. Tables: {_listed(subjects.tables)}.",
    ]
    if plan.log_group:
        lines.append(f"Audit records: log group `{plan.log_group}`.")
    texts = dict.fromkeys(
        plan.runbook_text(AlarmKind.READ_THROTTLES, pair.identity, pair.table)
        for pair in subjects.pairs
    )
    runbooks = [text for text in texts if text]
    if runbooks:
        lines.append(f"Runbooks: {_listed(runbooks, code=False)}.")
    [place] = grid.row([24], 3)
    yield _widget("text", place, {"markdown": "\n\n".join(lines)})


def _calls(plan: AlarmPlan, grid: Grid) -> Iterator[dict[str, Any]]:
    """Calls, decisions and denials by identity."""
    yield from _section(grid, "Calls, decisions and denials")
    yield from _log_row(plan, grid, queries.CALLS)
    yield from _log_row(plan, grid, queries.DENIALS)
    yield from _own_row(
        plan, grid, [("Denials", AlarmKind.DENIALS), ("Failures", AlarmKind.FAILURES)]
    )


def _privileged(plan: AlarmPlan, grid: Grid) -> Iterator[dict[str, Any]]:
    """What was done by special leave."""
    name = _BREAK_GLASS.get(plan.metrics_from)
    if plan.log_group is None and name is None:
        return
    yield from _section(grid, "Grants, approvals, tasks")
    yield from _log_row(plan, grid, queries.PRIVILEGED)
    if name is not None:
        [place] = grid.row([24], 4)
        yield _graph(plan, place, "Break-glass uses", [[plan.names.namespace, name]])


def _throttles(plan: AlarmPlan, grid: Grid) -> Iterator[dict[str, Any]]:
    """Throttles by identity, then by table, index and cause."""
    yield from _section(grid, "Throttles by identity, table and index")
    yield from _own_row(
        plan,
        grid,
        [
            ("Throttled reads by identity and table", AlarmKind.READ_THROTTLES),
            ("Throttled writes by identity and table", AlarmKind.WRITE_THROTTLES),
        ],
    )
    for place, side in zip(grid.row([12, 12], 6), SIDES, strict=True):
        metrics = _table_metrics(plan, [dynamodb_metrics.throttles(side)])
        yield _graph(plan, place, f"{side} throttles by table and index", metrics)
    for place, side in zip(grid.row([12, 12], 6), SIDES, strict=True):
        metrics = _table_metrics(plan, dynamodb_metrics.throttle_causes(side))
        yield _graph(plan, place, f"Why: {side.lower()} throttles by cause", metrics)


def _retries(plan: AlarmPlan, grid: Grid) -> Iterator[dict[str, Any]]:
    """Waits, and calls that were given up."""
    yield from _section(grid, "Retries")
    yield from _log_row(plan, grid, queries.RETRIES)
    yield from _own_row(plan, grid, [("Retry budget exhausted", AlarmKind.BUDGET)])


def _data(plan: AlarmPlan, grid: Grid) -> Iterator[dict[str, Any]]:
    """Masked values and consumed units."""
    yield from _section(grid, "Masked values and consumed units")
    yield from _log_row(plan, grid, [queries.MASKED, queries.UNITS])
    for place, side in zip(grid.row([12, 12], 6), SIDES, strict=True):
        metrics = _table_metrics(plan, [dynamodb_metrics.consumed_units(side)])
        title = f"Consumed {side.lower()} units by table and index"
        yield _graph(plan, place, title, metrics)


def _latency(plan: AlarmPlan, grid: Grid) -> Iterator[dict[str, Any]]:
    """The caller's side, and DynamoDB's."""
    yield from _section(grid, "Latency")
    if plan.log_group is not None:
        [place] = grid.row([24], 6)
        yield _log(plan, place, queries.LATENCY)
    metrics: _Metrics = []
    for table in plan.subjects.tables:
        for operation in _LATENCY_OPERATIONS:
            metrics += [
                [
                    NAMESPACE,
                    "SuccessfulRequestLatency",
                    "TableName",
                    table,
                    "Operation",
                    operation,
                    {"stat": stat},
                ]
                for stat in ("p50", "p99")
            ]
    [place] = grid.row([24], 6)
    yield _graph(plan, place, "Latency within DynamoDB, p50 and p99 (ms)", metrics)


# --- widgets ----------------------------------------------------------------------------------


def _section(grid: Grid, title: str) -> Iterator[dict[str, Any]]:
    """A headline over the widgets that follow."""
    [place] = grid.row([24], 1)
    yield _widget("text", place, {"markdown": f"## {title}"})


def _log_row(plan: AlarmPlan, grid: Grid, row: Sequence[LogQuery]) -> Iterator[dict[str, Any]]:
    """Queries side by side; nothing without a log group."""
    if plan.log_group is None:
        return
    for place, query in zip(grid.row([24 // len(row)] * len(row), 6), row, strict=True):
        yield _log(plan, place, query)


def _own_row(
    plan: AlarmPlan, grid: Grid, row: Sequence[tuple[str, AlarmKind]]
) -> Iterator[dict[str, Any]]:
    """dynaguard's metrics side by side; nothing where there are only AWS's."""
    shown = [(title, each) for title, kind in row if (each := _search(plan, kind)) is not None]
    if not shown:
        return
    places = grid.row([24 // len(shown)] * len(shown), 6)
    for place, (title, expression) in zip(places, shown, strict=True):
        yield _graph(plan, place, title, [[{"expression": expression, "id": "e1", "label": ""}]])


def _search(plan: AlarmPlan, kind: AlarmKind) -> str | None:
    """A search for a metric of every identity, those that nobody listed too.

    Source: CloudWatch user guide, Search expression syntax.
    """
    dimensions = [plan.names.identity, plan.names.table]
    if plan.metrics_from == "aws":
        return None
    if plan.metrics_from == "logs":
        name = METRIC_BY_KIND[kind]
        if kind is AlarmKind.FAILURES:
            dimensions.pop()
    else:
        further = {
            AlarmKind.READ_THROTTLES: (names.THROTTLED_METRIC, [names.OPERATION]),
            AlarmKind.DENIALS: (
                names.DECISIONS_METRIC,
                [names.DECISION, names.DECISION_IS_ENFORCED],
            ),
            AlarmKind.BUDGET: (names.REFUSED_METRIC, []),
        }.get(kind)
        if further is None:  # reads and writes are told apart by their operations, in one search
            return None
        name, split = further
        dimensions += split
    schema = ",".join(f'"{each}"' for each in (plan.names.namespace, *dimensions))
    return f"SEARCH('{{{schema}}} MetricName=\"{name}\"', 'Sum', 60)"


def _table_metrics(plan: AlarmPlan, metric_names: Sequence[str]) -> _Metrics:
    """Metrics of DynamoDB for every table and index."""
    return [
        [NAMESPACE, name, *chain.from_iterable(dynamodb_metrics.dimensions(table, index))]
        for table in plan.subjects.tables
        for name in metric_names
        for index in (None, *plan.subjects.indexes_by_table.get(table, ()))
    ]


def _graph(plan: AlarmPlan, place: Place, title: str, metrics: _Metrics) -> dict[str, Any]:
    """Lines over time."""
    return _widget(
        "metric",
        place,
        {
            "title": title,
            "metrics": metrics,
            "view": "timeSeries",
            "stacked": False,
            "stat": "Sum",
            "period": 60,
            "region": plan.region,
            "yAxis": {"left": {"min": 0}},
        },
    )


def _log(plan: AlarmPlan, place: Place, query: LogQuery) -> dict[str, Any]:
    """The result of a query."""
    return _widget(
        "log",
        place,
        {
            "title": query.title,
            "query": query.source(plan.log_group or "", plan.field_prefix),
            "view": query.view,
            "region": plan.region,
        },
    )


def _widget(sort: str, place: Place, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": sort, **place._asdict(), "properties": properties}


def _listed(values: Sequence[str], *, code: bool = True) -> str:
    """Names separated by commas, the first twenty of them."""
    shown = [f"`{value}`" if code else value for value in values[:_MAX_LISTED]]
    more = [f"{len(values) - _MAX_LISTED} more"] if len(values) > _MAX_LISTED else []
    return ", ".join([*shown, *more]) or "none named"
