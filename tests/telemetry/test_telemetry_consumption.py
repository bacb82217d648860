"""Metrics of units, warnings, limits and keys: by what they are split, and their bound."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from dynaguard.call import ConsumedCapacity
from dynaguard.consumption.keys import KeyHasher, KeyStatistics
from dynaguard.consumption.queries import QueryWarning, Shape
from dynaguard.scope import Scope
from dynaguard.telemetry import consumption, names
from dynaguard.telemetry.consumption import ConsumptionMetrics
from tests.audit.audit_cases import CALL

UNITS = (ConsumedCapacity("orders", 2.0, 0.0, 2.0), ConsumedCapacity("orders", 0.0, 3.0, 3.0, "i"))


@pytest.fixture
def reader() -> InMemoryMetricReader:
    """What is exported."""
    return InMemoryMetricReader()


@pytest.fixture
def provider(reader: InMemoryMetricReader) -> MeterProvider:
    """A real SDK."""
    return MeterProvider([reader], shutdown_on_exit=False)


def points(reader: InMemoryMetricReader) -> dict[str, list[tuple[dict[str, Any], Any]]]:
    """Attributes and value of each point by metric."""
    data = reader.get_metrics_data()
    return {
        metric.name: [
            (dict(point.attributes or {}), point.value) for point in metric.data.data_points
        ]
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def keys(name: str = "orders") -> KeyStatistics:
    """A table with one hot key of two."""
    found = KeyStatistics(KeyHasher(b"0" * 16), monotonic=lambda: 0.0)
    for number in range(200):
        found.add(name, None, ["hot" if number % 20 else "cold"])
    return found


def test_units_are_split_by_who_and_what(
    provider: MeterProvider, reader: InMemoryMetricReader
) -> None:
    """Table, index, operation, identity, job, runbook; what is not known is left out."""
    metrics = ConsumptionMetrics(meter_provider=provider)
    call = CALL._replace(scope=Scope(job="nightly", runbook="reload"))

    metrics.count_units(call, "etl", UNITS)
    metrics.count_units(call, "etl", UNITS)

    who = {
        "db.collection.name": "orders",
        "dynaguard.operation": "GetItem",
        "dynaguard.identity.name": "etl",
        "dynaguard.job": "nightly",
        "dynaguard.runbook": "reload",
    }
    found = points(reader)
    assert found[names.CONSUMED_READ_METRIC] == [(who, 4.0)]
    assert found[names.CONSUMED_WRITE_METRIC] == [({**who, "aws.dynamodb.index_name": "i"}, 6.0)]


def test_beyond_the_bound_units_overflow(
    provider: MeterProvider, reader: InMemoryMetricReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand identities do not make ten thousand series; no unit is lost."""
    monkeypatch.setattr(consumption, "MAX_SERIES", 3)
    metrics = ConsumptionMetrics(meter_provider=provider)
    for number in range(10):
        metrics.count_units(CALL, f"role-{number}", UNITS[:1])

    found = points(reader)[names.CONSUMED_READ_METRIC]

    assert len(found) == 4
    assert sum(value for _, value in found) == 20.0
    assert ({"otel.metric.overflow": True}, 14.0) in found


def test_warnings_and_limits_are_counted(
    provider: MeterProvider, reader: InMemoryMetricReader
) -> None:
    """By kind and shape; by job, limit and level."""
    metrics = ConsumptionMetrics(meter_provider=provider)
    metrics.count_warning(Shape("Scan", "orders", None, "nightly"), QueryWarning.SCAN)
    metrics.count_limit("nightly", "NightlyUnits", "soft")

    found = points(reader)

    assert found[names.QUERY_WARNINGS_METRIC] == [
        (
            {
                "dynaguard.query.warning.kind": "scan",
                "dynaguard.operation": "Scan",
                "db.collection.name": "orders",
                "dynaguard.job": "nightly",
            },
            1,
        )
    ]
    assert found[names.CAPACITY_LIMIT_METRIC] == [
        (
            {
                "dynaguard.job": "nightly",
                "security_rule.name": "NightlyUnits",
                "dynaguard.capacity_limit.level": "soft",
            },
            1,
        )
    ]


def test_gauges_show_hot_and_distinct_keys(
    provider: MeterProvider, reader: InMemoryMetricReader
) -> None:
    """A hot key by its hash."""
    watched = keys()
    metrics = ConsumptionMetrics(watched, meter_provider=provider)

    found = points(reader)

    assert metrics
    assert found[names.KEYS_DISTINCT_METRIC] == [({"db.collection.name": "orders"}, 2)]
    ((attributes, share),) = found[names.KEYS_HOT_METRIC]
    key_hash = f"{KeyHasher(b'0' * 16).of('orders', 'hot'):016x}"
    assert attributes == {"db.collection.name": "orders", "dynaguard.key.hash": key_hash}
    assert share == pytest.approx(0.95)


def test_gauges_of_a_guard_that_is_gone_are_silent(
    provider: MeterProvider, reader: InMemoryMetricReader
) -> None:
    """A meter outlives `uninstall()`."""
    ConsumptionMetrics(keys(), meter_provider=provider)
    gc.collect()

    assert points(reader) == {}


def test_without_an_sdk_no_attributes_are_made() -> None:
    """Nobody takes them."""
    metrics = ConsumptionMetrics()

    metrics.count_units(CALL, "etl", UNITS)

    assert metrics._series == {}
