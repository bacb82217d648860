"""`dynaguard run`: zero code change, and no user code where installing fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

POLICY = 'version = 1\ndefault = "deny"\ngovern = ["dynamodb"]\n'
PROGRAM = """
import botocore.session
from botocore.exceptions import ClientError
client = botocore.session.Session().create_client("dynamodb", region_name="eu-west-1")
try:
    client.scan(TableName="orders")
except ClientError as err:
    print(type(err).__name__)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a policy and a program."""
    (tmp_path / "policy.toml").write_text(POLICY)
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `dynaguard run ARGUMENTS` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "dynaguard.cli", "run", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_program_is_guarded_without_changing_it(folder: Path) -> None:
    """The child's calls are decided by the policy."""
    done = run(folder, "--policy", "policy.toml", "--", sys.executable, "program.py")

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "PolicyDenied"


def test_a_programs_children_are_guarded_too(folder: Path) -> None:
    """Environment and PYTHONPATH are inherited, from any working directory."""
    (folder / "deep").mkdir()
    parent = (
        "import subprocess, sys; subprocess.run([sys.executable, '../program.py'], cwd='deep')"
    )

    done = run(folder, "--policy", "policy.toml", "--", sys.executable, "-c", parent)

    assert done.stdout.strip() == "PolicyDenied"


def test_an_existing_sitecustomize_runs_too(folder: Path) -> None:
    """It is chained, after ours."""
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(
        "import dynaguard; print('theirs', dynaguard.status().is_installed)"
    )

    done = run(
        folder,
        "--policy",
        "policy.toml",
        "--",
        sys.executable,
        "-c",
        "print('program')",
        PYTHONPATH=str(folder / "site"),
    )

    # The command itself is a Python process too, and starts with theirs, unguarded.
    assert done.stdout.splitlines()[-2:] == ["theirs True", "program"]


def test_a_bad_policy_ends_with_2_before_the_program(folder: Path) -> None:
    """All problems on standard error, no traceback, nothing run."""
    (folder / "policy.toml").write_text('version = 1\ndefault = "denny"\n')

    done = run(folder, "--policy", "policy.toml", "--", sys.executable, "-c", "print('ran')")

    assert done.returncode == 2
    assert "ran" not in done.stdout
    assert "deny" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_install_that_fails_in_the_child_ends_it_with_2(folder: Path) -> None:
    """Python itself would print and go on; the program must not start."""
    broken = folder / "broken"
    (broken / "dynaguard").mkdir(parents=True)
    (broken / "dynaguard" / "__init__.py").write_text("raise RuntimeError('broken')")
    from dynaguard.cli.run import BOOTSTRAP

    done = subprocess.run(
        [sys.executable, "-c", "print('ran')"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{BOOTSTRAP}{os.pathsep}{broken}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "ran" not in done.stdout
    assert "not started" in done.stderr


def test_in_observe_mode_a_failing_install_lets_the_program_run(folder: Path) -> None:
    """Observation never breaks a program, and says that it does not observe."""
    broken = folder / "broken"
    (broken / "dynaguard").mkdir(parents=True)
    (broken / "dynaguard" / "__init__.py").write_text("raise RuntimeError('broken')")
    from dynaguard.cli.run import BOOTSTRAP

    done = subprocess.run(
        [sys.executable, "-c", "print('ran')"],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": f"{BOOTSTRAP}{os.pathsep}{broken}",
            "DYNAGUARD_MODE": "observe",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0
    assert done.stdout.strip() == "ran"
    assert "unguarded" in done.stderr


def test_the_audit_file_is_where_the_caller_said(folder: Path) -> None:
    """A relative path means the caller's folder, whatever the child does."""
    done = run(
        folder,
        "--policy",
        "policy.toml",
        "--audit",
        "audit.jsonl",
        "--",
        sys.executable,
        "program.py",
    )

    assert done.returncode == 0, done.stderr
    _opening, line, _checkpoint = (folder / "audit.jsonl").read_text().splitlines()
    assert json.loads(line)["operation"] == "Scan"


@pytest.mark.parametrize("target", ["audit/", "s3://bucket/audit", "stdout"])
def test_an_audit_target_that_is_no_file_stays_what_it_is(folder: Path, target: str) -> None:
    """A folder keeps its slash, a remote target its scheme."""
    code = "import os; print(os.environ['DYNAGUARD_AUDIT'])"
    done = run(folder, "--audit", target, "--", sys.executable, "-c", code)

    expected = f"{folder}/audit/" if target == "audit/" else target
    assert done.stdout.splitlines()[-1] == expected, done.stderr


def test_the_exit_code_is_the_programs(folder: Path) -> None:
    """`run` becomes the program."""
    done = run(folder, "--", sys.executable, "-c", "raise SystemExit(7)")

    assert done.returncode == 7


def test_a_command_that_is_not_there_is_said_so(folder: Path) -> None:
    """As a shell does: 127."""
    done = run(folder, "--", "no-such-command-anywhere")

    assert done.returncode == 127
    assert "no-such-command-anywhere" in done.stderr


def test_the_scope_of_who_runs_it_is_passed_on(folder: Path) -> None:
    """A boundary around `dynaguard run` is one around its program."""
    (folder / "policy.toml").write_text(POLICY.replace('"deny"', '"allow"'))
    ended = {"kind": "agent", "name": "bot", "task": "t-1", "expires_epoch_s": 1.0}
    scope = {"v": 1, "boundaries": [ended]}

    done = run(
        folder,
        *("--policy", "policy.toml", "--", sys.executable, "program.py"),
        DYNAGUARD_SCOPE=json.dumps(scope),
    )

    assert done.stdout == "PolicyDenied\n", done.stderr


def test_a_scope_that_cannot_be_read_keeps_the_program_from_starting(folder: Path) -> None:
    """Never unbounded: the command fails before it starts anything."""
    done = run(
        folder,
        *("--policy", "policy.toml", "--", sys.executable, "-c", "print('started')"),
        DYNAGUARD_SCOPE='{"v":1,"boundaries":"none"}',
    )

    assert done.returncode == 2
    assert "DYNAGUARD_SCOPE" in done.stderr
    assert done.stdout == ""
