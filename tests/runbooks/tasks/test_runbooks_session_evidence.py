"""The sessions of tasks are on record: whose, of which role, until when; never their keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

import dynaguard
from dynaguard import SessionError
from dynaguard.audit.schema import access_schema
from dynaguard.audit.subject import Subject
from dynaguard.cli.commands import cli
from tests.hooks.conftest import Wire
from tests.runbooks.tasks.conftest import ROLE, FakeClock, FakeSts, new_client, wired
from tests.runbooks.tasks.session_tasks import KEY, POLICY, client_error, manager
from tests.runbooks.tasks.test_runbooks_task_evidence import lines_of

VALIDATOR = Draft202012Validator(access_schema())


def changes_of(path: Path) -> list[dict[str, Any]]:
    """The changes in access of an audit file, each fit for its schema."""
    lines = [line for line in lines_of(path) if line["phase"] == "access"]
    for line in lines:
        VALIDATOR.validate(line)
    return [line["change"] for line in lines]


def sessions_of(path: Path) -> list[dict[str, Any]]:
    """Those of sessions."""
    return [each for each in changes_of(path) if each["kind"].startswith("session ")]


def test_a_session_is_on_record_from_its_begin_to_its_end(
    clock: FakeClock, sts: FakeSts, wire: Wire, tmp_path: Path
) -> None:
    """Between the begin of its task and the end: name as in CloudTrail, role, who, until when."""
    path = tmp_path / "audit.jsonl"
    dynaguard.install(POLICY, audit=path, identity="etl")

    with manager(clock, sts, duration_s=900.0, incident="INC-1") as task:
        wired(task.client("dynamodb"), wire).get_item(TableName="orders", Key=KEY)

    assert [each["kind"] for each in changes_of(path)] == [
        *("task begun", "session opened", "task ended", "session ended"),
    ]
    opened, ended = sessions_of(path)
    name = task.session_name
    assert (opened["id"], opened["by"], opened["task"]) == (name, "etl", task.id)
    assert (opened["role_arn"], ended["role_arn"]) == (ROLE, ROLE)
    assert opened["identity"] == f"arn:aws:sts::123456789012:assumed-role/orders-fixer/{name}"
    assert opened["expires"] == ended["expires"] == "2027-01-15T08:15:00Z"
    assert "INC-1" in {line["correlation_id"] for line in lines_of(path)}


def test_no_key_of_a_session_is_on_record(clock: FakeClock, sts: FakeSts, tmp_path: Path) -> None:
    """Neither id nor secret nor token."""
    path = tmp_path / "audit.jsonl"
    dynaguard.install(POLICY, audit=path)

    with manager(clock, sts) as task:
        task.credentials()

    text = path.read_text()
    assert "session opened" in text
    for secret in ("ASIAEXAMPLE", "secret-1", "token-1"):
        assert secret not in text


def test_a_refresh_is_told_with_its_own_end(
    clock: FakeClock, sts: FakeSts, wire: Wire, tmp_path: Path
) -> None:
    """Each set of credentials; one end for all."""
    path = tmp_path / "audit.jsonl"
    dynaguard.install(POLICY, audit=path)

    with manager(clock, sts, duration_s=7200.0) as task:
        client = wired(task.client("dynamodb"), wire)
        client.get_item(TableName="orders", Key=KEY)
        clock.advance(3_590)
        client.get_item(TableName="orders", Key=KEY)

    found = [(each["kind"], each["expires"]) for each in sessions_of(path)]
    assert found == [
        ("session opened", "2027-01-15T09:00:00Z"),
        ("session refreshed", "2027-01-15T09:59:50Z"),
        ("session ended", "2027-01-15T09:59:50Z"),
    ]


def test_a_session_that_was_never_opened_never_ends(
    clock: FakeClock, sts: FakeSts, tmp_path: Path
) -> None:
    """A task that makes no call, and one whom STS refuses."""
    path = tmp_path / "audit.jsonl"
    dynaguard.install(POLICY, audit=path)
    sts.errors = [client_error("AccessDenied")]

    with manager(clock, sts):
        pass
    with manager(clock, sts) as task, pytest.raises(SessionError):
        task.credentials()

    assert sessions_of(path) == []


def test_a_task_without_a_role_opens_no_session(wire: Wire, tmp_path: Path) -> None:
    """It borrows what is there."""
    path = tmp_path / "audit.jsonl"
    dynaguard.install(POLICY, audit=path)

    with dynaguard.task(name="fix", duration_s=60):
        new_client(wire).get_item(TableName="orders", Key=KEY)

    assert sessions_of(path) == []


def test_lines_of_a_session_are_found_by_its_name_and_role(
    clock: FakeClock, sts: FakeSts, tmp_path: Path
) -> None:
    """As `dynaguard audit export --session NAME` and `--role NAME` ask for them."""
    path = tmp_path / "audit.jsonl"
    dynaguard.install(POLICY, audit=path)
    with manager(clock, sts) as task:
        task.credentials()
    lines = [json.loads(line) for line in path.read_text().splitlines()]

    for subject in (Subject("session", task.session_name or ""), Subject("role", "orders-fixer")):
        kinds = [line["change"]["kind"] for line in lines if subject.has(line)]
        assert kinds == ["session opened", "session ended"]
    assert not any(Subject("role", "fixer").has(line) for line in lines)
    assert not any(Subject("session", task.id[:-1]).has(line) for line in lines)


def test_a_session_s_line_is_shown_with_its_role(
    clock: FakeClock, sts: FakeSts, tmp_path: Path
) -> None:
    """By `dynaguard audit show`, for whoever has its name from CloudTrail."""
    path = tmp_path / "audit.jsonl"
    dynaguard.install(POLICY, audit=path)
    with manager(clock, sts) as task:
        task.credentials()

    shown = CliRunner().invoke(cli, ["audit", "show", str(path), "--task", task.id]).stdout

    (line,) = (each for each in shown.splitlines() if "session opened" in each)
    assert task.session_name in line
    assert f"role={ROLE}" in line
