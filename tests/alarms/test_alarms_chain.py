"""From a record to the alarm that goes off: filter, metric, dimensions and alarm fit together."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.alarms.alarms import Alarm, alarms_of
from dynaguard.alarms.patterns import metric_filters
from dynaguard.alarms.plan import AlarmPlan, MetricNames
from dynaguard.call import Outcome, Status, Verdict
from tests.alarms.alarm_cases import decision, plan, record
from tests.alarms.filter_patterns import matches, select

THROTTLED = Outcome(Status.OK, attempts=4, throttles=3)
DENIED = Outcome(Status.DENIED, "AccessDeniedException")


def going_off(made: AlarmPlan, *events: dict[str, Any]) -> set[str]:
    """Names of the alarms whose metric reaches its threshold within one period."""
    sums: dict[tuple[str, str, tuple[tuple[str, str], ...]], float] = {}
    for event in events:
        for each in metric_filters(made):
            if matches(each.pattern, event):
                dimensions = tuple((name, select(field, event)) for name, field in each.dimensions)
                key = (made.names.namespace, each.metric, dimensions)
                value = select(each.value, event) if each.value.startswith("$") else each.value
                sums[key] = sums.get(key, 0) + float(value)
    return {alarm.name for alarm in alarms_of(made) if _total(alarm, sums) >= 1}


def _total(alarm: Alarm, sums: dict[Any, float]) -> float:
    return sum(sums.get((each.namespace, each.name, each.dimensions), 0) for each in alarm.metrics)


@pytest.mark.parametrize(
    "changed",
    [{}, {"names": MetricNames("Team/Guard", "Caller", "Store")}, {"prefix": "prod"}],
)
def test_a_denied_call_sets_off_the_alarms_of_its_identity_and_table(
    changed: dict[str, Any],
) -> None:
    """And of nobody else, whatever the metrics are called."""
    made = plan(**changed)
    event = record(decision=decision(verdict=Verdict.DENY), outcome=DENIED)

    assert going_off(made, event) == {
        f"{made.prefix}/denials/etl/orders",
        f"{made.prefix}/failures/etl",
    }


def test_throttled_reads_and_writes_set_off_their_own() -> None:
    """Each its own, on each table that the call touches."""
    read = record("Query", outcome=THROTTLED)
    write = record(
        "BatchWriteItem",
        decision=decision("dynamodb:BatchWriteItem", "orders", "customers"),
        outcome=THROTTLED,
    )

    assert going_off(plan(), read) == {"dynaguard/read-throttles/etl/orders"}
    assert going_off(plan(), write) == {
        "dynaguard/write-throttles/etl/orders",
        "dynaguard/write-throttles/etl/customers",
    }


def test_a_call_of_somebody_else_sets_off_nothing() -> None:
    """It is counted, and nobody watches it."""
    assert going_off(plan(), record(identity="web", outcome=DENIED)) == set()
