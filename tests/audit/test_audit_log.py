"""What a lost record means: nothing but a count, or no call."""

from __future__ import annotations

import errno
import hashlib
import importlib.metadata
import json
import logging
import os
import pickle
import warnings
from pathlib import Path
from typing import Any, Literal

import pytest

from dynaguard.audit.log import AuditLog, AuditWriteError
from dynaguard.errors import ConfigurationError, DynaguardWarning
from tests.audit.audit_cases import (
    CALL,
    CANARY,
    NOW_NS,
    OUTCOME,
    intent_values,
    record_values,
)

FULL = Path("/dev/full")
full_disk = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")


def open_log(
    target: str | Path, mode: Literal["best-effort", "required"] = "best-effort", **options: Any
) -> AuditLog:
    """A log with a clock that stands still."""
    return AuditLog(str(target), mode=mode, time_ns=lambda: NOW_NS, **options)


def lines(path: Path) -> list[dict[str, Any]]:
    """The records of a file, without its checkpoints."""
    found = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    return [record for record in found if record["phase"] != "checkpoint"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the records go."""
    return tmp_path / "audit.jsonl"


@pytest.fixture
def removable(tmp_path: Path) -> Path:
    """A file whose folder can be removed and made again."""
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "audit.jsonl"


def remove(path: Path) -> None:
    """Takes away the file and its folder."""
    path.unlink()
    path.parent.rmdir()


def test_writes_intent_and_outcome(path: Path) -> None:
    """With the facts of this process."""
    log = open_log(path, "required", service="billing", policy_digest="d1")

    log.intent(**intent_values())
    log.outcome(**record_values())
    log.close()

    intent, outcome = lines(path)
    assert (intent["phase"], outcome["phase"]) == ("intent", "outcome")
    assert intent["correlation_id"] == outcome["correlation_id"] == "INC-4711"
    assert outcome["policy_digest"] == "d1"
    written = (path.read_bytes()).splitlines()
    assert outcome["writer"] == {
        "service": "billing",
        "pid": os.getpid(),
        "version": importlib.metadata.version("dynaguard"),
        "id": intent["writer"]["id"],
        "sequence": 3,
        "previous_sha256": hashlib.sha256(written[1]).hexdigest(),
        "attempted_sha256": [],
        "lost": 0,
    }
    assert (log.written_count, log.dropped_count) == (2, 0)


def test_off_writes_nothing() -> None:
    """And says that it is off."""
    log = open_log("off")

    log.intent(**intent_values())
    log.outcome(**record_values())
    log.close()

    assert not log.is_on
    assert (log.written_count, log.dropped_count) == (0, 0)


def test_stdout_takes_records(capsys: pytest.CaptureFixture[str]) -> None:
    """As containers and Lambda want them."""
    log = open_log("stdout")

    log.outcome(**record_values())

    assert log.is_on
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["operation"] == "GetItem"


def test_required_audit_needs_somewhere_to_write() -> None:
    """`required` and `off` contradict each other."""
    with pytest.raises(ConfigurationError, match="`audit_mode` is `required`"):
        open_log("off", "required")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere/audit.jsonl", r"nowhere/audit.jsonl.*No such file.*folder must exist"),
        ("audit\0.jsonl", "ValueError"),
    ],
)
def test_a_file_that_cannot_be_opened_is_a_configuration_error(
    tmp_path: Path, name: str, reason: str
) -> None:
    """It names path and reason."""
    with pytest.raises(ConfigurationError, match=reason):
        open_log(f"{tmp_path}/{name}")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do all")
def test_a_read_only_file_is_a_configuration_error(path: Path) -> None:
    """Permission is looked at when it is opened, not at the first record."""
    path.touch(mode=0o400)

    with pytest.raises(ConfigurationError, match="Permission denied"):
        open_log(path)


def test_a_read_only_file_system_costs_records_only(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Remounted while the process runs."""
    log = open_log(path)

    def refuse(*_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("dynaguard.audit.files.os.write", refuse)
    with pytest.warns(DynaguardWarning, match="Read-only file system"):
        log.outcome(**record_values())

    assert log.dropped_count == 1


@full_disk
def test_best_effort_counts_what_it_loses_and_warns_once() -> None:
    """A full disk never breaks a call."""
    log = open_log(FULL)

    with pytest.warns(DynaguardWarning, match=r"/dev/full.*No space left"):
        log.outcome(**record_values())
    log.outcome(**record_values())  # warnings are errors in these tests
    log.outcome(**record_values())

    assert (log.written_count, log.dropped_count) == (0, 3)


def test_best_effort_recovers_and_says_how_many_were_lost(
    removable: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a restart; the number is in the log, too."""
    caplog.set_level(logging.INFO, "dynaguard.audit")
    log = open_log(removable, monotonic=iter(range(100)).__next__)
    remove(removable)

    with pytest.warns(DynaguardWarning):
        log.outcome(**record_values())
    log.outcome(**record_values())
    removable.parent.mkdir()
    log.outcome(**record_values())
    log.outcome(**record_values())

    assert (log.written_count, log.dropped_count) == (2, 2)
    assert len(lines(removable)) == 2
    assert caplog.messages == ["audit records are written again, 2 were lost"]


def test_best_effort_holds_where_warnings_are_errors(
    removable: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning goes to the log instead."""
    log = open_log(removable, monotonic=iter(range(100)).__next__)
    remove(removable)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log.outcome(**record_values())

    assert log.dropped_count == 1
    assert "could not be written" in caplog.text


@full_disk
@pytest.mark.parametrize(
    ("phase", "values"), [("intent", intent_values()), ("outcome", record_values())]
)
def test_required_raises_what_a_refusal_needs(phase: str, values: dict[str, Any]) -> None:
    """An `OSError` with number, reason and file; the guard makes a refusal of it."""
    log = open_log(FULL, "required")

    with pytest.raises(AuditWriteError, match="No space left") as caught:
        getattr(log, phase)(**values)

    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(FULL))
    assert caught.value.strerror == "No space left on device"
    assert log.dropped_count == 1
    assert pickle.loads(pickle.dumps(caught.value)).strerror == caught.value.strerror


def test_required_recovers_by_itself(removable: Path) -> None:
    """Calls are refused as long as the folder is gone, and not longer."""
    log = open_log(removable, "required")
    remove(removable)

    with pytest.raises(AuditWriteError, match="No such file"):
        log.intent(**intent_values())
    removable.parent.mkdir()
    log.intent(**intent_values())

    assert len(lines(removable)) == 1
    assert (log.written_count, log.dropped_count) == (1, 1)


def test_a_record_that_cannot_be_encoded_is_a_loss_without_its_value(path: Path) -> None:
    """Whatever a fake or a peer put into the call, its text is not shown."""
    broken = CALL._replace(operation=CANARY.encode())
    log = open_log(path)

    with pytest.warns(DynaguardWarning, match="TypeError") as caught:
        log.outcome(**record_values(call=broken))
    with pytest.raises(AuditWriteError, match="TypeError") as refused:
        open_log(path, "required").outcome(**record_values(call=broken))

    assert CANARY not in str(caught[0].message)
    assert CANARY not in str(refused.value)
    assert refused.value.errno == errno.EIO
    assert path.read_bytes() == b""


def test_a_broken_clock_is_a_loss_too(path: Path) -> None:
    """Everything on the way to the line counts."""

    def broken() -> Any:
        raise ZeroDivisionError

    log = AuditLog(str(path), mode="best-effort", time_ns=broken)

    with pytest.warns(DynaguardWarning, match="ZeroDivisionError"):
        log.outcome(**record_values())


def test_no_signal_holds_an_item_value(path: Path) -> None:
    """Parameters, members and key ids stay out of the file and of the log's own repr."""
    log = open_log(path, "required")

    log.intent(**intent_values())
    log.outcome(**record_values(outcome=OUTCOME))

    assert CANARY not in path.read_text(encoding="ascii")
    assert CANARY not in repr(log)


def test_a_tree_that_is_not_installed_has_no_version(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record says so rather than failing."""

    def missing(_: str) -> str:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "version", missing)
    log = open_log(path)

    log.outcome(**record_values())

    assert lines(path)[0]["writer"]["version"] == "unknown"


def test_a_child_counts_anew(path: Path) -> None:
    """What its parent wrote is its parent's."""
    log = open_log(path)
    log.outcome(**record_values())

    log.renew()

    assert (log.written_count, log.dropped_count) == (0, 0)
