"""Lines of the phase `access`: their shape, and that they are chained as records are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dynaguard.access_change import AccessChange, ChangeKind, Channel
from dynaguard.audit.changes import change_text
from dynaguard.audit.log import AuditLog, AuditWriteError
from dynaguard.audit.reading import audit_files, read_file, read_lines, read_records
from dynaguard.audit.schema import access_schema, access_schema_markdown
from dynaguard.audit.verifying import verify
from tests.audit.audit_cases import NOW_NS, record_values

VALIDATOR = Draft202012Validator(access_schema())
CHANGE = AccessChange(
    "run begun",
    "t1",
    "lea",
    reason="incident\n4711",
    expires_epoch_s=1_795_000_000.0,
    subject_sha256="c" * 64,
    by_arn="arn:aws:iam::123456789012:user/lea",
    channel="cli",
    task="t1",
    ticket="tk-9",
    runbook="read-failed-jobs",
    runbook_sha256="ab12",
    parameters=("job_id",),
    correlation_id="INC-4711",
)
_some = st.none() | st.text(max_size=20)
changes = st.builds(
    AccessChange,
    kind=st.sampled_from(get_args(ChangeKind)),
    id=st.text(max_size=20),
    by=st.text(max_size=300),
    identity=_some,
    reason=st.text(max_size=300),
    expires_epoch_s=st.none() | st.floats(allow_nan=True),
    is_break_glass=st.booleans(),
    subject_sha256=_some,
    by_arn=_some,
    acting_as=_some,
    channel=st.sampled_from(get_args(Channel)),
    task=_some,
    ticket=_some,
    runbook=_some,
    runbook_sha256=_some,
    parameters=st.lists(st.text(max_size=300), max_size=3).map(tuple),
    status=_some,
    correlation_id=_some,
)


def written(path: Path, *chosen: AccessChange) -> Path:
    """A file with a record of a call before each change."""
    log = AuditLog(str(path), mode="best-effort", time_ns=lambda: NOW_NS, policy_digest="d1")
    for change in chosen:
        log.outcome(**record_values())
        log.change(change)
    log.close()
    return path


def lines_of(path: Path) -> list[Any]:
    """All lines of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_change_says_who_did_what_when_and_why(tmp_path: Path) -> None:
    """Which runbook with which parameters: names, and a hash over all of it."""
    path = written(tmp_path / "audit.jsonl", CHANGE)

    (found,) = [line for line in lines_of(path) if line["phase"] == "access"]

    VALIDATOR.validate(found)
    assert (found["time"], found["correlation_id"]) == ("2026-11-20T12:30:15.000042Z", "INC-4711")
    assert found["change"] == {
        "kind": "run begun",
        "id": "t1",
        "by": "lea",
        "by_arn": "arn:aws:iam::123456789012:user/lea",
        "acting_as": None,
        "channel": "cli",
        "identity": None,
        "reason": "incident?4711",
        "expires": "2026-11-18T11:06:40Z",
        "is_break_glass": False,
        "task": "t1",
        "ticket": "tk-9",
        "runbook": "read-failed-jobs",
        "runbook_sha256": "ab12",
        "parameters": ["job_id"],
        "subject_sha256": "c" * 64,
        "status": None,
    }
    assert found["policy_digest"] == "d1"


@given(changes)
def test_every_change_fits_the_published_schema(change: AccessChange) -> None:
    """In ASCII on one line, whatever people wrote."""
    line = f"{change_text(change, NOW_NS, None)}}}"
    writer = {
        "service": None,
        "pid": 1,
        "version": "1",
        "id": "f00d",
        "sequence": 1,
        "previous_sha256": None,
        "attempted_sha256": [],
        "lost": 0,
    }

    VALIDATOR.validate(json.loads(line) | {"writer": writer})
    assert line.isascii()
    assert len(line.splitlines()) == 1


def test_a_change_is_a_link_of_its_writers_chain(tmp_path: Path) -> None:
    """To change it shows like a change of a record."""
    path = written(tmp_path / "audit.jsonl", CHANGE, CHANGE)
    sound = verify(map(read_lines, audit_files(path)))
    path.write_text(path.read_text().replace('"by":"lea"', '"by":"sam"', 1))
    changed = verify(map(read_lines, audit_files(path)))

    assert (sound.faults, sound.record_count) == ([], 4)
    assert [fault.problem for fault in changed.faults] == ["the record before it was changed"]


def test_readers_of_calls_do_not_see_changes(tmp_path: Path) -> None:
    """Who wants them asks for them."""
    path = written(tmp_path / "audit.jsonl", CHANGE)

    assert [each["phase"] for each in read_records(path)] == ["outcome"]
    assert [each["phase"] for each in read_file(path, with_changes=True)] == ["outcome", "access"]


@pytest.mark.parametrize("change", [None, [], {"kind": "grant created", "id": "g1"}])
def test_a_line_without_a_change_is_none(tmp_path: Path, change: Any) -> None:
    """It is told as a stranger's line is."""
    path = written(tmp_path / "audit.jsonl", CHANGE)
    found = next(line for line in lines_of(path) if line["phase"] == "access")
    path.write_text(json.dumps(found | {"change": change}))

    (line,) = read_lines(path)

    assert line.problem == "no change of access"


def test_a_change_that_cannot_be_written_is_counted(tmp_path: Path) -> None:
    """`best-effort` warns, `required` raises; off writes nothing."""
    best_effort = AuditLog(str(tmp_path / "a.jsonl"), mode="best-effort")
    required = AuditLog(str(tmp_path / "b.jsonl"), mode="required")
    off = AuditLog("off", mode="best-effort")
    broken: Any = AccessChange("grant created", "g1", None)  # type: ignore[arg-type]

    with pytest.warns(match="an audit record could not be written"):
        best_effort.change(broken)
    with pytest.raises(AuditWriteError):
        required.change(broken)
    off.change(broken)

    assert (best_effort.dropped_count, off.dropped_count) == (1, 0)
    for log in (best_effort, required):
        log.close()


def test_a_time_limit_that_strikes_meanwhile_is_the_applications(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes up as it is."""
    log = AuditLog(str(tmp_path / "a.jsonl"), mode="best-effort")
    monkeypatch.setattr("dynaguard.audit.log.came_from_handler", lambda _: True)

    with pytest.raises(TypeError):
        log.change(AccessChange("grant created", "g1", None))  # type: ignore[arg-type]
    log.close()


def test_closed_sets_are_those_of_the_code() -> None:
    """A new kind of change comes with its schema; every key has its row."""
    keys = access_schema()["properties"]["change"]["properties"]

    assert tuple(keys["kind"]["enum"]) == get_args(ChangeKind)
    assert tuple(keys["channel"]["enum"]) == get_args(Channel)
    assert "| `change.parameters` | array of strings |" in access_schema_markdown()
