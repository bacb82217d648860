"""Metrics of what calls cost and which keys they go to.

Attributes are bounded: beyond `MAX_SERIES` combinations of a metric the rest is counted under
`otel.metric.overflow`, as the specification has it for SDKs, of which not all do so.

Source: OpenTelemetry specification, Metrics SDK, Cardinality limits.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Counter, MeterProvider, Observation

from dynaguard.call import Call, ConsumedCapacity
from dynaguard.telemetry import names

if TYPE_CHECKING:
    from dynaguard.consumption.keys import KeyFigures, KeyStatistics
    from dynaguard.consumption.queries import QueryWarning, Shape

MAX_SERIES: Final = 2000
_Attributes = dict[str, str | bool]
_OVERFLOW: Final[_Attributes] = {names.OTEL_METRIC_OVERFLOW: True}
_ABSENT: Final = object()


class ConsumptionMetrics:
    """Counters of units, warnings and limits; gauges of keys. Thread-safe.

    Args:
        keys: Whose figures the gauges show, as long as it lives; None: no gauges.
        meter_provider: Where metrics go; None: the global provider, whenever that is set.
    """

    __slots__ = ("_limits", "_read_units", "_series", "_warnings", "_write_units")

    def __init__(
        self, keys: KeyStatistics | None = None, *, meter_provider: MeterProvider | None = None
    ) -> None:
        meter = metrics.get_meter("dynaguard", meter_provider=meter_provider)
        self._read_units = meter.create_counter(
            names.CONSUMED_READ_METRIC, "{unit}", "Read capacity units that answers reported."
        )
        self._write_units = meter.create_counter(
            names.CONSUMED_WRITE_METRIC, "{unit}", "Write capacity units that answers reported."
        )
        self._warnings = meter.create_counter(
            names.QUERY_WARNINGS_METRIC, "{warning}", "Reads that cost more than they look."
        )
        self._limits = meter.create_counter(
            names.CAPACITY_LIMIT_METRIC, "{run}", "Runs of jobs that came to a capacity limit."
        )
        self._series: dict[Hashable, _Attributes] = {}
        if keys is not None:
            gauges = _Gauges(weakref.ref(keys))
            meter.create_observable_gauge(
                names.KEYS_DISTINCT_METRIC,
                [gauges.distinct],
                "{key}",
                "Different partition keys of the last 10 to 20 minutes, an estimate.",
            )
            meter.create_observable_gauge(
                names.KEYS_HOT_METRIC,
                [gauges.hot],
                "1",
                "Share of a hot partition key in its table's requests.",
            )

    def count_units(self, call: Call, identity: str, capacity: Iterable[ConsumedCapacity]) -> None:
        """Adds what one call consumed."""
        if not _is_metering(self._read_units):
            return
        scope = call.scope
        for each in capacity:
            key = (each.table, each.index, call.operation, identity, scope.job, scope.runbook)
            attributes = self._series.get(key) or self._new_series(key)
            if each.read_units:
                self._read_units.add(each.read_units, attributes)
            if each.write_units:
                self._write_units.add(each.write_units, attributes)

    def count_warning(self, shape: Shape, kind: QueryWarning) -> None:
        """Adds one warning about a read."""
        self._warnings.add(
            1,
            _present(
                {
                    names.QUERY_WARNING_KIND: kind.value,
                    names.OPERATION: shape.operation,
                    names.DB_COLLECTION_NAME: shape.table,
                    names.AWS_DYNAMODB_INDEX_NAME: shape.index,
                    names.JOB: shape.job,
                }
            ),
        )

    def count_limit(self, job: str, sid: str, level: str) -> None:
        """Adds one run that came to a limit, soft or hard."""
        self._limits.add(
            1,
            {names.JOB: job, names.SECURITY_RULE_NAME: sid, names.CAPACITY_LIMIT_LEVEL: level},
        )

    def _new_series(self, key: tuple[str | None, ...]) -> _Attributes:
        """The attributes of a combination that is new, or those of all beyond the bound."""
        if len(self._series) >= MAX_SERIES:
            return _OVERFLOW
        table, index, operation, identity, job, runbook = key
        found = self._series[key] = _present(
            {
                names.DB_COLLECTION_NAME: table,
                names.AWS_DYNAMODB_INDEX_NAME: index,
                names.OPERATION: operation,
                names.IDENTITY_NAME: identity,
                names.JOB: job,
                names.RUNBOOK: runbook,
            }
        )
        return found


class _Gauges:
    """Reads key figures for a meter, which outlives the guard."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Callable[[], KeyStatistics | None]) -> None:
        self._keys = keys

    def distinct(self, _options: CallbackOptions) -> Iterator[Observation]:
        """Distinct keys by table and index."""
        for figures in self._figures():
            yield Observation(figures.distinct_keys, _place(figures))

    def hot(self, _options: CallbackOptions) -> Iterator[Observation]:
        """The share of each hot key, at most ten of a table."""
        for figures in self._figures():
            for hot in figures.hot_keys:
                yield Observation(hot.share, {**_place(figures), names.KEY_HASH: hot.key_hash})

    def _figures(self) -> tuple[KeyFigures, ...]:
        keys = self._keys()
        return keys.figures() if keys is not None else ()


def _place(figures: KeyFigures) -> _Attributes:
    """Table and index."""
    return _present(
        {
            names.DB_COLLECTION_NAME: figures.table,
            names.AWS_DYNAMODB_INDEX_NAME: figures.index,
        }
    )


def _present(attributes: dict[str, str | None]) -> _Attributes:
    """The attributes that have a value."""
    return {name: value for name, value in attributes.items() if value is not None}


def _is_metering(counter: Counter) -> bool:
    """Whether anybody takes what is counted; a proxy without its real instrument does not."""
    return getattr(counter, "_real_instrument", _ABSENT) is not None
