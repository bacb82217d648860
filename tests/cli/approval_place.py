"""What tests of approvals on the command line share: a folder, people, a ticket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import dynaguard
from dynaguard import ApprovalRequired
from dynaguard.call import NO_CREDENTIALS, Call
from dynaguard.cli.commands import cli
from dynaguard.scope import EMPTY_SCOPE
from tests.access.approving import ACCOUNT, ETL_ARN, POLICY

ANN = f"arn:aws:sts::{ACCOUNT}:assumed-role/Leads/ann"
BOB = f"arn:aws:sts::{ACCOUNT}:assumed-role/Leads/bob"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the policy and the store of the settings, and no credentials."""
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps(POLICY), encoding="utf-8")
    monkeypatch.setenv("DYNAGUARD_POLICY", str(policy))
    monkeypatch.setenv("DYNAGUARD_ACCESS_STORE", str(tmp_path / "access.sqlite"))
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ANN)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ticket(place: Path) -> str:
    """The ticket of a call that was refused."""
    return open_ticket()


def open_ticket(value: str = "secret-customer") -> str:
    """A call of the role `etl` that needs an approval; its ticket."""
    guard = dynaguard.install(identity=ETL_ARN)
    params = {"TableName": "orders", "Key": {"pk": {"S": value}}}
    call = Call(
        *("dynamodb", "DeleteItem", params, "eu-west-1", "aws", None),
        *(NO_CREDENTIALS, EMPTY_SCOPE, "c", False, "dynamodb"),
    )
    with pytest.raises(ApprovalRequired) as caught:
        guard.enter(call)
    dynaguard.uninstall()
    return caught.value.ticket or ""


def run(*arguments: str) -> Result:
    """The command with these arguments."""
    return CliRunner().invoke(cli, ["approvals", *arguments])


def as_json(*arguments: str) -> Any:
    """What it prints as JSON."""
    return json.loads(run(*arguments, "--output", "json").stdout)
