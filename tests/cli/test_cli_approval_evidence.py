"""An approval from the question to the use, as the audit has it: who, what, when, why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from click.testing import CliRunner

import dynaguard
from dynaguard import ApprovalRequired
from dynaguard.cli.commands import cli
from tests.access.approving import ETL_ARN
from tests.cli.approval_place import ANN, place
from tests.hooks.conftest import Wire

__all__ = ["place"]  # the fixture

DELETE = {"TableName": "orders", "Key": {"pk": {"S": "customer-4711"}}}


@pytest.fixture
def lines(place: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The audit of a delete that was refused, approved on the command line, and then sent."""
    path = place / "audit.jsonl"
    monkeypatch.setenv("DYNAGUARD_AUDIT", str(path))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    client = botocore.session.Session().create_client("dynamodb", region_name="eu-west-1")
    client._endpoint.http_session = Wire()
    with dynaguard.install(identity=ETL_ARN), pytest.raises(ApprovalRequired) as caught:
        client.delete_item(**DELETE)
    with monkeypatch.context() as theirs:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            theirs.delenv(name)
        arguments = [caught.value.ticket or "", "--reason", "the customer asked"]
        done = CliRunner().invoke(cli, ["approvals", "approve", *arguments])
    assert done.exit_code == 0, done.output
    with dynaguard.install(identity=ETL_ARN):
        client.delete_item(**DELETE)
    assert "customer-4711" not in path.read_text()
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_who_asked_and_who_approved_stand_there_with_the_reason(
    lines: list[dict[str, Any]],
) -> None:
    """Each by a line of its own, with its time, about one hash."""
    changes = [line["change"] for line in lines if line["phase"] == "access"]
    opened, approved = (
        next(each for each in changes if each["kind"] == f"ticket {kind}")
        for kind in ("opened", "approved")
    )

    assert (opened["by"], opened["by_arn"]) == ("etl", ETL_ARN)
    assert (approved["by"], approved["reason"]) == ("Leads (ann)", "the customer asked")
    assert approved["by_arn"] == ANN
    assert opened["id"] == approved["id"]
    assert opened["subject_sha256"] == approved["subject_sha256"]


def test_the_call_names_the_approval_that_it_rests_on(lines: list[dict[str, Any]]) -> None:
    """Approver, time, hash of the request, and what was allowed."""
    (call,) = (
        line
        for line in lines
        if line["phase"] == "outcome" and line["outcome"]["status"] != "denied"
    )
    approval = call["decision"]["approval"]
    change = next(line["change"] for line in lines if line["phase"] == "access")

    assert approval["approvers"] == ["Leads (ann)"]
    assert approval["approved"][:19] <= call["time"][:19] < approval["expires"][:19]
    assert approval["subject_sha256"] == change["subject_sha256"]
    assert [need["action"] for need in call["authorizations"]] == ["dynamodb:DeleteItem"]


def test_a_review_shows_it_as_a_privileged_action(
    lines: list[dict[str, Any]], place: Path
) -> None:
    """`dynaguard audit stats` has a part of its own for these, `show --privileged` the lines."""
    path = str(place / "audit.jsonl")
    stats = CliRunner().invoke(cli, ["audit", "stats", path]).stdout
    shown = CliRunner().invoke(cli, ["audit", "show", path, "--privileged"]).stdout

    found = CliRunner().invoke(cli, ["audit", "stats", path, "--output", "json"]).stdout

    assert "ticket approved: 1" in stats.partition("privileged actions")[2]
    (action,) = json.loads(found)["privileged"]["actions"]
    assert (action["what"], action["by"], action["calls"]) == ("approval", ["Leads (ann)"], 1)
    assert action["reason"] == "the customer asked"
    assert "DeleteItem" in shown
