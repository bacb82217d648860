"""Grants beside the rest of a policy: no standing access, required approvals, thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

import dynaguard
from dynaguard.authorising import _approved_as
from dynaguard.call import ApprovalRef, Decision, StatementRef, Verdict
from dynaguard.testing import MemoryStore

TABLE = "arn:aws:dynamodb:*:*:table/orders"
NO_STANDING: dict[str, Any] = {
    "version": 1,
    "default": "deny",
    "govern": ["dynamodb"],
    "standing_access": "none",
}
DELETES: dict[str, Any] = {
    "Sid": "Deletes",
    "Effect": "RequireApproval",
    "Action": "dynamodb:DeleteItem",
    "Resource": "*",
    "Approval": {"any_of": ["leads"]},
}
KEY = {"order_id": {"S": "A-1"}}


@pytest.fixture
def store() -> MemoryStore:
    """The store of the guard."""
    return MemoryStore()


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    """A client whose calls are answered before they leave."""
    client = boto3.client("dynamodb", region_name="eu-west-1")
    answer = type("Answer", (), {"status_code": 200})()
    client.meta.events.register("before-call.dynamodb", lambda **_: (answer, {"Answered": True}))
    return client


def _verdict(call: Any, **params: Any) -> str:
    try:
        return str(call(TableName="orders", **params)["Answered"])
    except dynaguard.PolicyDenied as denial:
        return str(denial.decision and denial.decision.verdict.value)


def _give(action: str, **options: Any) -> dynaguard.Grant:
    return dynaguard.grant(
        identity="etl",
        reason="INC-1",
        actions=action,
        resources=TABLE,
        expires_in=600,
        **options,
    )


def test_without_standing_access_a_grant_is_the_call(dynamodb: Any, store: MemoryStore) -> None:
    """No grant, no call; a grant, a call; revoked, none again."""
    dynaguard.install(NO_STANDING, access_store=store, identity="etl")
    seen = [_verdict(dynamodb.get_item, Key=KEY)]

    given = _give("dynamodb:GetItem")
    seen += [_verdict(dynamodb.get_item, Key=KEY), _verdict(dynamodb.scan)]
    dynaguard.revoke_grant(given.id, "done")
    seen.append(_verdict(dynamodb.get_item, Key=KEY))

    assert seen == ["implicit_deny", "True", "implicit_deny", "implicit_deny"]


def test_from_a_denial_to_access_it_takes_less_than_a_second(
    dynamodb: Any, store: MemoryStore
) -> None:
    """What the denial proposes is granted, and the next call passes: nothing restarts."""
    dynaguard.install(NO_STANDING, access_store=store, identity="etl")
    with pytest.raises(dynaguard.PolicyDenied) as caught:
        dynamodb.get_item(TableName="orders", Key=KEY)
    assert "dynaguard grants create --action dynamodb:GetItem" in caught.value.how_to_allow

    _give("dynamodb:GetItem", store=store)  # as another process does
    guard = dynaguard.install(NO_STANDING, access_store=store, identity="etl")
    assert guard.rooms.access.grants is not None
    clock = guard.rooms.access.grants.book.clock
    later = clock._monotonic
    clock._monotonic = lambda: later() + 0.3

    assert _verdict(dynamodb.get_item, Key=KEY) == "True"


@pytest.mark.parametrize(
    ("is_break_glass", "verdict"), [(False, "require_approval"), (True, "True")]
)
def test_an_approval_is_not_saved_by_a_grant_but_by_break_glass(
    dynamodb: Any, store: MemoryStore, is_break_glass: bool, verdict: str
) -> None:
    """What requires an approval has one asked for, whoever holds a grant."""
    policy = {**NO_STANDING, "groups": {"leads": ["arn:aws:iam::*:role/lead"]}}
    dynaguard.install({**policy, "statement": [DELETES]}, access_store=store, identity="etl")

    given = _give("dynamodb:DeleteItem", break_glass=is_break_glass, uses=3)

    assert _verdict(dynamodb.delete_item, Key=KEY) == verdict
    (left,) = [each.uses_left for each in dynaguard.grants() if each.id == given.id]
    assert left == (2 if is_break_glass else 3)


def test_an_approval_is_not_asked_for_twice_when_a_grant_was_used_up() -> None:
    """The call has it; only what requires another one is refused."""
    required = (StatementRef("Deletes"),)
    approval = ApprovalRef("ticket-1", "0" * 64, ("ada",), 1.0, 2.0)
    before = Decision(Verdict.ALLOW, required_by=required, approval=approval)
    again = Decision(Verdict.REQUIRE_APPROVAL, required_by=required, reason="required")

    kept = _approved_as(before, again)

    assert (kept.verdict, kept.approval, kept.reason) == (Verdict.ALLOW, approval, "")
    for other in (
        again._replace(required_by=(*required, StatementRef("Others"))),
        again._replace(verdict=Verdict.IMPLICIT_DENY),
    ):
        assert _approved_as(before, other) is other
    assert _approved_as(before._replace(approval=None), again) is again


def test_below_a_threshold_break_glass_is_left_alone(dynamodb: Any, store: MemoryStore) -> None:
    """It serves from where the threshold ends."""
    approval = {"any_of": ["leads"], "threshold": {"calls": 2, "window": "1h"}}
    policy = {**NO_STANDING, "groups": {"leads": ["arn:aws:iam::*:role/lead"]}}
    del policy["standing_access"]
    statements = [{**DELETES, "Approval": approval}]
    dynaguard.install({**policy, "statement": statements}, access_store=store, identity="etl")
    given = _give("dynamodb:DeleteItem", break_glass=True, uses=1)

    seen = [_verdict(dynamodb.delete_item, Key=KEY) for _ in range(4)]

    assert seen == ["True", "True", "True", "require_approval"]
    assert [each.id for each in dynaguard.grants(include_ended=True)] == [given.id]
    assert dynaguard.grants() == ()
