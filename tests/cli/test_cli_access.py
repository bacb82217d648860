"""`dynaguard access`: stores are made, looked at, signed and verified."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dynaguard.access.canonical import canonical_json
from dynaguard.access.signed_store import SignedStore
from dynaguard.access.sqlite_store import SqliteStore
from dynaguard.access.store import StoredRecord
from dynaguard.access.table_layout import cloudformation_template, terraform_configuration
from dynaguard.cli.commands import cli
from tests.access.store_contract import END_S, grant
from tests.access.test_access_signed import make_key


def run(*arguments: object) -> Result:
    """The command."""
    return CliRunner().invoke(cli, ["access", *map(str, arguments)])


def told(*arguments: object) -> dict[str, Any]:
    """What it tells programs."""
    found: dict[str, Any] = json.loads(run(*arguments, "--output", "json").output)
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store is to be."""
    return tmp_path / "access.sqlite"


def test_init_makes_a_file_once(path: Path) -> None:
    """The second time it is there already."""
    first, second = run("init", "--store", path), run("init", "--store", path)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.output == f"{path}: made\n"
    assert second.output == f"{path}: is there already\n"
    assert told("init", "--store", path) == {"store": str(path), "is_new": False}


def test_the_store_is_the_one_of_the_environment(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless --store names another."""
    monkeypatch.setenv("DYNAGUARD_ACCESS_STORE", str(path))

    assert run("init").exit_code == 0
    assert path.exists()


def test_no_store_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And how to name one."""
    monkeypatch.chdir(tmp_path)

    result = run("status")

    assert result.exit_code == 2
    assert "set `access_store` (DYNAGUARD_ACCESS_STORE)" in result.output


def test_a_text_that_is_no_store_is_told() -> None:
    """With the nearest form."""
    result = run("status", "--store", "dynamo://access")

    assert result.exit_code == 2
    assert "did you mean `dynamodb://access`?" in result.output


def test_a_signed_file_is_not_made_by_init(tmp_path: Path) -> None:
    """But by sign."""
    result = run("init", "--store", tmp_path / "grants.json")

    assert result.exit_code == 2
    assert "make it with `dynaguard access sign`" in result.output


@pytest.mark.parametrize("option", ["--cloudformation", "--terraform"])
def test_templates_are_for_tables(path: Path, option: str) -> None:
    """Of a file there is nothing to describe; of a table nothing is called."""
    refused = run("init", "--store", path, option)
    printed = run("init", "--store", "dynamodb://access", option)

    assert refused.exit_code == 2
    assert "--store dynamodb://TABLE" in refused.output
    make = cloudformation_template if option == "--cloudformation" else terraform_configuration
    assert json.loads(printed.output) == make("access")


def test_the_template_pleases_cfn_lint() -> None:
    """Down to informational rules."""
    api = pytest.importorskip("cfnlint.api", reason="cfn-lint is not installed")
    config = {"regions": ["eu-west-1"], "include_checks": ["I"]}

    found = api.lint(json.dumps(cloudformation_template("access")), config=config)

    assert [str(match) for match in found] == []


def test_both_templates_describe_one_table() -> None:
    """Keys, index, TTL and permissions."""
    resources = cloudformation_template("access")["Resources"]
    table = resources["AccessTable"]["Properties"]
    terraform = terraform_configuration("access")
    other = terraform["resource"]["aws_dynamodb_table"]["access"]

    (index,) = table["LocalSecondaryIndexes"]
    (other_index,) = other["local_secondary_index"]
    assert [each["AttributeName"] for each in table["KeySchema"]] == [
        other["hash_key"],
        other["range_key"],
    ]
    assert index["KeySchema"][1]["AttributeName"] == other_index["range_key"]
    assert index["Projection"]["NonKeyAttributes"] == other_index["non_key_attributes"]
    assert table["TimeToLiveSpecification"]["AttributeName"] == other["ttl"]["attribute_name"]
    documents = terraform["data"]["aws_iam_policy_document"]
    for name, other_name in (
        ("AccessWriters", "access_writers"),
        ("AccessReaders", "access_readers"),
    ):
        (statement,) = resources[name]["Properties"]["PolicyDocument"]["Statement"]
        assert statement["Action"] == documents[other_name]["statement"][0]["actions"]


def test_status_counts_what_lives(path: Path) -> None:
    """Grants and tickets; what ended is not alive."""
    store = SqliteStore(path)
    store.add(grant("g-1"))
    store.add(grant("g-2", end_s=1.0))
    store.add(StoredRecord("ticket", "t-1", 1, "{}", END_S))

    found = told("status", "--store", path)
    text = run("status", "--store", path)

    assert (found["grants"], found["tickets"], found["is_there"]) == (1, 1, True)
    assert text.exit_code == 0
    assert "alive: 1 grant, 1 ticket; it answered in" in text.output


def test_status_of_a_missing_file_is_no_problem(path: Path) -> None:
    """Nothing is granted, and nothing is made."""
    result = run("status", "--store", path)

    assert result.exit_code == 0
    assert "it is not there, so nothing is granted" in result.output
    assert not path.exists()


def test_status_of_a_broken_store_is_a_finding(path: Path) -> None:
    """The problem in one line."""
    path.write_text("no database " * 200)

    result = run("status", "--store", path)

    assert result.exit_code == 1
    assert "problem: access store" in result.output
    assert "it is no SQLite database" in result.output


def test_status_warns_of_a_file_that_others_may_write(path: Path) -> None:
    """Whoever writes to it grants."""
    SqliteStore(path).create()
    path.chmod(0o660)

    result = run("status", "--store", path)

    assert result.exit_code == 1
    assert "may grant: `chmod 600` it" in result.output


def test_living_uncounted_grants_are_signed(path: Path, tmp_path: Path) -> None:
    """What is counted, revoked or over is left out; the file verifies."""
    key, to = make_key(tmp_path, "own"), tmp_path / "grants.json"
    store = SqliteStore(path)
    kept = grant("g-1", body=canonical_json({"reason": "incident"}))
    store.add(kept)
    store.add(grant("g-2", body=canonical_json({"uses": 3})))
    store.add(grant("g-3", body=canonical_json({"revoked_epoch_s": 5.0})))
    store.add(grant("g-4", body="{}", end_s=1.0))
    store.add(StoredRecord("ticket", "t-1", 1, "{}", END_S))

    signed = run("sign", "--store", path, "--key-file", key, "--to", to)
    found = SignedStore(to, tmp_path / "own.pub").records("grant", after_epoch_s=0)
    verified = run("verify", to, "--public-key", tmp_path / "own.pub")

    assert (signed.exit_code, verified.exit_code) == (0, 0)
    assert found == [kept]
    assert "1 grant, key " in signed.output
    assert "left out: 1 grant with counted uses" in signed.output
    assert "alive: 1 grant, 0 tickets" in verified.output
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_signing_tells_programs_what_was_left_out(path: Path, tmp_path: Path) -> None:
    """By why."""
    key, to = make_key(tmp_path, "own"), tmp_path / "grants.json"
    SqliteStore(path).add(grant("g-2", body=canonical_json({"uses": 3})))

    found = told("sign", "--store", path, "--key-file", key, "--to", to)

    assert (found["grants"], found["left_out"]) == (0, {"counted": 1, "revoked": 0})


def test_a_changed_file_does_not_verify(path: Path, tmp_path: Path) -> None:
    """Exit code 1."""
    key, to = make_key(tmp_path, "own"), tmp_path / "grants.json"
    SqliteStore(path).add(grant("g-1", body="{}"))
    run("sign", "--store", path, "--key-file", key, "--to", to)
    to.write_text(to.read_text().replace("g-1", "g-2"))

    result = run("verify", to, "--public-key", tmp_path / "own.pub")

    assert result.exit_code == 1
    assert "it is not as it was signed" in result.output
