"""`dynaguard compile`, and its bundles wherever a policy is named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from dynaguard.cli import compile as compiling
from dynaguard.cli.commands import cli
from dynaguard.policy.opening import open_policy

POLICY = """\
version = 1
default = "deny"
govern = ["dynamodb"]
[variables]
stage = { env = "STAGE", default = "dev" }
[settings]
audit = "records.jsonl"
[[statement]]
Sid = "ReadsOrders"
Effect = "Allow"
Action = "dynamodb:GetItem"
Resource = "arn:aws:dynamodb:*:*:table/${stage}-orders"
"""
CASES = """\
policy = "policy.dgb"
[[case]]
name = "reads"
call = "dynamodb:GetItem"
params = { TableName = "dev-orders", Key = { id = { S = "1" } } }
expect = "allow"
"""
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in a folder of its own with a policy and keys."""
    monkeypatch.chdir(tmp_path)
    Path("policy.toml").write_text(POLICY)
    for name in ("own", "other"):
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        Path(f"{name}.pem").write_bytes(private)
        Path(f"{name}.pub").write_bytes(public)

    def invoke(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(cli, list(arguments), env=environment)

    return invoke


def test_compile_writes_a_bundle_that_is_the_policy(run: Run) -> None:
    """And tells what it holds, and what it took from the environment."""
    done = run("compile", "policy.toml", "-o", "policy.dgb", STAGE="dev")

    assert done.exit_code == 0, done.output
    assert "policy.dgb: 1 statement, 0 masks, 0 budgets" in done.output
    assert "not signed" in done.output
    assert "compiled with STAGE = `dev`: where it is loaded, STAGE must not differ" in done.output
    assert open_policy("policy.dgb", environ={}) == open_policy("policy.toml", environ={})


def test_compile_as_json(run: Run) -> None:
    """For programs."""
    done = run("compile", "policy.toml", "-o", "policy.dgb", "--output", "json")

    found = json.loads(done.output)
    assert found["bundle"] == "policy.dgb"
    assert found["bytes"] == Path("policy.dgb").stat().st_size
    assert found["variables"] == {"STAGE": ["dev"]}
    assert found["key_id"] is None
    assert len(found["sha256"]) == 64


def test_compile_of_a_bundle_signs_it_anew(run: Run) -> None:
    """Its content stays what it was."""
    run("compile", "policy.toml", "-o", "plain.dgb")

    done = run("compile", "plain.dgb", "-o", "signed.dgb", "--sign-key-file", "own.pem")

    assert "signed with key" in done.output
    plain, signed = Path("plain.dgb").read_bytes(), Path("signed.dgb").read_bytes()
    assert plain.partition(b"\n")[2] == signed.partition(b"\n")[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("policy.toml", "-o", "policy.json"), "does not end in `.dgb`"),
        (("bad.toml", "-o", "policy.dgb"), "`default` is missing"),
        (("settings.toml", "-o", "policy.dgb"), "unknown setting"),
        (("policy.toml", "-o", "none/policy.dgb"), "cannot be written"),
    ],
)
def test_what_cannot_be_compiled_leaves_no_file(
    run: Run, arguments: tuple[str, ...], words: str
) -> None:
    """One message, exit code 2."""
    Path("bad.toml").write_text("version = 1\n")
    Path("settings.toml").write_text(POLICY.replace("audit =", "audt ="))

    done = run("compile", *arguments)

    assert done.exit_code == 2
    assert words in done.output
    assert not list(Path.cwd().glob("*policy.dgb"))


def test_a_bundle_that_is_not_the_document_is_not_written(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read back first; the one that was there stays."""
    run("compile", "policy.toml", "-o", "policy.dgb")
    before = Path("policy.dgb").read_bytes()
    other = open_policy({"version": 1, "default": "allow"}, environ={})
    monkeypatch.setattr(compiling, "load_bundle", lambda *_, **__: other)

    done = run("compile", "policy.toml", "-o", "policy.dgb")

    assert done.exit_code == 2
    assert "does not give the document back" in done.output
    assert Path("policy.dgb").read_bytes() == before
    assert [path.name for path in Path.cwd().glob(".*")] == []


def test_check_of_a_bundle(run: Run) -> None:
    """Well formed, signed with the key that is asked for, or a problem."""
    run("compile", "policy.toml", "-o", "policy.dgb", "--sign-key-file", "own.pem")

    assert run("check", "policy.dgb").exit_code == 0
    assert run("check", "policy.dgb", "--verify-key-file", "own.pub").exit_code == 0
    wrong = run("check", "policy.dgb", "--verify-key-file", "other.pub")
    assert wrong.exit_code == 2
    assert "signed with another key" in wrong.output
    Path("policy.dgb").write_bytes(Path("policy.dgb").read_bytes()[:-1])
    cut = run("check", "policy.dgb")
    assert cut.exit_code == 2
    assert "policy.dgb: the bundle is cut off" in cut.output


def test_status_tells_of_the_bundle(run: Run) -> None:
    """Its digest, and who vouches for it."""
    run("compile", "policy.toml", "-o", "policy.dgb", "--sign-key-file", "own.pem")
    key = {"DYNAGUARD_POLICY_VERIFY_KEY_FILE": "own.pub"}

    plain = run("status", DYNAGUARD_POLICY="policy.dgb")
    verified = run("status", DYNAGUARD_POLICY="policy.dgb", **key)
    as_json = run("status", "--output", "json", DYNAGUARD_POLICY="policy.dgb", **key)

    assert "policy: policy.toml" in plain.output
    assert "which nothing checks here" in plain.output
    assert "signed with the trusted key" in verified.output
    assert json.loads(as_json.output)["policy"]["bundle"]["is_verified"] is True
    run("compile", "policy.toml", "-o", "policy.dgb")
    assert ", not signed" in run("status", DYNAGUARD_POLICY="policy.dgb").output


def test_with_a_key_status_takes_no_other_policy(run: Run) -> None:
    """No document, no unsigned bundle, and not none at all."""
    run("compile", "policy.toml", "-o", "policy.dgb")
    key = {"DYNAGUARD_POLICY_VERIFY_KEY_FILE": "own.pub"}

    document = run("status", DYNAGUARD_POLICY="policy.toml", **key)
    unsigned = run("status", DYNAGUARD_POLICY="policy.dgb", **key)
    nothing = run("status", **key)

    assert [document.exit_code, unsigned.exit_code, nothing.exit_code] == [2, 2, 2]
    assert "only a signed bundle" in document.output
    assert "the bundle is not signed" in unsigned.output
    assert "name a signed bundle as `policy`" in nothing.output


def test_explain_and_test_take_bundles(run: Run) -> None:
    """With the same place in the source."""
    run("compile", "policy.toml", "-o", "policy.dgb")
    Path("cases.toml").write_text(CASES)
    params = json.dumps({"TableName": "dev-orders", "Key": {"id": {"S": "1"}}})
    asked = ("explain", "dynamodb", "GetItem", params)

    source = run(*asked, DYNAGUARD_POLICY="policy.toml")
    bundle = run(*asked, DYNAGUARD_POLICY="policy.dgb")

    assert "policy.toml:8" in bundle.output
    assert bundle.output == source.output
    assert run("test", "cases.toml").exit_code == 0


def test_relative_paths_of_settings_start_at_the_bundle(run: Run) -> None:
    """The bundle is the document now, wherever it was compiled."""
    Path("layer").mkdir()
    run("compile", "policy.toml", "-o", "layer/policy.dgb")

    done = run("status", "--output", "json", DYNAGUARD_POLICY="layer/policy.dgb")

    assert json.loads(done.output)["settings"]["audit"] == "layer/records.jsonl"


def test_a_bundle_whose_index_is_not_its_statements_is_not_compiled(
    run: Run, tmp_path: Path
) -> None:
    """Made by hand, with a digest that holds: what it decides is not what it reads like."""
    run("compile", "policy.toml", "-o", "policy.dgb")
    path = tmp_path / "policy.dgb"
    head, body = path.read_bytes().split(b"\n", 1)
    body = body.replace(b'dev-orders"', b'dev-order*"', 1)
    facts = json.loads(head) | {"sha256": hashlib.sha256(body).hexdigest()}
    path.write_bytes(json.dumps(facts, separators=(",", ":")).encode() + b"\n" + body)

    result = run("compile", "policy.dgb", "-o", "new.dgb")

    assert result.exit_code != 0
    assert "the index is not that of the statements" in result.output
    assert not (tmp_path / "new.dgb").exists()
