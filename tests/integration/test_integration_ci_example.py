"""The example of a CI pipeline: each command of it runs here, against a server that checks IAM."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.account import REGION, Account, account

__all__ = ["account"]  # the fixture

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "ci"


def job() -> dict[str, Any]:
    """The one job of the workflow."""
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load((EXAMPLE / "github-actions.yml").read_text(encoding="utf-8"))
    (found,) = workflow["jobs"].values()
    return dict(found)


def steps() -> dict[str, dict[str, Any]]:
    """The steps that run something, by name; what installs is left out, it is installed here."""
    running = (step for step in job()["steps"] if "run" in step)
    return {step["name"]: step for step in running if not step["run"].startswith("pip ")}


def commands() -> list[str]:
    """What they run."""
    return [step["run"] for step in steps().values()]


@pytest.fixture
def runner(account: Account, tmp_path: Path) -> Any:
    """Runs a step as GitHub does: bash, the first failure ends it, the caller's credentials."""
    folder = tmp_path / "ci"
    shutil.copytree(EXAMPLE, folder)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, module in (("dynaguard", "-m dynaguard.cli"), ("python", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        (programs / name).chmod(0o755)
    keys = account.caller.get_credentials().get_frozen_credentials()
    environ = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        **{name: value for name, value in job()["env"].items() if "${{" not in value},
        "TASK_ROLE": account.role,
        "INCIDENT": "gha-42-1",
    }

    def run(name: str) -> subprocess.CompletedProcess[str]:
        step = steps()[name]
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=folder,
            env=environ | step.get("env", {}),
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    run.folder = folder  # type: ignore[attr-defined]
    return run


def test_each_command_of_the_pipeline_runs(account: Account, runner: Any) -> None:
    """In order, to the end; the report and the run are held to the runbook and are on record."""
    account.client("dynamodb").put_item(
        TableName="orders",
        Item={
            "customer_id": {"S": "C-00001"},
            "order_id": {"S": "O-000077"},
            "status": {"S": "open"},
        },
    )

    done = {name: runner(name) for name in steps()}

    assert {name: each.returncode for name, each in done.items()} == dict.fromkeys(done, 0), [
        each.stderr for each in done.values()
    ]
    assert "open orders: 1" in done["Report under a session of 15 minutes"].stdout
    lines = [json.loads(line) for line in (runner.folder / "audit.jsonl").read_text().splitlines()]
    kinds = [line["change"]["kind"] for line in lines if line["phase"] == "access"]
    assert kinds.count("session opened") == 2
    of_incident = {line["correlation_id"] for line in lines if line["phase"] == "outcome"}
    assert of_incident == {"gha-42-1"}


def test_the_pipeline_s_session_does_nothing_else(runner: Any) -> None:
    """Another call of the same command is refused, and fails the job."""
    report = runner.folder / "report.py"
    report.write_text("import boto3\nboto3.client('dynamodb').scan(TableName='orders')\n")

    done = runner("Report under a session of 15 minutes")

    assert done.returncode != 0
    assert "PolicyDenied" in done.stderr


def test_no_step_prints_or_stores_a_credential() -> None:
    """Neither log nor GITHUB_ENV nor file; the token has the two permissions that it needs."""
    text = (EXAMPLE / "github-actions.yml").read_text(encoding="utf-8")

    assert not any("GITHUB_ENV" in run or "eval" in run for run in commands())
    assert all(" -- " in run for run in commands() if "dynaguard session" in run)
    assert "permissions:\n  contents: read\n  id-token: write" in text
    assert job()["env"]["AWS_REGION"] == REGION
