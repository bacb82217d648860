"""Every line names the one before it, in threads, children and signal handlers."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jsonschema import Draft202012Validator

from dynaguard import forks
from dynaguard.audit import endings
from dynaguard.audit import writer as writers
from dynaguard.audit.chain import MAX_ATTEMPTED, digest_of
from dynaguard.audit.log import AuditLog
from dynaguard.audit.schema import checkpoint_schema
from dynaguard.audit.signing import Signer, Verifier
from dynaguard.audit.sinks import UnsureError
from dynaguard.audit.writer import ChainedWriter
from dynaguard.errors import ConfigurationError, MissingExtraError
from tests.audit.audit_cases import record_values

TEXT = '{"schema_version":2,"phase":"outcome"'
SECOND_NS = 10**9
posix_only = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a POSIX system")


class Memory:
    """A sink that keeps lines, and fails where it is told to."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.is_full = False
        self.is_closed = False
        self.on_write: Callable[[bytes], None] = lambda line: None

    def write(self, line: bytes) -> None:
        """Keeps a line."""
        self.on_write(line)
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.lines.append(line)

    def close(self) -> None:
        """Notes it."""
        self.is_closed = True

    def records(self) -> list[dict[str, Any]]:
        """What was written."""
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def memory() -> Memory:
    """Where lines go."""
    return Memory()


def chained(memory: Memory, **options: Any) -> ChainedWriter:
    """A writer whose ids are numbers."""
    numbers = iter("abcdefgh")
    return ChainedWriter(
        memory, service="billing", version="1", new_id=lambda: next(numbers), **options
    )


def key_files(folder: Path) -> tuple[Path, Path]:
    """A private key and its public half."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / "key.pem", folder / "key.pub"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


def test_a_line_names_the_one_before_it(memory: Memory) -> None:
    """By its hash without the newline; the first, a checkpoint, names none."""
    writer = chained(memory)

    writer.write(TEXT, 1)
    writer.write(TEXT, 2)

    opening, first, second = (record["writer"] for record in memory.records())
    assert memory.records()[0]["phase"] == "checkpoint"
    assert (opening["sequence"], opening["previous_sha256"], opening["lost"]) == (1, None, 0)
    assert (second["sequence"], second["id"]) == (3, first["id"])
    assert first["previous_sha256"] == digest_of(memory.lines[0])
    assert second["previous_sha256"] == digest_of(memory.lines[1])


def test_a_record_that_was_not_written_leaves_no_gap(memory: Memory) -> None:
    """It is counted, and its number is used again."""
    writer = chained(memory)
    writer.write(TEXT, 1)
    memory.is_full = True

    with pytest.raises(OSError, match="No space"):
        writer.write(TEXT, 2)
    memory.is_full = False
    writer.lose()
    writer.write(TEXT, 3)

    last = memory.records()[-1]["writer"]
    assert (last["sequence"], last["lost"], last["attempted_sha256"]) == (3, 2, [])
    assert last["previous_sha256"] == digest_of(memory.lines[1])


@pytest.mark.parametrize("error", [UnsureError(errno.EIO, "torn"), KeyboardInterrupt()])
def test_a_line_of_which_nobody_knows_is_named_by_the_next(
    memory: Memory, error: BaseException
) -> None:
    """It may be in the file or not."""
    writer = chained(memory)
    writer.write(TEXT, 1)
    attempted: list[bytes] = []

    def fail(line: bytes) -> None:
        attempted.append(line)
        raise error

    memory.on_write = fail
    with pytest.raises(type(error)):
        writer.write(TEXT, 2)
    memory.on_write = lambda line: None
    writer.write(TEXT, 3)

    last = memory.records()[-1]["writer"]
    assert (last["sequence"], last["attempted_sha256"]) == (4, [digest_of(attempted[0])])
    assert last["previous_sha256"] == digest_of(memory.lines[1])


def test_after_many_of_them_another_writer_goes_on(memory: Memory) -> None:
    """A line does not grow without bound."""
    writer = chained(memory)

    def fail(line: bytes) -> None:
        raise UnsureError(errno.EIO, "torn")

    writer.write(TEXT, 1)
    memory.on_write = fail
    for _ in range(MAX_ATTEMPTED):
        with pytest.raises(UnsureError):
            writer.write(TEXT, 1)
    memory.on_write = lambda line: None
    writer.write(TEXT, 2)

    opening = memory.records()[-2]["writer"]
    assert (opening["id"], opening["sequence"], opening["lost"]) == ("b", 1, MAX_ATTEMPTED)


@pytest.mark.parametrize(
    ("count", "step_ns", "expected"), [(1_001, 1, [1, 1_002]), (3, 40 * SECOND_NS, [1, 5])]
)
def test_a_checkpoint_begins_and_follows_many_records_or_a_long_time(
    memory: Memory, count: int, step_ns: int, expected: list[int]
) -> None:
    """Of the schema that is published."""
    writer = chained(memory)

    for number in range(count):
        writer.write(TEXT, (number + 1) * step_ns)

    found = [record for record in memory.records() if record["phase"] == "checkpoint"]
    assert [record["writer"]["sequence"] for record in found] == expected
    Draft202012Validator(checkpoint_schema()).validate(found[0])
    assert found[0]["checkpoint"] == {"is_final": False, "key_id": None, "signature": None}


def test_the_last_checkpoint_comes_with_the_close_once(memory: Memory) -> None:
    """A writer without records has nothing to vouch for."""
    writer = chained(memory)
    writer.close()
    assert (memory.lines, memory.is_closed) == ([], True)

    writer.write(TEXT, 1)
    writer.close()
    writer.close()

    phases = [record["phase"] for record in memory.records()]
    assert phases == ["checkpoint", "outcome", "checkpoint"]
    assert memory.records()[-1]["checkpoint"]["is_final"]


def test_a_close_does_not_wait_for_a_sink_that_takes_nothing(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process must end."""
    monkeypatch.setattr(writers, "CLOSE_WAIT_S", 0.01)
    writer = chained(memory)
    writer.write(TEXT, 1)
    holder = threading.Thread(target=writer.lock.acquire)
    holder.start()
    holder.join()

    writer.close()

    assert len(memory.lines) == 2


def test_a_checkpoint_without_room_is_written_the_next_time(memory: Memory) -> None:
    """The record before it is on disk, so nothing is wrong; and it is no record."""
    writer = chained(memory)

    def fill(line: bytes) -> None:
        memory.is_full = b'"checkpoint"' in line

    memory.on_write = fill
    writer.write(TEXT, 100 * SECOND_NS)
    memory.is_full, memory.on_write = False, lambda line: None
    writer.write(TEXT, 101 * SECOND_NS)

    assert [record["phase"] for record in memory.records()] == ["outcome", "outcome", "checkpoint"]
    assert memory.records()[-1]["writer"]["lost"] == 0


def test_a_checkpoint_on_request_vouches_for_what_is_new(memory: Memory) -> None:
    """And only once."""
    writer = chained(memory)
    writer.write(TEXT, 1)
    writer.checkpoint()
    writer.checkpoint()

    assert [record["phase"] for record in memory.records()][1:] == ["outcome", "checkpoint"]


def test_a_signature_holds_for_its_checkpoint_alone(memory: Memory, tmp_path: Path) -> None:
    """With the public half, or the private one; not with another key."""
    (tmp_path / "other").mkdir()
    private, public = key_files(tmp_path)
    other, _ = key_files(tmp_path / "other")
    signer = Signer(private)
    signature = signer.sign(b"message")

    for path in (private, public):
        assert Verifier(path).key_id == signer.key_id
        assert Verifier(path).is_valid(b"message", signature)
        assert not Verifier(path).is_valid(b"massage", signature)
        assert not Verifier(path).is_valid(b"message", "no base64!")
        assert not Verifier(path).is_valid(b"message", None)
    assert not Verifier(other).is_valid(b"message", signature)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    """With the file, and with how to make a right one."""
    curve = generate_private_key(SECP256R1())
    private, public, text = tmp_path / "ec.pem", tmp_path / "ec.pub", tmp_path / "text"
    private.write_bytes(
        curve.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        curve.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    text.write_text("hello")

    for kind, path in ((Signer, private), (Verifier, private), (Verifier, public)):
        with pytest.raises(ConfigurationError, match=r"of another kind.*openssl genpkey"):
            kind(path)
    for kind in (Signer, Verifier):
        with pytest.raises(ConfigurationError, match=r"text` holds no usable .* key"):
            kind(text)
        with pytest.raises(ConfigurationError, match="cannot be read"):
            kind(tmp_path / "missing")


def test_signing_needs_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to install it."""
    monkeypatch.setitem(__import__("sys").modules, "cryptography", None)

    with pytest.raises(MissingExtraError, match=r"dynaguard\[sign\]"):
        Signer(tmp_path / "key.pem")


def test_threads_share_one_chain(memory: Memory) -> None:
    """Its numbers have no gap and its hashes no break."""
    writer = chained(memory)
    threads = [
        threading.Thread(target=lambda: [writer.write(TEXT, 1) for _ in range(200)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    previous = None
    assert len(memory.lines) == 801
    for number, (line, record) in enumerate(zip(memory.lines, memory.records(), strict=True), 1):
        assert record["writer"]["sequence"] == number
        assert record["writer"]["previous_sha256"] == previous
        previous = digest_of(line)


@posix_only
def test_a_signal_handler_writes_in_a_chain_of_its_own(memory: Memory) -> None:
    """The line under way has its number, but is not written yet."""
    writer = chained(memory)
    previous = signal.signal(signal.SIGUSR1, lambda *_: writer.write('{"nested":true', 1))

    def interrupt(line: bytes) -> None:
        if b'"phase":"outcome"' in line:
            os.kill(os.getpid(), signal.SIGUSR1)

    writer.write('{"nested":true', 1)
    memory.on_write = interrupt
    try:
        writer.write(TEXT, 1)
    finally:
        signal.signal(signal.SIGUSR1, previous)
    memory.on_write = lambda line: None
    writer.close()

    by_writer: dict[str, list[int]] = {}
    for record in memory.records():
        by_writer.setdefault(record["writer"]["id"], []).append(record["writer"]["sequence"])
    assert by_writer == {"a": [1, 2, 3, 4], "b": [1, 2, 3]}


def test_a_child_is_another_writer(memory: Memory) -> None:
    """With a lock of its own; what a forked child does first, without the fork."""
    writer = chained(memory)
    writer.write(TEXT, 1)
    holder = threading.Thread(target=writer.lock.acquire)
    holder.start()
    holder.join()

    forks.renew_all()
    writer.write(TEXT, 1)

    assert [record["writer"]["id"] for record in memory.records()] == ["a", "a", "b", "b"]


def test_the_end_of_the_process_closes_every_chain(memory: Memory) -> None:
    """As `atexit` does; one that fails keeps no other from its end."""
    writer = chained(memory)
    writer.write(TEXT, 1)
    broken = Memory()
    endings.at_the_end(broken, lambda _: 1 / 0)

    endings.end_all()

    assert memory.records()[-1]["checkpoint"]["is_final"]


def test_a_system_without_forks_needs_no_care(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no `register_at_fork`."""
    monkeypatch.delattr(forks.os, "register_at_fork", raising=False)

    forks._watch_forks.__wrapped__()


_kept: list[AuditLog] = []


def _write_in_child(path: str) -> None:
    """What a child of `multiprocessing` does; it ends without `atexit`."""
    _kept.append(AuditLog(path, mode="best-effort"))
    _kept[0].outcome(**record_values())


@posix_only
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_child_of_multiprocessing_ends_its_chain(tmp_path: Path, method: str) -> None:
    """However it was started."""
    path = tmp_path / "audit.jsonl"
    process = multiprocessing.get_context(method).Process(
        target=_write_in_child, args=(str(path),)
    )
    process.start()
    process.join(60)

    assert process.exitcode == 0
    last = json.loads(path.read_text().splitlines()[-1])
    assert last["checkpoint"]["is_final"]
