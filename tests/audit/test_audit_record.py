"""What a record holds, and what it never holds."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dynaguard.audit.record import WriterFacts, build_record
from dynaguard.audit.schema import record_schema
from dynaguard.boundary import Boundary
from dynaguard.call import UNKNOWN_ACCOUNT, UNKNOWN_RUN, ApprovalRef, Decision, GrantRef, Verdict
from dynaguard.scope import Scope
from tests.audit.audit_cases import (
    CALL,
    CANARY,
    DECISION,
    DENIAL,
    NEED,
    NOW_NS,
    PRINCIPAL,
    calls,
    decisions,
    outcomes,
    principals,
    record_values,
)

WRITER = WriterFacts("billing", 4711, "1.2.3", "f00d", 1, None, (), 0)
VALIDATOR = Draft202012Validator(record_schema())


def record(**changed: Any) -> dict[str, Any]:
    """A record of the usual values, some of them changed."""
    fixed = {"phase": "outcome", "time_ns": NOW_NS, "writer": WRITER, "policy_digest": "d1"}
    return build_record(**(fixed | record_values(**changed)))


def test_a_record_tells_the_whole_call() -> None:
    """Who, in which scope, what, under which statement, and how it ended."""
    assert record() == {
        "schema_version": 3,
        "phase": "outcome",
        "time": "2026-11-20T12:30:15.000042Z",
        "correlation_id": "INC-4711",
        "request_id": "REQ1",
        "service": "dynamodb",
        "operation": "GetItem",
        "region": "eu-west-1",
        "identity": {
            "name": "etl",
            "kind": "assumed_role",
            "arn": "arn:aws:sts::123456789012:assumed-role/etl/run-1",
            "account_id": "123456789012",
            "session_name": "run-1",
            "source": "provider",
            "groups": ["batch", "readers"],
            "acting_as": None,
            "is_static_key": False,
            "owner": "data-platform",
            "function_version": "42",
            "service_account": "prod/etl",
            "subject": "system:serviceaccount:prod:etl",
            "key_fingerprint": hashlib.sha256(f"ASIA{CANARY}".encode()).hexdigest()[:16],
            "key_created_at": "2025-01-02T03:04:05Z",
            "expires_at": "2026-11-20T13:30:15Z",
            "findings": ["credentials_expiring", "owner_missing"],
        },
        "job": "nightly",
        "run_id": "42",
        "stage": "load",
        "runbook": None,
        "priority": "batch",
        "task": None,
        "boundaries": [],
        "authorizations": [
            {
                "action": "dynamodb:GetItem",
                "resource": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders",
            }
        ],
        "tables": ["orders"],
        "decision": {
            "verdict": "allow",
            "statement": "EtlReadsOrders",
            "source": "policy.toml",
            "line": 12,
            "reason": "",
            "how_to_allow": "",
            "observed": [],
            "unknown_keys": [],
            "is_enforced": True,
            "grants": [],
            "approval": None,
        },
        "mode": "enforce",
        "policy_digest": "d1",
        "outcome": {
            "status": "ok",
            "error_code": None,
            "http_status": 200,
            "attempts": 2,
            "throttles": 1,
            "wait_s": 0.05,
            "latency_s": 0.012346,
            "masked": [
                {
                    "table": "orders",
                    "attribute": "email",
                    "strategy": "partial",
                    "detector": None,
                    "count": 2,
                },
                {
                    "table": None,
                    "attribute": "**",
                    "strategy": "redact",
                    "detector": "payment-card",
                    "count": 1,
                },
            ],
            "consumed_capacity": [
                {
                    "table": "orders",
                    "read_units": 0.5,
                    "write_units": 0.0,
                    "total_units": 0.5,
                    "index": None,
                }
            ],
            "item_count": 1,
            "unprocessed_count": 0,
            "budget_refusal": None,
            "budget": {
                "bucket": "job `nightly` on `table/orders` (read)",
                "tokens_left": 9.5,
                "throttle_ratio": 0.5,
                "rate_per_s": 12.25,
            },
            "scanned_count": 20,
            "warnings": ["filter"],
        },
        "writer": {
            "service": "billing",
            "pid": 4711,
            "version": "1.2.3",
            "id": "f00d",
            "sequence": 1,
            "previous_sha256": None,
            "attempted_sha256": [],
            "lost": 0,
        },
    }


def test_a_denial_says_why_and_what_would_allow_it() -> None:
    """The default has no statement; observed statements are named with their place."""
    decision = record(decision=DENIAL)["decision"]

    assert decision["verdict"] == "implicit_deny"
    assert (decision["statement"], decision["source"], decision["line"]) == (None, None, None)
    assert decision["reason"] == "no statement allows it"
    assert decision["how_to_allow"] == "allow `dynamodb:GetItem`"
    assert decision["unknown_keys"] == ["aws:PrincipalArn"]
    assert decision["observed"] == [
        {"statement": "EtlReadsOrders", "source": "policy.toml", "line": 12}
    ]


def test_a_call_of_a_task_names_its_boundaries_and_what_allowed_it() -> None:
    """Grants with their reasons, the approval with its approvers, the runbook with its hash."""
    boundary = Boundary(
        "runbook", "read-failed-jobs", "t1", "ab12", CANARY, CANARY, "c" * 64, "t-9", 1.0, 5
    )
    scope = Scope(task="t1", runbook="read-failed-jobs", boundaries=(boundary,))
    decision = DECISION._replace(
        grants=(GrantRef("g1", "lea", "incident\n4711", 1_795_000_000.9, is_break_glass=True),),
        approval=ApprovalRef("t-9", "c" * 64, ("lea", "sam"), 1_794_000_000, 1_794_000_900),
    )

    found = record(decision=decision, call=CALL._replace(scope=scope))

    assert found["task"] == "t1"
    assert found["boundaries"] == [
        {
            "kind": "runbook",
            "name": "read-failed-jobs",
            "task": "t1",
            "runbook_sha256": "ab12",
            "ticket": "t-9",
        }
    ]
    assert found["decision"]["grants"] == [
        {
            "id": "g1",
            "owner": "lea",
            "reason": "incident?4711",
            "expires": "2026-11-18T11:06:40Z",
            "is_break_glass": True,
        }
    ]
    assert found["decision"]["approval"] == {
        "ticket": "t-9",
        "subject_sha256": "c" * 64,
        "approvers": ["lea", "sam"],
        "approved": "2026-11-06T21:20:00Z",
        "expires": "2026-11-06T21:35:00Z",
    }
    VALIDATOR.validate(found)


def test_a_reason_is_cut_and_an_instant_is_bounded() -> None:
    """Whatever a person or a broken store wrote, the record has its shape."""
    grant = GrantRef("g1", "lea", "x" * 500, float("inf"))

    (found,) = record(decision=DECISION._replace(grants=(grant,)))["decision"]["grants"]

    assert found["reason"] == f"{'x' * 197}..."
    assert found["expires"] == "9999-12-31T23:59:59Z"


def test_an_intent_has_no_outcome() -> None:
    """Nothing has happened yet, so there is no request id either."""
    intent = record(phase="intent", outcome=None)

    assert (intent["phase"], intent["outcome"], intent["request_id"]) == ("intent", None, None)


def test_a_call_that_failed_before_its_decision_needs_nothing() -> None:
    """Invalid parameters: nobody read what the call needs."""
    undecided = record(decision=None)

    assert (undecided["decision"], undecided["authorizations"], undecided["tables"]) == (
        None,
        [],
        [],
    )


def test_unknown_parts_of_names_are_readable() -> None:
    """The marks of the matcher stay inside."""
    unknown = f"arn:aws:dynamodb:eu-west-1:{UNKNOWN_ACCOUNT}:table/orders"
    need = NEED._replace(resource=unknown, action=f"dynamodb:{UNKNOWN_RUN}")
    principal = dataclasses.replace(PRINCIPAL, arn=f"arn:aws:iam::{UNKNOWN_ACCOUNT}:role/etl")

    found = record(decision=Decision(Verdict.ALLOW, (need,)), principal=principal)

    assert found["authorizations"] == [
        {
            "action": "dynamodb:<unknown>",
            "resource": "arn:aws:dynamodb:eu-west-1:<unknown>:table/orders",
        }
    ]
    assert found["identity"]["arn"] == "arn:aws:iam::<unknown>:role/etl"


def test_a_batch_lists_each_permission_and_table_once() -> None:
    """In request order; a part that was not understood says why."""
    other = NEED._replace(table_name="customers", resource="*", problem="odd")

    found = record(decision=Decision(Verdict.DENY, (NEED, other, NEED)))

    assert found["authorizations"] == [
        {"action": "dynamodb:GetItem", "resource": NEED.resource},
        {"action": "dynamodb:GetItem", "resource": "*", "problem": "odd"},
    ]
    assert found["tables"] == ["orders", "customers"]


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (NOW_NS, "2026-11-20T12:30:15.000042Z"),
        (NOW_NS - 42_999, "2026-11-20T12:30:15.000000Z"),
        (NOW_NS + 999_957_000, "2026-11-20T12:30:15.999999Z"),
        (NOW_NS + 999_957_001, "2026-11-20T12:30:16.000000Z"),
    ],
)
def test_times_are_in_utc_with_microseconds(time_ns: int, text: str) -> None:
    """Cut, never rounded up into the next second."""
    assert record(time_ns=time_ns)["time"] == text


@given(
    call=calls,
    principal=principals,
    decision=st.none() | decisions,
    outcome=st.none() | outcomes,
)
def test_every_record_fits_the_published_schema(**values: Any) -> None:
    """And holds nothing of parameters, members or key ids."""
    found = record(**values)

    VALIDATOR.validate(found)
    assert CANARY not in json.dumps(found)
