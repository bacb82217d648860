"""What a compiled policy may and may not remember, and what work it spares."""

from __future__ import annotations

import sys
import threading

import pytest

from dynaguard.call import Authorization, Principal, StatementRef
from dynaguard.policy import matcher, residual, resource_index
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.policy.model import PolicyDocument, Statement
from tests.policy.asking import (
    ACCOUNT,
    ALL_ABSENT,
    ALLOW_ALL,
    ALLOW_GET,
    ETL,
    GET,
    TABLES,
    condition,
    context,
)
from tests.policy.iam_documents import document_of


def test_remembers_a_bounded_number_of_principals() -> None:
    """The memo of identities is dropped when full, and answers stay right."""
    policy = CompiledPolicy(document_of(ALLOW_GET | {"Principal": "arn:aws:iam::*:role/r1*"}))

    for number in range(residual._MAX_PRINCIPALS * 3):
        arn = f"arn:aws:iam::{ACCOUNT}:role/r{number}"
        principal = Principal(arns=(arn,), arns_complete=True)
        is_meant = str(number).startswith("1")
        assert policy.rule(GET, principal, context()).verdict.is_allowed is is_meant

    memo = policy._memos[GET.action].questions[GET.resource]
    assert isinstance(memo, residual.PrincipalMemo)
    assert len(memo._answers) <= residual._MAX_PRINCIPALS


def test_conditions_are_asked_each_time() -> None:
    """The context of an earlier call decides nothing later."""
    policy = CompiledPolicy(document_of(ALLOW_ALL | condition("Bool", "x", "true")))

    verdicts = [
        policy.rule(GET, ETL, context({"x": (value,)})).verdict.is_allowed
        for value in ("true", "false", "true")
    ]

    assert verdicts == [True, False, True]


def test_remembers_a_bounded_number_of_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memos are dropped whole when full, and answers stay right."""
    monkeypatch.setattr(matcher, "MAX_REMEMBERED", 8)
    policy = CompiledPolicy(document_of(ALLOW_GET | {"Action": "dynamodb:*"}))

    for number in range(30):
        other = Authorization(GET.action, f"{TABLES}t{number}")
        assert not policy.rule(other, ETL, ALL_ABSENT).verdict.is_allowed
        assert policy.rule(GET, ETL, ALL_ABSENT).verdict.is_allowed
    assert len(policy._memos[GET.action].rulings) <= 8

    for number in range(30):
        other = Authorization(f"dynamodb:Get{number}", GET.resource)
        assert policy.rule(other, ETL, ALL_ABSENT).verdict.is_allowed
    assert len(policy._memos) <= 8
    assert len(policy._rulings) <= 8


def test_remembers_a_bounded_number_of_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepared statements are dropped whole when full, and answers stay right."""
    monkeypatch.setattr(matcher, "MAX_REMEMBERED", 8)
    policy = CompiledPolicy(tables_document(40))

    for number in range(0, 40, 2):
        asked = Authorization("dynamodb:GetItem", f"{TABLES}table-{number}")
        assert policy.rule(asked, ETL, ALL_ABSENT).verdict.is_allowed
        assert len(policy._memos._prepared) <= 8


def test_remembers_a_bounded_number_of_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which patterns suit a region and account is dropped when full, and found again."""
    monkeypatch.setattr(resource_index, "_MAX_STARTS", 4)
    policy = CompiledPolicy(
        document_of(ALLOW_GET, ALLOW_GET | {"Resource": "arn:aws:dynamodb:*-2:*:table/o*"})
    )

    for number in range(20):
        region = f"eu-west-{number % 10}"
        asked = Authorization(GET.action, GET.resource.replace("eu-west-1", region))
        assert policy.rule(asked, ETL, ALL_ABSENT).verdict.is_allowed is (number % 10 in {1, 2})

    assert len(policy._memos[GET.action]._resources._plain._groups_by_start) <= 4


def test_tables_under_the_same_statements_share_what_is_left_to_ask() -> None:
    """What has to be asked is made once per set of statements, and asked anew each time."""
    begins = ALLOW_GET | {"Resource": f"{TABLES}ord*"} | condition("Bool", "x", "true")
    policy = CompiledPolicy(document_of(begins, begins | {"Resource": f"{TABLES}orders"}))
    asked = [Authorization(GET.action, f"{TABLES}{name}") for name in ("ord1", "ord2", "orders")]

    first, second, third = (policy.answer(each, ETL) for each in asked)

    assert first is second
    assert third is not first
    for value, is_allowed in (("true", True), ("false", False)):
        lookup = context({"x": (value,)})
        allowed = [policy.rule(each, ETL, lookup).verdict.is_allowed for each in asked]
        assert allowed == [is_allowed] * 3


def test_statement_of_two_actions_is_shared() -> None:
    """The conditions of a statement are compiled once, not once per action."""
    both = ALLOW_GET | {"Action": ["dynamodb:GetItem", "s3:*"]} | condition("Bool", "x", "true")
    policy = CompiledPolicy(document_of(both))

    answers = [
        policy.answer(Authorization(action, GET.resource), ETL)
        for action in ("dynamodb:GetItem", "s3:GetObject")
    ]

    first, second = (
        answer.allows[0] for answer in answers if isinstance(answer, residual.Residual)
    )
    assert first is second


def tables_document(count: int) -> PolicyDocument:
    """A policy of `count` statements on tables of their own, by exact name and by prefix."""
    statements = (
        Statement(
            StatementRef(f"s{number}"),
            "Allow",
            ("dynamodb:GetItem",),
            (f"{TABLES}table-{number}{'-*' if number % 2 else ''}",),
        )
        for number in range(count)
    )
    return PolicyDocument("deny", None, tuple(statements))


def count_calls(policy: CompiledPolicy, resource: str) -> int:
    """How many Python functions one decision enters: a measure of work that never flickers."""
    entered = 0
    asked = Authorization("dynamodb:GetItem", resource), ETL, context()

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal entered
        entered += event == "call"

    sys.setprofile(count)
    try:
        policy.rule(*asked)
    finally:
        sys.setprofile(None)
    return entered


def test_work_does_not_grow_with_statements_that_cannot_match() -> None:
    """A resource seen for the first time costs the same among 10 and among 3,000 statements."""
    small, large = (CompiledPolicy(tables_document(count)) for count in (10, 3_000))
    for policy in (small, large):
        policy.rule(Authorization("dynamodb:GetItem", f"{TABLES}table-0"), ETL, context())

    unseen = f"{TABLES}table-7-x"
    cold = [count_calls(policy, unseen) for policy in (small, large)]
    warm = [count_calls(policy, unseen) for policy in (small, large)]

    assert cold[1] <= cold[0] * 1.5
    assert warm == [1, 1]  # `rule` itself, nothing else


def test_threads_share_a_policy() -> None:
    """Threads that fill the same memos get the right answers."""
    policy = CompiledPolicy(tables_document(50))
    wrong: list[str] = []

    def decide() -> None:
        for number in range(0, 100, 2):
            asked = Authorization("dynamodb:GetItem", f"{TABLES}table-{number}")
            if policy.rule(asked, ETL, context()).verdict.is_allowed is not (number < 50):
                wrong.append(asked.resource)

    threads = [threading.Thread(target=decide) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
