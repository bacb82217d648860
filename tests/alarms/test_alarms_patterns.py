"""Filter patterns match the records that they are about, and no others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.access_change import AccessChange
from dynaguard.alarms import limits
from dynaguard.alarms.kinds import PAIR_KINDS, AlarmKind
from dynaguard.alarms.patterns import (
    READ_OPERATIONS,
    TABLE_PLACES,
    WRITE_OPERATIONS,
    MetricFilter,
    metric_filters,
)
from dynaguard.audit.changes import change_text
from dynaguard.aws.analysis import is_write
from dynaguard.call import Outcome, Status, Verdict
from tests.alarms.alarm_cases import decision, encoded_record, plan, record
from tests.alarms.filter_patterns import InvalidPatternError, matches, select, selectors
from tests.audit.audit_cases import calls, decisions, outcomes, principals

THROTTLED = Outcome(Status.OK, attempts=4, throttles=3)
FILTERS = metric_filters(plan())


def counted(event: Any, filters: tuple[MetricFilter, ...] = FILTERS) -> dict[AlarmKind, Any]:
    """What CloudWatch would count: value and dimensions by kind, of the first table."""
    found: dict[AlarmKind, Any] = {}
    for each in filters:
        if matches(each.pattern, event):
            value = select(each.value, event) if each.value.startswith("$") else float(each.value)
            dimensions = tuple(select(field, event) for _, field in each.dimensions)
            found.setdefault(each.kind, []).append((value, *dimensions))
    return found


@pytest.mark.parametrize("operation", READ_OPERATIONS)
def test_a_throttled_read_counts_its_throttled_attempts(operation: str) -> None:
    """For the identity and the table."""
    assert counted(record(operation, outcome=THROTTLED)) == {
        AlarmKind.READ_THROTTLES: [(3, "etl", "orders")]
    }


@pytest.mark.parametrize("operation", WRITE_OPERATIONS)
def test_a_throttled_write_counts_its_throttled_attempts(operation: str) -> None:
    """Never as a read."""
    assert counted(record(operation, outcome=THROTTLED)) == {
        AlarmKind.WRITE_THROTTLES: [(3, "etl", "orders")]
    }


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("dynamodb:PartiQLSelect", AlarmKind.READ_THROTTLES),
        ("dynamodb:PartiQLInsert", AlarmKind.WRITE_THROTTLES),
        ("dynamodb:PartiQLUpdate", AlarmKind.WRITE_THROTTLES),
        ("dynamodb:PartiQLDelete", AlarmKind.WRITE_THROTTLES),
    ],
)
@pytest.mark.parametrize(
    "operation", ["ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"]
)
def test_partiql_counts_by_what_its_statement_does(
    operation: str, action: str, kind: AlarmKind
) -> None:
    """Its operations say nothing."""
    event = record(operation, decision=decision(action), outcome=THROTTLED)

    assert list(counted(event)) == [kind]


def test_reads_and_writes_are_those_of_the_budgets() -> None:
    """The alarms split calls as the retry budgets do."""
    assert not any(is_write("dynamodb", operation, {}) for operation in READ_OPERATIONS)
    assert all(is_write("dynamodb", operation, {}) for operation in WRITE_OPERATIONS)


def test_a_call_of_several_tables_counts_for_each_of_the_first() -> None:
    """A batch is throttled for one of its tables; which, nobody says."""
    tables = [f"t{number}" for number in range(TABLE_PLACES + 1)]
    event = record(
        "BatchGetItem", decision=decision("dynamodb:BatchGetItem", *tables), outcome=THROTTLED
    )

    assert counted(event)[AlarmKind.READ_THROTTLES] == [
        (3, "etl", table) for table in tables[:TABLE_PLACES]
    ]


@pytest.mark.parametrize(
    ("error_code", "service"),
    [
        ("AccessDeniedException", "dynamodb"),
        ("AccessDenied", "s3"),
        ("UnauthorizedOperation", "ec2"),
    ],
)
def test_a_refusal_of_iam_is_a_denial(error_code: str, service: str) -> None:
    """What failed is the same to the caller."""
    event = record(service=service, outcome=Outcome(Status.ERROR, error_code, 403, attempts=1))

    assert counted(event) == {
        AlarmKind.DENIALS: [(1, "etl", "orders")],
        AlarmKind.FAILURES: [(1, "etl")],
    }


def test_a_refusal_of_the_policy_is_a_denial() -> None:
    """Nothing was sent."""
    event = record(
        decision=decision(verdict=Verdict.IMPLICIT_DENY),
        outcome=Outcome(Status.DENIED, "AccessDeniedException", attempts=0),
    )

    assert counted(event) == {
        AlarmKind.DENIALS: [(1, "etl", "orders")],
        AlarmKind.FAILURES: [(1, "etl")],
    }


def test_what_would_be_denied_wakes_nobody() -> None:
    """In the mode `observe` the call went through."""
    refused = decision(verdict=Verdict.DENY, is_enforced=False)

    assert counted(record(decision=refused)) == {}


def test_a_given_up_call_exhausted_its_budget() -> None:
    """And failed with the throttle that it met last."""
    given_up = Outcome(
        Status.ERROR,
        "ThrottlingException",
        400,
        attempts=2,
        throttles=2,
        budget_refusal="retry budget of job `nightly` is spent",
    )

    assert set(counted(record("Query", outcome=given_up))) == {
        AlarmKind.READ_THROTTLES,
        AlarmKind.BUDGET,
        AlarmKind.FAILURES,
    }


@pytest.mark.parametrize(
    "error_code", ["ConditionalCheckFailedException", "TransactionCanceledException"]
)
def test_optimistic_locking_is_no_failure(error_code: str) -> None:
    """A condition that did not hold is an answer."""
    assert counted(record("PutItem", outcome=Outcome(Status.ERROR, error_code, 400))) == {}


def test_a_failing_call_of_another_service_counts_for_its_identity() -> None:
    """It has no table."""
    event = record(
        "GetParameter",
        service="ssm",
        decision=decision()._replace(authorizations=()),
        outcome=Outcome(Status.ERROR, "ParameterNotFound", 400, attempts=1),
    )

    assert counted(event) == {AlarmKind.FAILURES: [(1, "etl")]}


def test_calls_that_end_well_count_for_nothing() -> None:
    """Nor do presigned ones, intents, and events that are no records."""
    intent = {**record(outcome=THROTTLED), "phase": "intent", "outcome": None}

    assert counted(record()) == {}
    assert counted(record(outcome=Outcome(Status.PRESIGNED))) == {}
    assert counted(intent) == {}
    assert counted({"message": "START RequestId"}) == {}


def test_a_record_may_be_a_field_of_the_event() -> None:
    """As log routers on Kubernetes wrap it."""
    filters = metric_filters(plan(field_prefix="log_processed"))
    event = record(outcome=THROTTLED)

    assert counted(event, filters) == {}
    assert counted({"log_processed": event, "kubernetes": {}}, filters) == {
        AlarmKind.READ_THROTTLES: [(3, "etl", "orders")]
    }


def test_a_dimension_and_a_value_is_a_field_that_the_pattern_names() -> None:
    """CloudWatch Logs takes no other."""
    for each in FILTERS:
        named = selectors(each.pattern)
        fields = [field for _, field in each.dimensions]
        assert named.issuperset(fields)
        assert each.value == "1" or each.value in named


def test_filters_keep_the_limits_of_cloudwatch_logs() -> None:
    """Length of patterns, names, filters of a log group, dimensions; names are unique."""
    filters = metric_filters(plan(field_prefix="kubernetes.container.log_processed"))

    assert len({each.name for each in filters}) == len(filters)
    assert len(filters) == len(PAIR_KINDS) * TABLE_PLACES + 2
    assert len(filters) <= limits.MAX_FILTERS_PER_LOG_GROUP
    for each in filters:
        assert len(each.pattern) <= limits.MAX_FILTER_PATTERN
        assert not set(each.name) & set(":*")
        assert len(each.dimensions) <= 3


@pytest.mark.parametrize(
    "changed", [{"metrics_from": "otel"}, {"metrics_from": "aws"}, {"has_filters": False}]
)
def test_there_are_no_filters_where_nobody_needs_them(changed: dict[str, Any]) -> None:
    """Other metrics, or another file that has them."""
    assert metric_filters(plan(**changed)) == ()


@given(call=calls, principal=principals, decided=decisions, outcome=outcomes)
def test_any_record_counts_for_what_happened(
    call: Any, principal: Any, decided: Any, outcome: Outcome
) -> None:
    """As the writer encodes it: throttles, denials and refusals, whatever the names are."""
    event = encoded_record(call=call, principal=principal, decision=decided, outcome=outcome)
    found = counted(event)
    has_table = bool(event["tables"])

    assert (AlarmKind.BUDGET in found) == (has_table and outcome.budget_refusal is not None)
    if outcome.status is Status.DENIED:
        assert (AlarmKind.DENIALS in found) == has_table
        assert AlarmKind.FAILURES in found
    assert not {AlarmKind.READ_THROTTLES, AlarmKind.WRITE_THROTTLES} <= set(found)
    is_glass = any(grant.is_break_glass for grant in decided.grants)
    assert found.pop(AlarmKind.BREAK_GLASS, None) == ([(1.0,)] if is_glass else None)
    for counts in found.values():
        assert counts[0][1] == event["identity"]["name"]


def test_changes_of_break_glass_count_too() -> None:
    """To make such a grant is an event, before anybody uses it."""
    changes = [
        json.loads(f"{change_text(AccessChange(*what, is_break_glass=glass), 0, None)}}}")
        for what, glass in (
            (("grant created", "g1", "lea"), True),
            (("grant created", "g2", "lea"), False),
        )
    ]

    assert [counted(each) for each in changes] == [{AlarmKind.BREAK_GLASS: [(1.0,)]}, {}]


@pytest.mark.parametrize(
    ("pattern", "is_match"),
    [
        ('{ $.a = "x" }', True),
        ('{ $.a = "y" || $.b[1] = 2 && $.c.d > 0.5 }', True),
        ('{ ($.a = "y" || $.b[1] = 2) && $.c.d > 0.6 }', False),
        ('{ $.a != "y" }', True),
        ('{ $.missing != "y" }', False),
        ('{ $.null != "y" }', False),
        ('{ $.b = "*" }', False),
        ('{ $.a = "*" && $.null = "*" }', False),
        ('{ $.a = "x*" }', True),
        ('{ $.a = "*x" && $.a = "*x*" }', True),
        ('{ $.name = "be*ta" }', False),
        ("{ ($.null IS TRUE) || ($.yes IS TRUE) }", True),
        ("{ $.c.d IS TRUE }", False),
    ],
)
def test_the_evaluator_does_as_the_user_guide_says(pattern: str, is_match: bool) -> None:
    """Precedence, wildcards at the ends, and what a selector may point to."""
    event = {"a": "x", "b": [1, 2], "c": {"d": 0.6}, "null": None, "name": "beta", "yes": True}

    assert matches(pattern, event) is is_match


@pytest.mark.parametrize(
    "pattern", ["$.a = 1", "{ $.a }", "{ $.a ~ 1 }", "{ a = 1 }", "{ $.a = 1"]
)
def test_the_evaluator_refuses_what_is_no_pattern(pattern: str) -> None:
    """So a malformed pattern does not pass as one that matches nothing."""
    with pytest.raises((InvalidPatternError, IndexError)):
        matches(pattern, {"a": 1})


@given(st.sampled_from(FILTERS), st.recursive(st.none() | st.text(), st.lists, max_leaves=5))
def test_no_event_upsets_a_pattern(each: MetricFilter, event: Any) -> None:
    """Log groups hold other lines too."""
    assert matches(each.pattern, event) is False
