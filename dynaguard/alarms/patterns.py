"""Filter patterns of CloudWatch Logs over audit records, and the metrics that they make.

One filter counts one kind for every identity: identity and table are dimensions, read from the
record. A log group takes 100 filters, far fewer than there are identities. A dimension can only be
a field that the pattern names, and a field that holds a list cannot be one, so a table of a call
of several tables has a filter of its own for each of the first places in the list.

INVARIANT: no name of an identity or table stands in a pattern, so nothing has to be escaped.

Source: CloudWatch Logs user guide, Filter pattern syntax for metric filters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dynaguard.alarms.kinds import PAIR_KINDS, AlarmKind
from dynaguard.alarms.plan import AlarmPlan

TABLE_PLACES: Final = 3
"""Tables of one call that are counted; batches and transactions rarely touch more."""

GRANT_PLACES: Final = 3
"""Grants of one call that are looked at; mostly one lets all of it."""

METRIC_BY_KIND: Final[Mapping[AlarmKind, str]] = {
    AlarmKind.READ_THROTTLES: "ReadThrottles",
    AlarmKind.WRITE_THROTTLES: "WriteThrottles",
    AlarmKind.DENIALS: "Denials",
    AlarmKind.BUDGET: "RetryBudgetExhausted",
    AlarmKind.FAILURES: "Failures",
    AlarmKind.BREAK_GLASS: "BreakGlassUses",
}
"""Names of the metrics that the filters make."""

READ_OPERATIONS: Final = ("GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems")
WRITE_OPERATIONS: Final = (
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "BatchWriteItem",
    "TransactWriteItems",
)
_PARTIQL_READ: Final = "dynamodb:PartiQLSelect"
_PARTIQL_WRITES: Final = (
    "dynamodb:PartiQLInsert",
    "dynamodb:PartiQLUpdate",
    "dynamodb:PartiQLDelete",
)
_EXPECTED_ERRORS: Final = ("ConditionalCheckFailedException", "TransactionCanceledException")
"""What optimistic locking answers by, in normal operation."""


@dataclass(frozen=True, slots=True)
class MetricFilter:
    """One metric filter.

    Attributes:
        kind: What it counts.
        name: Its name in the log group.
        pattern: Which records count.
        metric: Name of the metric.
        value: What a record adds: a number, or a field.
        dimensions: Name of each dimension, and the field that holds its value.
    """

    kind: AlarmKind
    name: str
    pattern: str
    metric: str
    value: str
    dimensions: tuple[tuple[str, str], ...]


class _Fields:
    """Selectors of a record's members, where the record is the event or one of its fields."""

    def __init__(self, prefix: str) -> None:
        self._root = f"$.{prefix}." if prefix else "$."

    def __call__(self, path: str) -> str:
        return f"{self._root}{path}"

    def equals(self, path: str, *values: str) -> str:
        """Whether a member is one of some texts; `*` in them is a wildcard."""
        return _any(*(f'{self(path)} = "{value}"' for value in values))

    def is_there(self, path: str) -> str:
        """Whether a member holds a text."""
        return self.equals(path, "*")


def _all(*conditions: str) -> str:
    return " && ".join(conditions)


def _any(*conditions: str) -> str:
    return conditions[0] if len(conditions) == 1 else f"({' || '.join(conditions)})"


def metric_filters(plan: AlarmPlan) -> tuple[MetricFilter, ...]:
    """The filters that make every metric of the plan; none without a log group."""
    if plan.metrics_from != "logs" or plan.log_group is None or not plan.has_filters:
        return ()
    return tuple(_filters(plan))


def _filters(plan: AlarmPlan) -> Iterator[MetricFilter]:
    fields = _Fields(plan.field_prefix)
    who = (plan.names.identity, fields("identity.name"))
    base = _all(fields.equals("phase", "outcome"), fields.is_there("identity.name"))
    condition_by_kind = _conditions(fields)
    for kind in PAIR_KINDS:
        for place in range(TABLE_PLACES):
            table = f"tables[{place}]"
            yield MetricFilter(
                kind,
                f"{plan.prefix}-{kind.value}-{place}",
                f"{{ {_all(base, fields.is_there(table), condition_by_kind[kind])} }}",
                METRIC_BY_KIND[kind],
                _value(kind, fields),
                (who, (plan.names.table, fields(table))),
            )
    kind = AlarmKind.FAILURES
    yield MetricFilter(
        kind,
        f"{plan.prefix}-{kind.value}",
        f"{{ {_all(base, condition_by_kind[kind])} }}",
        METRIC_BY_KIND[kind],
        _value(kind, fields),
        (who,),
    )
    kind = AlarmKind.BREAK_GLASS
    yield MetricFilter(
        kind,
        f"{plan.prefix}-{kind.value}",
        f"{{ {_break_glass(fields)} }}",
        METRIC_BY_KIND[kind],
        "1",
        (),
    )


def _break_glass(fields: _Fields) -> str:
    """Calls that break-glass let, and changes of such a grant."""
    places = [f"decision.grants[{place}].is_break_glass" for place in range(GRANT_PLACES)]
    paths = ("change.is_break_glass", *places)
    return " || ".join(f"({fields(path)} IS TRUE)" for path in paths)


def _value(kind: AlarmKind, fields: _Fields) -> str:
    """Throttled attempts are counted, not the calls that had them."""
    is_throttle = kind in {AlarmKind.READ_THROTTLES, AlarmKind.WRITE_THROTTLES}
    return fields("outcome.throttles") if is_throttle else "1"


def _conditions(fields: _Fields) -> Mapping[AlarmKind, str]:
    """What each kind asks of a record, beside identity and table."""
    throttled = f"{fields('outcome.throttles')} > 0"
    # AWS takes no call that mixes reads and writes, so the first permission tells for PartiQL.
    action = "authorizations[0].action"
    error = fields("outcome.error_code")
    unexpected = _all(*(f'{error} != "{code}"' for code in _EXPECTED_ERRORS))
    return {
        AlarmKind.READ_THROTTLES: _all(
            throttled,
            _any(
                fields.equals("operation", *READ_OPERATIONS), fields.equals(action, _PARTIQL_READ)
            ),
        ),
        AlarmKind.WRITE_THROTTLES: _all(
            throttled,
            _any(
                fields.equals("operation", *WRITE_OPERATIONS),
                fields.equals(action, *_PARTIQL_WRITES),
            ),
        ),
        # IAM's own refusals too; S3 answers `AccessDenied`, most others `AccessDeniedException`.
        AlarmKind.DENIALS: _any(
            fields.equals("outcome.status", "denied"),
            fields.equals("outcome.error_code", "AccessDenied*", "UnauthorizedOperation"),
        ),
        AlarmKind.BUDGET: fields.is_there("outcome.budget_refusal"),
        AlarmKind.FAILURES: _any(
            fields.equals("outcome.status", "denied"),
            f"({_all(fields.equals('outcome.status', 'error'), unexpected)})",
        ),
    }
