"""Calls under a policy from its bundle: decided, refused and told as from its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import dynaguard
from dynaguard.errors import ConfigurationError, GuardFailure, PolicyDenied, PolicySyntaxError
from dynaguard.policy.bundle_format import framed
from dynaguard.policy.bundle_writing import bundle_bytes
from dynaguard.policy.loading import load_policy

POLICY = """\
version = 1
default = "deny"

[[statement]]
Sid = "Reads"
Effect = "Allow"
Action = "dynamodb:GetItem"
Resource = "arn:aws:dynamodb:*:*:table/orders"

[[statement]]
Sid = "NoDeletes"
Effect = "Deny"
Action = "dynamodb:DeleteItem"
Resource = "*"
"""
KEY = {"id": {"S": "1"}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a policy and its bundle."""
    monkeypatch.chdir(tmp_path)
    Path("policy.toml").write_text(POLICY)
    Path("policy.dgb").write_bytes(bundle_bytes(load_policy("policy.toml", environ={})))
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_denials_are_told_as_from_the_source(client: Any) -> None:
    """By a statement and by none; with the source's file and line."""
    told = []
    for policy in ("policy.toml", "policy.dgb"):
        with dynaguard.install(policy):
            client.get_item(TableName="orders", Key=KEY)
            for refused in (client.delete_item, client.update_item):
                with pytest.raises(PolicyDenied) as denied:
                    refused(TableName="orders", Key=KEY)
                told.append(str(denied.value))

    assert told[:2] == told[2:]
    assert "`NoDeletes` (policy.toml:10)" in told[0]


@pytest.mark.usefixtures("folder")
def test_a_call_that_needs_a_broken_statement_is_refused(client: Any) -> None:
    """Though somebody gave the bundle a digest that holds; others go on."""
    raw = Path("policy.dgb").read_bytes().partition(b"\n")[2]
    Path("policy.dgb").write_bytes(framed(raw.replace(b'"Deny"', b'"Deni"'), None))
    dynaguard.install("policy.dgb")

    client.get_item(TableName="orders", Key=KEY)
    with pytest.raises(GuardFailure, match="PolicySyntaxError") as failure:
        client.delete_item(TableName="orders", Key=KEY)
    assert "policy.dgb:" in str(failure.value.__cause__)
    assert "compile the source again" in str(failure.value.__cause__)


def test_a_damaged_bundle_installs_nothing(folder: Path) -> None:
    """One error, and no guard."""
    path = folder / "policy.dgb"
    path.write_bytes(path.read_bytes()[:-5])

    with pytest.raises(PolicySyntaxError, match="is cut off"):
        dynaguard.install("policy.dgb")
    assert not dynaguard.status().is_installed


@pytest.mark.usefixtures("folder")
def test_with_a_key_that_cannot_be_read_nothing_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By argument and by variable."""
    with pytest.raises(ConfigurationError, match=r"key file `none\.pub` cannot"):
        dynaguard.install("policy.dgb", policy_verify_key_file="none.pub")
    monkeypatch.setenv("DYNAGUARD_POLICY_VERIFY_KEY_FILE", "none.pub")
    with pytest.raises(ConfigurationError, match=r"key file `none\.pub` cannot"):
        dynaguard.install("policy.dgb")
    assert not dynaguard.status().is_installed


@pytest.mark.usefixtures("folder")
def test_status_tells_of_the_bundle() -> None:
    """Its file, digest and signature, beside the source's own digest."""
    with dynaguard.install("policy.dgb"):
        policy = dynaguard.status().policy

    assert policy is not None
    assert policy.source == "policy.toml"
    assert policy.digest == load_policy("policy.toml", environ={}).digest
    assert policy.bundle is not None
    assert (policy.bundle["path"], policy.bundle["key_id"]) == ("policy.dgb", None)
