"""Calls that people have to approve: nothing is sent before, and no more often than approved."""

from __future__ import annotations

import json
import pickle
import socket
from pathlib import Path
from typing import Any

import pytest

import dynaguard
from dynaguard import ApprovalRequired
from dynaguard.access_change import AccessChange, receive
from dynaguard.testing.stores import MemoryStore
from tests.access.approving import ETL_ARN, POLICY, approve, deciding_of, lead
from tests.hooks.approved_calls import KEY, delete, installed, store, ticket_of

__all__ = ["installed", "store"]  # fixtures


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
