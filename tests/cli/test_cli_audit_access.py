"""`dynaguard audit` about tasks, grants, tickets, and how commands put changes on record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from dynaguard.access.changes import note_change
from dynaguard.access_change import AccessChange
from dynaguard.audit.log import AuditLog
from dynaguard.boundary import Boundary
from dynaguard.call import ApprovalRef, GrantRef
from dynaguard.cli import commands
from dynaguard.cli.commands import cli
from dynaguard.scope import Scope
from tests.audit.audit_cases import CALL, DECISION, NOW_NS, record_values
from tests.cli.test_cli_audit import run

GLASS = GrantRef("g2", "sam", "site is down", 1_795_000_000, is_break_glass=True)
APPROVAL = ApprovalRef("tk-1", "c" * 64, ("lea", "kim"), 0.0, 1.0)
BOUNDARY = Boundary("runbook", "fix", "t1", ticket="tk-1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A plain call, one by break-glass, one of an approved run, and two changes."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(str(path), mode="best-effort", time_ns=lambda: NOW_NS)
    log.outcome(**record_values())
    log.outcome(**record_values(decision=DECISION._replace(grants=(GLASS,))))
    scope = Scope(task="t1", runbook="fix", boundaries=(BOUNDARY,))
    log.outcome(
        **record_values(
            call=CALL._replace(scope=scope), decision=DECISION._replace(approval=APPROVAL)
        )
    )
    log.change(
        AccessChange(
            "run begun",
            "t1",
            "lea",
            reason="INC-1",
            task="t1",
            runbook="fix",
            runbook_sha256="ab12" * 16,
            parameters=("a", "b"),
            channel="cli",
        )
    )
    log.change(AccessChange("grant created", "g2", "sam", identity="ops", is_break_glass=True))
    log.close()
    return path


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], 5),
        (["--task", "t1"], 2),
        (["--grant", "g2"], 2),
        (["--ticket", "tk-*"], 1),
        (["--break-glass"], 2),
        (["--privileged"], 4),
        (["--identity", "lea"], 1),
        (["--runbook", "fix"], 2),
        (["--operation", "GetItem"], 3),
        (["--denied"], 0),
        (["--since", "2027"], 0),
        (["--unfinished"], 0),
    ],
)
def test_lines_are_chosen_by_what_let_them(path: Path, options: list[str], expected: int) -> None:
    """Calls and changes alike; what only calls have finds no change."""
    assert len(run("show", path, *options).output.splitlines()) == expected


def test_a_call_names_what_let_it(path: Path) -> None:
    """And its task."""
    lines = run("show", path).output.splitlines()

    assert "break-glass=g2 (sam)" in lines[1]
    assert "runbook=fix  task=t1  approval=tk-1 (lea, kim)" in lines[2]


def test_a_change_reads_as_one_line(path: Path) -> None:
    """When, who, what; break-glass stands out."""
    lines = run("show", path).output.splitlines()

    assert lines[3] == (
        "2026-11-20T12:30:15.000042Z  lea  run begun  t1  runbook=fix  sha256=ab12ab12ab12ab12  "
        "parameters=a,b  task=t1  via=cli  (INC-1)"
    )
    assert lines[4].endswith("sam  BREAK-GLASS grant created  g2  for=ops")


def test_statistics_have_a_section_of_privileged_actions(path: Path) -> None:
    """Changes by kind, and each grant and approval with its uses."""
    text = run("stats", path).output
    found = json.loads(run("stats", path, "--output", "json").output)["privileged"]

    assert "privileged actions" in text
    assert "grant created (break-glass): 1" in text
    assert "site is down" in text
    assert found["calls"] == {"break-glass": 1, "approval": 1}


def test_without_special_leave_there_is_no_such_section(path: Path) -> None:
    """Of calls that statements let, nothing more is said; of changes alone, no table."""
    plain = run("stats", path, "--identity", "etl", "--until", "2026").output
    changes = run("stats", path, "--identity", "sam").output

    assert "privileged" not in plain
    assert "grant created (break-glass): 1" in changes
    assert "answers for it" not in changes


# --- commands that change something --------------------------------------------------


@click.command("change")
def change_command() -> None:
    """Stands for a command that makes a grant."""
    for number in (1, 2):
        note_change(AccessChange("grant created", f"g{number}", "lea"))


def make_change(monkeypatch: pytest.MonkeyPatch) -> Result:
    """That command, as one of dynaguard's."""
    with monkeypatch.context() as patch:
        patch.setattr(commands.LazyGroup, "get_command", lambda *_: change_command)
        return CliRunner().invoke(cli, ["change"])


def changes_in(path: Path) -> list[Any]:
    """The changes in an audit file."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line["change"] for line in lines if line["phase"] == "access"]


def test_a_command_writes_to_the_audit_target_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One writer, ended with a checkpoint; the channel says that it was the command line."""
    path = tmp_path / "audit.jsonl"
    monkeypatch.setenv("DYNAGUARD_AUDIT", str(path))

    make_change(monkeypatch)

    assert [(each["id"], each["channel"]) for each in changes_in(path)] == [
        ("g1", "cli"),
        ("g2", "cli"),
    ]
    assert run("verify", path, "--complete").exit_code == 0


def test_a_command_with_a_policy_writes_where_that_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its `[settings]` name the target."""
    path = tmp_path / "audit.jsonl"
    policy = tmp_path / "p.toml"
    policy.write_text(f'version = 1\ndefault = "allow"\n[settings]\naudit = "{path}"\n')

    monkeypatch.setenv("DYNAGUARD_POLICY", str(policy))

    make_change(monkeypatch)

    assert len(changes_in(path)) == 2


def test_where_dynaguard_is_off_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is the file made."""
    monkeypatch.setenv("DYNAGUARD_AUDIT", str(tmp_path / "audit.jsonl"))
    monkeypatch.setenv("DYNAGUARD_MODE", "off")

    assert make_change(monkeypatch).exit_code == 0
    assert not (tmp_path / "audit.jsonl").exists()
