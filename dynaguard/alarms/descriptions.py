"""What an alarm says to the person whom it wakes: what failed, who, which runbook, where to look.

Identity, table and runbook are never cut; where a description would grow too long, directions are
left out first, the longest first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from dynaguard.alarms import limits
from dynaguard.alarms.dynamodb_metrics import NAMESPACE, throttle_causes
from dynaguard.alarms.kinds import SIDE_BY_TABLE_KIND, AlarmKind
from dynaguard.alarms.plan import AlarmPlan
from dynaguard.errors import ConfigurationError
from dynaguard.telemetry import names

_WHAT: Final[Mapping[AlarmKind, str]] = {
    AlarmKind.READ_THROTTLES: "DynamoDB throttles reads",
    AlarmKind.WRITE_THROTTLES: "DynamoDB throttles writes",
    AlarmKind.DENIALS: "Calls are denied, by the dynaguard policy or by IAM",
    AlarmKind.BUDGET: "Retry budget exhausted, throttled or failing calls are given up",
    AlarmKind.FAILURES: "Calls to AWS fail",
    AlarmKind.BREAK_GLASS: "Break-glass is used: access without anybody's approval",
    AlarmKind.TABLE_READ_THROTTLES: "DynamoDB throttles reads, of all callers together",
    AlarmKind.TABLE_WRITE_THROTTLES: "DynamoDB throttles writes, of all callers together",
}
_RECORDS: Final[Mapping[AlarmKind, str]] = {
    AlarmKind.READ_THROTTLES: "{at}outcome.throttles > 0",
    AlarmKind.WRITE_THROTTLES: "{at}outcome.throttles > 0",
    AlarmKind.DENIALS: (
        '({at}outcome.status = "denied" or {at}outcome.error_code like /^AccessDenied/)'
    ),
    AlarmKind.BUDGET: "ispresent({at}outcome.budget_refusal)",
    AlarmKind.FAILURES: '{at}outcome.status in ["error", "denied"]',
    AlarmKind.BREAK_GLASS: '@message like /"is_break_glass":true/',
}
"""Audit records behind each kind, as Logs Insights filters them; `{at}`: where the record is."""
_READ_ON: Final[Mapping[AlarmKind, str]] = {
    AlarmKind.READ_THROTTLES: "{at}operation, {at}outcome.throttles, {at}outcome.budget.bucket",
    AlarmKind.WRITE_THROTTLES: "{at}operation, {at}outcome.throttles, {at}outcome.budget.bucket",
    AlarmKind.DENIALS: "{at}decision.statement, {at}decision.reason, {at}decision.how_to_allow",
    AlarmKind.BUDGET: "{at}operation, {at}outcome.budget_refusal, {at}outcome.budget.bucket",
    AlarmKind.FAILURES: "{at}service, {at}operation, {at}outcome.error_code",
    AlarmKind.BREAK_GLASS: (
        "{at}identity.name, {at}operation, {at}decision.grants.0.id, {at}decision.grants.0.owner, "
        "{at}decision.grants.0.reason, {at}change.kind, {at}change.by, {at}task"
    ),
}
"""The fields that explain it."""
_OTEL_METRIC: Final[Mapping[AlarmKind, str]] = {
    AlarmKind.READ_THROTTLES: names.THROTTLED_METRIC,
    AlarmKind.WRITE_THROTTLES: names.THROTTLED_METRIC,
    AlarmKind.DENIALS: names.DECISIONS_METRIC,
    AlarmKind.BUDGET: names.REFUSED_METRIC,
    AlarmKind.BREAK_GLASS: names.BREAK_GLASS_METRIC,
}


def describe(
    plan: AlarmPlan,
    kind: AlarmKind,
    *,
    identity: str | None = None,
    table: str | None = None,
    index: str | None = None,
) -> str:
    """The description of one alarm.

    Raises:
        ConfigurationError: What must stand in it is longer than CloudWatch allows.
    """
    fixed = "\n".join(_fixed(plan, kind, identity, table, index))
    if len(fixed) > limits.MAX_DESCRIPTION:
        raise ConfigurationError(
            f"the description of alarm {kind} of `{identity or table}` has {len(fixed)} "
            f"characters, CloudWatch takes {limits.MAX_DESCRIPTION}; use a shorter runbook URL "
            "or owner"
        )
    for directions in _directions(plan, kind, identity, table):
        text = f"{fixed}\nWhere to look: {directions}"
        if len(text) <= limits.MAX_DESCRIPTION:
            return text
    return fixed


def _fixed(
    plan: AlarmPlan,
    kind: AlarmKind,
    identity: str | None,
    table: str | None,
    index: str | None,
) -> Iterator[str]:
    """What is never left out, line by line."""
    yield f"{_WHAT[kind]}: {plan.timings[kind].text}."
    nobody = "any" if kind is AlarmKind.BREAK_GLASS else "not told by DynamoDB"
    yield f"Identity: {identity or nobody}"
    facts = {
        "Table": table,
        "Index": index,
        "Owner": plan.owner_text(identity),
        "Runbook": plan.runbook_text(kind, identity, table),
    }
    for noun, fact in facts.items():
        if fact:
            yield f"{noun}: {fact}"


def _directions(
    plan: AlarmPlan, kind: AlarmKind, identity: str | None, table: str | None
) -> Iterator[str]:
    """Where to look, the most helpful text first, then shorter ones."""
    if kind in SIDE_BY_TABLE_KIND:
        yield from _table_directions(plan, kind, table)
        return
    if plan.metrics_from == "otel":
        spans = (
            f"{names.IDENTITY_NAME} = {identity}" if identity else f"{names.BREAK_GLASS} = true"
        )
        command = "top" if identity else "audit show --break-glass"
        yield (
            f"metric {_OTEL_METRIC[kind]} and spans with {spans}; `dynaguard {command}` on the "
            "audit file"
        )
        yield f"metric {_OTEL_METRIC[kind]}"
        return
    at = f"{plan.field_prefix}." if plan.field_prefix else ""
    where = f"log group {plan.log_group}"
    records, read_on = (text.replace("{at}", at) for text in (_RECORDS[kind], _READ_ON[kind]))
    who = f'{at}identity.name = "{_quoted(identity)}" and ' if identity else ""
    yield (
        f"{where}, Logs Insights: `filter {who}{records} "
        f"| fields @timestamp, {read_on}, {at}correlation_id`"
    )
    yield f"{where}, records with {records}"
    yield where


def _table_directions(plan: AlarmPlan, kind: AlarmKind, table: str | None) -> Iterator[str]:
    """Which callers it may have been, and which metrics tell why."""
    hot_key, *others = throttle_causes(SIDE_BY_TABLE_KIND[kind])
    causes = f"{NAMESPACE} tells why: {hot_key} (a hot key), {', '.join(others)}"
    callers = [pair.identity for pair in plan.subjects.pairs if pair.table == table]
    whose = "" if plan.metrics_from == "aws" else "; the alarms per identity tell whose"
    for count in (len(callers), 5, 1) if callers else ():
        shown = ", ".join(callers[:count])
        more = f" and {len(callers) - count} more" if len(callers) > count else ""
        yield f"{causes}{whose}\nKnown callers: {shown}{more}"
    yield causes


def _quoted(identity: str | None) -> str:
    """A name within double quotes of a query."""
    return (identity or "").replace("\\", "\\\\").replace('"', '\\"')
