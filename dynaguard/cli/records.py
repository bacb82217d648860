"""Which audit records a command is to take, and how one of them reads on a line."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ParamSpec, TypeVar

import click

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
        since, until: Instants as records write them, or the beginning of one.
        is_denied: Only calls that were refused, or would have been but for the mode `observe`.
        is_failed: Only failed calls.
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
    since: str | None = None
    until: str | None = None
    is_denied: bool = False
    is_failed: bool = False

    def __call__(self, record: Mapping[str, Any]) -> bool:
        """Whether it is one of them; intents only as `unfinished_among` gives them."""
        if record.get("phase") == "checkpoint" or "identity" not in record:
            return False
        if self.correlation_id not in (None, record["correlation_id"]):
            return False
        is_in_time = (self.since or "") <= record["time"] < (self.until or "~")
        return is_in_time and self._has_ended_so(record) and self._is_named_so(record)

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
    click.option(
        "--denied",
        "is_denied",
        is_flag=True,
        help="Refused calls alone, with those that mode `observe` let through.",
    ),
    click.option("--failed", "is_failed", is_flag=True, help="Failed calls alone."),
)


def unfinished_among(records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The intents without an outcome, in order; each with `is_unfinished`."""
    intents: dict[tuple[object, ...], list[Mapping[str, Any]]] = {}
    for record in records:
        writer = record["writer"]
        key = (writer.get("id"), writer["pid"], record["correlation_id"], record["operation"])
        if record["phase"] == "intent":
            intents.setdefault(key, []).append({**record, "is_unfinished": True})
        elif waiting := intents.get(key):
            waiting.pop(0)
    return [record for waiting in intents.values() for record in waiting]


def describe_record(record: Mapping[str, Any]) -> str:
    """A record on one line: when, who, what, on what, and what came of it."""
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
    if record["job"]:
        run = f"/{record['run_id']}" if record["run_id"] else ""
        parts.append(f"job={record['job']}{run}")
    if record["runbook"]:
        parts.append(f"runbook={record['runbook']}")
    if record["identity"].get("acting_as"):
        parts.append(f"acting_as={record['identity']['acting_as']}")
    parts.append(f"id={record['correlation_id']}")
    return "  ".join(parts)
