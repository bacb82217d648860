"""Checks what a document says of approvals: `Approval` tables, `[runbooks]`, `standing_access`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from dynaguard.errors import Problem
from dynaguard.policy.collecting import Findings, hint, kind_of
from dynaguard.policy.durations import parse_duration
from dynaguard.policy.lines import Path_
from dynaguard.policy.literals import parse_bool
from dynaguard.policy.model import ApprovalTerms, Condition, RunbookPin, Statement, Threshold
from dynaguard.policy.naming import check_principals
from dynaguard.scope import MAX_NAME_LENGTH

DURATIONS: Final = {"timeout": (1.0, 604_800.0), "duration": (1.0, 86_400.0)}
"""Least and most seconds: a question may stay open for a week, its answer holds for a day."""
WINDOW_S: Final = (1.0, 86_400.0)
"""Least and most seconds of a threshold's window."""
MAX_QUORUM: Final = 20
MAX_USES: Final = 1_000_000
MAX_COUNT: Final = 1_000_000_000
"""Of a threshold's calls and items."""
MAX_UNITS: Final = 1e15
ANY_NUMBER: Final = "any"
"""How a document writes `uses` without a bound."""
APPROVAL_KEYS: Final = (
    "quorum",
    "any_of",
    "all_of",
    "threshold",
    "timeout",
    "timeout_s",
    "duration",
    "duration_s",
    "uses",
)
THRESHOLD_KEYS: Final = ("window", "window_s", "calls", "items", "read_units", "write_units")
PIN_KEYS: Final = ("sha256", "may_run", "approval")
_OF_CALLS: Final = ("threshold", "uses")
"""What makes no sense for a run, which is approved as a whole, once."""
_DEFAULTS: Final = ApprovalTerms()
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}\Z")
_RUN_KEYS: Final = frozenset({"dynaguard:runbook", "dynaguard:runbooksha256"})
_DEMANDING: Final = frozenset({"StringEquals", "StringEqualsIgnoreCase", "StringLike"})


def check_approval(
    findings: Findings,
    value: Any,
    path: Path_,
    groups: tuple[str, ...],
    *,
    is_of_run: bool = False,
) -> ApprovalTerms:
    """An `Approval` table.

    Args:
        findings: Where problems go.
        value: The table.
        path: Its place.
        groups: The document's groups; approvers are in one of them.
        is_of_run: Whether it is about runs of a runbook rather than about calls.
    """
    table = findings.table(value, path)
    findings.check_keys(table, path, APPROVAL_KEYS)
    if is_of_run:
        for name in _OF_CALLS:
            if name in table:
                findings.add((*path, name), f"`{name}` is for calls, a run is approved as a whole")
    threshold = None
    if "threshold" in table:
        threshold = _threshold(findings, table["threshold"], (*path, "threshold"))
    return ApprovalTerms(
        quorum=_count(findings, table, path, ("quorum", MAX_QUORUM)) or _DEFAULTS.quorum,
        any_of=_groups(findings, table, (*path, "any_of"), groups),
        all_of=_groups(findings, table, (*path, "all_of"), groups),
        threshold=threshold,
        timeout_s=_seconds(findings, table, path, ("timeout", *DURATIONS["timeout"]))
        or _DEFAULTS.timeout_s,
        duration_s=_seconds(findings, table, path, ("duration", *DURATIONS["duration"]))
        or _DEFAULTS.duration_s,
        uses=_uses(findings, table, path),
    )


def check_runbooks(
    findings: Findings, value: Any, groups: tuple[str, ...]
) -> dict[str, RunbookPin]:
    """`[runbooks.NAME]`: the runbooks that the document trusts, by content hash."""
    pins = {}
    for name, entry in findings.table(value, ("runbooks",)).items():
        path: Path_ = ("runbooks", name)
        table = findings.table(entry, path)
        findings.check_keys(table, path, PIN_KEYS)
        if not name.isprintable() or not 0 < len(name) <= MAX_NAME_LENGTH:
            findings.add(path, f"a runbook has 1 to {MAX_NAME_LENGTH} characters, all printable")
        principals = approval = None
        if "may_run" in table:
            place = (*path, "may_run")
            principals = check_principals(findings, table["may_run"], place, groups)
        if "approval" in table:
            place = (*path, "approval")
            approval = check_approval(findings, table["approval"], place, groups, is_of_run=True)
        pins[name] = RunbookPin(name, _sha256(findings, table, path), principals, approval)
    return pins


def check_access_requests(
    findings: Findings, data: Mapping[str, Any], groups: tuple[str, ...]
) -> ApprovalTerms | None:
    """`[access_requests]`: who approves access that is asked for; None: nobody may be asked.

    Its duration is the longest that may be asked for. It has to name a group: what anybody may
    approve, nobody watches over.
    """
    if "access_requests" not in data:
        return None
    path: Path_ = ("access_requests",)
    table = dict(findings.table(data["access_requests"], path))
    for name in _OF_CALLS:
        if name in table:
            findings.add((*path, name), f"`{name}` is for calls, leave it out")
            del table[name]
    terms = check_approval(findings, table, path, groups)
    if not (table.get("any_of") or table.get("all_of")):
        findings.add(path, "names nobody, write `any_of` or `all_of` with groups of approvers")
    return replace(terms, uses=None)


def check_standing_access(
    findings: Findings, data: Mapping[str, Any], statements: Sequence[Statement]
) -> bool:
    """Whether statements may allow what is outside of a runbook, a grant or an approval.

    With `standing_access = "none"` notes every Allow that would, `default = "allow"`, and a
    missing `govern`: a service that no statement names is then not decided at all.
    """
    if "standing_access" not in data:
        return True
    choice = findings.choice(data["standing_access"], ("standing_access",), ("none", "allowed"))
    if choice != "none":
        return True
    why = '`standing_access = "none"`'
    if data.get("default") == "allow":
        findings.add(("default",), f'is `allow`, which {why} rules out, write `default = "deny"`')
    if "govern" not in data:
        findings.add(
            ("standing_access",),
            "needs `govern`: without it only services that statements name are decided, and calls "
            'of all others pass; write for example `govern = ["dynamodb"]` or `govern = ["*"]`',
        )
    for key in findings.table(data.get("context", {}), ("context",)):
        if key.lower() in _RUN_KEYS:
            findings.add(("context", key), f"would make every call one of a run, {why} forbids it")
    for statement in statements:
        if statement.effect == "Allow" and not statement.is_observed and not _is_of_run(statement):
            ref = statement.ref
            message = (
                f"statement `{ref.sid}` gives standing access, which {why} rules out; add the "
                'condition `StringEquals = { "dynaguard:Runbook" = "<name>" }`, write Effect '
                "`RequireApproval`, or remove it and create a grant where it is needed"
            )
            findings.problems.append(Problem(message, ref.sid, ref.source, ref.line))
    return False


def _is_of_run(statement: Statement) -> bool:
    """Whether a statement never matches outside of a runbook's run."""
    return any(_demands_run(condition) for condition in statement.conditions)


def _demands_run(condition: Condition) -> bool:
    """Whether a condition is false where there is no runbook.

    `ForAllValues`, `IfExists` and negated operators hold for an absent key, so they demand none.
    """
    if condition.key.lower() not in _RUN_KEYS or condition.if_exists:
        return False
    if condition.operator == "Null":
        return {parse_bool(value) for value in condition.values} == {False}
    return condition.operator in _DEMANDING and condition.qualifier != "ForAllValues"


def _threshold(findings: Findings, value: Any, path: Path_) -> Threshold | None:
    """What goes without an approval."""
    table = findings.table(value, path)
    findings.check_keys(table, path, THRESHOLD_KEYS)
    window_s = _seconds(findings, table, path, ("window", *WINDOW_S))
    if "window" not in table and "window_s" not in table:
        findings.add(path, '`window` is missing, write for example `window = "1h"`')
    limits = ("calls", "items", "read_units", "write_units")
    if not any(name in table for name in limits):
        listed = ", ".join(f"`{name}`" for name in limits[:-1])
        findings.add(path, f"limits nothing, write {listed} or `{limits[-1]}`")
    return Threshold(
        window_s=window_s or WINDOW_S[1],
        calls=_count(findings, table, path, ("calls", MAX_COUNT)),
        items=_count(findings, table, path, ("items", MAX_COUNT)),
        read_units=_units(findings, table, path, "read_units"),
        write_units=_units(findings, table, path, "write_units"),
    )


def _seconds(
    findings: Findings, table: Mapping[str, Any], path: Path_, expected: tuple[str, float, float]
) -> float | None:
    """A duration as `NAME_s = 900` or `NAME = "15m"`, or None where neither is usable."""
    name, least_s, most_s = expected
    in_seconds = f"{name}_s"
    if name in table and in_seconds in table:
        findings.add((*path, name), f"stands beside `{in_seconds}`, keep one of them")
        return None
    if in_seconds in table:
        place, value = (*path, in_seconds), table[in_seconds]
        if isinstance(value, bool) or not isinstance(value, int | float):
            kind = kind_of(value)
            findings.add(place, f'must be seconds, this is {kind}; or write `{name} = "15m"`')
            return None
        seconds: float | None = value
    elif name in table:
        place, value = (*path, name), table[name]
        seconds = parse_duration(value) if isinstance(value, str) else None
        if seconds is None:
            findings.add(
                place,
                f'must be a duration such as `"90s"`, `"15m"`, `"1h"` or `"2d"`; for seconds '
                f"write `{in_seconds}`",
            )
            return None
    else:
        return None
    if seconds is None or not least_s <= seconds <= most_s:
        findings.add(place, f"must be {least_s:g} to {most_s:g} seconds")
        return None
    return float(seconds)


def _groups(
    findings: Findings, table: Mapping[str, Any], path: Path_, groups: tuple[str, ...]
) -> tuple[str, ...]:
    """Groups of the document. Nobody brings another one along: approvers are people it lists."""
    if path[-1] not in table:
        return ()
    names = findings.texts(table[str(path[-1])], path)
    for name in names:
        if name not in groups:
            message = f"unknown group `{name}`{hint(name, groups)}"
            findings.add(
                path, message if hint(name, groups) else f"{message}, list it in `[groups]`"
            )
    return tuple(dict.fromkeys(names))


def _uses(findings: Findings, table: Mapping[str, Any], path: Path_) -> int | None:
    """How many calls one approval is good for; None for any number."""
    if table.get("uses") == ANY_NUMBER:
        return None
    if isinstance(table.get("uses"), str):
        findings.add((*path, "uses"), f'must be a whole number, or `"{ANY_NUMBER}"`')
        return _DEFAULTS.uses
    return _count(findings, table, path, ("uses", MAX_USES)) or _DEFAULTS.uses


def _count(
    findings: Findings, table: Mapping[str, Any], path: Path_, expected: tuple[str, int]
) -> int | None:
    """A whole number from 1, or None where there is none that can be used."""
    name, most = expected
    if name not in table:
        return None
    value = table[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        findings.add((*path, name), f"must be a whole number from 1 to {most}")
        return None
    return value


def _units(findings: Findings, table: Mapping[str, Any], path: Path_, name: str) -> float | None:
    """Capacity units above zero, or None where they are not given or cannot be used."""
    if name not in table:
        return None
    value = table[name]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value <= MAX_UNITS:
        findings.add((*path, name), f"must be a number, more than 0 and at most {MAX_UNITS:g}")
        return None
    return float(value)


def _sha256(findings: Findings, table: Mapping[str, Any], path: Path_) -> str:
    """The content hash of a runbook, in lower case."""
    value = table.get("sha256")
    if value is None:
        findings.add(path, "`sha256` is missing, `dynaguard runbook hash` prints it")
    elif not isinstance(value, str) or not _SHA256.match(value):
        shown = f"`{value}`" if isinstance(value, str) else kind_of(value)
        findings.add(
            (*path, "sha256"),
            f"is {shown}, it must be 64 hexadecimal digits, `dynaguard runbook hash` prints them",
        )
    else:
        return value.lower()
    return ""
