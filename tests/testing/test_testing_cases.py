"""Tests of policies: what a case says, whether it holds, and what is wrong with a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dynaguard.cli.commands import cli
from dynaguard.errors import PolicySyntaxError
from dynaguard.testing import load_cases, run_case, run_cases
from tests.testing.policy_folder import folder

__all__ = ["folder"]  # the fixture


ETL = "arn:aws:sts::111122223333:assumed-role/etl-nightly/run"


def write(folder: Path, cases: str, name: str = "policy-tests.toml") -> Path:
    """A file of cases beside the policy."""
    path = folder / name
    path.write_text(f'policy = "policy.toml"\n{cases}', encoding="utf-8")
    return path


def case(call: str, expect: str, **more: Any) -> str:
    """One entry, as TOML."""
    fields = {"call": call, "expect": expect, "identity": ETL, "region": "eu-west-1", **more}
    lines = [f"{name} = {toml(value)}" for name, value in fields.items()]
    return "\n".join(["[[case]]", *lines, ""])


def toml(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


KEYS = {"RequestItems": {"orders": {"Keys": [{"pk": {"S": "me"}, "sk": {"S": "1"}}]}}}
BYTES = {"RequestItems": {"orders": {"Keys": [{"pk": {"B": "aGk="}, "sk": {"S": "1"}}]}}}
ORDERS = {"TableName": "orders"}
OTHER_KEYS = {"RequestItems": {"other": {"Keys": [{"a": {"S": "me"}, "b": {"S": "1"}}]}}}
OTHER_TABLE = {"other": {"key": ["a", "b"]}}
OPEN = {"version": 1, "default": "allow", "govern": ["dynamodb"]}
FIRST = {
    "job": "nightly",
    "environment": "dev",
    "page": 1,
    "now": "2025-06-01T00:00:00Z",
    "params": ORDERS,
}

HOLD: list[str] = [
    case("dynamodb:GetItem", "allow", params=ORDERS, statement="EtlReads"),
    case("dynamodb:GetItem", "implicit_deny", params=ORDERS, identity="somebody"),
    case("dynamodb:GetItem", "implicit_deny", params=ORDERS, region="us-east-1"),
    case("dynamodb:DeleteItem", "deny", params=ORDERS, statement="NoDeletes"),
    case("dynamodb:DeleteItem", "fail_closed", params=ORDERS),
    case("dynamodb:PutItem", "fail_closed", params=ORDERS),
    case("s3:PutObject", "ungoverned", params={"Bucket": "b", "Key": "k"}),
    case("dynamodb:BatchGetItem", "allow", params=KEYS),
    case("dynamodb:BatchGetItem", "allow", params=BYTES),
    case("dynamodb:UpdateItem", "allow", params=ORDERS, context={"dynaguard:Group": ["support"]}),
    case("dynamodb:Scan", "allow", **FIRST),
    case("dynamodb:Scan", "implicit_deny", **{**FIRST, "page": 2}),
    case("dynamodb:Scan", "implicit_deny", **{**FIRST, "job": "other"}),
    case("dynamodb:Scan", "implicit_deny", **{**FIRST, "environment": "prod"}),
    case("dynamodb:Scan", "implicit_deny", **{**FIRST, "now": "2026-06-01"}),
    case("dynamodb:Scan", "implicit_deny", **FIRST, endpoint_url="http://localhost:8000"),
    case("dynamodb:GetItem", "allow", params=ORDERS, policy=OPEN),
    case(
        "dynamodb:BatchGetItem", "allow", params=OTHER_KEYS, tables={"other": {"key": ["a", "b"]}}
    ),
    case("dynamodb:BatchGetItem", "fail_closed", params=OTHER_KEYS),
    case("dynamodb:GetItem", "allow", params=ORDERS, region="cn-north-1", policy=OPEN),
    case("dynamodb:GetItem", "allow", params=ORDERS, acting_as="ann", groups=["etl"]),
    case("dynamodb:UpdateItem", "allow", params=ORDERS, groups=["support"]),
    case("dynamodb:UpdateItem", "allow", params=ORDERS, groups="support"),
    case(
        "dynamodb:UpdateItem",
        "implicit_deny",
        params=ORDERS,
        acting_as="ann",
        groups=["support"],
    ),
]


@pytest.mark.parametrize("entry", HOLD)
def test_a_case_holds(folder: Path, entry: str) -> None:
    """Everything that a case can say reaches the decision."""
    (result,) = run_cases([write(folder, entry)])

    assert result.text == ""
    assert result.holds


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (
            case("dynamodb:GetItem", "deny", params=ORDERS),
            "expected deny, got allow by `EtlReads`",
        ),
        (case("dynamodb:PutItem", "allow", params=ORDERS), "expected allow, got implicit_deny"),
        (
            case("dynamodb:GetItem", "allow", params=ORDERS, statement="Other"),
            "expected allow by `Other`, got it by `EtlReads`",
        ),
        (
            case("dynamodb:PutItem", "implicit_deny", params=ORDERS, statement="Other"),
            "expected implicit_deny by `Other`, got it by the default",
        ),
        (
            case("dynamodb:GetItem", "fail_closed", params=ORDERS),
            "expected fail_closed, got allow by `EtlReads`",
        ),
    ],
)
def test_a_case_that_does_not_hold_says_how(folder: Path, entry: str, problem: str) -> None:
    """With its place and the statements behind the decision."""
    path = write(folder, entry.replace("[[case]]", '[[case]]\nname = "mine"'))

    (result,) = run_cases([path])

    assert result.text == f"{path}:2: mine: {problem}"
    assert result.explanation is not None
    assert result.explanation.authorizations


def test_defaults_hold_for_every_case(folder: Path) -> None:
    """A case's own value counts before them."""
    path = write(
        folder,
        f'[defaults]\nidentity = "{ETL}"\nregion = "eu-west-1"\ncall = "dynamodb:GetItem"\n'
        'expect = "allow"\n[[case]]\nparams = {TableName = "orders"}\n'
        '[[case]]\nparams = {TableName = "other"}\nexpect = "implicit_deny"\n',
    )

    assert [result.holds for result in run_cases([path])] == [True, True]


@pytest.mark.parametrize("name", ["cases-test.json", "cases-test.yaml"])
def test_cases_can_be_json_and_yaml(folder: Path, name: str) -> None:
    """The same keys in every format."""
    entry = {"call": "dynamodb:PutItem", "params": ORDERS, "expect": "implicit_deny"}
    text = json.dumps({"policy": "policy.toml", "case": [entry]})
    (folder / name).write_text(text, encoding="utf-8")

    assert [result.holds for result in run_cases([folder / name])] == [True]


BAD = [
    ("", "holds no case"),
    ('[[case]]\ncall = "dynamodb:GetItem"\n', "`expect` is missing"),
    (case("dynamodb:GetItem", "alow"), "did you mean `allow`?"),
    (case("GetItem", "allow"), "write `dynamodb:GetItem`"),
    (case("dynamodb:GetItem", "allow", parms={}), "did you mean `params`?"),
    (case("dynamodb:GetItem", "allow", params="x"), "params: must be a table"),
    (case("dynamodb:GetItem", "allow", identity=""), "must be text that is not empty"),
    (case("dynamodb:GetItem", "allow", account=7), "must be text that is not empty"),
    (case("dynamodb:GetItem", "allow", now="soon"), "write `2026-11-20T12:00:00Z`"),
    (case("dynamodb:GetItem", "allow", page=0), "whole number from 1"),
    (case("dynamodb:GetItem", "allow", page=True), "whole number from 1"),
    (case("dynamodb:GetItem", "allow", groups=[]), "is an empty list"),
    (case("dynamodb:GetItem", "allow", policy=7), "must be a file's name or a policy"),
    (case("dynamodb:GetItem", "allow", policy="other.toml"), "other.toml"),
    (case("dynamodb:GetItem", "allow", policy={"version": 2}), "version"),
    ("[defaults]\nname = 1\n" + case("dynamodb:GetItem", "allow"), "unknown key `name`"),
    ("cases = 1\n" + case("dynamodb:GetItem", "allow"), "unknown key `cases`"),
]


@pytest.mark.parametrize(("cases", "fragment"), BAD)
def test_a_file_that_is_not_understood_is_an_error(
    folder: Path, cases: str, fragment: str
) -> None:
    """With file and line, and what to write instead."""
    path = write(folder, cases)

    with pytest.raises(PolicySyntaxError) as caught:
        load_cases([path])

    assert fragment in str(caught.value)
    assert str(folder) in str(caught.value)


def test_a_case_without_a_policy_is_an_error(tmp_path: Path) -> None:
    """Neither its own nor the file's."""
    path = tmp_path / "test.toml"
    path.write_text(case("dynamodb:GetItem", "allow"), encoding="utf-8")

    with pytest.raises(PolicySyntaxError, match="has no policy"):
        load_cases([path])


def test_of_a_folder_the_files_of_cases_are_run(folder: Path) -> None:
    """By their names; the policy beside them is none."""
    write(folder, HOLD[0], "test_reads.toml")
    write(folder, HOLD[3], "deletes-tests.toml")

    found = load_cases([folder])

    assert [Path(each.place.rpartition(":")[0]).name for each in found] == [
        "deletes-tests.toml",
        "test_reads.toml",
    ]


def test_a_folder_without_cases_is_an_error(tmp_path: Path) -> None:
    """Nothing that was not run holds."""
    with pytest.raises(PolicySyntaxError, match="holds no file of cases"):
        load_cases([tmp_path])


def test_a_case_is_named_for_test_ids(folder: Path) -> None:
    """`ids=str` works."""
    (found,) = load_cases([write(folder, HOLD[0])])

    assert str(found) == "dynamodb:GetItem allow"
    assert run_case(found).holds


# --- the command -----------------------------------------------------------------------------


def test_the_command_says_that_all_hold(folder: Path) -> None:
    """And exits 0."""
    done = CliRunner().invoke(cli, ["test", str(write(folder, HOLD[0]))])

    assert (done.exit_code, done.output) == (0, "1 case, all hold\n")


def test_the_command_explains_what_does_not_hold(folder: Path) -> None:
    """And exits 1, with text and as JSON."""
    path = write(folder, HOLD[0] + case("dynamodb:DeleteItem", "allow", params=ORDERS))

    text = CliRunner().invoke(cli, ["test", str(path)])
    found = CliRunner().invoke(cli, ["test", str(path), "--output", "json"])

    assert text.exit_code == found.exit_code == 1
    assert "expected allow, got deny by `NoDeletes`" in text.output
    assert "+ Deny NoDeletes" in text.output
    assert text.output.endswith("2 cases, 1 of them not as expected\n")
    results = json.loads(found.output)
    assert (results["cases"], results["failed"]) == (2, 1)
    assert [each["holds"] for each in results["results"]] == [True, False]


def test_the_command_names_what_it_does_not_understand(folder: Path) -> None:
    """And exits 2 without a traceback."""
    done = CliRunner().invoke(cli, ["test", str(write(folder, BAD[2][0]))])

    assert done.exit_code == 2
    assert "did you mean `allow`?" in done.output
