"""Calls that people have to approve: nothing is sent before, and no more often than approved."""

from __future__ import annotations

import json
import pickle
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import dynaguard
from dynaguard import ApprovalRequired, PolicyDenied
from dynaguard.access.approvals import Approvals
from dynaguard.access.boundaries import Boundaries
from dynaguard.access.clock import StrictClock
from dynaguard.access.deciding import Decider
from dynaguard.access.persons import Person
from dynaguard.access.ticket_asking import Asking
from dynaguard.access.ticket_book import TicketBook
from dynaguard.access_change import AccessChange, receive
from dynaguard.boundary import Boundary
from dynaguard.call import Authorization
from dynaguard.hooks.clients import ClientRegistry
from dynaguard.hooks.lifecycle import current
from dynaguard.scope import current_scope
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import (
    ETL_ARN,
    POLICY,
    Clock,
    approve,
    deciding_of,
    deny,
    document,
    lead,
)

KEY = {"pk": {"S": "secret-customer"}}


@pytest.fixture
def store() -> MemoryStore:
    """Where tickets are kept."""
    return MemoryStore()


@pytest.fixture
def installed(store: MemoryStore) -> Iterator[Callable[..., Any]]:
    """Installs with that store, as the role `etl`."""

    def install(**settings: Any) -> Any:
        return dynaguard.install(
            dict(POLICY), **{"identity": ETL_ARN, "access_store": store, **settings}
        )

    return install


def delete(client: Any, table: str = "orders", **more: Any) -> Any:
    """A call that needs an approval."""
    return client.delete_item(TableName=table, Key=KEY, **more)


def ticket_of(client: Any, **more: Any) -> str:
    """The ticket that such a call is refused with."""
    with pytest.raises(ApprovalRequired) as caught:
        delete(client, **more)
    assert caught.value.ticket is not None
    return caught.value.ticket


def test_a_call_is_asked_for_and_not_sent(client: Any, wire: Any, installed: Any) -> None:
    """The refusal says who may approve, how, and until when; no value stands in it."""
    installed()

    with pytest.raises(ApprovalRequired) as caught:
        delete(client)

    text = str(caught.value)
    assert wire.sent == []
    assert f"dynaguard approvals approve {caught.value.ticket}" in text
    assert "one other person of `leads` must approve" in text
    assert "is open until 20" in text
    assert "secret" not in text
    assert pickle.loads(pickle.dumps(caught.value)).ticket == caught.value.ticket


def test_once_approved_it_passes_once(
    client: Any, wire: Any, store: MemoryStore, installed: Any
) -> None:
    """The next one is asked for anew, under another ticket."""
    installed()
    first = ticket_of(client)
    approve(store, first)

    delete(client)

    assert len(wire.sent) == 1
    assert ticket_of(client) != first
    assert len(wire.sent) == 1


def test_the_decision_tells_who_approved(client: Any, store: MemoryStore, installed: Any) -> None:
    """In the record's value: ticket, hash, people, times."""
    guard = installed()
    approve(store, ticket_of(client))
    seen: list[Any] = []
    leave = type(guard).leave

    def watch(self: Any, passage: Any, *more: Any) -> None:
        seen.append(passage.decision)
        leave(self, passage, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(guard), "leave", watch)
        delete(client)

    approval = seen[-1].approval
    assert seen[-1].verdict == "allow"
    assert approval.approvers == ("Leads (ann)",)
    assert approval.expires_epoch_s == approval.approved_epoch_s + 300


def test_the_last_use_of_an_approval_is_told(
    client: Any, store: MemoryStore, installed: Any
) -> None:
    """Opened, approved, used up: each once, under one ticket."""
    installed()
    told: list[AccessChange] = []
    end = receive(told.append)
    ticket = ticket_of(client)
    approve(store, ticket)
    delete(client)
    end()

    assert [(each.kind, each.id) for each in told] == [
        ("ticket opened", ticket),
        ("ticket approved", ticket),
        ("ticket used up", ticket),
    ]


def test_asking_again_is_the_same_ticket(client: Any, installed: Any) -> None:
    """However often, and from another client."""
    installed()

    assert len({ticket_of(client) for _ in range(5)}) == 1


@pytest.mark.parametrize(
    "change", [{"Key": {"pk": {"S": "other"}}}, {"ConditionExpression": "attribute_exists(pk)"}]
)
def test_a_changed_request_is_not_approved(
    client: Any, wire: Any, store: MemoryStore, installed: Any, change: dict[str, Any]
) -> None:
    """What was approved is that request and no other."""
    installed()
    first = ticket_of(client)
    approve(store, first)

    with pytest.raises(ApprovalRequired) as caught:
        client.delete_item(**{"TableName": "orders", "Key": KEY, **change})

    assert caught.value.ticket != first
    assert wire.sent == []


def test_an_agent_uses_no_approval_of_its_process(
    client: Any, store: MemoryStore, installed: Any
) -> None:
    """Nor the other way round."""
    installed()
    approve(store, ticket_of(client))

    with dynaguard.acting_as("triage"):
        agents = ticket_of(client)
    approve(store, agents, "bob")

    delete(client)
    with dynaguard.acting_as("triage"):
        delete(client)


def test_another_identity_uses_no_approval(
    client: Any, store: MemoryStore, installed: Any
) -> None:
    """It is asked for by that one itself."""
    installed()
    first = ticket_of(client)
    approve(store, first)
    dynaguard.uninstall()
    installed(identity=ETL_ARN.replace("etl", "other"))

    assert ticket_of(client) != first


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


def test_the_same_policy_elsewhere_finds_the_approval(
    client: Any, store: MemoryStore, tmp_path: Path
) -> None:
    """In another folder, its statements on other lines; with other terms it does not."""
    text = json.dumps(POLICY)
    for name, written in (("a", text), ("b", f"\n\n{text}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "policy.json").write_text(written, encoding="utf-8")
    settings = {"identity": ETL_ARN, "access_store": store}
    with dynaguard.install(tmp_path / "a" / "policy.json", **settings):
        approve(store, ticket_of(client))

    with dynaguard.install(tmp_path / "b" / "policy.json", **settings):
        delete(client)

    stricter = text.replace('"timeout_s": 600', '"quorum": 2, "timeout_s": 600')
    (tmp_path / "a" / "policy.json").write_text(stricter, encoding="utf-8")
    with dynaguard.install(tmp_path / "b" / "policy.json", **settings):
        approve(store, ticket_of(client), "bob")
    with dynaguard.install(tmp_path / "a" / "policy.json", **settings):
        assert ticket_of(client)


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


def test_pages_of_one_paginator_are_one_use(
    client: Any, wire: Any, store: MemoryStore, installed: Any
) -> None:
    """Another paginator is another use."""
    installed()
    wire.answer({"Items": [], "LastEvaluatedKey": {"pk": {"S": "a"}}})
    wire.answer({"Items": [], "LastEvaluatedKey": {"pk": {"S": "b"}}})
    wire.answer({"Items": []})
    pages = client.get_paginator("scan").paginate(TableName="orders")
    with pytest.raises(ApprovalRequired) as caught:
        list(pages)
    approve(store, caught.value.ticket or "")

    assert len(list(pages)) == 3

    with pytest.raises(ApprovalRequired):
        list(pages)


def test_pages_end_with_the_approval(
    client: Any, wire: Any, store: MemoryStore, installed: Any
) -> None:
    """Taken back in between, the next page is refused."""
    installed()
    wire.answer({"Items": [], "LastEvaluatedKey": {"pk": {"S": "a"}}})
    pages = client.get_paginator("scan").paginate(TableName="orders")
    with pytest.raises(ApprovalRequired) as caught:
        list(pages)
    ticket = caught.value.ticket or ""
    approve(store, ticket)
    walk = iter(pages)
    next(walk)

    deciding_of(store).cancel(ticket, lead(), why="looks wrong")

    with pytest.raises(ApprovalRequired):
        next(walk)


def test_a_presigned_url_takes_a_use_of_its_own(
    client: Any, store: MemoryStore, installed: Any
) -> None:
    """An approved call is no approved URL: that leaves the process."""
    installed()
    approve(store, ticket_of(client))

    with pytest.raises(ApprovalRequired) as caught:
        client.generate_presigned_url("delete_item", {"TableName": "orders", "Key": KEY})
    approve(store, caught.value.ticket or "", "bob")

    assert client.generate_presigned_url("delete_item", {"TableName": "orders", "Key": KEY})
    delete(client)


class Waiting:
    """A guard whose calls wait, by a clock that sleeping moves."""

    def __init__(self, guard: Any, store: MemoryStore, wait_s: float) -> None:
        self.clock = Clock()
        self.store = store
        book = TicketBook(store, StrictClock(self.clock.time, self.clock.time))
        asking = Asking(book, monotonic=self.clock.time, sleep=self.clock.sleep)
        guard.rooms.access.approvals = Approvals(asking, document(), wait_s=wait_s)

    def only_ticket(self) -> Any:
        """The one that stands."""
        (ticket,) = deciding_of(self.store, self.clock.time).book.tickets()
        return ticket


@pytest.fixture
def waiting(store: MemoryStore, installed: Any) -> Waiting:
    """Calls wait for 100 seconds."""
    return Waiting(installed(), store, 100.0)


def test_a_waiting_call_goes_on_once_it_is_approved(
    client: Any, wire: Any, waiting: Waiting
) -> None:
    """It looks ever less often meanwhile."""

    def somebody_approves() -> None:
        if len(waiting.clock.naps) == 4:
            approve(waiting.store, waiting.only_ticket().id, clock=waiting.clock.time)

    waiting.clock.while_asleep = somebody_approves

    delete(client)

    assert len(wire.sent) == 1
    assert waiting.clock.naps == pytest.approx([0.2, 0.3, 0.45, 0.675])


def test_a_waiting_call_is_refused_when_it_is_denied(
    client: Any, wire: Any, waiting: Waiting
) -> None:
    """At once, with the reason."""
    waiting.clock.while_asleep = lambda: (
        deny(waiting.store, waiting.only_ticket().id, clock=waiting.clock.time)
        if len(waiting.clock.naps) == 2
        else None
    )

    with pytest.raises(PolicyDenied, match="not today"):
        delete(client)

    assert wire.sent == []


def test_a_waiting_call_ends_with_its_time(client: Any, waiting: Waiting) -> None:
    """The ticket stays open, and the call can be made again."""
    with pytest.raises(ApprovalRequired):
        delete(client)

    assert sum(waiting.clock.naps) == pytest.approx(100)
    assert max(waiting.clock.naps) == 5.0


def test_an_interrupted_wait_leaves_the_ticket_open(
    client: Any, wire: Any, waiting: Waiting
) -> None:
    """`KeyboardInterrupt` is not dynaguard's."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    waiting.clock.while_asleep = interrupt

    with pytest.raises(KeyboardInterrupt):
        delete(client)

    assert waiting.only_ticket().state_at(waiting.clock.now_s) == "pending"
    assert wire.sent == []


def test_a_store_that_is_gone_for_a_while_does_not_end_the_wait(
    client: Any, wire: Any, waiting: Waiting
) -> None:
    """It is asked again."""

    def hiccup() -> None:
        waiting.store.problem = "gone" if len(waiting.clock.naps) < 3 else None
        if len(waiting.clock.naps) == 4:
            approve(waiting.store, waiting.only_ticket().id, clock=waiting.clock.time)

    waiting.clock.while_asleep = hiccup

    delete(client)

    assert len(wire.sent) == 1


def test_what_was_approved_by_a_clock_that_runs_ahead_does_not_count(
    client: Any, wire: Any, waiting: Waiting
) -> None:
    """An hour in the future is no time to have approved at."""
    waiting.clock.while_asleep = lambda: (
        approve(waiting.store, waiting.only_ticket().id, clock=lambda: waiting.clock.now_s + 300)
        if len(waiting.clock.naps) == 1
        else None
    )

    with pytest.raises(PolicyDenied, match="in the future, by this clock"):
        delete(client)

    assert wire.sent == []


def test_where_waiting_would_block_others_a_call_does_not_wait(
    client: Any, waiting: Waiting
) -> None:
    """Asynchronous clients, requests that are decided late or while they are signed."""
    guard, _ = current()
    assert guard is not None
    call = ClientRegistry().facts_of(client).call("Scan", {"TableName": "orders"}, None)

    with pytest.raises(ApprovalRequired):
        guard.enter(call, may_wait=False)

    assert waiting.clock.naps == []


def test_a_wait_ends_with_the_deadline_of_its_scope(client: Any, waiting: Waiting) -> None:
    """Whichever comes first."""
    scope = replace(current_scope(), deadline_monotonic_s=waiting.clock.now_s + 3)
    guard, _ = current()
    assert guard is not None
    call = ClientRegistry().facts_of(client).call("Scan", {"TableName": "orders"}, None)

    with pytest.raises(ApprovalRequired):
        guard.enter(call._replace(scope=scope))

    assert sum(waiting.clock.naps) == pytest.approx(3)


def test_what_changed_during_the_wait_counts(client: Any, wire: Any, waiting: Waiting) -> None:
    """The call is decided anew: a boundary that ended meanwhile refuses what was approved."""
    ends = Boundary("agent", "triage", "task-1", expires_epoch_s=time.time() + 3600)
    guard, _ = current()
    assert guard is not None
    now = Clock(time.time())
    guard.rooms.access.boundaries = Boundaries(StrictClock(now.time, now.time))
    scope = replace(current_scope(), boundaries=(ends,))
    call = ClientRegistry().facts_of(client).call("Scan", {"TableName": "orders"}, None)

    def somebody_approves_late() -> None:
        if len(waiting.clock.naps) == 1:
            approve(waiting.store, waiting.only_ticket().id, clock=waiting.clock.time)
            now.now_s += 3601

    waiting.clock.while_asleep = somebody_approves_late

    with pytest.raises(PolicyDenied, match="it ended at"):
        guard.enter(call._replace(scope=scope))

    assert waiting.only_ticket().uses_left == 1


def test_an_expired_ticket_says_that_nobody_decided(client: Any, waiting: Waiting) -> None:
    """And the next call opens another one."""
    waiting.clock.while_asleep = None
    with pytest.raises(ApprovalRequired) as first:
        delete(client)
    waiting.clock.now_s += 450
    with pytest.raises(PolicyDenied, match="was decided by nobody until"):
        delete(client)

    with pytest.raises(ApprovalRequired) as caught:
        delete(client)

    assert caught.value.ticket != first.value.ticket


def test_two_calls_share_one_use(
    client: Any, wire: Any, store: MemoryStore, installed: Any
) -> None:
    """Whoever comes second asks anew."""
    installed()
    first = ticket_of(client)
    approve(store, first)
    delete(client)

    second = ticket_of(client)

    tickets = {each.id: each for each in deciding_of(store).book.tickets(with_ended=True)}
    assert tickets[first].uses_left == 0
    assert set(tickets) == {first, second}
    assert len(wire.sent) == 1
    assert lead().groups == ("leads",)


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


def test_an_approval_counts_wherever_the_policys_file_lies(
    client: Any, wire: Any, store: MemoryStore, tmp_path: Path
) -> None:
    """Tomorrow's run may have another folder."""
    for name in ("today", "tomorrow"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "policy.json").write_text(json.dumps(POLICY))
    with dynaguard.install(
        tmp_path / "today" / "policy.json", identity=ETL_ARN, access_store=store
    ):
        approve(store, ticket_of(client))

    dynaguard.install(tmp_path / "tomorrow" / "policy.json", identity=ETL_ARN, access_store=store)
    delete(client)

    assert len(wire.sent) == 1


def test_a_call_that_asks_for_an_approval_tells_the_webhooks(
    client: Any, installed: Any, tmp_path: Path
) -> None:
    """Nobody listens at that address, and the call is refused as ever."""
    path = tmp_path / "webhooks.toml"
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        path.write_text(f'[[out]]\nurl = "http://127.0.0.1:{deaf.getsockname()[1]}/hook"\n')
        guard = installed(approval_webhooks=path)

        ticket_of(client)

        notifier = guard.rooms.access.approvals.asking._notify
        notifier.close(10)
    assert notifier.failures == 1
