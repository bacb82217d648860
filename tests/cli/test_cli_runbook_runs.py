"""`dynaguard runbook run | plan | test | runs` as people and programs use them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from dynaguard.cli.commands import cli
from tests.runbooks.run_cases import make_table, states
from tests.testing import test_testing_runbooks

RUNBOOK = """
runbook = 1
name = "close-orders"
purpose = "Closes the orders of one customer"
owner = "team-orders"
[limits]
items = 20
[tables.orders]
key = ["customer", "id"]
[parameters.customer]
type = "string"
pattern = "[a-z]{1,9}"
[parameters.pin]
type = "secret"
[[step]]
name = "find"
call = "dynamodb:Query"
pages = 3
[step.params]
TableName = "orders"
KeyConditionExpression = "customer = :c"
ProjectionExpression = "id"
ExpressionAttributeValues = { ":c" = { "$param" = "customer" } }
[[step]]
name = "look"
pause = "look at the orders"
[[step]]
name = "mark"
call = "dynamodb:UpdateItem"
[step.params]
TableName = "orders"
Key = { customer = { "$param" = "customer" }, id = "o-000" }
UpdateExpression = "SET pin = :p"
ExpressionAttributeValues = { ":p" = { "$param" = "pin" } }
"""
PIN = "hunter-2"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A folder with a runbook and a table of orders; gives what runs a command there."""
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "close-orders.toml").write_text(RUNBOOK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIN", PIN)
    with mock_aws():
        make_table(boto3.client("dynamodb"), {"ada": 2})

        def run(*arguments: str, text: str | None = None) -> Result:
            return CliRunner().invoke(cli, ["runbook", *arguments], input=text)

        yield run


RUN = ("run", "close-orders", "--runs", "runs", "--param", "customer=ada")


def test_a_run_tells_its_steps_and_one_json_object(place: Any) -> None:
    """The secret comes from the environment; no value of it is printed."""
    done = place(*RUN, "--secret", "pin=env:PIN", "--yes", "--output", "json")

    told = json.loads(done.stdout)
    assert done.exit_code == 0
    assert told["outcome"] == "done"
    assert [step["step"] for step in told["steps"]] == ["find", "look", "mark"]
    assert PIN not in done.output
    text = place(*RUN, "--secret", "pin=env:PIN", "--yes")
    assert "1/3 find: done, dynamodb:Query on orders, 2 items in 1 call," in text.stderr
    assert json.loads(text.stdout)["find"]["Count"] == 2


def test_a_secret_on_the_command_line_is_refused(place: Any) -> None:
    """Where every process of the machine could read it."""
    given = place(*RUN, "--param", f"pin={PIN}", "--yes")
    source = place(*RUN, "--secret", f"pin={PIN}", "--yes")

    assert (given.exit_code, source.exit_code) == (2, 2)
    assert "`--secret pin=env:VARIABLE`" in given.stderr
    assert PIN not in given.output + source.output


def test_a_run_without_a_region_says_what_to_set(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore finds out when the client is made, before any call."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)

    done = place(*RUN, "--secret", "pin=env:PIN", "--yes")

    assert done.exit_code == 1
    assert "step `find` failed (NoRegionError): name a region" in done.stderr


def test_nobody_there_is_nobody_asked(place: Any) -> None:
    """A pause that waits for a person is wrong usage then, before the first step."""
    refused = place(*RUN, "--secret", "pin=env:PIN", "--non-interactive")

    assert refused.exit_code == 2
    assert "step `look`, and nobody attends" in refused.stderr


def test_a_run_that_ends_early_says_where_and_how_to_go_on(place: Any) -> None:
    """Exit code 1; the id resumes it."""
    boto3.client("dynamodb").delete_table(TableName="orders")
    failed = place(*RUN, "--secret", "pin=env:PIN", "--yes", "--output", "json")

    told = json.loads(failed.stdout)
    assert failed.exit_code == 1
    assert (told["outcome"], told["step"]) == ("failed", "find")
    assert told["error"] == "ResourceNotFoundException"
    listed = json.loads(place("runs", "--runs", "runs", "--output", "json").stdout)
    assert [(run["task"], run["state"]) for run in listed["runs"]] == [(told["run"], "cut off")]


def test_a_refused_run_has_an_exit_code_of_its_own(place: Any, tmp_path: Path) -> None:
    """4, for what the policy says no to."""
    policy = tmp_path / "dynaguard.toml"
    policy.write_text('version = 1\ndefault = "deny"\ngovern = ["dynamodb"]\n')

    refused = place(*RUN, "--secret", "pin=env:PIN", "--yes")

    assert refused.exit_code == 4
    assert "was refused" in refused.stderr
    assert "put what `dynaguard runbook hash close-orders` prints into" in refused.stderr


def test_values_come_from_files_too(place: Any, tmp_path: Path) -> None:
    """A table of values, single files, and secrets in files of their own."""
    (tmp_path / "values.toml").write_text('customer = "ada"\n')
    (tmp_path / "pin.txt").write_text(f"{PIN}\n")

    done = place(
        *("run", "close-orders", "--runs", "runs", "--params-file", "values.toml"),
        *("--secret", "pin=@pin.txt", "--yes"),
    )

    item = boto3.client("dynamodb").get_item(
        TableName="orders", Key={"customer": {"S": "ada"}, "id": {"S": "o-000"}}
    )
    assert done.exit_code == 0
    assert item["Item"]["pin"] == {"S": PIN}


def test_a_plan_is_the_same_each_time_and_shows_no_value(place: Any) -> None:
    """Nothing is sent."""
    arguments = ("plan", "close-orders", "--param", "customer=ada", "--secret", "pin=env:PIN")

    first, second = place(*arguments), place(*arguments)

    assert first.exit_code == 0
    assert first.stdout == second.stdout
    assert "1. find: dynamodb:Query, on orders, at most 3 pages" in first.stdout
    assert "customer = <string, 3 characters>" in first.stdout
    assert PIN not in first.stdout
    assert set(states(boto3.client("dynamodb"), "ada").values()) == {"open"}


def test_tests_beside_a_runbook_are_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 0 when all hold, 1 when one does not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.toml").write_text(test_testing_runbooks.RUNBOOK)
    (tmp_path / "orders.test.toml").write_text(test_testing_runbooks.TESTS)

    held = CliRunner().invoke(cli, ["runbook", "test", "orders.toml"])
    (tmp_path / "orders.test.toml").write_text(
        test_testing_runbooks.TESTS.replace("items = 4", "items = 5")
    )
    failed = CliRunner().invoke(cli, ["runbook", "test", "orders.toml"])

    assert (held.exit_code, held.stdout) == (0, "3 cases, all hold\n")
    assert failed.exit_code == 1
    assert "items: expected 5, there are 4" in failed.stdout


def test_a_run_that_waits_is_approved_by_somebody_else_and_resumed(
    place: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3 and a ticket; another person approves it; the ticket resumes the run."""
    role = "arn:aws:iam::123456789012:role"
    (tmp_path / "dynaguard.toml").write_text(
        'version = 1\ndefault = "allow"\n[groups]\nleads = ["arn:aws:*::*:user/moto"]\n'
    )
    monkeypatch.setenv("DYNAGUARD_ACCESS_STORE", str(tmp_path / "access.sqlite"))
    monkeypatch.setenv("DYNAGUARD_IDENTITY", f"{role}/on-call")
    approval = '[access]\napproval = { quorum = 1, any_of = ["leads"] }\n'
    book = RUNBOOK.replace("[limits]", f"{approval}[limits]")
    (tmp_path / "runbooks" / "close-orders.toml").write_text(book)
    arguments = (*RUN, "--secret", "pin=env:PIN", "--yes", "--output", "json")

    waiting = place(*arguments)
    ticket = json.loads(waiting.stdout)["ticket"]
    monkeypatch.delenv("DYNAGUARD_IDENTITY")  # STS tells: the user `moto`
    approved = CliRunner().invoke(cli, ["approvals", "approve", ticket, "--reason", "go"])
    monkeypatch.setenv("DYNAGUARD_IDENTITY", f"{role}/on-call")
    done = place(*arguments, "--resume", ticket)

    assert waiting.exit_code == 3
    assert json.loads(waiting.stdout)["outcome"] == "waiting"
    assert approved.exit_code == 0, approved.output
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["outcome"] == "done"
