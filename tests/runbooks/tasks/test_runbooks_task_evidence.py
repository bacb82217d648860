"""The begin and the end of tasks and runs are on record, beside their calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import dynaguard
from dynaguard.errors import PolicyDenied
from dynaguard.hooks.task_sessions import BaseSession
from dynaguard.runbooks import noting
from dynaguard.runbooks.reading import read_runbook
from tests.hooks.conftest import Wire
from tests.runbooks.tasks.conftest import new_client
from tests.runbooks.tasks.test_runbooks_task_runbooks import ALLOWING, PARAMS, READ


def lines_of(path: Path) -> list[Any]:
    """All lines of an audit file but checkpoints."""
    lines = map(json.loads, path.read_text().splitlines())
    return [line for line in lines if line["phase"] != "checkpoint"]


def test_a_run_is_on_record_from_its_begin_to_its_end(wire: Wire, tmp_path: Path) -> None:
    """Who, which content hash, names of parameters, one hash over their values; never these."""
    path = tmp_path / "audit.jsonl"
    dynaguard.install(ALLOWING, audit=path, identity="etl")
    client = new_client(wire)

    with dynaguard.task("library:get-by-key", PARAMS, incident="INC-1") as task:
        client.get_item(**READ)

    begun, call, ended = lines_of(path)
    change = begun["change"]
    assert (change["kind"], change["id"], change["by"]) == ("run begun", task.id, "etl")
    assert (change["runbook"], change["runbook_sha256"]) == (
        "get-by-key",
        task.boundary.runbook_sha256,
    )
    assert change["parameters"] == ["customer_id", "order_id", "table"]
    assert change["subject_sha256"] == task.boundary.subject_sha256
    assert call["task"] == call["boundaries"][0]["task"] == task.id
    assert (ended["change"]["kind"], ended["change"]["status"]) == ("run ended", "ok")
    assert {line["correlation_id"] for line in (begun, call, ended)} == {"INC-1"}
    assert "C-00017" not in path.read_text()


def test_a_task_that_fails_says_how(wire: Wire, tmp_path: Path) -> None:
    """By the class of the exception, whose message may hold values."""
    path = tmp_path / "audit.jsonl"
    dynaguard.install(ALLOWING, audit=path)

    with pytest.raises(ValueError, match="secret"), dynaguard.task(name="fix", duration_s=60):
        raise ValueError("secret")

    begun, ended = (line["change"] for line in lines_of(path))
    assert (begun["kind"], begun["runbook"], begun["parameters"]) == ("task begun", None, [])
    assert (ended["kind"], ended["status"]) == ("task ended", "failed (ValueError)")
    assert "secret" not in path.read_text()
    assert wire.sent == []


def test_a_run_that_is_refused_before_it_begins_is_on_record(wire: Wire, tmp_path: Path) -> None:
    """Who asked for which content with which parameters, and why it was refused; nothing else."""
    path = tmp_path / "audit.jsonl"
    pinned = {**ALLOWING, "runbooks": {"get-by-key": {"sha256": "0" * 64}}}
    dynaguard.install(pinned, audit=path, identity="etl")

    with pytest.raises(PolicyDenied), dynaguard.task("library:get-by-key", PARAMS, incident="I-1"):
        pass

    (line,) = lines_of(path)
    change = line["change"]
    assert (change["kind"], change["by"], change["runbook"]) == (
        "run refused",
        "etl",
        "get-by-key",
    )
    assert "not the one that the policy trusts" in change["reason"]
    assert change["parameters"] == ["customer_id", "order_id", "table"]
    assert change["status"] == "refused (PolicyDenied)"
    assert line["correlation_id"] == "I-1"
    assert "C-00017" not in path.read_text()
    assert wire.sent == []


def test_a_run_of_the_engine_begins_and_ends_once_on_record(tmp_path: Path) -> None:
    """The run and the task that it enters are one event each."""
    path = tmp_path / "audit.jsonl"
    book = {"runbook": 1, "name": "wait", "purpose": "p", "owner": "o"}
    step = {"name": "wait", "pause": 0.001}
    dynaguard.install(ALLOWING, audit=path, identity="etl")

    dynaguard.run_runbook(read_runbook({**book, "step": [step]}), directory=tmp_path / "runs")

    kinds = [line["change"]["kind"] for line in lines_of(path)]
    assert kinds == ["run begun", "run ended"]


def test_who_starts_a_task_may_not_be_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a guard, or where credentials cannot be had."""
    assert noting.starter(BaseSession(None)) == "unknown"

    dynaguard.install(ALLOWING)
    monkeypatch.setattr(BaseSession, "facts", lambda _: 1 / 0)
    assert noting.starter(BaseSession(None)) == "unknown"
