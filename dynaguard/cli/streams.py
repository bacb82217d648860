"""`dynaguard audit streams`: whose tasks wrote what DynamoDB Streams told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from dynaguard.audit.reading import audit_files, read_file
from dynaguard.audit.stream_records import (
    UNKNOWN_TASK,
    StreamWrite,
    TaskFacts,
    facts_by_task,
    stream_writes,
)
from dynaguard.cli.output import (
    console,
    fail,
    output_option,
    print_json,
    reports_errors,
    table,
)


@click.command("streams", short_help="Tells whose tasks wrote what streams tell of.")
@click.argument("records", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--audit",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="An audit file, or a folder of them.",
)
@click.option(
    "--task-attribute",
    "attribute",
    required=True,
    metavar="NAME",
    help="Attribute in which items name the task that wrote them last.",
)
@click.option("--task", metavar="ID", help="Only the writes of this task.")
@output_option
@reports_errors
def streams_command(
    records: Path, audit: Path, attribute: str, task: str | None, output: str
) -> None:
    """Tells whose tasks made the writes of RECORDS, a file of stream records.

    RECORDS is JSON: an event as Lambda gets it, or what `aws dynamodbstreams get-records` prints.
    Of the items nothing is shown but the task.

    Exits 1 where a write names no task, or one of which nothing is on record.
    """
    try:
        event = json.loads(records.read_text(encoding="utf-8"))
        writes = [each for each in stream_writes(event, attribute) if task in (None, each.task)]
    except ValueError as err:
        fail(f"`{records}` holds no stream records: {err}")
    named = {each.task for each in writes if each.task is not None}
    lines = (line for path in audit_files(audit) for line in read_file(path, with_changes=True))
    facts = facts_by_task(lines, named)
    rows = [_row(each, facts.get(each.task or "", UNKNOWN_TASK)) for each in writes]
    if output == "json":
        print_json({"writes": rows})
    else:
        _print(rows)
    if not all(row["is_known"] or row["is_by_ttl"] for row in rows):
        raise SystemExit(1)


def _row(write: StreamWrite, facts: TaskFacts) -> dict[str, Any]:
    """One write, for programs."""
    return {
        "time": write.time,
        "table": write.table,
        "change": write.change,
        "task": write.task,
        "who": list(facts.who),
        "runbook": facts.runbook,
        "sessions": list(facts.sessions),
        "is_by_ttl": write.is_by_ttl,
        "is_known": facts != UNKNOWN_TASK,
    }


def _print(rows: list[dict[str, Any]]) -> None:
    """For people."""
    shown = table("time", "table", "change", "task", "who", "runbook", "sessions")
    for row in rows:
        who = "DynamoDB (TTL)" if row["is_by_ttl"] else ", ".join(row["who"]) or "not on record"
        cells = (row["time"], row["table"], row["change"], row["task"], who, row["runbook"])
        shown.add_row(*(cell or "" for cell in cells), ", ".join(row["sessions"]))
    console().print(shown)
