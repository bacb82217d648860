"""Checks of a run: a value of a result or a metric of CloudWatch has to hold, or the run ends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from dynaguard.runbooks.calls import metric_call
from dynaguard.runbooks.lookup import Unfilled, simple
from dynaguard.runbooks.model import Check, MetricQuery, Reference

if TYPE_CHECKING:
    from dynaguard.runbooks.lookup import Known

_WINDOW: Final = frozenset({"StartTime", "EndTime"})
_ABSENT: Final = object()


def metric_params(query: MetricQuery, known: Known, now_s: float) -> dict[str, Any]:
    """The parameters of GetMetricStatistics for a check: one data point over its window.

    Args:
        query: The metric.
        known: Fills the values of its dimensions.
        now_s: The time, in seconds since the epoch.

    Raises:
        Unfilled: A dimension has no value.
    """
    call = metric_call(query)
    fixed = {name: each for name, each in call.params.items() if name not in _WINDOW}
    end = datetime.fromtimestamp(now_s, UTC)
    start = end - timedelta(seconds=query.window_s)
    return {**known.fill(fixed), "StartTime": start, "EndTime": end}


def metric_value(query: MetricQuery, answer: Mapping[str, Any]) -> float:
    """The value that an answer tells; without data points 0, since AWS sends none for nothing."""
    points = [point[query.statistic] for point in answer.get("Datapoints", ())]
    if not points:
        return 0.0
    by_statistic = {"Minimum": min, "Maximum": max}
    if query.statistic == "Average":
        return float(sum(points) / len(points))
    return float(by_statistic.get(query.statistic, sum)(points))


def subject_of(check: Check, known: Known) -> Any:
    """The value that a check looks at; nothing where there is none."""
    if not isinstance(check.subject, Reference):
        return _ABSENT
    try:
        return simple(known.find(check.subject))
    except Unfilled:
        return _ABSENT


def holds(check: Check, subject: Any, known: Known) -> bool:
    """Whether a check holds for a value.

    Raises:
        Unfilled: What it is compared with has no value.
    """
    is_there = subject is not _ABSENT and subject is not None
    if check.comparison == "exists":
        return is_there
    if check.comparison == "absent":
        return not is_there
    wanted = check.value
    if isinstance(wanted, Reference):
        wanted = simple(known.find(wanted))
    if not is_there:
        return check.comparison == "not_equals"
    if check.comparison in {"equals", "not_equals"}:
        return _is_equal(subject, wanted) == (check.comparison == "equals")
    return _is_ordered(check.comparison, subject, wanted)


def _is_ordered(comparison: str, subject: Any, wanted: Any) -> bool:
    """Whether numbers, or texts such as dates, stand in order; what cannot be compared does not.

    A list or mapping counts by its length.
    """
    if isinstance(subject, list | tuple | Mapping):
        subject = len(subject)
    left, right = _number(subject), _number(wanted)
    if left is None or right is None:
        if not (isinstance(subject, str) and isinstance(wanted, str)):
            return False
        return subject <= wanted if comparison == "at_most" else subject >= wanted
    return left <= right if comparison == "at_most" else left >= right


def _is_equal(subject: Any, wanted: Any) -> bool:
    """Equality by value: 1 and 1.0 are equal, 1 and `1` and true are not."""
    if isinstance(subject, bool) or isinstance(wanted, bool):
        return subject is wanted
    left, right = _number(subject), _number(wanted)
    if left is not None and right is not None:
        return left == right
    return bool(subject == wanted)


def _number(value: Any) -> Decimal | None:
    """A number exactly, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None
