"""The alarms of a plan, as values that know no format yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dynaguard.alarms import dynamodb_metrics
from dynaguard.alarms.descriptions import describe
from dynaguard.alarms.kinds import PAIR_KINDS, SIDE_BY_TABLE_KIND, AlarmKind, Timing
from dynaguard.alarms.naming import alarm_name, resource_id
from dynaguard.alarms.patterns import METRIC_BY_KIND, READ_OPERATIONS, WRITE_OPERATIONS
from dynaguard.alarms.plan import AlarmPlan
from dynaguard.errors import ConfigurationError
from dynaguard.telemetry import names

_REFUSALS: Final = ("deny", "implicit_deny")
_BREAK_GLASS: Final = (METRIC_BY_KIND[AlarmKind.BREAK_GLASS], names.BREAK_GLASS_METRIC)
"""Of the records, and OpenTelemetry's; of every identity together, so without dimensions."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric in CloudWatch.

    Attributes:
        namespace: Where it is.
        name: What it is called.
        dimensions: Names and values, exactly as published: CloudWatch adds nothing up.
    """

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm on the sum of its metrics.

    Attributes:
        kind: What it is about.
        id: Of the resource in a generated file.
        name: In CloudWatch.
        description: What failed, who, which runbook, where to look.
        metrics: One, or up to ten that are added up.
        timing: When it goes off.
    """

    kind: AlarmKind
    id: str
    name: str
    description: str
    metrics: tuple[Metric, ...]
    timing: Timing


def alarms_of(plan: AlarmPlan) -> tuple[Alarm, ...]:
    """The alarms of a plan: per identity and table, per identity, per table and index, and one.

    Raises:
        ConfigurationError: No log group where metrics come from one, or a description would be
            too long for CloudWatch.
    """
    if plan.metrics_from == "logs" and plan.log_group is None:
        raise ConfigurationError(
            "alarms per identity need metrics per identity: name the log group that has the audit "
            "records with --log-group, or say --metrics otel, or --metrics aws for tables alone"
        )
    return (*_identity_alarms(plan), *_table_alarms(plan))


def _identity_alarms(plan: AlarmPlan) -> Iterator[Alarm]:
    """What dynaguard's metrics tell; none where only AWS's are there."""
    if plan.metrics_from == "aws":
        return
    for pair in plan.subjects.pairs:
        for kind in PAIR_KINDS:
            metrics = _metrics(plan, kind, pair.identity, pair.table)
            yield _alarm(plan, kind, metrics, identity=pair.identity, table=pair.table)
    if plan.metrics_from == "logs":  # no OpenTelemetry metric counts failures by identity
        for identity in plan.subjects.identities:
            metrics = _metrics(plan, AlarmKind.FAILURES, identity, None)
            yield _alarm(plan, AlarmKind.FAILURES, metrics, identity=identity)
    name = _BREAK_GLASS[plan.metrics_from == "otel"]
    yield _alarm(plan, AlarmKind.BREAK_GLASS, (Metric(plan.names.namespace, name, ()),))


def _table_alarms(plan: AlarmPlan) -> Iterator[Alarm]:
    """DynamoDB's own metrics, for each table and each of its indexes."""
    for table in plan.subjects.tables:
        for index in (None, *plan.subjects.indexes_by_table.get(table, ())):
            dimensions = dynamodb_metrics.dimensions(table, index)
            for kind, side in SIDE_BY_TABLE_KIND.items():
                name = dynamodb_metrics.throttles(side)
                metric = Metric(dynamodb_metrics.NAMESPACE, name, dimensions)
                yield _alarm(plan, kind, (metric,), table=table, index=index)


def _alarm(
    plan: AlarmPlan,
    kind: AlarmKind,
    metrics: tuple[Metric, ...],
    *,
    identity: str | None = None,
    table: str | None = None,
    index: str | None = None,
) -> Alarm:
    parts = [part for part in (identity, table, index) if part is not None]
    return Alarm(
        kind,
        resource_id(kind.value, *parts),
        alarm_name(plan.prefix, kind.value, *parts),
        describe(plan, kind, identity=identity, table=table, index=index),
        metrics,
        plan.timings[kind],
    )


def _metrics(
    plan: AlarmPlan, kind: AlarmKind, identity: str, table: str | None
) -> tuple[Metric, ...]:
    """The metrics of dynaguard that an alarm adds up."""
    subject = [(plan.names.identity, identity)]
    if table is not None:
        subject.append((plan.names.table, table))
    if plan.metrics_from == "logs":
        return (Metric(plan.names.namespace, METRIC_BY_KIND[kind], tuple(subject)),)
    name, splits = _otel_splits(kind)
    return tuple(Metric(plan.names.namespace, name, (*subject, *split)) for split in splits)


def _otel_splits(kind: AlarmKind) -> tuple[str, tuple[tuple[tuple[str, str], ...], ...]]:
    """An OpenTelemetry metric, and the further dimensions of each series that counts."""
    if kind is AlarmKind.BUDGET:
        return names.REFUSED_METRIC, ((),)
    if kind is AlarmKind.DENIALS:
        enforced = (names.DECISION_IS_ENFORCED, "true")
        return names.DECISIONS_METRIC, tuple(
            ((names.DECISION, verdict), enforced) for verdict in _REFUSALS
        )
    operations = READ_OPERATIONS if kind is AlarmKind.READ_THROTTLES else WRITE_OPERATIONS
    return names.THROTTLED_METRIC, tuple(
        ((names.OPERATION, operation),) for operation in operations
    )
