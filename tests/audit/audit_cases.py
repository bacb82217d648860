"""Calls, identities, decisions and outcomes for tests of records: one of each, and any."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, get_args

from hypothesis import strategies as st

from dynaguard.boundary import Boundary, BoundaryKind
from dynaguard.call import (
    NO_CREDENTIALS,
    UNKNOWN_ACCOUNT,
    UNKNOWN_RUN,
    ApprovalRef,
    Authorization,
    BudgetState,
    Call,
    ConsumedCapacity,
    Decision,
    GrantRef,
    MaskedValues,
    Outcome,
    Principal,
    PrincipalKind,
    StatementRef,
    Status,
    Verdict,
)
from dynaguard.scope import Priority, Scope

CANARY: Final = "CANARY-4711"
NOW_NS: Final = int(datetime(2026, 11, 20, 12, 30, 15, tzinfo=UTC).timestamp()) * 10**9 + 42_999
ARN: Final = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
CALL: Final = Call(
    service="dynamodb",
    operation="GetItem",
    params={"TableName": "orders", "Key": {"pk": {"S": CANARY}}},
    region="eu-west-1",
    partition="aws",
    endpoint_url="https://dynamodb.eu-west-1.amazonaws.com",
    credentials=NO_CREDENTIALS,
    scope=Scope(job="nightly", run_id="42", stage="load", priority=Priority.BATCH),
    correlation_id="INC-4711",
    service_prefix="dynamodb",
)
PRINCIPAL: Final = Principal(
    name="etl",
    kind=PrincipalKind.ASSUMED_ROLE,
    arn="arn:aws:sts::123456789012:assumed-role/etl/run-1",
    account_id="123456789012",
    session_name="run-1",
    groups=frozenset({"readers", "batch"}),
    source="provider",
    is_static_key=False,
    access_key_id=f"ASIA{CANARY}",
    owner="data-platform",
    function_version="42",
    service_account="prod/etl",
    subject="system:serviceaccount:prod:etl",
    key_created_at=datetime(2025, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC),
    expires_at=datetime(2026, 11, 20, 14, 30, 15, tzinfo=timezone(timedelta(hours=1))),
    findings=("credentials_expiring", "owner_missing"),
)
STATEMENT: Final = StatementRef("EtlReadsOrders", "policy.toml", 12)
NEED: Final = Authorization(
    "dynamodb:GetItem", ARN, {"Key": {"pk": {"S": CANARY}}}, table_name="orders"
)
DECISION: Final = Decision(Verdict.ALLOW, (NEED,), statement=STATEMENT)
DENIAL: Final = Decision(
    Verdict.IMPLICIT_DENY,
    (NEED,),
    offending=NEED,
    reason="no statement allows it",
    how_to_allow="allow `dynamodb:GetItem`",
    unknown_keys=("aws:PrincipalArn",),
    observed=(STATEMENT,),
)
OUTCOME: Final = Outcome(
    Status.OK,
    http_status=200,
    request_id="REQ1",
    attempts=2,
    throttles=1,
    wait_s=0.05,
    elapsed_s=0.0123456789,
    masked=(
        MaskedValues("orders", "email", "partial", None, 2),
        MaskedValues(None, "**", "redact", "payment-card", 1),
    ),
    capacity=(ConsumedCapacity("orders", 0.5, 0.0, 0.5),),
    item_count=1,
    budget=BudgetState("job `nightly` on `table/orders` (read)", 9.5, 0.5, 12.25),
    scanned_count=20,
    warnings=("filter",),
)

_names = st.text(min_size=1, max_size=20)
_instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy adds it
_some = st.none() | _names
_counts = st.integers(0, 10**6)
_seconds = st.floats(0, 1e6)
_units = st.floats(0, 1e6)
_resources = st.sampled_from(
    [ARN, "*", UNKNOWN_RUN, f"arn:aws:dynamodb:eu-west-1:{UNKNOWN_ACCOUNT}:table/orders"]
)
_epochs = st.floats(0, 1e12)
boundaries = st.builds(
    Boundary,
    kind=st.sampled_from(get_args(BoundaryKind)),
    name=_names,
    task=_names,
    runbook_sha256=_some,
    statements=st.just(CANARY),
    templates=st.just(CANARY),
    ticket=_some,
)
grants = st.builds(GrantRef, _names, _names, st.text(max_size=300), _epochs, st.booleans())
approvals = st.builds(
    ApprovalRef, _names, _names, st.lists(_names, max_size=3).map(tuple), _epochs, _epochs
)
statements = st.builds(StatementRef, _names, _names, st.integers(0, 9999))
scopes = st.builds(
    Scope,
    job=_some,
    run_id=_some,
    stage=_some,
    runbook=_some,
    priority=st.sampled_from(Priority),
    task=_some,
    boundaries=st.just(()) | st.lists(boundaries, max_size=2).map(tuple),
)
calls = st.builds(
    Call,
    service=_names,
    operation=_names,
    params=st.just({"Key": CANARY}),
    region=_some,
    partition=st.just("aws"),
    endpoint_url=st.none(),
    credentials=st.just(NO_CREDENTIALS),
    scope=scopes,
    correlation_id=_names,
    is_presign=st.booleans(),
    service_prefix=st.just(""),
)
principals = st.builds(
    Principal,
    name=_names,
    kind=st.sampled_from(PrincipalKind),
    arn=st.none() | _resources,
    account_id=_some,
    session_name=_some,
    groups=st.frozensets(_names, max_size=3),
    source=_names,
    is_static_key=st.none() | st.booleans(),
    access_key_id=st.just(CANARY),
    acting_name=_some,
    signer=st.none(),
    owner=_some,
    function_version=_some,
    service_account=_some,
    subject=_some,
    key_created_at=st.none() | _instants,
    expires_at=st.none() | _instants,
    findings=st.lists(_names, max_size=2).map(tuple),
)
needs = st.builds(
    Authorization,
    action=st.sampled_from(["dynamodb:GetItem", "dynamodb:PutItem", "s3:GetObject"]),
    resource=_resources,
    member=st.just({"Key": CANARY}),
    table_name=st.sampled_from([None, "orders", "customers"]),
    problem=st.sampled_from([None, "not understood"]),
    enclosing_operation=st.none(),
    index_name=st.none(),
)
decisions = st.builds(
    Decision,
    verdict=st.sampled_from(Verdict),
    authorizations=st.lists(needs, max_size=4).map(tuple),
    statement=st.none() | statements,
    reason=st.just("") | _names,
    how_to_allow=st.just("") | _names,
    unknown_keys=st.just(()) | st.lists(_names, max_size=2).map(tuple),
    observed=st.just(()) | st.lists(statements, max_size=2).map(tuple),
    is_enforced=st.booleans(),
    offending=st.none(),
    grants=st.just(()) | st.lists(grants, max_size=2).map(tuple),
    approval=st.none() | approvals,
)
outcomes = st.builds(
    Outcome,
    status=st.sampled_from(Status),
    error_code=_some,
    http_status=st.none() | st.integers(100, 599),
    request_id=_some,
    attempts=_counts,
    throttles=_counts,
    wait_s=_seconds,
    elapsed_s=_seconds,
    masked=st.lists(
        st.builds(MaskedValues, _some, _names, _names, _some, _counts), max_size=3
    ).map(tuple),
    capacity=st.lists(
        st.builds(ConsumedCapacity, _names, _units, _units, _units, _some), max_size=2
    ).map(tuple),
    item_count=st.none() | _counts,
    unprocessed_count=_counts,
    budget_refusal=_some,
    budget=st.none()
    | st.builds(
        BudgetState,
        _names,
        st.floats(-100.0, 100.0),
        st.floats(0.0, 1.0),
        st.none() | st.floats(0.0, 1e6),
    ),
    scanned_count=st.none() | _counts,
    warnings=st.lists(st.sampled_from(["scan", "unbounded", "filter"]), max_size=2).map(tuple),
)


def record_values(**changed: Any) -> dict[str, Any]:
    """Keyword values of one record, as `AuditLog.outcome` takes them."""
    values = {
        "call": CALL,
        "principal": PRINCIPAL,
        "decision": DECISION,
        "outcome": OUTCOME,
        "mode": "enforce",
    }
    return values | changed


def intent_values(**changed: Any) -> dict[str, Any]:
    """Keyword values of one intent."""
    values = record_values(**changed)
    del values["outcome"]
    return values
