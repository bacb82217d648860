"""`dynaguard grants`: what was opened, for whom, until when; and closed again."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from dynaguard.access.sqlite_store import SqliteStore
from dynaguard.access.store import StoredRecord
from dynaguard.cli.commands import cli
from dynaguard.cli.durations import duration, instant_of

ORDERS = "arn:aws:dynamodb:*:*:table/orders"
CREATE = (
    *("grants", "create", "--identity", "etl", "--reason", "INC-4711", "--owner", "ada"),
    *("--action", "dynamodb:GetItem", "--resource", ORDERS),
)


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store of the environment."""
    path = tmp_path / "access.sqlite"
    monkeypatch.setenv("DYNAGUARD_ACCESS_STORE", str(path))
    return path


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def _json(*arguments: str) -> dict[str, Any]:
    found = _run(*arguments, "--output", "json")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)  # type: ignore[no-any-return]


def test_creating_says_exactly_what_was_opened() -> None:
    """For whom, what, from when until when, how often; and how to take it back."""
    result = _run(*CREATE, "--expires", "90m", "--uses", "3", "--acting-as", "bot")

    text = re.sub(r"grant-[0-9a-z-]{19}", "ID", result.stdout)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    assert result.exit_code == 0
    assert text.splitlines() == [
        "opened:",
        "  ID: in force",
        "  for    bot, acting as etl",
        f"  opens  dynamodb:GetItem on {ORDERS}",
        "  from   TIME",
        "  until  TIME (1h30m)",
        "  uses   3 of 3 calls left",
        "  owner  ada",
        "  reason INC-4711",
        "take it back with: dynaguard grants revoke ID --reason ...",
    ]


def test_break_glass_is_loud() -> None:
    """Before anything is opened, and in what was."""
    result = _run(*CREATE, "--expires", "30m", "--break-glass")

    assert result.stderr.startswith("BREAK-GLASS: nobody approves this.")
    assert "  BREAK-GLASS: nobody approved it" in result.stdout.splitlines()
    assert "BREAK-GLASS, in force" in _run("grants", "list").stdout


def test_what_is_wrong_is_told_at_once() -> None:
    """One line each, and nothing is opened."""
    result = _run("grants", "create", "--identity", "*")

    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 4
    assert _run("grants", "list").stdout.startswith("no grants in ")


def test_a_group_that_the_policy_has_not_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The grant is made: the process that it is for may have another policy."""
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'version = 1\ndefault = "deny"\n[groups]\nmanagers = ["arn:aws:iam::*:role/m"]\n'
    )
    monkeypatch.setenv("DYNAGUARD_POLICY", str(policy))
    terms = ("--action", "dynamodb:GetItem", "--resource", ORDERS, "--expires", "5m")

    slip = _run("grants", "create", "--identity", "group:manager", *terms, "--reason", "x")
    right = _run("grants", "create", "--identity", "group:managers", *terms, "--reason", "x")

    assert (slip.exit_code, right.exit_code, right.stderr) == (0, 0, "")
    assert "has no group `manager`, did you mean `managers`?" in slip.stderr


def test_the_beginning_of_an_id_names_a_grant() -> None:
    """As it does for tickets; one that several begin with, or none, does not."""
    subject = ("--action", "dynamodb:Scan", "--resource", "arn:aws:dynamodb:*:*:table/orders")
    made = [
        _json(
            "grants", "create", "--identity", "etl", *subject, "--expires", "5m", "--reason", "x"
        )
        for _ in range(2)
    ]
    first, second = (each["id"] for each in made)

    assert _json("grants", "show", first[:16])["id"] == first
    assert _json("grants", "revoke", second[:16], "--reason", "done")["state"] == "revoked"
    assert _json("grants", "show", first)["state"] == "in force"
    assert "there is no grant `grant-none`" in _run("grants", "show", "grant-none").stderr


def test_a_store_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A slip in its name looks like an empty store else."""
    done = _run("grants", "list", "--store", str(tmp_path / "acces.sqlite"))

    assert "acces.sqlite, there is no such file yet" in done.stdout


def test_an_end_may_be_an_instant() -> None:
    """In whatever time zone; shown in UTC."""
    begin, end = "2099-01-01T00:00+01:00", "2099-01-01T01:00+01:00"

    result = _run(*CREATE, "--expires", end, "--not-before", begin)

    assert result.exit_code == 2
    assert "not_before: is more than 31 days ahead" in result.stderr
    assert "expires" not in result.stderr


@pytest.mark.parametrize(
    ("option", "text"),
    [("--expires", "soon"), ("--expires", "2030-01-01"), ("--not-before", "1h")],
)
def test_times_that_are_none(option: str, text: str) -> None:
    """With an example of one."""
    result = _run(*CREATE, "--reason", "x", option, text)

    assert result.exit_code == 2
    assert f"`{text}` is n" in result.stderr
    assert "2026-11-21T16:00Z" in result.stderr


def test_json_is_complete_and_in_utc() -> None:
    """For programs: every part of a grant, its state beside it."""
    made = _json(*CREATE, "--expires", "15m")
    listed = _json("grants", "list")["grants"]
    shown = _json("grants", "show", made["id"])

    assert made == shown == listed[0]
    assert (made["state"], made["owner"], made["uses"]) == ("in force", "ada", None)
    assert datetime.fromisoformat(made["expires"]).tzinfo == UTC


def test_statements_are_read_from_a_file(tmp_path: Path) -> None:
    """As an IAM policy has them."""
    file = tmp_path / "scan.json"
    allow = {"Effect": "Allow", "Action": "dynamodb:Scan", "Resource": ORDERS}
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": [allow]}))

    made = _json(
        *("grants", "create", "--identity", "etl", "--reason", "x", "--expires", "1h"),
        *("--statements", f"@{file}"),
    )

    assert made["statements"] == [allow]
    assert _run(*CREATE, "--statements", "@missing.json").exit_code == 2


def test_revoking_closes_for_good() -> None:
    """And is told with who and why."""
    made = _json(*CREATE, "--expires", "15m")

    result = _run("grants", "revoke", made["id"], "--reason", "over", "--by", "bob")

    assert result.stdout.splitlines()[:2] == ["closed:", f"  {made['id']}: revoked"]
    assert "by bob: over" in result.stdout
    assert _json("grants", "list")["grants"] == []
    assert [each["state"] for each in _json("grants", "list", "--all")["grants"]] == ["revoked"]


@pytest.mark.parametrize(
    "arguments", [("show", "grant-x"), ("revoke", "grant-x", "--reason", "x")]
)
def test_a_grant_that_is_not_there(arguments: tuple[str, ...]) -> None:
    """By name, and where to look."""
    result = _run("grants", *arguments)

    assert result.exit_code == 2
    assert "there is no grant `grant-x` in" in result.stderr


def test_a_revocation_without_reason_is_none() -> None:
    """The grant stays."""
    made = _json(*CREATE, "--expires", "15m")

    result = _run("grants", "revoke", made["id"])

    assert result.exit_code == 2
    assert "the reason is missing" in result.stderr
    assert _json("grants", "show", made["id"])["state"] == "in force"


def test_what_is_no_grant_is_a_finding(path: Path) -> None:
    """The list goes on, and ends with exit code 1."""
    _run(*CREATE, "--expires", "15m")
    SqliteStore(path).add(StoredRecord("grant", "grant-bad", 1, "{}", 4e9))

    result = _run("grants", "list")

    assert result.exit_code == 1
    assert "in force, until" in result.stdout
    assert "`grant-bad` is no grant and opens nothing" in result.stderr


def test_another_store_may_be_named(tmp_path: Path) -> None:
    """Instead of the environment's."""
    other = str(tmp_path / "other.sqlite")
    _run(*CREATE, "--expires", "15m", "--store", other)

    assert _json("grants", "list")["grants"] == []
    assert len(_json("grants", "list", "--store", other)["grants"]) == 1


def test_explain_shows_what_is_granted(tmp_path: Path) -> None:
    """And what the call rests on."""
    policy = tmp_path / "policy.toml"
    policy.write_text('version = 1\ndefault = "deny"\ngovern = ["dynamodb"]\n')
    made = _json(*CREATE, "--expires", "15m")
    params = '{"TableName": "orders", "Key": {"id": {"S": "1"}}}'
    call = ("explain", "dynamodb", "GetItem", params, "--policy", str(policy), "--identity", "etl")

    result = _run(*call, "--region", "eu-west-1")

    assert result.exit_code == 0
    assert f"{made['id']} until {made['expires']} (ada: INC-4711): the call rests on it" in (
        result.stdout
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86_400), ("1h30m", 5400), (" 5m ", 300)],
)
def test_durations(text: str, seconds: float) -> None:
    """Numbers and units, as policies have them."""
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 m", "1.5h", "15M", "٣m"])
def test_what_is_no_duration(text: str) -> None:
    """No guessing."""
    with pytest.raises(click.BadParameter):
        duration(text)


def test_instants_have_a_time_zone() -> None:
    """Or they are none."""
    assert instant_of("2026-11-21T17:00+01:00") == datetime(2026, 11, 21, 16, tzinfo=UTC)
    assert instant_of("2026-11-21T16:00") is None
    assert instant_of("16:00Z") is None


@pytest.mark.parametrize("text", ["soon", "5"])
def test_a_duration_that_is_none_is_wrong_usage(text: str) -> None:
    """As click tells it."""
    with pytest.raises(click.BadParameter, match="is no duration, write for example `15m`"):
        duration(text)


def test_a_duration_is_given_in_seconds() -> None:
    """For options of other commands."""
    assert duration("2m") == 120.0


def test_one_grant_is_shown_in_full() -> None:
    """With what became of it."""
    made = _json(*CREATE, "--expires", "15m", "--uses", "2")

    shown = _run("grants", "show", made["id"]).stdout.splitlines()
    (_, line) = _run("grants", "list").stdout.splitlines()
    revoked = _json("grants", "revoke", made["id"], "--reason", "over")

    assert shown[0] == f"  {made['id']}: in force"
    assert line == f"    dynamodb:GetItem on {ORDERS}, for etl (ada: INC-4711)"
    assert revoked["revoked_why"] == "over"


def test_what_somebody_wrote_into_the_store_steers_no_terminal(path: Path) -> None:
    """Neither a grant nor a document that is none, and neither adds a line."""
    made = _json(*CREATE, "--expires", "90m")
    store = SqliteStore(path)
    record = store.get("grant", made["id"])
    assert record is not None
    body = json.dumps({**json.loads(record.body), "owner": "ada\x1b[2J\nbob"})
    store.replace(record.changed(body, record.expires_epoch_s))
    store.add(StoredRecord("grant", "bad\x1b[31m\nid", 1, "{}", record.expires_epoch_s))

    shown = CliRunner().invoke(cli, ["grants", "list"], color=True)

    assert "ada?[2J?bob" in shown.stdout
    assert "bad?[31m?id" in shown.stderr
    assert "\x1b" not in shown.output
