"""Whose bundles are taken, and where: environments and signatures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from dynaguard.audit.signing import Signer, Verifier
from dynaguard.errors import ConfigurationError, PolicySyntaxError
from dynaguard.policy.bundle_format import read_frame
from dynaguard.policy.bundle_reading import load_bundle
from dynaguard.policy.bundle_writing import bundle_bytes
from dynaguard.policy.loading import load_policy
from dynaguard.policy.model import PolicyDocument
from dynaguard.policy.opening import open_policy

SOURCE: dict[str, Any] = {
    "version": 1,
    "default": "deny",
    "variables": {"stage": {"env": "STAGE", "default": "dev"}},
    "groups": {"leads": ["arn:aws:iam::*:role/lead-*"]},
    "statement": [
        {
            "Sid": "Reads",
            "Effect": "Allow",
            "Action": "dynamodb:GetItem",
            "Resource": "arn:aws:dynamodb:*:*:table/${stage}-orders",
        },
        {
            "Sid": "Asks",
            "Effect": "RequireApproval",
            "NotAction": "dynamodb:GetItem",
            "Resource": "*",
            "Approval": {"any_of": ["leads"]},
        },
    ],
}


@pytest.fixture(scope="module")
def document() -> PolicyDocument:
    """A small document."""
    return load_policy(SOURCE, environ={})


@pytest.fixture(scope="module")
def raw(document: PolicyDocument) -> bytes:
    """Its bundle."""
    return bundle_bytes(document)


@pytest.fixture
def path(tmp_path: Path, raw: bytes) -> Path:
    """The bundle in a file."""
    found = tmp_path / "policy.dgb"
    found.write_bytes(raw)
    return found


def refusal(path: Path, **options: Any) -> str:
    """The one problem of a bundle."""
    with pytest.raises(PolicySyntaxError) as caught:
        load_bundle(path, environ={}, **options)
    (problem,) = caught.value.problems
    assert problem.source == str(path)
    return problem.message


def with_head(raw: bytes, **changes: Any) -> bytes:
    """A bundle with another first line."""
    line, _, content = raw.partition(b"\n")
    return json.dumps(json.loads(line) | changes).encode() + b"\n" + content


# --- for another environment ------------------------------------------------------------------


@pytest.mark.parametrize("environ", [{}, {"STAGE": ""}, {"STAGE": "dev"}, {"OTHER": "x"}])
def test_a_bundle_is_taken_where_its_variables_do_not_differ(
    path: Path, document: PolicyDocument, environ: dict[str, str]
) -> None:
    """One that is not set says nothing against it."""
    assert load_bundle(path, environ=environ) == document


def test_a_bundle_for_another_environment_is_refused(path: Path) -> None:
    """From its source the document would name other tables here."""
    with pytest.raises(PolicySyntaxError) as caught:
        load_bundle(path, environ={"STAGE": "prod"})

    assert "compiled with STAGE = `dev`, here it is `prod`" in str(caught.value)


def test_one_variable_with_two_defaults_fits_no_value_at_all(tmp_path: Path) -> None:
    """Set, it would give both the same."""
    two = {"one": {"env": "STAGE", "default": "a"}, "two": {"env": "STAGE", "default": "b"}}
    document = load_policy({"version": 1, "default": "deny", "variables": two}, environ={})
    path = tmp_path / "policy.dgb"
    path.write_bytes(bundle_bytes(document))

    assert load_bundle(path, environ={}) == document
    with pytest.raises(PolicySyntaxError, match="STAGE = `a`, `b`, here it is `a`"):
        load_bundle(path, environ={"STAGE": "a"})


# --- signed -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two private keys."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("own", "other"):
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{name}.pem").write_bytes(pem)
    return folder


def test_a_signed_bundle_is_taken_with_its_key(
    path: Path, document: PolicyDocument, keys: Path
) -> None:
    """And says so."""
    path.write_bytes(bundle_bytes(document, Signer(keys / "own.pem")))

    verified = load_bundle(path, environ={}, verifier=Verifier(keys / "own.pem"))
    plain = load_bundle(path, environ={})

    assert verified == plain == document
    assert verified.bundle is not None
    assert plain.bundle is not None
    assert (verified.bundle.is_verified, plain.bundle.is_verified) == (True, False)
    assert verified.bundle.key_id == plain.bundle.key_id == Signer(keys / "own.pem").key_id


def test_with_a_key_nothing_else_is_taken(
    path: Path, document: PolicyDocument, keys: Path
) -> None:
    """No unsigned bundle, none of another key, none whose signature is another one's."""
    verifier = Verifier(keys / "own.pem")

    assert "the bundle is not signed" in refusal(path, verifier=verifier)
    path.write_bytes(bundle_bytes(document, Signer(keys / "other.pem")))
    assert "signed with another key" in refusal(path, verifier=verifier)
    path.write_bytes(with_head(path.read_bytes(), key_id=verifier.key_id))
    assert "signature does not hold" in refusal(path, verifier=verifier)
    path.write_bytes(with_head(path.read_bytes(), signature=None))
    assert "signature does not hold" in refusal(path, verifier=verifier)


def test_with_a_key_no_other_policy_is_taken(tmp_path: Path, keys: Path) -> None:
    """Neither a document nor a mapping."""
    verifier = Verifier(keys / "own.pem")
    source = tmp_path / "policy.toml"
    source.write_text('version = 1\ndefault = "allow"\n')

    with pytest.raises(ConfigurationError, match=r"only a signed bundle .* not `.*policy.toml`"):
        open_policy(source, environ={}, verifier=verifier)
    with pytest.raises(ConfigurationError, match="not a mapping"):
        open_policy(SOURCE, environ={}, verifier=verifier)


def test_the_frame_is_read_without_a_copy(path: Path, raw: bytes) -> None:
    """What is kept is the file's bytes, once."""
    frame = read_frame(path, None)

    assert frame.raw == raw
    assert frame.raw[frame.start :] == raw.partition(b"\n")[2]
