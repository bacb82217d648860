"""`check`, `explain`, `init` and `status`: what they print, and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dynaguard.cli.commands import cli

POLICY = """\
version = 1
revision = "7"
default = "deny"
govern = ["dynamodb"]
[settings]
identity = "etl"
[[statement]]
Sid = "ReadsOrders"
Effect = "Allow"
Action = "dynamodb:GetItem"
Resource = "arn:aws:dynamodb:*:*:table/orders"
[[statement]]
Sid = "NoScans"
Effect = "Deny"
Action = "dynamodb:Scan"
Resource = "*"
Mode = "observe"
"""
GET = json.dumps({"TableName": "orders", "Key": {"pk": {"S": "CANARY"}}})
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in a folder of its own that holds `policy.toml`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.toml").write_text(POLICY)

    def invoke(*arguments: str, given: str | None = None, **environment: str) -> Result:
        return CliRunner().invoke(cli, list(arguments), input=given, env=environment)

    return invoke


def test_help_names_every_command(run: Run) -> None:
    """And exits 0."""
    done = run("--help")

    assert done.exit_code == 0
    for name in ("check", "demo", "explain", "init", "run", "status"):
        assert name in done.output


def test_an_unknown_command_is_a_usage_error(run: Run) -> None:
    """Exit code 2."""
    assert run("chek").exit_code == 2


def test_check_of_a_good_document(run: Run) -> None:
    """One line, exit code 0."""
    done = run("check", "policy.toml")

    assert done.exit_code == 0
    assert done.stdout.startswith("policy.toml: ok, 2 statements")


def test_check_as_json(run: Run) -> None:
    """For programs."""
    found = json.loads(run("check", "policy.toml", "--output", "json").stdout)

    assert found["is_valid"] is True
    assert found["statements"] == 2


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ('version = 1\ndefault = "denny"\n', "bad.toml:2: default:"),
        ('version = 1\ndefault = "deny"\n[settings]\nmod = "x"\n', "mode"),
        ("", "is empty"),
    ],
)
def test_check_of_a_bad_document(run: Run, tmp_path: Path, text: str, fragment: str) -> None:
    """Every problem with its place, exit code 2, no traceback; the same as JSON."""
    (tmp_path / "bad.toml").write_text(text)

    done = run("check", "bad.toml")
    as_json = run("check", "bad.toml", "--output", "json")

    assert (done.exit_code, as_json.exit_code) == (2, 2)
    assert fragment in done.stderr
    assert "problem" in done.stderr
    assert "Traceback" not in done.output
    assert json.loads(as_json.stdout)["is_valid"] is False


def test_explain_of_an_allowed_call(run: Run) -> None:
    """The statement that allows it; exit code 0, no value of the call."""
    done = run("explain", "dynamodb", "GetItem", GET, "--policy", "policy.toml")

    assert done.exit_code == 0
    assert "allowed by ReadsOrders (policy.toml:7)" in done.stdout
    assert "+ Allow ReadsOrders" in done.stdout
    assert "CANARY" not in done.output


def test_explain_of_a_refused_call(run: Run) -> None:
    """Why, and which statements bear on it; exit code 1."""
    arguments = ("explain", "dynamodb", "Scan", '{"TableName": "orders"}')
    done = run(*arguments, "--policy", "policy.toml", "--region", "eu-west-1")
    all_shown = run(*arguments, "--policy", "policy.toml", "--all")

    assert done.exit_code == 1
    assert "refused" in done.stdout
    assert "NoScans" in done.stdout
    assert "observed only" in done.stdout
    assert "ReadsOrders" not in done.stdout.partition("add a statement")[0]
    assert "action does not match" in all_shown.stdout


def test_explain_of_what_no_statement_is_about(run: Run) -> None:
    """It says so."""
    done = run("explain", "dynamodb", "ListTables", "--policy", "policy.toml")

    assert done.exit_code == 1
    assert "no statement names this action" in done.stdout


def test_explain_of_an_ungoverned_and_of_a_strange_call(run: Run) -> None:
    """An ungoverned service passes; what is not understood is refused and says why."""
    passed = run("explain", "sqs", "ListQueues", "--policy", "policy.toml")
    strange = run(
        "explain",
        "dynamodb",
        "ExecuteStatement",
        '{"Statement": "MERGE CANARY"}',
        "--policy",
        "policy.toml",
    )

    assert "does not govern" in passed.stdout
    assert strange.exit_code == 1
    assert "not understood" in strange.stdout
    assert "CANARY" not in strange.output


def test_explain_takes_parameters_from_a_file_and_from_standard_input(
    run: Run, tmp_path: Path
) -> None:
    """`@FILE` and `-`; JSON out."""
    (tmp_path / "get.json").write_text(GET)
    more = ("--policy", "policy.toml", "--output", "json")

    from_file = run("explain", "dynamodb", "GetItem", "@get.json", *more)
    from_input = run("explain", "dynamodb", "GetItem", "-", *more, given=GET)

    assert json.loads(from_file.stdout) == json.loads(from_input.stdout)
    assert json.loads(from_file.stdout)["is_allowed"] is True


@pytest.mark.parametrize(
    ("params", "fragment"),
    [
        ("{", "is no JSON, line 1"),
        ("[]", "must be an object"),
        ("@missing.json", "cannot be read"),
    ],
)
def test_explain_refuses_what_are_no_parameters(run: Run, params: str, fragment: str) -> None:
    """Exit code 2 and one line."""
    done = run("explain", "dynamodb", "GetItem", params, "--policy", "policy.toml")

    assert done.exit_code == 2
    assert fragment in done.stderr


def test_explain_without_a_policy_says_where_to_put_one(run: Run) -> None:
    """Exit code 2."""
    done = run("explain", "dynamodb", "Scan")

    assert done.exit_code == 2
    assert "dynaguard.toml" in done.stderr


def test_init_writes_a_starter_that_checks(run: Run) -> None:
    """Once; a second time only with --force."""
    first, again, forced = run("init"), run("init"), run("init", "--force", "--output", "json")

    assert first.exit_code == 0
    assert again.exit_code == 2
    assert "--force" in again.stderr
    assert json.loads(forced.stdout)["path"] == "dynaguard.toml"
    assert run("check", "dynaguard.toml").exit_code == 0


def test_init_where_nothing_can_be_written(run: Run) -> None:
    """Exit code 2 and the reason."""
    done = run("init", "no/such/folder/p.toml")

    assert done.exit_code == 2
    assert "cannot be written" in done.stderr


def test_init_from_what_was_recorded(run: Run, tmp_path: Path, wire_client: Any) -> None:
    """Observed without a policy that fits, the calls are allowed by what `init` writes."""
    import dynaguard

    client = wire_client
    dynaguard.install("policy.toml", mode="observe", audit=tmp_path / "audit.jsonl")
    client.query(
        TableName="orders",
        IndexName="by_day",
        KeyConditionExpression="a = :a",
        ExpressionAttributeValues={":a": {"S": "CANARY"}},
    )
    client.get_item(TableName="customers", Key={"pk": {"S": "CANARY"}})
    dynaguard.uninstall()

    done = run("init", "needed.toml", "--from-audit", "audit.jsonl")

    assert done.exit_code == 0, done.stderr
    assert "CANARY" not in (tmp_path / "needed.toml").read_text()
    dynaguard.install("needed.toml")
    client.get_item(TableName="customers", Key={"pk": {"S": "1"}})
    with pytest.raises(dynaguard.PolicyDenied):
        client.scan(TableName="customers")


@pytest.fixture
def wire_client() -> Any:
    """A client whose answers are empty and come from nowhere."""
    import botocore.session
    from botocore.awsrequest import AWSResponse

    class Raw:
        def stream(self, *_args: Any, **_kwargs: Any) -> Any:
            yield b"{}"

    client = botocore.session.Session().create_client("dynamodb", region_name="eu-west-1")
    client.meta.events.register_last(
        "before-send", lambda request, **_: AWSResponse(request.url, 200, {}, Raw())
    )
    return client


def test_status_tells_everything_with_its_source(run: Run) -> None:
    """File, revision, digest, settings, patch points; secrets only as set."""
    done = run("status", "--policy", "policy.toml", DYNAGUARD_MASK_KEY="CANARY-0123456789")

    assert done.exit_code == 0, done.output
    assert "revision 7" in done.stdout
    assert "document" in done.stdout
    assert "BaseClient._convert_to_request_dict: ready" in done.stdout
    assert "CANARY" not in done.output


def test_status_as_json_without_a_policy(run: Run) -> None:
    """Nothing would be denied, and it says so."""
    found = json.loads(run("status", "--output", "json").stdout)

    assert found["policy"] is None
    assert found["would_install"] is True
    assert "none" in run("status").stdout


def test_status_of_a_bad_environment(run: Run) -> None:
    """Exit code 2, the nearest name, no traceback."""
    done = run("status", DYNAGUARD_POLCY="x")

    assert done.exit_code == 2
    assert "DYNAGUARD_POLICY" in done.stderr
