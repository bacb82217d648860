"""`dynaguard runbook`: list, show, check, compile, hash, init."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import dynaguard
from dynaguard.cli.commands import cli
from dynaguard.runbooks.library import library_names

Run = Callable[..., Result]
PLACE = ("--region", "eu-west-1", "--account-id", "123456789012")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in a folder of its own that holds the starter as `mine`."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, given: str | None = None) -> Result:
        return CliRunner().invoke(cli, ["runbook", *arguments], input=given)

    assert invoke("init", "mine").exit_code == 0
    return invoke


def test_list_names_own_and_shipped_runbooks(run: Run) -> None:
    """Own ones first; one with problems says so, a Python one is not executed."""
    Path("runbooks/broken.toml").write_text("runbook = 2")
    Path("runbooks/code.py").write_text("raise SystemExit(9)")

    done = run("list", "--output", "json")

    assert done.exit_code == 0
    rows = {row["name"]: row for row in json.loads(done.output)["runbooks"]}
    assert list(rows)[:3] == ["broken", "code", "mine"]
    assert {f"library:{name}" for name in library_names()} <= set(rows)
    assert "problems" in rows["broken"]["purpose"]
    assert "not read" in rows["code"]["purpose"]
    assert rows["mine"]["owner"] == "team-orders"
    assert "library:get-by-key" in run("list").output


def test_list_leaves_out_files_of_cases(run: Run) -> None:
    """`mine.test.toml` is no runbook, nor is it suggested as one."""
    done = run("list", "--output", "json")

    assert Path("runbooks/mine.test.toml").is_file()
    assert "mine.test" not in done.output


def test_a_new_runbook_comes_with_tests_that_hold(run: Run) -> None:
    """Nobody has to look up how a test is written."""
    done = run("test", "mine")

    assert (done.exit_code, done.output) == (0, "2 cases, all hold\n")


def test_init_leaves_tests_that_are_there(run: Run) -> None:
    """Work of others is in them: --force replaces the runbook alone."""
    Path("runbooks/mine.test.toml").write_text("# ours")

    assert run("init", "mine", "--force").exit_code == 0

    assert Path("runbooks/mine.test.toml").read_text() == "# ours"


def test_show_prints_a_page_or_the_document(run: Run) -> None:
    """Markdown for people, JSON for programs."""
    page = run("show", "mine")
    data = json.loads(run("show", "mine", "--output", "json").output)

    assert page.output.startswith("# mine\n\nShow the latest orders")
    assert data["steps"][0]["does"] == "CallTemplate"
    assert data["permissions"][0]["actions"] == "`dynamodb:Query`"


def test_check_ends_with_what_it_found(run: Run) -> None:
    """0 clean, 1 findings, 2 problems; as text, JSON and SARIF."""
    text = Path("runbooks/mine.toml").read_text()
    Path("runbooks/loose.toml").write_text(text.replace("ProjectionExpression", "# "))
    Path("runbooks/broken.toml").write_text(text.replace("Query", "Qury"))

    clean, loose, broken = (run("check", name) for name in ("mine", "loose", "broken"))

    assert (clean.exit_code, loose.exit_code, broken.exit_code) == (0, 1, 2)
    assert clean.output == "runbooks/mine.toml: ok, 2 steps, 0 findings\n"
    assert "warning DGR103: find" in loose.output
    assert "did you mean `Query`?" in broken.stderr
    found = json.loads(run("check", "loose", "--output", "json").output)["findings"]
    assert [each["code"] for each in found] == ["DGR103"]
    problems = json.loads(run("check", "broken", "--output", "json").output)["problems"]
    assert problems[0]["line"] == 1 + text.splitlines().index('call = "dynamodb:Query"')
    for name, code in (("loose", "DGR103"), ("broken", "DG001")):
        (log,) = json.loads(run("check", name, "--output", "sarif").output)["runs"]
        (result,) = log["results"]
        assert result["ruleId"] == code
        location = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert location["uri"] == f"runbooks/{name}.toml"


def test_notes_count_when_they_are_asked_to(run: Run) -> None:
    """`--strict`."""
    text = Path("runbooks/mine.toml").read_text()
    Path("runbooks/loose.toml").write_text(text.replace("link = ", "# link = "))

    assert run("check", "loose").exit_code == 0
    assert run("check", "loose", "--strict").exit_code == 1


def test_compile_prints_the_permissions_of_one_run(run: Run) -> None:
    """For IAM, for a session on one line, and for the guard without the values of keys."""
    params = ("--param", "customer_id=C-17", *PLACE)

    iam, session, guard = (
        run("compile", target, "mine", *params).output for target in ("iam", "session", "guard")
    )

    (statement,) = json.loads(iam)["Statement"]
    assert statement["Resource"] == "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
    assert json.loads(session) == json.loads(iam)
    assert session.count("\n") == 1
    assert "C-17" in iam
    assert "C-17" not in guard
    assert "dynaguard:Limit" in guard


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ([], "parameter `customer_id` is missing"),
        (["--param", "customer_id=hunter2"], "does not match its pattern"),
        (["--param", "hunter2"], "has no `=`"),
        (["--param", "customer_id=C-1", "--param", "customer_id=hunter2"], "stands twice"),
        (["--param", "customer_id=C-1", "--param", "customr_id=hunter2"], "did you mean"),
    ],
)
def test_wrong_parameters_end_with_2_and_show_no_value(
    run: Run, params: list[str], told: str
) -> None:
    """One line says what is wrong."""
    done = run("compile", "iam", "mine", *params)

    assert done.exit_code == 2
    assert told in done.stderr
    assert "hunter2" not in done.stderr


def test_a_secret_is_asked_for_and_not_shown(run: Run) -> None:
    """It is typed, and enters no statement."""
    text = Path("runbooks/mine.toml").read_text()
    secret = text.replace('type = "string"', 'type = "secret"')
    Path("runbooks/secret.toml").write_text(secret)

    done = run("compile", "iam", "secret", *PLACE, given="C-17\n")

    assert done.exit_code == 0
    assert "C-17" not in done.output + done.stderr


def test_hash_prints_what_a_policy_pins(run: Run) -> None:
    """The entry loads in a policy document."""
    from dynaguard.policy.loading import load_policy

    pin = tomllib.loads(run("hash", "mine").output)
    as_json = json.loads(run("hash", "mine", "--output", "json").output)

    document = load_policy({"version": 1, "default": "deny", **pin}, environ={})
    assert document.runbooks["mine"].sha256 == as_json["sha256"]


def test_init_copies_a_shipped_runbook(run: Run) -> None:
    """Under its new name, and clean."""
    assert run("init", "fix", "--from", "library:bulk-update").exit_code == 0

    assert run("check", "fix").exit_code == 0
    assert run("show", "fix").output.startswith("# fix\n")


def test_init_makes_steps_of_recorded_calls(run: Run, tmp_path: Path) -> None:
    """From a real audit file, with advice."""
    import boto3

    client: Any = boto3.client("dynamodb", region_name="eu-west-1")
    answer = type("Answer", (), {"status_code": 200})()
    client.meta.events.register("before-call.dynamodb", lambda **_: (answer, {}))
    policy = {"version": 1, "default": "allow", "govern": ["dynamodb"]}
    with dynaguard.install(policy, audit=str(tmp_path / "audit.jsonl"), mode="observe"):
        client.scan(TableName="orders")
        for _ in range(2):
            client.get_item(TableName="orders", Key={"pk": {"S": "CANARY"}})

    done = run("init", "seen", "--from-audit", "audit.jsonl")

    assert done.exit_code == 0, done.stderr
    data = tomllib.loads(Path("runbooks/seen.toml").read_text())
    assert [step["call"] for step in data["step"]] == ["dynamodb:GetItem", "dynamodb:Scan"]
    assert "CANARY" not in Path("runbooks/seen.toml").read_text()
    assert "advice: Scan on orders (1x): a Scan reads the whole table" in done.output
    assert run("check", "seen").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["mine"], "exists, name another file or add --force"),
        (["a b"], "a name has 1 to 64"),
        (["x", "--from", "get-by-key"], "write `library:NAME`"),
        (["x", "--from", "library:get-by-kye"], "did you mean `library:get-by-key`?"),
        (["x", "--from", "library:get-by-key", "--from-audit", "."], "choose one of them"),
    ],
)
def test_init_refuses_what_it_cannot_write(run: Run, arguments: list[str], told: str) -> None:
    """With exit code 2."""
    done = run("init", *arguments)

    assert done.exit_code == 2
    assert told in done.stderr


def test_init_replaces_when_it_is_told_to(run: Run) -> None:
    """`--force`; JSON names the file."""
    done = run("init", "mine", "--force", "--output", "json")

    assert json.loads(done.output) == {
        "path": "runbooks/mine.toml",
        "files": ["runbooks/mine.toml"],
        "advice": [],
    }
