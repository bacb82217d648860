"""`dynaguard audit query` and `export` as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.audit.test_audit_chain import key_files
from tests.audit.test_audit_evidence import written
from tests.cli.test_cli_audit import run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An audit file of a run and of a stranger."""
    return written(tmp_path / "audit.jsonl")


def test_a_query_is_printed() -> None:
    """For DuckDB unless another engine is named."""
    found = run("query", "--task", "t-1")

    assert found.exit_code == 0
    assert found.output.startswith("-- task `t-1`: audit records and CloudTrail events\n")
    assert "read_json('audit/**/*.jsonl'" in found.output


def test_names_of_tables_are_options() -> None:
    """Athena's table of the trail is the one of AWS's documentation."""
    text = run("query", "--role", "etl", "--for", "athena", "--audit-table", "logs.audit").output

    assert "FROM logs.audit" in text
    assert "FROM cloudtrail_logs" in text


def test_cloudtrail_alone_gets_correlation_ids_of_the_audit(path: Path) -> None:
    """Else it knows no grants."""
    options = ("query", "--grant", "g", "--for", "cloudtrail-lake", "--trail", "eds-1")

    without, found = run(*options), run(*options, "--audit", path)

    assert (without.exit_code, "name the audit files with --audit" in without.output) == (2, True)
    assert "stamped_correlation_id IN ('INC-4711')" in found.output


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ((), "name a --task, --ticket, --grant, --session or --role"),
        (("--task", "a", "--grant", "b"), "one of --task, --grant at a time"),
        (("--task", ""), "task has 0 characters"),
    ],
)
def test_a_query_is_about_one_thing(options: tuple[str, ...], problem: str) -> None:
    """Wrong usage is an error on one line."""
    found = run("query", *options)

    assert (found.exit_code, problem in found.output) == (2, True)


def test_evidence_is_exported(path: Path, tmp_path: Path) -> None:
    """As a folder or an archive, with one line of what it is."""
    target = tmp_path / "evidence.zip"

    found = run("export", path, "--task", "t-1", "--to", target)

    assert found.exit_code == 0, found.output
    assert found.output == f"wrote {target}: 3 lines, files are as written\n"
    assert target.exists()


def test_evidence_about_nothing_is_warned_of(path: Path, tmp_path: Path) -> None:
    """A slip in an id gives an empty bundle, which nobody should hand over unseen."""
    done = run("export", str(path), "--task", "t-none", "--to", str(tmp_path / "evidence"))

    assert done.exit_code == 0
    assert "no line is about it" in done.stderr


def test_evidence_of_a_time_with_heads_and_key(path: Path, tmp_path: Path) -> None:
    """Everything from then on; unsigned checkpoints do not pass a key."""
    heads = tmp_path / "heads.json"
    _, public = key_files(tmp_path)
    run("verify", path, "--keep-heads", heads)
    options = ("--since", "2026", "--until", "2027", "--heads", heads, "--output", "json")

    good = run("export", path, *options, "--to", tmp_path / "good")
    bad = run("export", path, *options, "--public-key", public, "--to", tmp_path / "bad")

    assert json.loads(good.output) == {"path": str(tmp_path / "good"), "lines": 4, "faults": 0}
    manifest = json.loads((tmp_path / "good" / "manifest.json").read_text())
    assert manifest["about"] == {"since": "2026", "until": "2027"}
    assert bad.exit_code == 1
    assert json.loads(bad.output)["faults"] > 0


def test_evidence_of_changed_files_is_written_and_says_so(path: Path, tmp_path: Path) -> None:
    """Exit 1."""
    path.write_text(path.read_text().replace('"owner":"l"', '"owner":"x"'))

    found = run("export", path, "--task", "t-1", "--to", tmp_path / "e")

    assert found.exit_code == 1
    assert "files are NOT AS WRITTEN, 1 fault" in found.output
    assert (tmp_path / "e" / "records.jsonl").exists()


def test_evidence_is_about_something(path: Path, tmp_path: Path) -> None:
    """Not of everything ever, and of files that there are."""
    nothing = run("export", path, "--to", tmp_path / "e")
    (tmp_path / "empty").mkdir()
    nowhere = run("export", tmp_path / "empty", "--task", "t", "--to", tmp_path / "e")

    assert (nothing.exit_code, "or a time with --since" in nothing.output) == (2, True)
    assert (nowhere.exit_code, "no audit files in" in nowhere.output) == (2, True)
