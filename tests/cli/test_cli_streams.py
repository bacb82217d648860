"""`dynaguard audit streams`: writes of a stream, joined with the audit by the task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dynaguard.cli.commands import cli


def run(*arguments: str) -> Result:
    """The command, in this process."""
    options = ("--audit", "audit.jsonl", "--task-attribute", "last_task")
    return CliRunner().invoke(cli, ["audit", "streams", *arguments, *options])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lambda_event(**changed: Any) -> dict[str, Any]:
    """One record as Lambda gets it."""
    record = {
        "eventID": "1",
        "eventName": "MODIFY",
        "eventSourceARN": "arn:aws:dynamodb:eu-west-1:111122223333:table/orders/stream/2026",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_795_000_000,
            "Keys": {"pk": {"S": "C-1"}},
            "NewImage": {"last_task": {"S": "t-1"}},
        },
    }
    return {"Records": [{**record, **changed}]}


@pytest.fixture
def recorded(folder: Path) -> Path:
    """An audit file of the task `t-1` with its session."""
    from dynaguard.access_change import AccessChange
    from dynaguard.audit.log import AuditLog

    log = AuditLog(str(folder / "audit.jsonl"), mode="best-effort")
    log.change(AccessChange("run begun", "t-1", "lea", task="t-1", runbook="fix"))
    log.change(AccessChange("session opened", "fix-t-1", "lea", task="t-1"))
    log.change(AccessChange("run begun", "t-2", "sam", task="t-2", runbook="other"))
    log.close()
    return folder


def test_a_lambda_event_is_joined_with_runbook_and_session(recorded: Path) -> None:
    """By task; the table and the time are those of the record."""
    (recorded / "event.json").write_text(json.dumps(lambda_event()))

    (row,) = json.loads(run("event.json", "--output", "json").stdout)["writes"]

    assert row == {
        "time": "2026-11-18T11:06:40Z",
        "table": "orders",
        "change": "MODIFY",
        "task": "t-1",
        "who": ["lea"],
        "runbook": "fix",
        "sessions": ["fix-t-1"],
        "is_by_ttl": False,
        "is_known": True,
    }
    assert "lea" in run("event.json").stdout


def test_a_deletion_names_no_task(recorded: Path) -> None:
    """Its old image has the task of the write before; TTL's own deletions are told as such."""
    images = {"OldImage": {"last_task": {"S": "t-1"}}}
    by_ttl = {"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}}
    for name, more in (("by-hand", {}), ("by-ttl", by_ttl)):
        event = lambda_event(eventName="REMOVE", dynamodb=images, **more)
        (recorded / f"{name}.json").write_text(json.dumps(event))

    by_hand, expired = run("by-hand.json"), run("by-ttl.json")

    assert (by_hand.exit_code, expired.exit_code) == (1, 0)
    assert "not on record" in by_hand.stdout
    assert "DynamoDB (TTL)" in expired.stdout
    assert "lea" not in by_hand.stdout + expired.stdout


def test_a_task_of_which_nothing_is_on_record_is_a_finding(recorded: Path) -> None:
    """Somebody else's, or one that was made up."""
    dynamodb = {"NewImage": {"last_task": {"S": "t-9"}}}
    (recorded / "event.json").write_text(json.dumps(lambda_event(dynamodb=dynamodb)))

    done = run("event.json")

    assert done.exit_code == 1
    assert "not on record" in done.stdout


@pytest.mark.parametrize(
    "text",
    [
        *("nonsense", "[]", "{}", '{"Records": 1}', '{"Records": [1]}', '{"Records": [{}]}'),
        '{"Records": [{"eventName": "MODIFY", "dynamodb": {"NewImage": {"last_task": 1}}}]}',
    ],
)
def test_what_are_no_stream_records_is_one_error(recorded: Path, text: str) -> None:
    """Without a line of the file."""
    (recorded / "event.json").write_text(text)

    done = run("event.json")

    assert done.exit_code == 2
    assert "`event.json` holds no stream records" in done.stderr
