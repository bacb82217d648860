"""`dynaguard approvals` on requests for access: what is approved becomes a grant."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import dynaguard
from dynaguard.access.sqlite_store import SqliteStore
from tests.access.approving import ACCOUNT, ETL_ARN, POLICY, deciding_of, lead
from tests.cli.approval_place import ANN, as_json, place, run

__all__ = ["place"]  # the fixture


def test_an_access_request_becomes_a_grant(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked by a program, approved by a person, in force for who asked."""
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ETL_ARN)
    asked = dynaguard.request_access(
        actions="dynamodb:GetItem",
        resources="arn:aws:dynamodb:eu-west-1:111122223333:table/orders",
        reason="INC-4711",
        duration_s=600,
        uses=3,
    )
    assert asked.state == "pending"
    assert asked.wait(0.01) == "pending"
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ANN)
    assert run("approve", asked.id, "--reason", "for the incident").exit_code == 0

    (grant,) = dynaguard.grants()

    assert asked.is_approved
    assert dynaguard.approval(asked.id).wait() == "approved"
    assert grant.identity == f"arn:aws:sts::{ACCOUNT}:assumed-role/etl/*"
    assert (grant.uses, grant.ticket) == (3, asked.id)
    assert grant.expires_epoch_s - grant.not_before_epoch_s == 600
    assert grant.owner == "Leads (ann)"


def test_a_grant_that_was_left_undone_is_repaired(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the approval and the grant: whoever looks adds it, once, and not again."""
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ETL_ARN)
    asked = dynaguard.request_access(
        actions="dynamodb:GetItem", resources="arn:aws:s3:::a", reason="x", duration_s=60
    )
    store = SqliteStore(place / "access.sqlite")
    deciding = deciding_of(store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "dynaguard.access.deciding.ensure_grant", lambda *_args, **_more: sys.exit(9)
        )
        with pytest.raises(SystemExit):
            deciding.decide(asked.id, lead(), is_approval=True, why="fine", channel="cli")
    assert dynaguard.grants() == ()

    assert asked.is_approved

    (grant,) = dynaguard.grants()
    dynaguard.revoke_grant(grant.id, "enough")
    assert asked.is_approved
    assert dynaguard.grants() == ()


@pytest.mark.parametrize("is_made", [True, False])
def test_an_approval_of_access_is_taken_back_with_its_grant(
    place: Path, monkeypatch: pytest.MonkeyPatch, is_made: bool
) -> None:
    """Even where the grant was not made yet: it never comes into force."""
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ETL_ARN)
    asked = dynaguard.request_access(
        actions="dynamodb:GetItem", resources="arn:aws:s3:::a", reason="x", duration_s=60
    )
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ANN)
    with pytest.MonkeyPatch.context() as patch:
        if not is_made:
            patch.setattr("dynaguard.access.deciding.ensure_grant", lambda *_, **__: None)
        assert run("approve", asked.id, "--reason", "fine").exit_code == 0
    assert len(dynaguard.grants()) == is_made

    assert run("cancel", asked.id, "--reason", "wrong table").exit_code == 0

    assert asked.state == "cancelled"
    assert dynaguard.grants() == ()
    (grant,) = dynaguard.grants(include_ended=True)
    assert (grant.revoked_by, grant.revoked_why) == ("Leads (ann)", "wrong table")


def test_access_on_other_terms_than_the_policys_is_not_approved(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks does not choose who approves."""
    easy = {**POLICY, "access_requests": {"any_of": ["security", "leads"], "duration": "1h"}}
    (place / "policy.json").write_text(json.dumps(easy), encoding="utf-8")
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ETL_ARN)
    asked = dynaguard.request_access(
        actions="dynamodb:GetItem", resources="arn:aws:s3:::a", reason="x", duration_s=60
    )
    (place / "policy.json").write_text(json.dumps(POLICY), encoding="utf-8")
    monkeypatch.setenv("DYNAGUARD_IDENTITY", ANN)

    done = run("approve", asked.id, "--reason", "fine")

    assert done.exit_code == 2
    assert "other terms than `[access_requests]`" in done.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"duration_s": 7200}, "2h after its beginning, a grant lasts 1h at most"),
        ({"reason": ""}, "reason"),
        ({"actions": "dynamodb:*", "resources": "*"}, "only a break-glass grant"),
        ({"statements": {"Effect": "Deny"}, "actions": (), "resources": ()}, "Effect"),
    ],
)
def test_what_may_not_be_granted_is_not_asked(
    place: Path, changes: dict[str, Any], message: str
) -> None:
    """Told at once, and no ticket is made."""
    wanted = {
        "actions": "dynamodb:GetItem",
        "resources": "arn:aws:s3:::a",
        "reason": "x",
        "duration_s": 60,
        **changes,
    }

    with pytest.raises(dynaguard.ConfigurationError, match=message):
        dynaguard.request_access(**wanted)

    assert as_json("list")["tickets"] == []


def test_without_a_table_nobody_may_ask(place: Path) -> None:
    """The policy says who approves access, or nobody does."""
    closed = {name: value for name, value in POLICY.items() if name != "access_requests"}
    (place / "policy.json").write_text(json.dumps(closed), encoding="utf-8")

    with pytest.raises(dynaguard.ConfigurationError, match=r"no `\[access_requests\]`"):
        dynaguard.request_access(
            actions="dynamodb:GetItem", resources="arn:aws:s3:::a", reason="x", duration_s=60
        )
