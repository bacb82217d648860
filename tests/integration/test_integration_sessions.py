"""Sessions of tasks against a server that holds calls to IAM and session policies by itself."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

import dynaguard
from dynaguard import PolicyDenied, SessionError
from tests.integration.account import KEY, REGION, Account, account, allowing, of_session

__all__ = ["account"]  # the fixture


EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "on_call"
READING = {
    "actions": ["dynamodb:GetItem"],
    "resources": [f"arn:aws:dynamodb:{REGION}:*:table/orders"],
}


def test_the_server_itself_holds_a_session_to_its_task(account: Account) -> None:
    """Inside allowed, outside denied by the server, though the role may do everything there."""
    with dynaguard.task(name="fix", role=account.role, session=account.caller, **READING) as task:
        client = of_session(task.credentials())

        assert client.get_item(TableName="orders", Key=KEY)["Item"] == KEY
        for refused in (
            lambda: client.scan(TableName="orders"),
            lambda: client.put_item(TableName="orders", Item=KEY),
            lambda: client.get_item(TableName="customers", Key=KEY),
        ):
            with pytest.raises(ClientError) as caught:
                refused()
            assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
            assert not isinstance(caught.value, PolicyDenied)


def test_the_server_itself_ends_it_with_the_task(account: Account) -> None:
    """STS gives 900 seconds at least; the session policy refuses what comes after the end."""
    manager = dynaguard.task(
        name="fix", role=account.role, session=account.caller, duration_s=2, **READING
    )
    with manager as task:
        client = of_session(task.credentials())
        client.get_item(TableName="orders", Key=KEY)

    until = task.expires_at
    while datetime.now(UTC) < until:
        _ = until  # two seconds of the server's own clock are what is tested
    with pytest.raises(ClientError, match="explicit deny"):
        client.get_item(TableName="orders", Key=KEY)


@pytest.mark.parametrize("duration_s", [900, 901, 3600, 7200, 43_200])
def test_the_server_gives_the_duration_that_is_asked(account: Account, duration_s: int) -> None:
    """From 900 seconds, the example's, to the maximum."""
    manager = dynaguard.task(
        name="fix",
        role=account.role,
        session=account.caller,
        duration_s=duration_s,
        session_s=duration_s,
        **READING,
    )
    with manager as task:
        task.credentials()
        expires_at = task.botocore_session.get_credentials()._expiry_time

    left_s = (expires_at - datetime.now(UTC)).total_seconds()
    assert duration_s - 30 < left_s <= duration_s + 1


def test_the_session_is_named_for_the_task(account: Account) -> None:
    """What CloudTrail shows is the assumed role with the task's id."""
    with dynaguard.task(name="fix", role=account.role, session=account.caller) as task:
        found = task.client("sts").get_caller_identity()["Arn"]

    assert found.endswith(f"/{task.id}")


def test_a_role_that_does_not_trust_the_caller_is_told_in_clear(account: Account) -> None:
    """Which role, and what both policies have to allow."""
    keys = account.user("stranger-" + account.role[-9:], allowing("sts:*"))
    stranger = boto3.Session(region_name=REGION, **keys)

    with (
        dynaguard.task(name="fix", role=account.role, session=stranger) as task,
        pytest.raises(SessionError, match="trust policy") as caught,
    ):
        task.credentials()

    assert caught.value.code in ("AccessDenied", "AccessDeniedException")


def run_session(
    account: Account, *arguments: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """`dynaguard session` as the caller."""
    keys = account.caller.get_credentials().get_frozen_credentials()
    environ = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        **more,
    }
    return subprocess.run(
        [sys.executable, "-m", "dynaguard.cli", "session", "--role", account.role, *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


RUNBOOK = ("--runbook", str(EXAMPLE / "runbooks" / "throttled-orders.toml"))


def test_the_command_prints_variables_for_a_shell(account: Account) -> None:
    """`eval` puts a shell under the task: keys, region, and the boundary."""
    done = run_session(account, *RUNBOOK, "--incident", "INC-7")

    lines = dict(shlex.split(line)[1].split("=", 1) for line in done.stdout.splitlines() if line)
    assert done.returncode == 0, done.stderr
    assert lines["AWS_REGION"] == REGION
    assert lines["DYNAGUARD_CORRELATION_ID"] == "INC-7"
    scope = json.loads(lines["DYNAGUARD_SCOPE"])
    assert scope["boundaries"][0]["name"] == "throttled-orders"
    assert lines["AWS_SECRET_ACCESS_KEY"] not in done.stderr
    client = account.client(
        "dynamodb",
        aws_access_key_id=lines["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=lines["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=lines["AWS_SESSION_TOKEN"],
    )
    client.describe_table(TableName="orders")
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_table(TableName="orders")


def test_the_command_is_a_credential_process(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS's SDKs take a session by a profile, and hold what they get until it ends."""
    command = shlex.join(
        [
            *(sys.executable, "-m", "dynaguard.cli", "session", "--role", account.role),
            *(*RUNBOOK, "--format", "credential-process"),
        ]
    )
    config = tmp_path / "config"
    config.write_text(f"[profile task]\ncredential_process = {command}\nregion = {REGION}\n")
    keys = account.caller.get_credentials().get_frozen_credentials()
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_key)

    client = boto3.Session(profile_name="task").client("dynamodb")

    client.describe_table(TableName="orders")
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_table(TableName="orders")


PROGRAM = """
import boto3
from botocore.exceptions import ClientError
client = boto3.client("dynamodb")
print(client.describe_table(TableName="orders")["Table"]["TableName"])
try:
    client.delete_table(TableName="orders")
except ClientError as err:
    print(type(err).__name__, str(err).partition(": ")[2])
"""


def test_the_command_runs_another_under_the_task(account: Account) -> None:
    """The guard in the child enforces the same boundary, before the server is asked."""
    done = run_session(account, *RUNBOOK, "--", sys.executable, "-c", PROGRAM)

    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[0] == "orders"
    assert lines[1].startswith("PolicyDenied")
    assert "runbook `throttled-orders`" in lines[1]


def test_the_command_gives_the_exit_code_of_what_it_runs(account: Account) -> None:
    """And 127 where there is no such command."""
    ended = run_session(account, *RUNBOOK, "--", sys.executable, "-c", "raise SystemExit(7)")
    missing = run_session(account, *RUNBOOK, "--", "no-such-command")

    assert (ended.returncode, missing.returncode) == (7, 127)
