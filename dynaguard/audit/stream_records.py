"""Writes as DynamoDB Streams tell them, joined with the audit by the task that items name.

A stream record names no caller. Where writers put the id of their task into an attribute of the
item, this says whose task it was; the audit says who that was, under which runbook and session.

INVARIANT: of an item nothing is kept but the value of that one attribute.
Source: DynamoDB developer guide, "DynamoDB Streams and AWS Lambda triggers"; API reference,
StreamRecord.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dynaguard.audit.privileged import tasks_of
from dynaguard.audit.record import format_epoch

_BY_TTL: Final = "dynamodb.amazonaws.com"


@dataclass(frozen=True, slots=True)
class StreamWrite:
    """One write of one item.

    Attributes:
        time: About when, RFC 3339, UTC, to the second; empty where the record does not say.
        table: Name of the table; None where the record does not say.
        change: `INSERT`, `MODIFY` or `REMOVE`.
        task: Id of the task that the item names; None: it names none.
        is_by_ttl: Whether DynamoDB itself deleted an item that had expired.
    """

    time: str
    table: str | None
    change: str
    task: str | None
    is_by_ttl: bool = False


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What the audit tells of a task.

    Attributes:
        who: Names of the identities that called or began it.
        runbook: Name of its runbook, or None.
        sessions: Names of its sessions in CloudTrail.
    """

    who: tuple[str, ...] = ()
    runbook: str | None = None
    sessions: tuple[str, ...] = ()


UNKNOWN_TASK: Final = TaskFacts()


def stream_writes(event: object, attribute: str) -> Iterator[StreamWrite]:
    """The writes of a Lambda event, or of an answer of `GetRecords`.

    Args:
        event: **Shape**: `{"Records": [...]}`.
        attribute: Name of the attribute that holds the task's id. The new image counts; of a
            deletion, which has none, the old one does not: it names who wrote before.

    Raises:
        ValueError: It is of another shape.
    """
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list):
        raise ValueError("a mapping with a list `Records` is wanted")  # noqa: TRY004 - of a file
    for record in records:
        try:
            yield _write(record, attribute)
        except (AttributeError, KeyError, TypeError) as err:
            raise ValueError(f"a record is of another shape ({type(err).__name__})") from err


def _write(record: Mapping[str, Any], attribute: str) -> StreamWrite:
    found = record["dynamodb"]
    held = (found.get("NewImage") or {}).get(attribute) or {}
    task = held.get("S")
    source = str(record.get("eventSourceARN") or "").split("/")
    return StreamWrite(
        time=_time(found.get("ApproximateCreationDateTime")),
        table=source[1] if len(source) > 1 else None,
        change=str(record["eventName"]),
        task=task if isinstance(task, str) and task.isprintable() else None,
        is_by_ttl=(record.get("userIdentity") or {}).get("principalId") == _BY_TTL,
    )


def _time(instant: Any) -> str:
    """Lambda writes seconds since the epoch, the AWS CLI may write text."""
    return format_epoch(instant) if isinstance(instant, int | float) else str(instant or "")


def facts_by_task(
    lines: Iterable[Mapping[str, Any]], tasks: Iterable[str]
) -> dict[str, TaskFacts]:
    """What audit lines tell of tasks; those of which nothing is on record are left out.

    Cost: linear in the lines.
    """
    wanted, found = set(tasks), dict[str, TaskFacts]()
    for line in lines:
        for task in tasks_of(line) & wanted:
            found[task] = _with(found.get(task, UNKNOWN_TASK), line)
    return found


def _with(facts: TaskFacts, line: Mapping[str, Any]) -> TaskFacts:
    """The facts, and what a further line adds."""
    change = line.get("change") or {}
    who = change.get("by") or (line.get("identity") or {}).get("name")
    is_session = str(change.get("kind")).startswith("session ")
    return TaskFacts(
        who=_added(facts.who, who),
        runbook=facts.runbook or change.get("runbook") or line.get("runbook"),
        sessions=_added(facts.sessions, change["id"] if is_session else None),
    )


def _added(names: tuple[str, ...], name: str | None) -> tuple[str, ...]:
    return names if not name or name in names else (*names, name)
