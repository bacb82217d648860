"""`dynaguard audit`: verify, show, follow and sum up, as a person and a program read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dynaguard.audit.log import AuditLog
from dynaguard.audit.reading import read_lines
from dynaguard.audit.signing import Signer
from dynaguard.call import Status
from dynaguard.cli import audit as command_module
from dynaguard.cli.commands import cli
from dynaguard.scope import Scope
from tests.audit.audit_cases import CALL, DENIAL, NOW_NS, OUTCOME, intent_values, record_values
from tests.audit.test_audit_chain import key_files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An audit file: a call that went well, one that was refused, one that failed."""
    return write(tmp_path / "audit.jsonl")


def write(path: Path, **options: Any) -> Path:
    """The same three records at a path."""
    log = AuditLog(str(path), mode="best-effort", time_ns=lambda: NOW_NS, **options)
    log.outcome(**record_values())
    log.outcome(
        **record_values(decision=DENIAL, outcome=OUTCOME._replace(status=Status.DENIED, masked=()))
    )
    failed = OUTCOME._replace(status=Status.ERROR, error_code="Oops", attempts=1)
    log.outcome(**record_values(call=CALL._replace(operation="Query"), outcome=failed))
    log.close()
    return path


def run(*arguments: object) -> Result:
    """The command."""
    return CliRunner().invoke(cli, ["audit", *map(str, arguments)])


def test_a_good_file_verifies(path: Path) -> None:
    """One line, exit 0."""
    result = run("verify", path)

    assert result.exit_code == 0
    assert result.output == "ok: 3 records of 1 writer in 1 file, 2 checkpoints\n"


def test_a_changed_record_is_shown_with_its_place(path: Path) -> None:
    """Exit 1; for programs as JSON."""
    path.write_text(path.read_text().replace('"attempts":2', '"attempts":9', 1))

    result, parsed = (
        run("verify", path),
        json.loads(run("verify", path, "--output", "json").output),
    )

    assert result.exit_code == 1
    assert f"{path}:3: the record before it was changed (writer " in result.output
    assert "NOT AS WRITTEN: 3 records" in result.output
    assert (parsed["is_as_written"], len(parsed["faults"])) == (False, 1)
    assert next(iter(parsed["writers"].values()))["records"] == 3


def test_many_faults_are_cut(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them are in the JSON."""
    monkeypatch.setattr(command_module, "MAX_FAULTS_SHOWN", 1)
    path.write_text(path.read_text().replace('"latency_s":0.0', '"latency_s":1.0'))

    assert "... and 2 more, see --output json" in run("verify", path).output


def test_what_is_no_fault_is_noted(path: Path) -> None:
    """Open ends, losses, tears, strangers where they are expected, and old records."""
    log = AuditLog(str(path), mode="best-effort", time_ns=lambda: NOW_NS)
    with pytest.warns(match="TypeError"):
        log.outcome(**record_values(call=CALL._replace(operation=b"x")))
    log.outcome(**record_values())
    old = '{"schema_version":1,"phase":"outcome","writer":{"service":null,"pid":1}}\n'
    text = path.read_text()
    path.write_text(f"{text}{old}hello\n{text[:40]}\n")

    result = run("verify", path, "--mixed")

    assert result.exit_code == 0
    assert "1 line of 1 writer behind the last checkpoint" in result.output
    assert "1 record could not be written, say the writers" in result.output
    assert "1 line torn by a crash" in result.output
    assert "1 line no record, the first is" in result.output
    assert "1 record of version 1" in result.output
    strict = run("verify", path)
    assert (strict.exit_code, ": no audit record\n" in strict.output) == (1, True)


def test_heads_show_what_was_cut_off(path: Path, tmp_path: Path) -> None:
    """Kept after one verification, compared in the next."""
    heads = tmp_path / "heads.json"
    assert run("verify", path, "--keep-heads", heads).exit_code == 0
    assert run("verify", path, "--heads", heads).exit_code == 0
    path.write_text(path.read_text().splitlines(keepends=True)[0])

    result = run("verify", path, "--heads", heads)

    assert result.exit_code == 1
    assert "cut off: 5 lines were here, 1 are" in result.output


def test_heads_that_are_none_are_an_error(path: Path, tmp_path: Path) -> None:
    """With the option that writes them."""
    heads = tmp_path / "heads.json"
    number = '{"a": {"sequence": "1", "sha256": "", "is_final": true}}'
    for text in ("[]", "{", '{"a": 1}', number):
        heads.write_text(text)
        result = run("verify", path, "--heads", heads)
        assert (result.exit_code, "holds no heads, see --keep-heads" in result.output) == (2, True)
    assert "cannot be read" in run("verify", path, "--heads", tmp_path / "missing").output
    nowhere = tmp_path / "missing" / "heads"
    assert "cannot be written" in run("verify", path, "--keep-heads", nowhere).output


def test_heads_of_a_part_are_added_to_those_that_are_known(path: Path, tmp_path: Path) -> None:
    """What is in an archive is not forgotten; a disk that is full takes nothing away."""
    heads = tmp_path / "heads.json"
    run("verify", path, "--keep-heads", heads)
    (tmp_path / "later").mkdir()
    later = write(tmp_path / "later" / "audit.jsonl")

    result = run("verify", later, "--part", "--heads", heads, "--keep-heads", heads)

    assert result.exit_code == 0, result.output
    assert len(json.loads(heads.read_text())) == 2


def test_a_file_that_is_put_aside_meanwhile_is_read_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between listing and reading."""
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))
    looks = []

    def rotate(each: Path) -> Any:
        looks.append(each)
        if len(looks) == 1:
            path.rename(path.with_name("audit-20261121T120000000000Z-7.jsonl"))
            path.write_bytes(b"".join(lines[2:]))
        return read_lines(each)

    monkeypatch.setattr(command_module, "read_lines", rotate)

    result = run("verify", path)

    assert (result.exit_code, len(looks)) == (0, 3), result.output


def test_intents_without_an_outcome_are_shown_on_request(tmp_path: Path) -> None:
    """What was under way when a process was killed."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(str(path), mode="required", time_ns=lambda: NOW_NS)
    log.intent(**intent_values())
    log.outcome(**record_values())
    lost = CALL._replace(operation="PutItem")
    log.intent(**intent_values(call=lost))

    (line,) = run("show", path, "--unfinished").output.splitlines()

    assert "dynamodb:PutItem  orders  unfinished" in line
    assert len(run("show", path).output.splitlines()) == 1
    assert run("show", path, "--unfinished", "--failed").output == ""


def test_brackets_in_names_are_no_markup(tmp_path: Path) -> None:
    """A job may be called anything that prints."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(str(path), mode="best-effort", time_ns=lambda: NOW_NS)
    log.outcome(**record_values(call=CALL._replace(scope=Scope(job="load[/red]"))))

    assert "load[/red]" in run("stats", path).output


def test_signatures_are_checked_against_a_key(tmp_path: Path, path: Path) -> None:
    """Unsigned checkpoints are faults then."""
    private, public = key_files(tmp_path)
    signed = write(tmp_path / "signed.jsonl", signer=Signer(private))

    result = run("verify", signed, "--public-key", public)

    assert result.exit_code == 0
    assert "2 checkpoints signed with the key" in result.output
    assert "not signed" in run("verify", path, "--public-key", public).output


def test_every_line_can_be_asked_to_be_vouched_for(path: Path) -> None:
    """Whoever cut the file back, or wrote its end anew, has no checkpoint for it."""
    assert run("verify", path, "--complete").exit_code == 0
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))

    assert run("verify", path).exit_code == 0
    result = run("verify", path, "--complete")
    assert (result.exit_code, "nothing vouches for them" in result.output) == (1, True)


def test_what_mode_observe_let_through_is_shown_as_such(tmp_path: Path) -> None:
    """It is what a policy would refuse."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(str(path), mode="best-effort", time_ns=lambda: NOW_NS)
    log.outcome(**record_values())
    log.outcome(**record_values(decision=DENIAL._replace(is_enforced=False)))

    (line,) = run("show", path, "--denied").output.splitlines()

    assert "  ok  would be denied by the default  (no statement allows it)  " in line
    assert "0 denied, 1 that would be" in run("stats", path).output


def test_records_among_other_lines_are_read_on_request(path: Path) -> None:
    """As a container's output has them."""
    path.write_text("hello\n" + path.read_text())

    assert run("show", path).exit_code == 2
    assert len(run("show", path, "--mixed").output.splitlines()) == 3
    assert "3 calls" in run("stats", path, "--mixed").output


def test_a_part_and_an_empty_folder(path: Path, tmp_path: Path) -> None:
    """Earlier files are elsewhere; nothing at all is an error."""
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    assert run("verify", path).exit_code == 1
    assert run("verify", path, "--part").exit_code == 0

    (tmp_path / "empty").mkdir()
    result = run("verify", tmp_path / "empty")
    assert (result.exit_code, "no audit files in" in result.output) == (2, True)
    assert run("show", tmp_path / "empty").exit_code == 2


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ([], 3),
        (["--denied"], 1),
        (["--failed"], 1),
        (["--operation", "Get*"], 2),
        (["--identity", "etl"], 3),
        (["--identity", "nobody"], 0),
        (["--job", "nightly", "--table", "ord?rs"], 3),
        (["--table", "customers"], 0),
        (["--runbook", "*"], 0),
        (["--correlation-id", "INC-4711"], 3),
        (["--correlation-id", "INC"], 0),
        (["--last", "2"], 2),
        (["--since", "2026-11-20T12:30"], 3),
        (["--since", "2026-11-21"], 0),
        (["--until", "2026-11-20T12:30"], 0),
        (["--until", "2026-11-21"], 3),
        (["--run-id", "42", "--stage", "lo*", "--service", "dynamodb"], 3),
        (["--statement", "Etl*"], 2),
        (["--acting-as", "*"], 0),
        (["--owner", "nobody"], 0),
    ],
    ids=str,
)
def test_records_are_shown_one_per_line(path: Path, options: list[str], count: int) -> None:
    """Those that the options name, as text and as JSON."""
    assert len(run("show", path, *options).output.splitlines()) == count
    lines = run("show", path, *options, "--output", "json").output.splitlines()
    assert all(json.loads(line)["phase"] == "outcome" for line in lines)
    assert len(lines) == count


def test_a_line_tells_when_who_what_and_how_it_ended(path: Path) -> None:
    """A denial with its statement, a retry with its attempts."""
    went_well, denied, failed = run("show", path).output.splitlines()

    assert went_well == (
        "2026-11-20T12:30:15.000042Z  etl  dynamodb:GetItem  orders  ok  12.3 ms  2 attempts  "
        "3 masked  job=nightly/42  id=INC-4711"
    )
    assert "denied  by the default" in denied
    assert "dynamodb:Query  orders  Oops  12.3 ms  3 masked" in failed


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    """Exit 2."""
    result = run("show", tmp_path / "missing.jsonl")

    assert result.exit_code == 2
    assert "missing.jsonl` cannot be read (No such file" in result.output


def test_tail_shows_what_is_written_until_it_is_interrupted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole lines, the last ones of the file first."""
    looks = iter([path, None])

    def pause(_: float) -> None:
        if next(looks) is None:
            raise KeyboardInterrupt
        write(path)

    monkeypatch.setattr(command_module.time, "sleep", pause)

    result = run("tail", path, "--operation", "Query")

    assert result.exit_code == 0
    assert len(result.output.splitlines()) == 2


def test_statistics_sum_up(path: Path) -> None:
    """For people and for programs."""
    text = run("stats", path).output
    parsed = json.loads(run("stats", path, "--output", "json").output)

    assert "dynamodb:GetItem" in text
    assert "12.3 ms" in text or "12.4 ms" in text or "12.2 ms" in text
    assert (parsed["calls"], parsed["denied"], parsed["failed"]) == (3, 1, 1)
    assert "denied by" in text
    assert "runbook" not in text
    nothing = run("stats", path, "--identity", "nobody").output
    assert nothing.startswith("0 calls: 0 denied, 0 that would be, 0 failed, ")
