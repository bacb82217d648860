"""Calls that no approval lets through: denied, not to be asked for, or nobody is there to ask."""

from __future__ import annotations

from typing import Any

import pytest

import dynaguard
from dynaguard import ApprovalRequired, PolicyDenied
from dynaguard.access.deciding import Decider
from dynaguard.access.persons import Person
from dynaguard.call import Authorization
from dynaguard.hooks.clients import ClientRegistry
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import ETL_ARN, POLICY, approve, deciding_of, deny, lead
from tests.hooks.approved_calls import delete, installed, store, ticket_of

__all__ = ["installed", "store"]  # fixtures


def test_a_denial_stands(client: Any, wire: Any, store: MemoryStore, installed: Any) -> None:
    """Until its time is up, the same call gets the same answer, with who, when and why."""
    installed()
    deny(store, ticket_of(client))

    for _ in range(3):
        with pytest.raises(
            PolicyDenied, match=r"denied by Leads \(ann\) at .*not today"
        ) as caught:
            delete(client)
        assert not isinstance(caught.value, ApprovalRequired)
    assert wire.sent == []


def test_a_call_that_an_approval_would_not_let_through_is_not_asked_for(
    client: Any, store: MemoryStore, installed: Any
) -> None:
    """A Deny comes first."""
    installed()

    with pytest.raises(PolicyDenied, match="NeverProd"):
        delete(client, "prod-orders")

    assert store.records("ticket", after_epoch_s=0) == []


def test_observe_mode_asks_nobody(
    client: Any, wire: Any, store: MemoryStore, installed: Any
) -> None:
    """The call goes, and no ticket is made."""
    installed(mode="observe")

    delete(client)

    assert len(wire.sent) == 1
    assert store.records("ticket", after_epoch_s=0) == []


def test_without_a_store_the_refusal_says_what_is_missing(client: Any) -> None:
    """It is an approval that is required, and nobody can be asked."""
    dynaguard.install(dict(POLICY), identity=ETL_ARN)

    with pytest.raises(ApprovalRequired, match="access_store") as caught:
        delete(client)

    assert caught.value.ticket is None


def test_an_unreachable_store_refuses(
    client: Any, wire: Any, store: MemoryStore, installed: Any
) -> None:
    """One clear error; once it is back, what was approved is there."""
    installed()
    approve(store, ticket_of(client))
    store.problem = "the disk is gone"

    with pytest.raises(PolicyDenied, match="the disk is gone"):
        delete(client)

    assert wire.sent == []
    store.problem = None
    delete(client)
    assert len(wire.sent) == 1


def test_an_unknown_identity_can_ask_nobody(client: Any, store: MemoryStore) -> None:
    """Nobody could tell who approves from who asks."""
    dynaguard.install(dict(POLICY), access_store=store)

    with pytest.raises(PolicyDenied, match="who asks for it is not known"):
        delete(client)


def test_who_asked_may_not_approve(client: Any, store: MemoryStore, installed: Any) -> None:
    """Not even as a session of that role."""
    installed()
    ticket = ticket_of(client)
    same = Decider(Person("etl", ETL_ARN), ("leads",))

    with pytest.raises(dynaguard.TicketError, match="who asks cannot be who approves"):
        deciding_of(store).decide(ticket, same, is_approval=True, why="mine", channel="library")


def test_a_store_that_fails_lets_nothing_through_whatever_on_error_says(
    client: Any, wire: Any, store: MemoryStore, installed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no failure of dynaguard: the approval is not there."""
    installed(on_error="allow")

    def fail(*_args: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(store, "get", fail)

    with pytest.raises(PolicyDenied, match=r"its approval cannot be looked up.*ConnectionError"):
        delete(client)
    assert wire.sent == []


def test_who_is_no_approver_by_the_policy_in_force_has_approved_nothing(
    client: Any, wire: Any, store: MemoryStore, installed: Any
) -> None:
    """Whatever the policy of their own machine says; taken back, it is asked for anew."""
    installed()
    first = ticket_of(client)
    bob = Person("Devs", "arn:aws:sts::111122223333:assumed-role/Devs/bob", None, "111122223333")
    deciding_of(store).decide(
        first, Decider(bob, ("leads",)), is_approval=True, why="mine", channel="cli"
    )

    with pytest.raises(PolicyDenied, match=r"by the policy here these are not who may") as caught:
        delete(client)
    assert not isinstance(caught.value, ApprovalRequired)
    assert wire.sent == []
    assert dynaguard.approval(first, store=store).state == "approved"  # no use was taken

    deciding_of(store).cancel(first, lead(), why="not a lead's")
    assert ticket_of(client) != first


def test_a_form_for_uploads_cannot_be_approved(make_client: Any, store: MemoryStore) -> None:
    """botocore makes it as `CreateBucket`, without its key: nobody would see what they approve."""
    needed = {
        "Effect": "RequireApproval",
        "Action": "s3:*",
        "Resource": "*",
        "Approval": {"any_of": ["leads"]},
    }
    policy = {**POLICY, "govern": ["s3"], "statement": [needed]}
    dynaguard.install(policy, identity=ETL_ARN, access_store=store)

    with pytest.raises(PolicyDenied, match="form for uploads") as caught:
        make_client("s3").generate_presigned_post("b", "k")
    assert not isinstance(caught.value, ApprovalRequired)
    assert "add" not in store.uses


def test_a_request_that_cannot_be_read_cannot_be_approved(
    client: Any, store: MemoryStore, installed: Any
) -> None:
    """Its approval would be one of every request of that name."""
    guard = installed()
    registry = ClientRegistry()
    call = registry.facts_of(client).call("DeleteItem", {}, None)

    with pytest.raises(PolicyDenied, match="its parameters cannot be read") as caught:
        guard.enter(call, needs=(Authorization("dynamodb:DeleteItem", "*"),))
    assert not isinstance(caught.value, ApprovalRequired)
    assert "add" not in store.uses
