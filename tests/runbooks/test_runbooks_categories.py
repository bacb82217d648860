"""Recorded calls are put into sorts of tasks, each with a runbook that ships."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dynaguard.audit.encoding import encode_record
from dynaguard.cli.commands import cli
from dynaguard.runbooks.categories import category_of
from dynaguard.runbooks.library import library_names
from dynaguard.runbooks.recording import RecordedCall, recorded_calls, runbook_from_records
from tests.alarms.alarm_cases import record
from tests.runbooks.test_runbooks_pages import _record


def call(operation: str, **values: Any) -> RecordedCall:
    """Ten calls of one kind."""
    return RecordedCall("dynamodb", operation, "orders", None, 10, **values)


@pytest.mark.parametrize(
    ("recorded", "name", "template"),
    [
        (call("GetItem"), "a get by key", "get-by-key"),
        (call("BatchGetItem"), "a get by key", "get-by-key"),
        (call("Query"), "a query", "query-with-filter-and-pages"),
        (call("Scan"), "a scan", "bounded-scan"),
        (call("UpdateItem"), "an update", "bulk-update"),
        (call("UpdateItem", write_units=99.5), "an update", "bulk-update"),
        (call("UpdateItem", write_units=100.0), "an update of large items", "update-large-item"),
        (call("PutItem", write_units=400.0), "an update of large items", "update-large-item"),
        (call("DeleteItem", write_units=400.0), "a delete", "bulk-delete-with-preview"),
    ],
)
def test_each_sort_has_a_runbook_that_ships(
    recorded: RecordedCall, name: str, template: str
) -> None:
    """Ten units of each call make its item a large one."""
    found = category_of(recorded)

    assert found is not None
    assert (found.name, found.template) == (name, f"library:{template}")
    assert template in library_names()


@pytest.mark.parametrize(
    "recorded",
    [call("DescribeTable"), RecordedCall("s3", "GetItem", None, None, 1)],
)
def test_other_calls_are_of_no_sort(recorded: RecordedCall) -> None:
    """An operation of the same name of another service, too."""
    assert category_of(recorded) is None


def test_units_come_from_the_records() -> None:
    """Of all tables and indexes of an answer; records without any tell nothing."""
    large = [{"table": "orders", "write_units": 30.0}, {"table": "orders", "write_units": None}]

    calls = recorded_calls(
        [_record("UpdateItem", consumed_capacity=large), _record("UpdateItem"), _record("PutItem")]
    )

    assert [(each.operation, each.write_units) for each in calls] == [
        *(("UpdateItem", 30.0), ("PutItem", 0.0)),
    ]
    text = runbook_from_records("fix", calls)
    assert "# advice: this is an update of large items, `library:update-large-item` shows" in text
    assert "# advice: this is an update, `library:bulk-update` shows how\n" in text


def test_init_tells_the_sorts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For people and for programs."""
    monkeypatch.chdir(tmp_path)
    Path("audit.jsonl").write_bytes(encode_record(record(identity="etl")) * 3)
    arguments = ["runbook", "init", "fix", "--from-audit", "audit.jsonl"]

    told = CliRunner().invoke(cli, arguments)
    found = CliRunner().invoke(cli, [*arguments, "--force", "--output", "json"])

    sort = "GetItem on orders (3x): this is a get by key, `library:get-by-key` shows how"
    assert f"advice: {sort}\n" in told.stdout
    assert sort in json.loads(found.stdout)["advice"]


def test_a_runbook_from_a_day_of_records_takes_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """50,000 records become a runbook without a problem: minutes are left for its author."""
    monkeypatch.chdir(tmp_path)
    Path("audit.jsonl").write_bytes(encode_record(record(identity="etl")) * 50_000)
    begin = time.perf_counter()

    made = CliRunner().invoke(cli, ["runbook", "init", "fix", "--from-audit", "audit.jsonl"])
    checked = CliRunner().invoke(cli, ["runbook", "check", "fix"])

    assert made.exit_code == 0, made.output
    assert "runbooks/fix.toml: ok, 1 step" in checked.output
    assert time.perf_counter() - begin < 60.0
