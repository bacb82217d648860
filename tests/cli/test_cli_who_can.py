"""`dynaguard who-can`: who can do something, when and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dynaguard.cli.commands import cli

POLICY = """\
version = 1
default = "deny"
govern = ["dynamodb"]
[groups]
etl = ["arn:aws:iam::*:role/etl-*"]
[[statement]]
Sid = "Writes"
Effect = "Allow"
Principal = { Group = "etl" }
Action = "dynamodb:*Item"
Resource = "*"
Condition = { StringEquals = { "dynaguard:Job" = "nightly" } }
[[statement]]
Sid = "DeletesAreApproved"
Effect = "RequireApproval"
Action = "dynamodb:DeleteItem"
Resource = "*"
[[statement]]
Sid = "NoScans"
Effect = "Deny"
Action = "dynamodb:Scan"
Resource = "*"
"""
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in a folder that holds `dynaguard.toml`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dynaguard.toml").write_text(POLICY)
    return lambda *arguments: CliRunner().invoke(cli, ["who-can", *arguments])


def test_a_slip_in_an_action_is_told(run: Run) -> None:
    """Else the answer would be that nobody can."""
    done = run("dynamodb:DeletItem")

    assert done.exit_code == 2
    assert "has no action `dynamodb:DeletItem`, did you mean `dynamodb:DeleteItem`?" in done.stderr


def test_text_names_statements_people_conditions_and_approvals(run: Run) -> None:
    """The answer in one line, then what it rests on."""
    done = run("dynamodb:DeleteItem", "--policy", "dynaguard.toml")

    assert done.exit_code == 0
    assert done.output.splitlines() == [
        "dynamodb:DeleteItem on any resource: nobody without an approval",
        "",
        "Only after an approval:",
        "  statement DeletesAreApproved (dynaguard.toml:13)",
        "    who: everybody",
        "    approval: 1 other person; to be given within 1h, lasts 15m, for 1 call",
        "",
        "Allowed:",
        "  statement Writes (dynaguard.toml:6)",
        "    who: group `etl` (arn:aws:iam::*:role/etl-*)",
        "    when: `dynaguard:Job` StringEquals `nightly`",
    ]


def test_grants_of_the_access_store_are_listed(run: Run, tmp_path: Path) -> None:
    """With who gave them, why and until when."""
    settings = '[settings]\naccess_store = "access.sqlite"\n'
    (tmp_path / "dynaguard.toml").write_text(POLICY + settings)
    made = CliRunner().invoke(
        cli,
        [
            *("grants", "create", "--identity", "etl", "--owner", "ann", "--expires", "15m"),
            *("--action", "dynamodb:Query", "--reason", "INC-4711"),
            *("--resource", "arn:aws:dynamodb:*:*:table/orders"),
        ],
    )
    assert made.exit_code == 0, made.output

    found = run("dynamodb:Query").output
    other = run("dynamodb:UpdateItem", "arn:aws:dynamodb:*:*:table/others").output

    assert "who: `etl`" in found
    assert "since `ann` gave it: INC-4711" in found
    assert "INC-4711" not in other


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("dynamodb:Scan",), "nobody, a statement denies it to everybody"),
        (("dynamodb:Query", "*"), "nobody, nothing allows it"),
        (("dynamodb:GetItem", "arn:aws:dynamodb:*:*:table/orders"), "who is named below"),
        (("s3:GetObject",), "everybody, since the policy does not govern this service"),
    ],
)
def test_the_first_line_is_the_answer(run: Run, arguments: tuple[str, ...], answer: str) -> None:
    """In one clause."""
    assert run(*arguments).output.splitlines()[0].endswith(answer)


def test_json_has_all_of_it(run: Run) -> None:
    """For audits."""
    found = json.loads(run("dynamodb:DeleteItem", "--output", "json").output)

    assert [way["name"] for way in found["asking"]] == ["DeletesAreApproved"]
    assert found["is_approved_always"] is True


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("GetItem",), "`GetItem` is no action"),
        (("dynamodb:GetItem", "orders"), "`orders` is no ARN"),
    ],
)
def test_what_is_no_question_is_a_usage_error(
    run: Run, arguments: tuple[str, ...], told: str
) -> None:
    """With an example."""
    done = run(*arguments)

    assert done.exit_code == 2
    assert told in done.output


def test_without_a_policy_there_is_nothing_to_say(run: Run, tmp_path: Path) -> None:
    """It says how to name one."""
    (tmp_path / "dynaguard.toml").unlink()

    done = run("dynamodb:GetItem")

    assert done.exit_code == 2
    assert "pass `--policy`" in done.output
