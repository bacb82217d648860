"""Which lines of audit files a command is to take, and how one of them reads."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ParamSpec, TypeVar

import click

from dynaguard.audit.privileged import (
    grants_of,
    is_break_glass,
    leave_of,
    tasks_of,
    tickets_of,
)
from dynaguard.audit.statistics import would_be_denied

_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records; what is None does not matter. Names take `*` and `?`.

    Attributes:
        identity, acting_as, owner, job, run_id, stage, runbook, service, operation, table,
            statement: As in the record; one of its tables.
        correlation_id: Whole.
        task, grant, ticket: Ids that calls and changes in access name; `--task` also finds the
            calls of outer tasks' boundaries.
        since, until: Instants as records write them, or the beginning of one.
        is_denied: Only calls that were refused, or would have been but for the mode `observe`.
        is_failed: Only failed calls.
        is_break_glass: Only what has to do with break-glass.
        is_privileged: Only calls by special leave (a grant, an approval), and changes in access.
    """

    identity: str | None = None
    acting_as: str | None = None
    owner: str | None = None
    job: str | None = None
    run_id: str | None = None
    stage: str | None = None
    runbook: str | None = None
    service: str | None = None
    operation: str | None = None
    table: str | None = None
    statement: str | None = None
    correlation_id: str | None = None
    task: str | None = None
    grant: str | None = None
    ticket: str | None = None
    since: str | None = None
    until: str | None = None
    is_denied: bool = False
    is_failed: bool = False
    is_break_glass: bool = False
    is_privileged: bool = False

    def __call__(self, record: Mapping[str, Any]) -> bool:
        """Whether it is one of them; intents only as `unfinished_among` gives them."""
        is_change = record.get("phase") == "access"
        if not is_change and (record.get("phase") == "checkpoint" or "identity" not in record):
            return False
        if self.correlation_id not in (None, record["correlation_id"]):
            return False
        if not (self.since or "") <= record["time"] < (self.until or "~"):
            return False
        if not self._is_let_so(record):
            return False
        if is_change:
            return self._is_changed_so(record["change"])
        return self._has_ended_so(record) and self._is_named_so(record)

    def _is_let_so(self, record: Mapping[str, Any]) -> bool:
        """Whether task, grant and ticket are those asked for."""
        if self.is_break_glass and not is_break_glass(record):
            return False
        if self.is_privileged and "change" not in record and not any(leave_of(record)):
            return False
        asked = ((self.task, tasks_of), (self.grant, grants_of), (self.ticket, tickets_of))
        return all(
            pattern is None or any(_is_like(pattern, name) for name in names_of(record))
            for pattern, names_of in asked
        )

    def _is_changed_so(self, change: Mapping[str, Any]) -> bool:
        """Whether a change in access was made so; what only calls have is never matched."""
        if self.is_denied or self.is_failed:
            return False
        if any(getattr(self, name) is not None for name in _OF_CALLS):
            return False
        return (
            _is_like(self.identity, change["by"])
            and _is_like(self.acting_as, change.get("acting_as"))
            and _is_like(self.runbook, change.get("runbook"))
        )

    def _has_ended_so(self, record: Mapping[str, Any]) -> bool:
        """Whether the call ended as asked for."""
        status = (record.get("outcome") or {}).get("status")
        if status is None and not record.get("is_unfinished"):
            return False
        if self.is_denied and status != "denied" and not would_be_denied(record):
            return False
        return not self.is_failed or status == "error"

    def _is_named_so(self, record: Mapping[str, Any]) -> bool:
        """Whether all names match."""
        identity, decision = record["identity"], record.get("decision") or {}
        own = ("job", "run_id", "stage", "runbook", "service", "operation")
        return (
            _is_like(self.identity, identity["name"])
            and _is_like(self.acting_as, identity.get("acting_as"))
            and _is_like(self.owner, identity.get("owner"))
            and _is_like(self.statement, decision.get("statement"))
            and all(_is_like(getattr(self, name), record.get(name)) for name in own)
            and any(_is_like(self.table, name) for name in record["tables"] or [None])
        )


def _is_like(pattern: str | None, name: str | None) -> bool:
    """Whether a name matches; without a pattern every name does."""
    return pattern is None or (name is not None and fnmatchcase(name, pattern))


def filter_options(command: Callable[_P, _R]) -> Callable[..., _R]:
    """Adds the options of a `Filter`; the command gets it as `which`."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> _R:
        which = Filter(**{name: kwargs.pop(name) for name in Filter.__slots__})
        return command(*args, which=which, **kwargs)  # type: ignore[arg-type]  # `which` is its

    for option in reversed(_OPTIONS):
        wrapper = option(wrapper)
    return wrapper


_OF_CALLS = ("owner", "job", "run_id", "stage", "service", "operation", "table", "statement")
_UNKNOWN: Mapping[str, Any] = {
    "status": "unfinished",
    "error_code": None,
    "latency_s": 0.0,
    "attempts": 0,
    "masked": (),
}
_OPTIONS = (
    click.option("--identity", metavar="GLOB", help="Name of the identity."),
    click.option("--acting-as", metavar="GLOB", help="Who acts for whom the call is made."),
    click.option("--owner", metavar="GLOB", help="Owner of the identity."),
    click.option("--job", metavar="GLOB", help="Name of the job."),
    click.option("--run-id", metavar="GLOB", help="Run of the job."),
    click.option("--stage", metavar="GLOB", help="Pipeline stage of the job."),
    click.option("--runbook", metavar="GLOB", help="Name of the runbook."),
    click.option("--service", metavar="GLOB", help="AWS service, such as `dynamodb`."),
    click.option("--operation", metavar="GLOB", help="Operation, such as `Batch*`."),
    click.option("--table", metavar="GLOB", help="One of the tables."),
    click.option("--statement", metavar="GLOB", help="Sid of the statement that decided."),
    click.option("--since", metavar="TIME", help="From then on, such as `2026-11-21T09`, in UTC."),
    click.option("--until", metavar="TIME", help="Before then."),
    click.option("--correlation-id", metavar="ID", help="Of one incident, run or trace."),
    click.option("--task", metavar="GLOB", help="Id of the task, such as one run of a runbook."),
    click.option("--grant", metavar="GLOB", help="Id of a grant that let the call."),
    click.option("--ticket", metavar="GLOB", help="Ticket by which it was approved."),
    click.option(
        "--denied",
        "is_denied",
        is_flag=True,
        help="Refused calls alone, with those that mode `observe` let through.",
    ),
    click.option("--failed", "is_failed", is_flag=True, help="Failed calls alone."),
    click.option(
        "--break-glass", "is_break_glass", is_flag=True, help="What has to do with break-glass."
    ),
    click.option(
        "--privileged",
        "is_privileged",
        is_flag=True,
        help="Calls by a grant or an approval, and changes of these.",
    ),
)


def unfinished_among(records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The intents without an outcome, in order; each with `is_unfinished`."""
    intents: dict[tuple[object, ...], list[Mapping[str, Any]]] = {}
    for record in records:
        if record["phase"] == "access":
            continue
        writer = record["writer"]
        key = (writer.get("id"), writer["pid"], record["correlation_id"], record["operation"])
        if record["phase"] == "intent":
            intents.setdefault(key, []).append({**record, "is_unfinished": True})
        elif waiting := intents.get(key):
            waiting.pop(0)
    return [record for waiting in intents.values() for record in waiting]


def describe_record(record: Mapping[str, Any]) -> str:
    """A record on one line: when, who, what, on what, and what came of it."""
    if record.get("phase") == "access":
        return _describe_change(record)
    outcome = record["outcome"] or _UNKNOWN
    decision = record["decision"] or {}
    parts = [
        record["time"],
        record["identity"]["name"],
        f"{record['service']}:{record['operation']}",
        ",".join(record["tables"]) or "-",
        outcome["status"] if outcome["error_code"] is None else outcome["error_code"],
    ]
    if outcome["status"] == "denied" or would_be_denied(record):
        would_be = "" if outcome["status"] == "denied" else "would be denied "
        parts.append(f"{would_be}by {decision.get('statement') or 'the default'}")
        if decision.get("reason"):
            parts.append(f"({decision['reason']})")
    parts.append(f"{1000 * outcome['latency_s']:.1f} ms")
    if outcome["attempts"] > 1:
        parts.append(f"{outcome['attempts']} attempts")
    if masked := sum(each["count"] for each in outcome["masked"]):
        parts.append(f"{masked} masked")
    return "  ".join([*parts, *_describe_scope(record)])


def _describe_scope(record: Mapping[str, Any]) -> Iterator[str]:
    """What surrounded a call, and by whose leave it was made."""
    if record["job"]:
        run = f"/{record['run_id']}" if record["run_id"] else ""
        yield f"job={record['job']}{run}"
    if record["runbook"]:
        yield f"runbook={record['runbook']}"
    if record.get("task"):
        yield f"task={record['task']}"
    if record["identity"].get("acting_as"):
        yield f"acting_as={record['identity']['acting_as']}"
    for what, id, by, _reason in leave_of(record):
        yield f"{what}={id} ({', '.join(by)})"
    yield f"id={record['correlation_id']}"


def _describe_change(record: Mapping[str, Any]) -> str:
    """A change in access on one line: when, who, what, for whom, how long and why."""
    change = record["change"]
    loud = "BREAK-GLASS " if change["is_break_glass"] else ""
    parts = [record["time"], change["by"], f"{loud}{change['kind']}", change["id"]]
    labels = {
        "for": change["identity"],
        "acting_as": change["acting_as"],
        "runbook": change["runbook"],
        "sha256": (change["runbook_sha256"] or "")[:16],
        "parameters": ",".join(change["parameters"]),
        "ticket": change["ticket"],
        "task": change["task"],
        "role": change.get("role_arn"),
        "status": change["status"],
        "until": change["expires"],
        "via": change["channel"],
        "id": record["correlation_id"],
    }
    parts += [f"{name}={value}" for name, value in labels.items() if value]
    return "  ".join([*parts, f"({change['reason']})"] if change["reason"] else parts)
