"""`dynaguard session`: what it refuses, and where secrets do not go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import dynaguard
from dynaguard.cli import session as module
from dynaguard.cli.commands import cli
from dynaguard.hooks import task_sessions
from tests.runbooks.tasks.conftest import ROLE, FakeClock, FakeSts


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> FakeSts:
    """An STS that gives credentials; they last long enough for the clock of the machine."""
    clock = FakeClock()
    clock.now_s = 4_000_000_000.0
    fake = FakeSts(clock)
    monkeypatch.setattr(task_sessions, "sts_client_maker", lambda base: fake.make)
    return fake


def run(*arguments: str, **options: Any) -> Result:
    """The command, in this process."""
    return CliRunner().invoke(cli, ["session", *arguments], **options)


def test_it_prints_export_lines(sts: FakeSts) -> None:
    """For `eval`; the default without a command."""
    done = run("--role", ROLE, "--name", "fix", "--action", "dynamodb:GetItem")

    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "export AWS_SESSION_TOKEN=token-1" in lines
    assert "export DYNAGUARD_ACCOUNT_ID=123456789012" in lines
    assert all(line.startswith("export ") for line in lines)
    assert sts.asked[0]["DurationSeconds"] == 900


def test_a_session_that_nothing_narrows_says_so(sts: FakeSts) -> None:
    """On standard error, so that `eval` still works."""
    wide = run("--role", ROLE)
    narrow = run("--role", ROLE, "--action", "dynamodb:GetItem")

    assert "all that its role may" in wide.stderr
    assert "warning" not in wide.stdout
    assert narrow.stderr == ""


def test_it_prints_json(sts: FakeSts) -> None:
    """For programs: the credentials, the names, the variables."""
    done = run("--role", ROLE, "--incident", "INC-7", "--duration", "2h", "--format", "json")

    found = json.loads(done.stdout)
    assert found["Credentials"]["SessionToken"] == "token-1"
    assert found["SessionName"] == found["Task"] == sts.asked[0]["RoleSessionName"]
    assert found["CorrelationId"] == "INC-7"
    assert found["Environment"]["AWS_ACCESS_KEY_ID"] == found["Credentials"]["AccessKeyId"]
    assert sts.asked[0]["DurationSeconds"] == 7200


def test_it_is_a_credential_process(sts: FakeSts) -> None:
    """Version 1, one document."""
    done = run("--role", ROLE, "--format", "credential-process")

    found = json.loads(done.stdout)
    assert set(found) == {
        *("Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"),
    }
    assert found["Version"] == 1


def test_tags_and_identity_reach_sts(sts: FakeSts) -> None:
    """As given."""
    run("--role", ROLE, "--tag", "team=shop", "--source-identity", "ada", "--external-id", "p-7")

    asked = sts.asked[0]
    assert asked["Tags"] == [{"Key": "team", "Value": "shop"}]
    assert (asked["SourceIdentity"], asked["ExternalId"]) == ("ada", "p-7")


def test_an_mfa_code_is_asked_for_and_not_shown(sts: FakeSts) -> None:
    """On standard error, so that standard output stays the session alone."""
    serial = "arn:aws:iam::123456789012:mfa/ada"
    done = run("--role", ROLE, "--mfa-serial", serial, input="123456\n")

    assert sts.asked[0]["TokenCode"] == "123456"
    assert "123456\n" not in done.stdout
    assert "MFA code" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "needs a role"),
        (("--role", "admin"), "no ARN of a role"),
        (("--role", ROLE, "--duration", "soon"), "no duration"),
        (("--role", ROLE, "--duration", "2d"), "access_max_duration_s"),
        (("--role", ROLE, "--param", "x=1"), "no `runbook`"),
        (("--role", ROLE, "--runbook", "library:get-by-key", "--param", "secret"), "no `=`"),
        (("--role", ROLE, "--tag", "a=1", "--tag", "a=2"), "given twice"),
        (("--role", ROLE, "--runbook", "no-such"), "no-such"),
        (("--role", ROLE, "--profile", "no-such"), "no AWS profile"),
        (("--role", ROLE, "--format", "exec"), "after `--`"),
        (("--role", ROLE, "--format", "env", "--", "true"), "after `--`"),
        (("--role", ROLE, "--action", "nonsense"), "nonsense"),
    ],
)
def test_wrong_usage_ends_with_2_and_one_error(
    sts: FakeSts, arguments: tuple[str, ...], message: str
) -> None:
    """Nothing is assumed, nothing printed."""
    done = run(*arguments)

    assert done.exit_code == 2
    assert message in done.stderr
    assert (done.stdout, sts.asked) == ("", [])


def test_values_of_parameters_are_not_shown(sts: FakeSts) -> None:
    """A refused one either."""
    done = run("--role", ROLE, "--runbook", "library:get-by-key", "--param", "customer_id=hush")

    assert done.exit_code == 2
    assert "customer_id" in done.stderr
    assert "hush" not in done.stderr + done.stdout


SECRET_RUNBOOK = """
runbook = 1
name = "unlock"
purpose = "Unlocks an order"
owner = "team-orders"
[parameters.pin]
type = "secret"
[[step]]
name = "read"
call = "dynamodb:GetItem"
params = { TableName = "orders", Key = { pin = { "$param" = "pin" } } }
"""


def test_a_secret_comes_from_no_command_line(
    sts: FakeSts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every process of the machine could read it there; `--secret` names where it is kept."""
    path = tmp_path / "unlock.toml"
    path.write_text(SECRET_RUNBOOK)
    monkeypatch.setenv("PIN", "hush-17")
    narrowed = ("--role", ROLE, "--runbook", str(path))

    refused = run(*narrowed, "--param", "pin=hush-17")
    done = run(*narrowed, "--secret", "pin=env:PIN")

    assert refused.exit_code == 2
    assert "--secret pin=env:VARIABLE" in refused.stderr
    assert done.exit_code == 0, done.stderr
    assert "hush-17" not in refused.output + done.output + str(sts.asked)


def test_a_command_runs_with_the_session_and_without_the_profile(
    sts: FakeSts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A profile's keys would come before the session's."""
    seen: list[Any] = []

    def fake_run(command: tuple[str, ...], *, env: dict[str, str], check: bool) -> Any:
        seen.append((command, env))
        return type("Done", (), {"returncode": 3})

    config = tmp_path / "config"
    config.write_text("[profile ops]\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "ops")
    monkeypatch.setattr(module.subprocess, "run", fake_run)

    done = run("--role", ROLE, "--name", "fix", "--", "tool", "--flag")

    ((command, env),) = seen
    assert done.exit_code == 3
    assert command == ("tool", "--flag")
    assert env["AWS_SESSION_TOKEN"] == "token-1"
    assert "AWS_PROFILE" not in env
    assert json.loads(env["DYNAGUARD_SCOPE"])["boundaries"][0]["name"] == "fix"
    assert env["PYTHONPATH"].endswith("bootstrap") or "bootstrap" in env["PYTHONPATH"]


def test_nothing_stays_installed(sts: FakeSts) -> None:
    """The command takes its guard back."""
    run("--role", ROLE)

    assert dynaguard.status().settings == {}
