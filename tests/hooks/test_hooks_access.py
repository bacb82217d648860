"""Access just in time around real calls: changes on record, ends meanwhile, the stamp."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

import dynaguard
from dynaguard.access.changes import note_change
from dynaguard.access_change import AccessChange
from dynaguard.boundary import Boundary
from dynaguard.cli.commands import cli
from dynaguard.errors import PolicyDenied
from dynaguard.lasting import Lasting
from dynaguard.scope import Priority, Scope, ScopeManager

KEY = {"pk": {"S": "1"}}

CHANGE = AccessChange("grant created", "g1", "lea", reason="incident")


def lines_of(path: Path) -> list[Any]:
    """All lines of an audit file but checkpoints."""
    lines = map(json.loads, path.read_text().splitlines())
    return [line for line in lines if line["phase"] != "checkpoint"]


def test_changes_are_on_record_while_a_guard_is_in_force(tmp_path: Path) -> None:
    """Its own audit log takes them; after `uninstall()` nobody does."""
    path = tmp_path / "audit.jsonl"
    with dynaguard.install(audit=path), dynaguard.correlation("INC-1"):
        note_change(CHANGE)
    note_change(CHANGE)

    (line,) = lines_of(path)
    assert (line["change"]["id"], line["change"]["channel"]) == ("g1", "process")
    assert line["correlation_id"] == "INC-1"


def test_two_installs_record_a_change_once(tmp_path: Path) -> None:
    """The second gives the guard of the first."""
    path = tmp_path / "audit.jsonl"
    with dynaguard.install(audit=path), dynaguard.install(audit=path):
        note_change(CHANGE)

    assert len(lines_of(path)) == 1


def test_a_guard_that_is_off_records_nothing(tmp_path: Path) -> None:
    """As of calls."""
    path = tmp_path / "audit.jsonl"
    with dynaguard.install(audit=path, mode="off"):
        note_change(CHANGE)

    assert path.read_text() == "" if path.exists() else True


# --- ends that come while a call is under way ----------------------------------------------------


@pytest.fixture
def slow_wire(wire: Any, waiting: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A wire of which each answer takes 100 seconds, by the guard's clock."""
    send = wire.send

    def send_slowly(request: Any) -> Any:
        waiting.now_s += 100.0
        return send(request)

    monkeypatch.setattr(wire, "send", send_slowly)
    return wire


def for_seconds(seconds: float) -> ScopeManager:
    """A scope within a task that ends so long from now."""
    boundary = Boundary("runbook", "fix", "t1", expires_epoch_s=time.time() + seconds)
    scope = Scope(task="t1", boundaries=(boundary,), priority=Priority.BACKGROUND)
    return ScopeManager(lambda _: scope)


def test_a_task_that_ended_meanwhile_repeats_nothing(
    client: Any, slow_wire: Any, tmp_path: Path
) -> None:
    """The caller gets AWS's own error with a note, and the record says why."""
    slow_wire.throttle(5)
    path = tmp_path / "audit.jsonl"
    dynaguard.install(audit=path)

    with for_seconds(150.0), pytest.raises(ClientError) as raised:
        client.get_item(TableName="orders", Key=KEY)

    assert len(slow_wire.sent) == 2
    assert raised.value.response["Error"]["Code"] == "ProvisionedThroughputExceededException"
    (note,) = raised.value.__notes__
    assert note.startswith("dynaguard: no further attempt: runbook `fix` (task `t1`) ended at 2")
    metadata = raised.value.response["ResponseMetadata"]
    assert metadata["DynaguardRetryBudget"].startswith("no further attempt")
    (line,) = lines_of(path)
    assert line["outcome"]["budget_refusal"].startswith("no further attempt: runbook `fix`")
    assert line["outcome"]["attempts"] == 2


def test_without_retry_budgets_it_is_the_same(client: Any, slow_wire: Any) -> None:
    """Where botocore decides about retries."""
    slow_wire.throttle(5)
    dynaguard.install(budget=False)

    with for_seconds(50.0), pytest.raises(ClientError):
        client.get_item(TableName="orders", Key=KEY)

    assert len(slow_wire.sent) == 1


def test_what_is_left_of_a_batch_is_handed_back(client: Any, slow_wire: Any) -> None:
    """As leftovers, which the caller knows how to handle."""
    put = {"PutRequest": {"Item": KEY}}
    slow_wire.answer({"UnprocessedItems": {"orders": [put]}})
    dynaguard.install()

    with for_seconds(50.0):
        answer = client.batch_write_item(RequestItems={"orders": [put, put]})

    assert len(slow_wire.sent) == 1
    assert answer["UnprocessedItems"] == {"orders": [put]}


def test_a_task_that_goes_on_repeats(client: Any, slow_wire: Any) -> None:
    """As ever."""
    slow_wire.throttle(1)
    slow_wire.answer({"Item": KEY})
    dynaguard.install()

    with for_seconds(500.0):
        assert client.get_item(TableName="orders", Key=KEY)["Item"] == KEY


def test_a_task_that_ended_before_the_first_attempt_sends_nothing(
    client: Any, wire: Any, waiting: Any, tmp_path: Path
) -> None:
    """A call may wait for its turn longer than its task lasts: it is denied when it is signed."""
    path = tmp_path / "audit.jsonl"
    dynaguard.install(audit=path)
    client.meta.events.register("before-call", lambda **_: setattr(waiting, "now_s", 1e9))

    with for_seconds(50.0), pytest.raises(PolicyDenied, match=r"`fix` \(task `t1`\) ended at"):
        client.get_item(TableName="orders", Key=KEY)

    assert wire.sent == []
    (line,) = lines_of(path)
    assert (line["decision"]["verdict"], line["outcome"]["attempts"]) == ("deny", 0)


def test_in_the_mode_observe_an_end_is_only_recorded(
    client: Any, slow_wire: Any, tmp_path: Path
) -> None:
    """The call goes, and is repeated."""
    slow_wire.throttle(1)
    slow_wire.answer({"Item": KEY})
    path = tmp_path / "audit.jsonl"
    dynaguard.install(audit=path, mode="observe")

    with for_seconds(-1.0):
        assert client.get_item(TableName="orders", Key=KEY)["Item"] == KEY

    (line,) = lines_of(path)
    assert (line["decision"]["verdict"], line["decision"]["is_enforced"]) == ("deny", False)


def test_what_a_signal_handler_raises_while_a_call_is_looked_at_is_the_applications(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A time limit for one; it is no failure of dynaguard's, and no reason to stop at."""

    def handler(*_: object) -> None:
        raise TimeoutError

    class Interrupted:
        ended = handler

    failures: list[None] = []
    watching: Any = Interrupted()
    lasting = Lasting(watching, handler, handler, lambda: failures.append(None))
    monkeypatch.setattr("signal.getsignal", lambda _number: handler)
    passage: Any = None

    with pytest.raises(TimeoutError):
        lasting.repeats_no_more(passage)

    assert failures == []


def test_a_failure_to_look_again_counts_as_an_end(
    client: Any, slow_wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not known allows nothing."""
    slow_wire.throttle(5)
    guard = dynaguard.install()

    def fail(*_: Any) -> None:
        if slow_wire.sent:
            raise RuntimeError("broken")

    monkeypatch.setattr(type(guard.rooms.access), "ended", fail)
    with for_seconds(500.0), pytest.raises(ClientError) as raised:
        client.get_item(TableName="orders", Key=KEY)

    assert len(slow_wire.sent) == 1
    assert "whether it is still allowed is not known (RuntimeError)" in raised.value.__notes__[0]
    assert guard.counters.failures == 1


# --- the stamp -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "token"), [("t-42", "t-42"), ("t 42/a", "t-42-a"), ("x" * 100, "x" * 64)]
)
def test_the_user_agent_names_the_task(client: Any, wire: Any, task: str, token: str) -> None:
    """Which CloudTrail shows; bounded and of the characters that it takes."""
    dynaguard.install()

    with ScopeManager(lambda _: Scope(task=task)):
        client.get_item(TableName="orders", Key=KEY)

    assert wire.headers()["user-agent"].endswith(f" md/dynaguard-task#{token}")


def test_the_task_is_left_out_with_the_rest_of_the_scope(client: Any, wire: Any) -> None:
    """The setting `stamp_scope`."""
    dynaguard.install(stamp_scope=False)

    with ScopeManager(lambda _: Scope(task="t-42")):
        client.get_item(TableName="orders", Key=KEY)

    assert "t-42" not in wire.headers()["user-agent"]


# --- a grant and an approval, from end to end ----------------------------------------------------


def test_a_call_by_break_glass_is_on_record_with_who_made_it(
    client: Any, wire: Any, policy: Any, tmp_path: Path
) -> None:
    """The grant's making, its first use, and the call that it let: one chain, by one command."""
    wire.answer({"Item": KEY})
    path, store = tmp_path / "audit.jsonl", tmp_path / "access.sqlite"
    with dynaguard.install(policy(), audit=path, access_store=store, identity="etl"):
        with pytest.raises(PolicyDenied):
            client.get_item(TableName="customers", Key=KEY)
        made = dynaguard.grant(
            identity="etl",
            reason="site is down",
            actions="dynamodb:GetItem",
            resources="arn:aws:dynamodb:*:*:table/customers",
            expires_in=600,
            break_glass=True,
            owner="sam",
        )
        client.get_item(TableName="customers", Key=KEY)

    lines = lines_of(path)
    changes = [line["change"] for line in lines if line["phase"] == "access"]
    (call,) = [line for line in lines if (line.get("outcome") or {}).get("status") == "ok"]
    (grant,) = call["decision"]["grants"]
    assert [each["kind"] for each in changes] == ["grant created", "break-glass used"]
    assert {(each["id"], each["is_break_glass"]) for each in changes} == {(made.id, True)}
    assert (grant["id"], grant["owner"], grant["reason"], grant["is_break_glass"]) == (
        made.id,
        "sam",
        "site is down",
        True,
    )
    shown = CliRunner().invoke(cli, ["audit", "show", str(path), "--break-glass"])
    assert len(shown.output.splitlines()) == 3
    assert CliRunner().invoke(cli, ["audit", "verify", str(path)]).exit_code == 0
