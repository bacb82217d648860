"""What tests of thresholds share: a clock, statements with thresholds, calls below them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dynaguard.access.thresholds import Allowance, Thresholds
from dynaguard.call import (
    NO_CREDENTIALS,
    Authorization,
    Call,
    Principal,
    Ruling,
    StatementRef,
    Verdict,
)
from dynaguard.policy.model import ApprovalTerms, Statement, Threshold
from dynaguard.scope import EMPTY_SCOPE

CALL = Call(
    service="dynamodb",
    operation="DeleteItem",
    params={},
    region="eu-west-1",
    partition="aws",
    endpoint_url=None,
    credentials=NO_CREDENTIALS,
    scope=EMPTY_SCOPE,
    correlation_id="c-1",
    service_prefix="dynamodb",
)
ORDERS = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
ETL = Principal("etl", arn="arn:aws:iam::111122223333:role/etl")
ANN = Principal("ann", arn="arn:aws:iam::111122223333:user/ann")
REF = StatementRef("Deletes")
OTHER = StatementRef("Others")


class Clock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """The clock of thresholds."""
    return Clock()


def statement(threshold: Threshold | None, ref: StatementRef = REF) -> Statement:
    """One that requires an approval beyond a threshold."""
    terms = ApprovalTerms(threshold=threshold)
    return Statement(ref, "RequireApproval", ("*",), ("*",), approval=terms)


def hourly(clock: Clock, **limits: Any) -> Thresholds:
    """One statement's threshold over an hour."""
    return Thresholds([statement(Threshold(3600.0, **limits))], clock)


def delete(call: Call = CALL) -> Authorization:
    """A new authorisation of one item."""
    return Authorization("dynamodb:DeleteItem", ORDERS, call.params)


def asking(*refs: StatementRef) -> Ruling:
    """The ruling of statements that require an approval."""
    return Ruling(Verdict.REQUIRE_APPROVAL, refs[0], required_by=refs)


def allowance_of(thresholds: Thresholds, call: Call = CALL) -> Allowance:
    """The allowance of a call."""
    found = thresholds.allowance(call)
    assert found is not None
    return found


def goes(
    thresholds: Thresholds,
    *needs: Authorization,
    call: Call = CALL,
    who: Principal = ETL,
    refs: tuple[StatementRef, ...] = (REF,),
) -> bool:
    """Whether a call goes without an approval; it is counted if so."""
    allowance = allowance_of(thresholds, call)
    rulings = [allowance.widen(need, who, asking(*refs)) for need in needs or (delete(),)]
    return all(ruling is not None for ruling in rulings) and allowance.take()


def of_job(name: str, run_id: str | None = None) -> Call:
    """A call of a job."""
    return CALL._replace(scope=replace(EMPTY_SCOPE, job=name, run_id=run_id))
