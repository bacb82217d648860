"""Evidence: which lines are taken, that they are as written, and what the manifest vouches for."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dynaguard.access_change import AccessChange
from dynaguard.audit.evidence import MANIFEST, Bundle, collect, write
from dynaguard.audit.log import AuditLog
from dynaguard.audit.reading import read_file
from dynaguard.audit.signing import Signer, Verifier
from dynaguard.audit.subject import Subject
from dynaguard.boundary import Boundary
from dynaguard.call import ApprovalRef, GrantRef
from dynaguard.errors import ConfigurationError
from dynaguard.scope import Scope
from tests.audit.audit_cases import CALL, DECISION, NOW_NS, intent_values, record_values
from tests.audit.test_audit_chain import key_files

BOUNDARY = Boundary("runbook", "fix", "t-1", "ab12", ticket="tk-1")
APPROVAL = ApprovalRef("tk-1", "c" * 64, ("sam",), 0.0, 1.0)


def written(path: Path, **options: Any) -> Path:
    """An audit file of a run and of a stranger."""
    log = AuditLog(str(path), mode="required", time_ns=lambda: NOW_NS, **options)
    log.change(
        AccessChange(
            "run begun",
            "t-1",
            "lea",
            task="t-1",
            runbook="fix",
            runbook_sha256="ab12",
            parameters=("job_id", "day"),
            subject_sha256="c" * 64,
        )
    )
    scope = Scope(task="t-1", runbook="fix", boundaries=(BOUNDARY, Boundary("agent", "a", "t-0")))
    call, decision = CALL._replace(scope=scope), DECISION._replace(approval=APPROVAL)
    log.intent(**intent_values(call=call, decision=decision))
    log.outcome(**record_values(call=call, decision=decision))
    log.outcome(**record_values(decision=DECISION._replace(grants=(GrantRef("g", "l", "r", 1),))))
    log.close()
    return path


def bundle(path: Path, subject: Subject = Subject("task", "t-1"), **options: Any) -> Bundle:  # noqa: B008 - frozen
    """The evidence of a subject."""
    return collect(
        [path],
        subject.has,
        about={subject.kind: subject.id},
        time_ns=NOW_NS,
        version="1.2.3",
        **options,
    )


def part(made: Bundle, name: str) -> Any:
    """A part, read."""
    return json.loads(made.parts[name])


def test_a_bundle_holds_the_lines_of_its_subject_byte_by_byte(tmp_path: Path) -> None:
    """Change, intent and outcome of the run; no checkpoint and nothing of a stranger."""
    path = written(tmp_path / "audit.jsonl")

    made = bundle(path)

    lines = path.read_bytes().splitlines()
    assert made.line_count == 3
    assert all(line in lines for line in made.parts["records.jsonl"].splitlines())
    assert [json.loads(each)["phase"] for each in made.parts["records.jsonl"].splitlines()] == [
        "access",
        "intent",
        "outcome",
    ]


def test_the_manifest_vouches_for_every_part_and_source(tmp_path: Path) -> None:
    """By SHA-256; what verification of the whole files said is a part."""
    path = written(tmp_path / "audit.jsonl")
    made = bundle(path)
    manifest = part(made, MANIFEST)

    assert manifest["about"] == {"task": "t-1"}
    assert (manifest["lines"], manifest["is_as_written"]) == (3, True)
    assert {each["name"]: each["sha256"] for each in manifest["parts"]} == {
        name: hashlib.sha256(data).hexdigest()
        for name, data in made.parts.items()
        if name != MANIFEST
    }
    assert manifest["sources"] == [
        {
            "path": str(path),
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
    ]
    assert part(made, "verification.json")["records"] == 4
    assert part(made, "verification.json")["is_signed"] is False


def test_approvals_and_runbooks_have_parts_of_their_own(tmp_path: Path) -> None:
    """Who approved; which hash ran with which parameters, names only."""
    made = bundle(written(tmp_path / "audit.jsonl"))

    (approval,) = part(made, "privileges.json")["actions"]
    assert (approval["what"], approval["id"], approval["by"], approval["calls"]) == (
        "approval",
        "tk-1",
        ["sam"],
        1,
    )
    (change,) = part(made, "privileges.json")["changes"]
    assert (change["kind"], change["by"]) == ("run begun", "lea")
    assert part(made, "runbooks.json") == [
        {
            "name": "fix",
            "sha256": "ab12",
            "tasks": ["t-1"],
            "parameters": ["day", "job_id"],
            "subjects": ["c" * 64],
        }
    ]
    assert part(made, "summary.json")["calls"] == 1


def test_tampering_is_in_the_bundle(tmp_path: Path) -> None:
    """Wherever in the files it was, even outside of what is exported."""
    path = written(tmp_path / "audit.jsonl")
    path.write_text(path.read_text().replace('"owner":"l"', '"owner":"x"'))

    made = bundle(path)

    assert part(made, MANIFEST)["is_as_written"] is False
    assert len(part(made, "verification.json")["faults"]) == 1


def test_signatures_are_checked(tmp_path: Path) -> None:
    """With the public half."""
    private, public = key_files(tmp_path)
    made = bundle(
        written(tmp_path / "audit.jsonl", signer=Signer(private)), verifiers=[Verifier(public)]
    )

    assert part(made, "verification.json")["is_signed"] is True
    assert part(made, MANIFEST)["is_as_written"] is True


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_a_bundle_is_a_folder_or_an_archive(tmp_path: Path, name: str) -> None:
    """Equal evidence makes equal bytes; nothing that is there is overwritten."""
    made = bundle(written(tmp_path / "audit.jsonl"))
    target = tmp_path / name

    write(made, target)
    with pytest.raises(ConfigurationError, match="it is there already"):
        write(made, target)

    if target.is_dir():
        found = {each.name: each.read_bytes() for each in target.iterdir()}
    else:
        with zipfile.ZipFile(target) as archive:
            found = {each: archive.read(each) for each in archive.namelist()}
        again = tmp_path / "again.zip"
        write(made, again)
        assert again.read_bytes() == target.read_bytes()
    assert found == dict(made.parts)


def test_what_cannot_be_written_or_read_is_an_error(tmp_path: Path) -> None:
    """With the system's reason."""
    made = bundle(written(tmp_path / "audit.jsonl"))

    with pytest.raises(ConfigurationError, match=r"cannot be written \(No such file"):
        write(made, tmp_path / "missing" / "x")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        bundle(tmp_path / "missing.jsonl")


def test_a_source_that_vanishes_meanwhile_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hash belongs to the evidence."""
    path = written(tmp_path / "audit.jsonl")
    lines = list(read_file(path))
    monkeypatch.setattr("dynaguard.audit.evidence.read_lines", lambda _: iter(()))
    path.unlink()

    assert lines
    with pytest.raises(ConfigurationError, match="cannot be read"):
        bundle(path)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (Subject("task", "t-1"), 3),
        (Subject("task", "t-0"), 2),
        (Subject("ticket", "tk-1"), 2),
        (Subject("grant", "g"), 1),
        (Subject("session", "run-1"), 3),
        (Subject("role", "etl"), 3),
        (Subject("role", "other"), 0),
    ],
)
def test_lines_belong_to_what_they_name(tmp_path: Path, subject: Subject, expected: int) -> None:
    """Records of calls and changes."""
    path = written(tmp_path / "audit.jsonl")

    assert bundle(path, subject).line_count == expected
    ids = subject.correlation_ids(read_file(path, with_changes=True))
    assert ids == (["INC-4711"] if expected else [])


def test_a_subject_has_a_name_and_a_check() -> None:
    """For messages, and so that nothing odd gets into a query."""
    assert str(Subject("task", "t-1")) == "task `t-1`"
    with pytest.raises(ConfigurationError, match="task has 0 characters"):
        Subject("task", "")
