"""What attributes say about a call."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.budgets.load import Cause, Limit
from dynaguard.call import Authorization, ConsumedCapacity, Decision, Outcome, Status, Verdict
from dynaguard.scope import Scope
from dynaguard.telemetry import attributes, measures, names
from tests.audit.audit_cases import (
    CALL,
    CANARY,
    DECISION,
    DENIAL,
    NEED,
    OUTCOME,
    PRINCIPAL,
    calls,
    decisions,
    outcomes,
    principals,
)


def call_of(operation: str, params: Any = CALL.params, service: str = "dynamodb") -> Any:
    """A call of an operation."""
    return CALL._replace(operation=operation, params=params, service=service)


def test_the_scope_is_told_as_far_as_it_goes() -> None:
    """Exporters complain about None."""
    bare = CALL._replace(scope=Scope())
    full = CALL._replace(scope=Scope(job="j", run_id="r", stage="s", runbook="b"))

    assert attributes.scope_attributes(bare) == {
        "dynaguard.correlation_id": "INC-4711",
        "dynaguard.priority": "interactive",
    }
    assert attributes.scope_attributes(full) == {
        "dynaguard.correlation_id": "INC-4711",
        "dynaguard.priority": "interactive",
        "dynaguard.job": "j",
        "dynaguard.run_id": "r",
        "dynaguard.stage": "s",
        "dynaguard.runbook": "b",
    }


def test_the_identity_is_told() -> None:
    """Without the id of its key."""
    acting = dataclasses.replace(
        PRINCIPAL,
        acting_name="agent-7",
        owner="data-platform",
        function_version="42",
        service_account="prod/etl",
    )

    assert attributes.identity_attributes(acting) == {
        "dynaguard.identity.name": "etl",
        "dynaguard.identity.kind": "assumed_role",
        "dynaguard.identity.arn": "arn:aws:sts::123456789012:assumed-role/etl/run-1",
        "dynaguard.identity.session_name": "run-1",
        "dynaguard.identity.acting_as": "agent-7",
        "dynaguard.identity.owner": "data-platform",
        "dynaguard.identity.function_version": "42",
        "dynaguard.identity.service_account": "prod/etl",
        "cloud.account.id": "123456789012",
    }


def test_a_decision_names_its_statement() -> None:
    """And the file that it stands in."""
    assert attributes.decision_attributes(DECISION) == {
        "dynaguard.decision": "allow",
        "dynaguard.decision.is_enforced": True,
        "security_rule.name": "EtlReadsOrders",
        "security_rule.ruleset.name": "policy.toml",
    }


def test_a_denial_says_why() -> None:
    """Names only; observed statements by their Sid."""
    assert attributes.decision_attributes(DENIAL) == {
        "dynaguard.decision": "implicit_deny",
        "dynaguard.decision.is_enforced": True,
        "dynaguard.decision.reason": "no statement allows it",
        "dynaguard.decision.observed": ("EtlReadsOrders",),
    }


def test_no_decision_says_nothing() -> None:
    """Without a policy nobody decides."""
    assert attributes.decision_attributes(None) == {}


def test_one_table_is_the_collection() -> None:
    """With its index."""
    need = NEED._replace(index_name="by_status")

    assert attributes.target_attributes(CALL, PRINCIPAL, Decision(Verdict.ALLOW, (need,))) == {
        "aws.dynamodb.table_names": ("orders",),
        "db.collection.name": "orders",
        "aws.dynamodb.index_name": "by_status",
    }


def test_several_tables_are_none() -> None:
    """Nor several indexes."""
    other = NEED._replace(table_name="customers", index_name="b")
    decision = Decision(Verdict.ALLOW, (NEED._replace(index_name="a"), other))
    call = call_of("TransactGetItems", {"TransactItems": [{}, {}, {}]})

    assert attributes.target_attributes(call, PRINCIPAL, decision) == {
        "aws.dynamodb.table_names": ("orders", "customers"),
    }
    assert attributes.request_attributes(call) == {"db.operation.batch.size": 3}


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        (
            "Query",
            {"ConsistentRead": True, "Limit": 25, "ScanIndexForward": False},
            {
                "aws.dynamodb.consistent_read": True,
                "aws.dynamodb.limit": 25,
                "aws.dynamodb.scan_forward": False,
            },
        ),
        (
            "Scan",
            {"Segment": 0, "TotalSegments": 4},
            {"aws.dynamodb.segment": 0, "aws.dynamodb.total_segments": 4},
        ),
        ("GetItem", {"ConsistentRead": CANARY, "Limit": True}, {}),
        ("PutItem", {"Limit": 1}, {}),
        ("Query", None, {}),
        ("BatchGetItem", {"RequestItems": {"orders": {"Keys": [{}]}}}, {}),
    ],
)
def test_reads_tell_their_options(operation: str, params: Any, expected: Any) -> None:
    """Counts and switches of the right type; text stays out."""
    assert attributes.request_attributes(call_of(operation, params)) == expected


def test_another_service_has_no_options() -> None:
    """Its `Limit` means something else."""
    assert attributes.request_attributes(call_of("Query", {"Limit": 1}, "other")) == {}


def test_what_did_not_happen_is_left_out() -> None:
    """No throttle, no wait, no mask: three attributes less on nearly every span."""
    found = attributes.outcome_attributes(CALL, Outcome(Status.OK, http_status=200, attempts=1))

    assert found == {
        "dynaguard.status": "ok",
        "dynaguard.attempts": 1,
        "http.response.status_code": 200,
    }


@pytest.mark.parametrize(
    ("operation", "attempts", "throttles", "retries"),
    [("GetItem", 0, 0, 0), ("GetItem", 3, 0, 2), ("BatchWriteItem", 9, 2, 2)],
)
def test_parts_of_a_batch_are_no_retries(
    operation: str, attempts: int, throttles: int, retries: int
) -> None:
    """Only what followed a throttle repeated anything."""
    outcome = Outcome(Status.OK, attempts=attempts, throttles=throttles)

    assert measures.retry_count(call_of(operation), outcome) == retries


def test_an_attempt_tells_its_throttle_reasons() -> None:
    """Each once, the ARN beside it; what is no ARN stays out."""
    index = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/index/by_day"
    reason = "IndexWriteKeyRangeThroughputExceeded"
    causes = [
        Cause(Limit.KEY_RANGE, index, reason),
        Cause(Limit.KEY_RANGE, index, reason),
        Cause(Limit.ACCOUNT, CANARY),
    ]

    assert attributes.attempt_attributes(2, None, 0.1234567, causes) == {
        "dynaguard.attempt.number": 2,
        "dynaguard.wait_s": 0.123457,
        "error.type": "_OTHER",
        "dynaguard.throttle.reasons": (reason, "account"),
        "dynaguard.throttle.resources": (index, ""),
    }
    many = [Cause(Limit.RESOURCE, f"arn:{number}") for number in range(100)]
    assert len(attributes.attempt_attributes(1, "X", 0.0, many)[names.THROTTLE_REASONS]) == 10  # type: ignore[arg-type]


def test_a_call_that_touches_no_table_has_no_target() -> None:
    """`ListTables`, and what was not understood."""
    need = Authorization("dynamodb:ListTables", "*")

    assert attributes.target_attributes(CALL, PRINCIPAL, Decision(Verdict.ALLOW, (need,))) == {}


def test_without_a_decision_the_table_is_read_from_the_call() -> None:
    """No policy and no audit: a recording span is the only one who asks."""
    found = attributes.target_attributes(CALL, PRINCIPAL, None)

    assert found[names.DB_COLLECTION_NAME] == "orders"


def test_a_good_end_has_no_error() -> None:
    """Counts, times, units."""
    assert attributes.outcome_attributes(CALL, OUTCOME) == {
        "dynaguard.status": "ok",
        "dynaguard.attempts": 2,
        "dynaguard.throttles": 1,
        "dynaguard.wait_s": 0.05,
        "dynaguard.masked.count": 3,
        "aws.request_id": "REQ1",
        "http.response.status_code": 200,
        "aws.dynamodb.scanned_count": 20,
        "dynaguard.query.warnings": ("filter",),
        "db.response.returned_rows": 1,
        "dynaguard.budget.bucket": "job `nightly` on `table/orders` (read)",
        "dynaguard.budget.rate": 12.25,
        "dynaguard.budget.throttle_ratio": 0.5,
        "dynaguard.budget.tokens_left": 9.5,
        "aws.dynamodb.consumed_capacity": (
            json.dumps(
                {
                    "TableName": "orders",
                    "CapacityUnits": 0.5,
                    "ReadCapacityUnits": 0.5,
                    "WriteCapacityUnits": 0.0,
                }
            ),
        ),
    }


@pytest.mark.parametrize(
    ("outcome", "error_type", "response_code"),
    [
        (Outcome(Status.OK, http_status=200), None, None),
        (Outcome(Status.PRESIGNED), None, None),
        (Outcome(Status.ERROR, "ThrottlingException", 400), *["ThrottlingException"] * 2),
        (Outcome(Status.ERROR, "EndpointConnectionError"), "EndpointConnectionError", None),
        (Outcome(Status.ERROR), "_OTHER", None),
        (Outcome(Status.DENIED, "AccessDeniedException"), "AccessDeniedException", None),
    ],
)
def test_the_database_has_only_said_what_it_answered(
    outcome: Outcome, error_type: str | None, response_code: str | None
) -> None:
    """A denial and a broken connection are errors without an answer."""
    found = attributes.outcome_attributes(CALL, outcome)

    assert found.get(names.ERROR_TYPE) == error_type
    assert found.get(names.DB_RESPONSE_STATUS_CODE) == response_code


def test_leftovers_and_a_spent_budget_are_told() -> None:
    """Where there are any."""
    outcome = OUTCOME._replace(unprocessed_count=5, budget_refusal="spent")

    found = attributes.outcome_attributes(CALL, outcome)

    assert found[names.UNPROCESSED_COUNT] == 5
    assert found[names.RETRY_REFUSAL] == "spent"


def test_decisions_are_counted_by_statement_only_when_they_refuse() -> None:
    """A policy's size does not multiply the series."""
    refusal = DECISION._replace(verdict=Verdict.DENY)
    common = {
        "dynaguard.service": "dynamodb",
        "dynaguard.operation": "GetItem",
        "db.collection.name": "orders",
        "dynaguard.identity.name": PRINCIPAL.name,
        "dynaguard.decision.is_enforced": True,
    }

    assert measures.decision_measure(CALL, PRINCIPAL, DECISION) == {
        **common,
        "dynaguard.decision": "allow",
    }
    assert measures.decision_measure(CALL, PRINCIPAL, refusal) == {
        **common,
        "dynaguard.decision": "deny",
        "security_rule.name": "EtlReadsOrders",
    }


def test_durations_are_split_as_the_conventions_say() -> None:
    """System, operation, table, server, error."""
    error = Outcome(Status.ERROR, "ThrottlingException", 400)

    assert measures.duration_measure(CALL, None, error) == {
        "db.system.name": "aws.dynamodb",
        "db.operation.name": "GetItem",
        "db.collection.name": "orders",
        "server.address": "dynamodb.eu-west-1.amazonaws.com",
        "server.port": 443,
        "error.type": "ThrottlingException",
        "db.response.status_code": "ThrottlingException",
    }


@given(
    call=calls,
    principal=principals,
    decision=st.none() | decisions,
    outcome=outcomes,
    is_dynamodb=st.booleans(),
)
def test_attributes_hold_no_item_value_and_nothing_that_an_exporter_refuses(
    call: Any, principal: Any, decision: Any, outcome: Any, is_dynamodb: bool
) -> None:
    """Text, numbers, booleans and tuples of text."""
    if is_dynamodb:
        call = call._replace(service="dynamodb")
    found: dict[str, Any] = {
        **attributes.span_start(call, "DynamoDB")[1],
        **attributes.scope_attributes(call),
        **attributes.identity_attributes(principal),
        **attributes.target_attributes(call, principal, decision),
        **attributes.decision_attributes(decision),
        **attributes.request_attributes(call),
        **attributes.outcome_attributes(call, outcome),
        **measures.duration_measure(call, decision, outcome),
        **measures.call_measure(call, decision),
    }

    assert CANARY not in json.dumps(found)
    for value in found.values():
        parts = value if isinstance(value, tuple) else [value]
        assert all(isinstance(part, str | bool | int | float) for part in parts)


def test_capacity_is_written_with_the_apis_own_keys() -> None:
    """One text per table, as the conventions have it."""
    capacity = (ConsumedCapacity("a", 1.0, 2.0, 3.0), ConsumedCapacity("b"))
    outcome = OUTCOME._replace(capacity=capacity)

    found: Any = attributes.outcome_attributes(CALL, outcome)
    texts = [json.loads(text) for text in found[names.AWS_DYNAMODB_CONSUMED_CAPACITY]]

    assert texts[0] == {
        "TableName": "a",
        "CapacityUnits": 3.0,
        "ReadCapacityUnits": 1.0,
        "WriteCapacityUnits": 2.0,
    }
    assert texts[1]["TableName"] == "b"


@pytest.mark.parametrize(
    ("params", "table"),
    [
        ({"TableName": "orders"}, "orders"),
        ({"TableName": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"}, "orders"),
        ({"TableName": {"S": CANARY}}, None),
        ({}, None),
        (None, None),
    ],
)
def test_without_analysis_a_metric_takes_the_table_that_is_given(params: Any, table: Any) -> None:
    """No policy, no audit; batches and PartiQL have no table then."""
    found = measures.call_measure(call_of("GetItem", params), Decision(Verdict.UNGOVERNED))

    assert found.get("db.collection.name") == table


def test_another_service_has_no_table() -> None:
    """Its `TableName` means something else."""
    found = measures.call_measure(call_of("GetTable", {"TableName": "t"}, "glue"), None)

    assert "db.collection.name" not in found
