"""Which audit records a command is to take, and how one of them reads on a line."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ParamSpec, TypeVar

import click

_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records; what is None does not matter. Names take `*` and `?`.

    Attributes:
        identity, job, runbook, operation, table: As in the record; one of its tables.
        correlation_id: Whole.
        is_denied, is_failed: Whether only refused, only failed calls.
    """

    identity: str | None = None
    job: str | None = None
    runbook: str | None = None
    operation: str | None = None
    table: str | None = None
    correlation_id: str | None = None
    is_denied: bool = False
    is_failed: bool = False

    def __call__(self, record: Mapping[str, Any]) -> bool:
        """Whether it is one of them; intents only as `unfinished_among` gives them."""
        if record.get("phase") == "checkpoint" or "identity" not in record:
            return False
        status = (record.get("outcome") or {}).get("status")
        if status is None and not record.get("is_unfinished"):
            return False
        if self.is_denied and status != "denied":
            return False
        if self.is_failed and status != "error":
            return False
        if self.correlation_id not in (None, record["correlation_id"]):
            return False
        tables = record["tables"] or [None]
        return (
            _is_like(self.identity, record["identity"]["name"])
            and _is_like(self.job, record["job"])
            and _is_like(self.runbook, record["runbook"])
            and _is_like(self.operation, record["operation"])
            and any(_is_like(self.table, name) for name in tables)
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
    click.option("--job", metavar="GLOB", help="Name of the job."),
    click.option("--runbook", metavar="GLOB", help="Name of the runbook."),
    click.option("--operation", metavar="GLOB", help="Operation, such as `Batch*`."),
    click.option("--table", metavar="GLOB", help="One of the tables."),
    click.option("--correlation-id", metavar="ID", help="Of one incident, run or trace."),
    click.option("--denied", "is_denied", is_flag=True, help="Refused calls alone."),
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
    if outcome["status"] == "denied":
        parts.append(f"by {decision.get('statement') or 'the default'}")
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
    parts.append(f"id={record['correlation_id']}")
    return "  ".join(parts)
