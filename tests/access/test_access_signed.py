"""Signed files: read when they changed, believed when the signature holds, else nothing counts."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaguard.access.signed_store import SignedStore, signed_text
from dynaguard.access.store import StoredRecord
from dynaguard.audit.signing import Signer
from dynaguard.errors import AccessStoreError
from tests.access.store_contract import END_S, grant

RECORDS = [grant("g-1", body='{"reason":"\u00e9 \U0001f600"}'), grant("g-2", end_s=1234567.125)]
SIGNED_AT = "2026-01-01T00:00:00Z"


def make_key(folder: Path, name: str) -> Path:
    """A private key, and its public half beside it."""
    key = Ed25519PrivateKey.generate()
    private = folder / f"{name}.pem"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / f"{name}.pub").write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the keys `own` and `other`."""
    folder = tmp_path_factory.mktemp("keys")
    make_key(folder, "own")
    make_key(folder, "other")
    return folder


@pytest.fixture
def write(tmp_path: Path, keys: Path) -> Callable[..., Path]:
    """Writes a signed file."""

    def write_file(records: list[StoredRecord] = RECORDS, key: str = "own") -> Path:
        path = tmp_path / "grants.json"
        signer = Signer(keys / f"{key}.pem")
        path.write_text(signed_text(records, signer, signed_at=SIGNED_AT), encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def store(write: Callable[..., Path], keys: Path) -> SignedStore:
    """A store on such a file."""
    return SignedStore(write(), keys / "own.pub")


def test_what_was_signed_is_there(store: SignedStore) -> None:
    """Each record as it was; lists by id and by end."""
    assert store.records("grant", after_epoch_s=0) == RECORDS
    assert store.records("grant", after_epoch_s=1234567.125) == RECORDS[:1]
    assert store.records("ticket", after_epoch_s=0) == []
    assert store.get("grant", "g-2") == RECORDS[1]
    assert store.get("ticket", "g-2") is None


def test_nothing_is_written(store: SignedStore) -> None:
    """The error names the way."""
    assert store.is_read_only
    with pytest.raises(AccessStoreError, match=r"grant `g-1` cannot be stored: .* signed file"):
        store.add(grant())
    with pytest.raises(AccessStoreError, match="`dynaguard access sign` it again"):
        store.replace(grant().changed("{}", END_S))


def test_a_changed_file_is_read_again(store: SignedStore, write: Callable[..., Path]) -> None:
    """The token says so, too."""
    token = store.change_token()
    assert token == store.change_token()

    write([grant("g-3")])

    assert [record.id for record in store.records("grant", after_epoch_s=0)] == ["g-3"]
    assert store.change_token() != token


def test_an_unchanged_file_is_not_read_again(
    store: SignedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only its state is asked for."""
    store.records("grant", after_epoch_s=0)
    monkeypatch.setattr(Path, "open", None)

    assert store.get("grant", "g-1") == RECORDS[0]


def _edit(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Changes the document in a file, as somebody without the key can."""
    content = json.loads(path.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    "edit",
    [
        lambda content: content["records"].pop(),
        lambda content: content["records"].reverse(),
        lambda content: content["records"][0].update(expires_epoch_s=5e9),
        lambda content: content["records"][0].update(body="{}"),
        lambda content: content["records"].append(content["records"][0]),
        lambda content: content.update(signed_at="2027-01-01T00:00:00Z"),
        lambda content: content.update(more=1),
        lambda content: content.update(signature=""),
        lambda content: content.update(signature=None),
        lambda content: content.update(signature="A" * 88),
        lambda content: content.update(version=2),
    ],
)
def test_a_changed_document_counts_for_nothing(
    store: SignedStore, write: Callable[..., Path], edit: Callable[[dict[str, Any]], object]
) -> None:
    """Not a part of it; also where the same store read it whole before."""
    store.records("grant", after_epoch_s=0)
    _edit(write(), edit)

    for use in (store.change_token, lambda: store.get("grant", "g-1")):
        with pytest.raises(AccessStoreError, match="it is not as it was signed, nothing in it"):
            use()


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_bit_can_be_turned(
    keys: Path, tmp_path_factory: pytest.TempPathFactory, position: int, bit: int
) -> None:
    """Whatever stands there: the records are those that were signed, or none."""
    text = signed_text(RECORDS, Signer(keys / "own.pem"), signed_at=SIGNED_AT).encode()
    changed = bytearray(text)
    changed[position % len(text)] ^= 1 << bit
    path = tmp_path_factory.getbasetemp() / "bits.json"
    path.write_bytes(changed)

    try:
        found = SignedStore(path, keys / "own.pub").records("grant", after_epoch_s=0)
    except AccessStoreError:
        return

    assert found == RECORDS  # white space, or the padding of base64


def test_another_key_counts_for_nothing(write: Callable[..., Path], keys: Path) -> None:
    """The error names the key that would."""
    store = SignedStore(write(key="other"), keys / "own.pub")

    with pytest.raises(AccessStoreError, match=f"than `{Signer(keys / 'own.pem').key_id}`"):
        store.change_token()


def test_a_claimed_key_id_changes_nothing(write: Callable[..., Path], keys: Path) -> None:
    """It only chooses the words of the error."""
    path = write(key="other")
    own = Signer(keys / "own.pem").key_id
    _edit(path, lambda content: content.update(key_id=own))

    with pytest.raises(AccessStoreError, match="not as it was signed"):
        SignedStore(path, keys / "own.pub").change_token()


def test_without_a_key_nothing_counts(write: Callable[..., Path]) -> None:
    """The error names the setting."""
    with pytest.raises(AccessStoreError, match="set `access_verify_key_file`"):
        SignedStore(write(), None).records("grant", after_epoch_s=0)


def test_a_key_that_cannot_be_read_counts_for_nothing(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    """Missing, or no key."""
    path = write()
    with pytest.raises(AccessStoreError, match="cannot be read"):
        SignedStore(path, tmp_path / "missing.pub").change_token()
    with pytest.raises(AccessStoreError, match="no usable public key"):
        SignedStore(path, path).change_token()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '"x"', '{"signature": "x"', "[" * 100_000, "\xff"]
)
def test_what_is_no_signed_file_is_told(keys: Path, tmp_path: Path, text: str) -> None:
    """Half copied, empty, something else."""
    path = tmp_path / "x.json"
    path.write_bytes(text.encode("latin-1"))

    with pytest.raises(AccessStoreError, match="no signed file"):
        SignedStore(path, keys / "own.pub").change_token()


def test_a_missing_file_is_told(keys: Path, tmp_path: Path) -> None:
    """Other than SQLite's: it was to be shipped with the program."""
    with pytest.raises(AccessStoreError, match="no such file"):
        SignedStore(tmp_path / "x.json", keys / "own.pub").records("grant", after_epoch_s=0)


def test_a_file_that_is_whole_again_counts_again(
    store: SignedStore, write: Callable[..., Path]
) -> None:
    """It was read while it was copied, within one tick of the file system's clock."""
    path = write()
    text, state = path.read_bytes(), path.stat()
    path.write_bytes(text[:-50] + b" " * 50)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(AccessStoreError):
        store.change_token()

    path.write_bytes(text)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))

    assert store.records("grant", after_epoch_s=0) == RECORDS


def test_a_signed_checkpoint_is_no_store(keys: Path, tmp_path: Path) -> None:
    """What the same key signed for something else opens nothing."""
    from dynaguard.access.canonical import canonical_json

    signer = Signer(keys / "own.pem")
    content = json.loads(signed_text(RECORDS, signer, signed_at=SIGNED_AT))
    del content["signature"]
    content["signature"] = signer.sign(canonical_json(content).encode())
    path = tmp_path / "x.json"
    path.write_text(json.dumps(content))

    with pytest.raises(AccessStoreError, match="not as it was signed"):
        SignedStore(path, keys / "own.pub").change_token()


def test_signed_content_of_another_sort_is_told(keys: Path, tmp_path: Path) -> None:
    """The key's holder signed something that this dynaguard does not read."""
    from dynaguard.access.signed_store import _message

    signer = Signer(keys / "own.pem")
    for change, text in (
        ({"version": 2}, "another format"),
        ({"records": [{"kind": "grant"}]}, "something else than records"),
        ({"records": [{**vars_of(grant()), "kind": "rule"}]}, "something else than records"),
        ({"records": None}, "something else than records"),
    ):
        content = json.loads(signed_text(RECORDS, signer, signed_at=SIGNED_AT)) | change
        del content["signature"]
        content["signature"] = signer.sign(_message(content))
        path = tmp_path / "x.json"
        path.write_text(json.dumps(content))
        with pytest.raises(AccessStoreError, match=text):
            SignedStore(path, keys / "own.pub").change_token()


def vars_of(record: StoredRecord) -> dict[str, Any]:
    """A record's attributes by name."""
    names = ("kind", "id", "version", "body", "expires_epoch_s")
    return {name: getattr(record, name) for name in names}


def test_it_is_read_again_after_a_close(store: SignedStore) -> None:
    """A close gives back what can be had again."""
    store.records("grant", after_epoch_s=0)
    store.close()

    assert store.get("grant", "g-1") == RECORDS[0]
