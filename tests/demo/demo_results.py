"""A result of the demo as a good run gives it, and records for an audit file."""

from __future__ import annotations

from typing import Any

from dynaguard.demo.results import (
    BatchWrite,
    DemoResult,
    Evidence,
    Installed,
    Loaded,
    MaskedRead,
    Refusal,
    Rollup,
    Summary,
    TableLimit,
)


def make_record(
    *,
    operation: str = "GetItem",
    run_id: str = "now",
    phase: str = "outcome",
    verdict: str = "allow",
    statement: str = "NightlyReads",
    status: str = "ok",
    attempts: int | None = None,
    throttles: int = 0,
    wait_s: float = 0.0,
    masked: dict[str, int] | None = None,
) -> dict[str, Any]:
    """The part of an audit record that the demo reads."""
    sent = 0 if status == "denied" else 1
    return {
        "schema_version": 1,
        "phase": phase,
        "run_id": run_id,
        "operation": operation,
        "decision": {"verdict": verdict, "statement": statement},
        "outcome": {
            "status": status,
            "attempts": sent if attempts is None else attempts,
            "throttles": throttles,
            "wait_s": wait_s,
            "masked": [
                {"attribute": attribute, "count": count}
                for attribute, count in (masked or {}).items()
            ],
        },
    }


GOOD = DemoResult(
    loaded=Loaded(
        endpoint_url="http://127.0.0.1:40123",
        is_embedded=True,
        start_s=0.25,
        items_by_table={"prod-customers": 600, "prod-orders": 2400},
        elapsed_s=1.5,
    ),
    installed=Installed(
        policy="/var/demo folder/policy.toml",
        statements=6,
        masks=3,
        budgets=1,
        identity="arn:aws:iam::123456789012:role/etl-nightly",
        environment="prod",
        job="nightly-rollup",
        run_id="demo-1",
    ),
    masked_read=MaskedRead(
        table="prod-customers",
        index="by_country",
        items=25,
        rows=({"customer_id": "C-00001", "email": "masked!dg1:***@example.org"},),
        plain_emails=0,
        plain_cards=0,
    ),
    refusals=(
        Refusal(
            title="Scan prod-orders",
            expected_statement="NoScans",
            statement="NoScans",
            line=43,
            error="PolicyDenied",
            error_code="AccessDeniedException",
            message="dynamodb:Scan on [a] table was refused",
            requests_sent=0,
        ),
    ),
    rollup=Rollup(calls=14, orders=1200, customers=10, elapsed_s=1.0),
    limit=TableLimit(items_per_s=200.0, burst_items=100.0),
    batch_writes=(
        BatchWrite(
            is_guarded=False,
            table="dev-totals",
            threads=4,
            items=10,
            arrived=10,
            requests=1500,
            throttled_requests=1400,
            items_handed_back=300,
            elapsed_s=2.5,
        ),
        BatchWrite(
            is_guarded=True,
            table="prod-totals",
            threads=4,
            items=10,
            arrived=10,
            requests=4,
            throttled_requests=1,
            items_handed_back=3,
            elapsed_s=2.4,
            wait_s=6.0,
            audited_attempts=4,
            retries_granted=1,
            retries_refused=0,
            tokens_left=19.0,
            max_tokens=20.0,
        ),
    ),
    evidence=Evidence(
        correlation_id="INC-4711",
        header="INC-4711",
        is_header_signed=True,
        user_agent_token="md/dynaguard#INC-4711",
        span={"name": "DynamoDB.Query"},
        record={"operation": "Query"},
    ),
    summary=Summary(
        calls=20,
        calls_by_operation={"Query": 15, "BatchWriteItem": 4, "Scan": 1},
        calls_by_verdict={"allow": 19, "deny": 1},
        denials_by_statement={"NoScans": 1},
        masked_by_attribute={"email": 25},
        requests=19,
        throttles=2,
        wait_s=6.0,
        audit_path="/var/demo folder/audit.jsonl",
        records=20,
    ),
    elapsed_s=8.0,
    versions={"moto": "5.2.5"},
)
"""A run that met every expectation."""
