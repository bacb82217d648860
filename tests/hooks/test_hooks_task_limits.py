"""Limits of boundaries around real calls: what counts, when it is taken, what ends a task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import dynaguard
from dynaguard.boundary import Boundary
from dynaguard.call import Outcome, Principal, Status
from dynaguard.errors import CapacityLimitReached, PolicyDenied
from dynaguard.hooks.clients import ClientRegistry
from dynaguard.limiting import Limiting
from dynaguard.passage import Passage
from dynaguard.scope import Scope, ScopeManager

KEY = {"pk": {"S": "1"}}
QUERY = {
    "TableName": "orders",
    "KeyConditionExpression": "pk = :p",
    "ExpressionAttributeValues": {":p": {"S": "1"}},
}


def lines_of(path: Path) -> list[Any]:
    """All lines of an audit file but checkpoints."""
    lines = map(json.loads, path.read_text().splitlines())
    return [line for line in lines if line["phase"] != "checkpoint"]


def in_task(**limits: Any) -> ScopeManager:
    """A scope within one boundary."""
    boundary = Boundary("runbook", "fix", "t1", **limits)
    return ScopeManager(lambda _: Scope(task="t1", runbook="fix", boundaries=(boundary,)))


def page_of(count: int, number: int) -> dict[str, Any]:
    """A page of a Query with so many items, which goes on."""
    items = {"Items": [KEY] * count, "Count": count, "ScannedCount": count}
    return {**items, "LastEvaluatedKey": {"pk": {"S": str(number)}}}


@pytest.mark.parametrize("has_policy", [True, False])
def test_a_task_ends_at_its_limit_of_items(
    client: Any, wire: Any, policy: Any, *, has_policy: bool
) -> None:
    """With a policy and without: between two pages, with an error that says how to go on."""
    for number in range(3):
        wire.answer(page_of(3, number))
    dynaguard.install(policy() if has_policy else None)
    pages = client.get_paginator("query").paginate(**QUERY)

    with in_task(max_items=5), pytest.raises(CapacityLimitReached) as raised:
        list(pages)

    assert len(wire.sent) == 2
    assert str(raised.value).endswith(
        "Query on orders was not sent: runbook `fix` (task `t1`) has used 6 of 5 items; run it "
        "again for the rest, or raise `max_items` in its `[limits]`"
    )
    assert str(raised.value.statement) == "fix (runbook)"
    client.query(**QUERY)  # outside of the task everything goes on


def test_a_batch_that_is_larger_than_the_limit_is_not_sent(client: Any, wire: Any) -> None:
    """No later run would let it pass, so the message says what to do instead."""
    dynaguard.install()
    keys = {"RequestItems": {"orders": {"Keys": [{"pk": {"S": str(n)}} for n in range(9)]}}}

    with in_task(max_items=5), pytest.raises(CapacityLimitReached, match="fewer items at once"):
        client.batch_get_item(**keys)

    assert wire.sent == []


def test_writes_count_what_was_taken(client: Any, wire: Any) -> None:
    """Members that a batch handed back do not, nor does a write that AWS refused."""
    wire.answer({"__type": "x#ConditionalCheckFailedException", "message": "no"}, 400)
    wire.answer({"UnprocessedItems": {}})
    dynaguard.install(budget=False)
    put = {"PutRequest": {"Item": KEY}}

    with in_task(max_items=2):
        with pytest.raises(ClientError):
            client.put_item(TableName="orders", Item=KEY)
        client.batch_write_item(RequestItems={"orders": [put, put]})
        with pytest.raises(CapacityLimitReached, match="has used 2 of 2 items"):
            client.put_item(TableName="orders", Item=KEY)


def test_a_write_of_which_nobody_knows_counts(client: Any, wire: Any) -> None:
    """It may have taken effect."""
    wire.answer({"message": "oops"}, 500)
    dynaguard.install()

    with in_task(max_items=1):
        with pytest.raises(ClientError):
            client.put_item(TableName="orders", Item=KEY)
        with pytest.raises(CapacityLimitReached):
            client.put_item(TableName="orders", Item=KEY)


def test_units_are_asked_for_and_the_caller_does_not_notice(client: Any, wire: Any) -> None:
    """Where a boundary counts units, as for a capacity limit."""
    wire.answer({"Item": KEY, "ConsumedCapacity": {"TableName": "orders", "CapacityUnits": 7.0}})
    dynaguard.install()

    with in_task(read_units=5.0):
        answer = client.get_item(TableName="orders", Key=KEY)
        with pytest.raises(CapacityLimitReached, match="has used 7 of 5 read units"):
            client.get_item(TableName="orders", Key=KEY)
        client.put_item(TableName="orders", Item=KEY)

    assert "ConsumedCapacity" not in answer
    assert json.loads(wire.sent[0].body)["ReturnConsumedCapacity"] == "TOTAL"
    assert dynaguard.status().consumption["task_limits"][0]["read_units"] == 7.0


def test_without_limits_nothing_is_asked_or_counted(client: Any, wire: Any) -> None:
    """A boundary that only narrows, or none at all."""
    dynaguard.install()

    with in_task():
        client.get_item(TableName="orders", Key=KEY)
    client.get_item(TableName="orders", Key=KEY)

    assert all("ReturnConsumedCapacity" not in json.loads(each.body) for each in wire.sent)
    assert "task_limits" not in dynaguard.status().consumption


def test_in_the_mode_observe_a_limit_is_only_recorded(
    client: Any, wire: Any, tmp_path: Path
) -> None:
    """What would have been refused."""
    wire.answer({"Item": KEY})
    path = tmp_path / "audit.jsonl"
    dynaguard.install(audit=path, mode="observe")

    with in_task(max_items=1):
        for _ in range(2):
            client.get_item(TableName="orders", Key=KEY)

    decisions = [line["decision"] for line in lines_of(path)]
    assert [each["verdict"] for each in decisions] == ["ungoverned", "deny"]
    assert decisions[1]["is_enforced"] is False
    assert decisions[1]["reason"] == (
        "runbook `fix` (task `t1`) has used 1 of 1 items and asks for 1 more"
    )


def test_what_a_presigned_url_is_used_for_cannot_be_counted(client: Any) -> None:
    """So that it is not made where there are limits."""
    dynaguard.install()

    with in_task(max_items=5), pytest.raises(CapacityLimitReached, match="make the call itself"):
        client.generate_presigned_url("get_item", {"TableName": "orders", "Key": KEY})
    with in_task():
        client.generate_presigned_url("get_item", {"TableName": "orders", "Key": KEY})


def test_in_the_mode_observe_a_presigned_url_is_made_and_recorded(
    client: Any, tmp_path: Path
) -> None:
    """What would have been refused."""
    path = tmp_path / "audit.jsonl"
    dynaguard.install(audit=path, mode="observe")

    with in_task(max_items=5):
        url = client.generate_presigned_url("get_item", {"TableName": "orders", "Key": KEY})

    assert url.startswith("https://")
    (line,) = lines_of(path)
    assert (line["decision"]["verdict"], line["decision"]["is_enforced"]) == ("deny", False)
    assert "uses of a presigned URL cannot be counted" in line["decision"]["reason"]


def test_a_read_that_aws_refuses_counts_no_items(client: Any, wire: Any) -> None:
    """Nothing was read."""
    wire.answer({"__type": "ResourceNotFoundException", "message": "no such table"}, 400)
    wire.answer({"Items": [KEY], "Count": 1, "ScannedCount": 1})
    dynaguard.install()

    with in_task(max_items=1, max_pages=1):
        with pytest.raises(ClientError):
            client.query(**QUERY)
        assert client.query(**QUERY)["Count"] == 1
        with pytest.raises(CapacityLimitReached):
            client.query(**QUERY)


def test_an_agent_at_its_limit_is_told_to_go_on_in_another_task(client: Any, wire: Any) -> None:
    """It has no document whose limits somebody could raise."""
    wire.answer({"Items": [KEY], "Count": 1, "ScannedCount": 1})
    dynaguard.install()
    boundary = Boundary("agent", "triage", "t1", max_pages=1)

    with ScopeManager(lambda _: Scope(task="t1", boundaries=(boundary,))):
        client.query(**QUERY)
        with pytest.raises(CapacityLimitReached, match="in another task, or give it more `max_p"):
            client.query(**QUERY)


def test_an_answer_that_cannot_be_counted_gives_back_what_the_call_took(
    client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The call is over; its task goes on, and the log says what is missing."""
    limiting = Limiting(lambda *_: PolicyDenied("refused"), is_enforcing=True)
    call = ClientRegistry().facts_of(client).call("GetItem", {"TableName": "orders"}, None)
    boundary = Boundary("agent", "triage", "t1", max_items=1)
    call = call._replace(scope=Scope(task="t1", boundaries=(boundary,)))
    passage, later = Passage(call, Principal(), 0.0), Passage(call, Principal(), 0.0)
    limiting.check(passage)
    assert passage.asked is not None
    unreadable: Any = ("many",)

    limiting.book(passage, passage.asked, Outcome(Status.OK, attempts=1, capacity=unreadable))

    limiting.check(later)
    assert later.asked is not None
    assert "what a task used was not booked (AttributeError)" in caplog.text


def test_a_time_limit_that_strikes_while_a_call_is_counted_reaches_the_application(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what the call took of its task's limit is given back all the same."""

    class TimeLimit(Exception):
        pass

    def strike(*_: Any) -> None:
        raise TimeLimit

    monkeypatch.setattr("dynaguard.limiting._used_by", strike)
    monkeypatch.setattr("dynaguard.limiting.came_from_handler", lambda err: type(err) is TimeLimit)
    limiting = Limiting(lambda *_: PolicyDenied("refused"), is_enforcing=True)
    call = ClientRegistry().facts_of(client).call("GetItem", {"TableName": "orders"}, None)
    boundary = Boundary("agent", "triage", "t1", max_items=1)
    call = call._replace(scope=Scope(task="t1", boundaries=(boundary,)))
    passage, later = Passage(call, Principal(), 0.0), Passage(call, Principal(), 0.0)
    limiting.check(passage)
    assert passage.asked is not None

    with pytest.raises(TimeLimit):
        limiting.book(passage, passage.asked, Outcome(Status.OK, attempts=1))

    limiting.check(later)
    assert later.asked is not None


def test_a_denied_call_takes_nothing_of_a_limit(client: Any, wire: Any, policy: Any) -> None:
    """Neither does one that a later step refuses."""
    dynaguard.install(policy())

    with in_task(max_items=1):
        with pytest.raises(PolicyDenied):
            client.get_item(TableName="customers", Key=KEY)
        client.get_item(TableName="orders", Key=KEY)
