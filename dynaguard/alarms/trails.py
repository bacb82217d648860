"""Queries that put audit records and CloudTrail's events of one task, ticket or grant together.

Both sides know the AWS request id of a call's last attempt, and the correlation id, which
CloudTrail shows in the User-Agent. What CloudTrail has and the audit has not was done around
dynaguard, or was an attempt before the last; what the audit has alone was refused, or is a change
in access, or is no event that the trail keeps (data events of DynamoDB have to be switched on).

Columns of every query over both: `time`, `seen_by` (`both`, `audit`, `cloudtrail`), `what`
(operation, or kind of the change), `who`, `session_name`, `source_identity`, `tables`, `status`,
`error`, `task`, `runbook`, `grants`, `ticket`, `correlation_id`, `request_id`.

Source: CloudTrail user guide, record contents; Athena user guide, table for CloudTrail logs;
CloudTrail user guide, supported SQL schemas of event data stores.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from dynaguard.alarms.trail_sources import (
    ATHENA,
    AUDIT_COLUMNS,
    DUCKDB,
    Dialect,
    Sources,
    lake_source,
    text,
)
from dynaguard.audit.subject import Subject
from dynaguard.errors import ConfigurationError
from dynaguard.scope import sanitise_correlation_id

Engine = Literal["athena", "duckdb", "insights", "insights-cloudtrail", "cloudtrail-lake"]
MAX_IDS: Final = 500
"""Correlation ids that a query over CloudTrail alone lists."""
_PLACES: Final = 4
"""Boundaries and grants of one record that Logs Insights is asked for, by their place."""


def query_text(
    subject: Subject, engine: Engine, sources: Sources, correlation_ids: Iterable[str] = ()
) -> str:
    """A query, ready to paste.

    Args:
        subject: What it is about.
        engine: Who is to run it.
        sources: Names of tables, paths, event data stores.
        correlation_ids: Of its calls, as the audit has them; for CloudTrail alone.

    Raises:
        ConfigurationError: CloudTrail alone knows nothing of it, and no correlation ids are given.
    """
    if engine == "athena":
        return _joined(ATHENA, subject, sources)
    if engine == "duckdb":
        return _joined(DUCKDB, subject, sources)
    if engine == "insights":
        return _insights(subject)
    ids = tuple(dict.fromkeys(correlation_ids))[:MAX_IDS]
    if not ids and subject.kind in ("ticket", "grant"):
        raise ConfigurationError(
            f"CloudTrail knows no {subject.kind}s, name the audit files with --audit, so that the "
            "query lists the correlation ids of its calls"
        )
    if engine == "insights-cloudtrail":
        return _insights_of_trail(subject, ids)
    return _lake(subject, sources, ids)


# --- SQL over both -------------------------------------------------------------------------------


def _joined(dialect: Dialect, subject: Subject, sources: Sources) -> str:
    """One statement: the audit's lines, CloudTrail's events, joined by request id."""
    audit, trail = dialect.audit(sources), dialect.trail(sources)
    return (
        f"-- {subject}: audit records and CloudTrail events\n"  # noqa: S608 - for people
        f"WITH audit_lines AS (\n{audit}\n),\n"
        "chosen AS (\n"
        f"  SELECT {', '.join(AUDIT_COLUMNS)}\n"
        "  FROM audit_lines\n"
        "  WHERE phase IN ('outcome', 'access')\n"
        f"    AND ({_audit_condition(dialect, subject)}){_within('time', sources)}\n"
        "),\n"
        f"events AS (\n{trail}\n),\n"
        "trail AS (\n"
        "  SELECT * FROM events\n"
        "  WHERE (request_id IN (SELECT request_id FROM chosen)\n"
        "    OR stamped_correlation_id IN (SELECT correlation_id FROM chosen)"
        f"{_trail_condition(subject)}){_within('event_time', sources)}\n"
        ")\n"
        f"{_selection(dialect)}"
    )


def _audit_condition(dialect: Dialect, subject: Subject) -> str:
    """Which lines of the audit belong to a subject; the same as `Subject.has`."""
    id = text(subject.id)
    if subject.kind == "task":
        return (
            f"task = {id} OR {dialect.any_of('boundaries', f'each.task = {id}')} "
            f"OR change.task = {id} OR (change.id = {id} "
            "AND (change.kind LIKE 'task %' OR change.kind LIKE 'run %'))"
        )
    if subject.kind == "ticket":
        return (
            f"decision.approval.ticket = {id} "
            f"OR {dialect.any_of('boundaries', f'each.ticket = {id}')} "
            f"OR change.ticket = {id} OR (change.id = {id} AND change.kind LIKE 'ticket %')"
        )
    if subject.kind == "grant":
        return (
            f"{dialect.any_of('decision.grants', f'each.id = {id}')} OR (change.id = {id} "
            "AND (change.kind LIKE 'grant %' OR change.kind LIKE 'break-glass %'))"
        )
    if subject.kind == "session":
        return f"identity.session_name = {id}"
    return f"strpos(identity.arn, {text(f':assumed-role/{subject.id}/')}) > 0"


def _trail_condition(subject: Subject) -> str:
    """What else CloudTrail shows of a subject."""
    if subject.kind == "task":
        return f"\n    OR stamped_task = {text(sanitise_correlation_id(subject.id))}"
    if subject.kind == "session":
        return f"\n    OR session_name = {text(subject.id)}"
    if subject.kind == "role":
        return f"\n    OR role_name = {text(subject.id)}"
    return ""


def _within(column: str, sources: Sources) -> str:
    """The time range, where one is given; instants compare as text."""
    since = f" AND {column} >= {text(sources.since)}" if sources.since else ""
    return since + (f" AND {column} < {text(sources.until)}" if sources.until else "")


def _selection(dialect: Dialect) -> str:
    """The columns of the module's docstring."""
    grants = dialect.joined("chosen.decision.grants", "each.id")
    tables = dialect.listed("chosen.tables")
    return (
        "SELECT\n"
        "  coalesce(chosen.time, trail.event_time) AS time,\n"
        "  CASE WHEN trail.event_id IS NULL THEN 'audit' "
        "WHEN chosen.time IS NULL THEN 'cloudtrail' ELSE 'both' END AS seen_by,\n"
        "  coalesce(chosen.operation, chosen.change.kind, trail.event_name) AS what,\n"
        '  coalesce(chosen.identity.name, chosen.change."by", trail.principal_arn) AS who,\n'
        "  coalesce(trail.session_name, chosen.identity.session_name) AS session_name,\n"
        "  trail.source_identity AS source_identity,\n"
        f"  {tables} AS tables,\n"
        "  chosen.outcome.status AS status,\n"
        "  coalesce(chosen.outcome.error_code, trail.error_code) AS error,\n"
        "  coalesce(chosen.task, chosen.change.task, trail.stamped_task) AS task,\n"
        "  coalesce(chosen.runbook, chosen.change.runbook) AS runbook,\n"
        f"  {grants} AS grants,\n"
        "  coalesce(chosen.decision.approval.ticket, chosen.change.ticket) AS ticket,\n"
        "  coalesce(chosen.correlation_id, trail.stamped_correlation_id) AS correlation_id,\n"
        "  coalesce(chosen.request_id, trail.request_id) AS request_id\n"
        "FROM chosen FULL OUTER JOIN trail ON chosen.request_id = trail.request_id\n"
        "ORDER BY time\n"
    )


# --- one side alone ------------------------------------------------------------------------------


def _insights(subject: Subject) -> str:
    """Logs Insights over the log group with the audit records."""
    return (
        'filter phase in ["outcome", "access"]\n'
        f"| filter {_insights_condition(subject)}\n"
        "| fields time, operation, change.kind, identity.name, change.by, identity.session_name, "
        "tables.0, outcome.status, outcome.error_code, task, runbook, decision.grants.0.id, "
        "decision.approval.ticket, correlation_id, request_id\n"
        "| sort time asc\n"
        "| limit 10000\n"
    )


def _insights_condition(subject: Subject) -> str:
    id = _quoted(subject.id)
    if subject.kind == "session":
        return f"identity.session_name = {id}"
    if subject.kind == "role":
        return f"strcontains(identity.arn, {_quoted(f':assumed-role/{subject.id}/')})"
    fields = {
        "task": ("task", "change.task", "change.id", *_places("boundaries", "task")),
        "ticket": (
            *("decision.approval.ticket", "change.ticket", "change.id"),
            *_places("boundaries", "ticket"),
        ),
        "grant": ("change.id", *_places("decision.grants", "id")),
    }[subject.kind]
    return " or ".join(f"{field} = {id}" for field in fields)


def _places(list_field: str, member: str) -> tuple[str, ...]:
    """A member of the first entries of a list, as Logs Insights names them."""
    return tuple(f"{list_field}.{place}.{member}" for place in range(_PLACES))


def _insights_of_trail(subject: Subject, correlation_ids: tuple[str, ...]) -> str:
    """Logs Insights over the log group that CloudTrail delivers to."""
    tokens = [f"md/dynaguard#{each}" for each in correlation_ids]
    if subject.kind == "task":
        tokens.append(f"md/dynaguard-task#{sanitise_correlation_id(subject.id)}")
    found = [f"strcontains(userAgent, {_quoted(token)})" for token in tokens]
    if subject.kind == "session":
        found.append(f"strcontains(userIdentity.arn, {_quoted(f'/{subject.id}')})")
    if subject.kind == "role":
        name = "userIdentity.sessionContext.sessionIssuer.userName"
        found.append(f"{name} = {_quoted(subject.id)}")
    return (
        f"filter {' or '.join(found)}\n"
        "| fields eventTime, eventSource, eventName, userIdentity.arn, "
        "userIdentity.sessionContext.sourceIdentity, errorCode, requestID, userAgent\n"
        "| sort eventTime asc\n"
        "| limit 10000\n"
    )


def _lake(subject: Subject, sources: Sources, correlation_ids: tuple[str, ...]) -> str:
    """One statement over an event data store."""
    listed = ", ".join(text(each) for each in correlation_ids)
    found = [f"stamped_correlation_id IN ({listed})"] if listed else []
    more = _trail_condition(subject).strip().removeprefix("OR ")
    found += [more] if more else []
    return (
        f"-- {subject}: events of CloudTrail alone\n"
        f"WITH events AS (\n{lake_source(sources)}\n)\n"
        "SELECT event_time, event_source, event_name, principal_arn, session_name, role_name, "
        "source_identity, error_code, stamped_task, stamped_correlation_id, request_id\n"
        f"FROM events\nWHERE ({' OR '.join(found)}){_within('event_time', sources)}\n"
        "ORDER BY event_time\n"
    )


def _quoted(value: str) -> str:
    """A text of Logs Insights."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
