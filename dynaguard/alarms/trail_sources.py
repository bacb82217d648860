"""Where queries over audit and CloudTrail read from, and how each engine writes what differs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dynaguard.errors import ConfigurationError

AUDIT_COLUMNS: Final = (
    *("phase", "time", "correlation_id", "request_id", "service", "operation", "identity"),
    *("runbook", "task", "boundaries", "tables", "decision", "outcome", "change"),
)
"""Keys of a line that queries use."""

_GRANT: Final = "STRUCT(id VARCHAR, owner VARCHAR, reason VARCHAR, is_break_glass BOOLEAN)"
_COLUMNS: Final = {
    **dict.fromkeys(AUDIT_COLUMNS, "VARCHAR"),
    "identity": "STRUCT(name VARCHAR, arn VARCHAR, session_name VARCHAR, acting_as VARCHAR)",
    "boundaries": "STRUCT(kind VARCHAR, name VARCHAR, task VARCHAR, runbook_sha256 VARCHAR, "
    "ticket VARCHAR)[]",
    "tables": "VARCHAR[]",
    "decision": f"STRUCT(verdict VARCHAR, statement VARCHAR, grants {_GRANT}[], "
    "approval STRUCT(ticket VARCHAR, approvers VARCHAR[]))",
    "outcome": "STRUCT(status VARCHAR, error_code VARCHAR, attempts INTEGER, item_count BIGINT)",
    "change": 'STRUCT(kind VARCHAR, id VARCHAR, "by" VARCHAR, identity VARCHAR, reason VARCHAR, '
    "task VARCHAR, ticket VARCHAR, runbook VARCHAR, runbook_sha256 VARCHAR)",
}
"""DuckDB's types of these; other keys are not read, and those that an older record lacks are
null."""
_EVENT: Final = (
    "STRUCT(eventID VARCHAR, eventTime VARCHAR, eventSource VARCHAR, eventName VARCHAR, "
    "userAgent VARCHAR, requestID VARCHAR, errorCode VARCHAR, userIdentity STRUCT(arn VARCHAR, "
    "sessionContext STRUCT(sourceIdentity VARCHAR, sessionIssuer STRUCT(userName VARCHAR))))"
)


_TABLE: Final = re.compile(r'[A-Za-z0-9_."-]{1,256}')


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to read.

    Attributes:
        audit: Table of the audit records; for DuckDB paths, with `*`.
        trail: Table of CloudTrail's events, its event data store, or paths likewise; empty: none.
        since, until: Instants as records write them, or the beginning of one; empty: no bound.
    """

    audit: str
    trail: str = ""
    since: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What an engine writes in its own way.

    Attributes:
        audit: The lines of the audit.
        trail: CloudTrail's events, with the columns that `_event_columns` gives.
        any_of: Whether a condition on `each` holds for any entry of a list.
        joined: An expression of each entry of a list, joined by commas.
        listed: Entries of a list of texts, joined by commas.
    """

    audit: Callable[[Sources], str]
    trail: Callable[[Sources], str]
    any_of: Callable[[str, str], str]
    joined: Callable[[str, str], str]
    listed: Callable[[str], str]


def text(value: str) -> str:
    """A text of SQL."""
    return "'" + value.replace("'", "''") + "'"


def _event_columns(prefix: str, *, source_identity: str, time: str) -> str:
    """What of an event is used; what dynaguard stamped is read from the User-Agent.

    A session's name is the last part of its ARN. Some services write `[...]` around the agent.
    """
    arn = f"{prefix}useridentity.arn"
    agent = f"{prefix}useragent"
    return (
        f"  SELECT {prefix}eventid AS event_id, {time} AS event_time, "
        f"{prefix}eventsource AS event_source, {prefix}eventname AS event_name,\n"
        f"    {prefix}requestid AS request_id, {prefix}errorcode AS error_code, "
        f"{arn} AS principal_arn,\n"
        f"    CASE WHEN strpos({arn}, ':assumed-role/') > 0 THEN split_part({arn}, '/', 3) END "
        "AS session_name,\n"
        f"    {prefix}useridentity.sessioncontext.sessionissuer.username AS role_name,\n"
        f"    {source_identity} AS source_identity,\n"
        f"    {_token(agent, 'md/dynaguard#')} AS stamped_correlation_id,\n"
        f"    {_token(agent, 'md/dynaguard-task#')} AS stamped_task"
    )


def _token(agent: str, name: str) -> str:
    """What follows a name in the User-Agent; null where it is not there."""
    return f"nullif(regexp_extract({agent}, '{name}([^\\s\\]]+)', 1), '')"


def _duckdb_audit(sources: Sources) -> str:
    columns = ", ".join(f"{name}: {text(_COLUMNS[name])}" for name in AUDIT_COLUMNS)
    return (
        "  SELECT * FROM read_json("  # noqa: S608 - for people to run, and quoted
        f"{text(sources.audit)}, format = 'newline_delimited', ignore_errors = true,\n"
        f"    columns = {{{columns}}})"
    )


def _duckdb_trail(sources: Sources) -> str:
    columns = _event_columns(
        "event.",
        source_identity="event.useridentity.sessioncontext.sourceidentity",
        time="event.eventtime",
    )
    if not sources.trail:
        return f"{columns}\n  FROM (SELECT NULL::{_EVENT} AS event) WHERE false"
    types = f"{{Records: {text(f'{_EVENT}[]')}}}"
    return (
        f"{columns}\n  FROM (SELECT unnest(Records) AS event\n"  # noqa: S608 - likewise
        "    FROM read_json("
        f"{text(sources.trail)}, maximum_object_size = 134217728, columns = {types}))"
    )


def _athena_audit(sources: Sources) -> str:
    days = [
        *([f'"date" >= {text(sources.since[:10])}'] if sources.since else []),
        *([f'"date" <= {text(sources.until[:10])}'] if sources.until else []),
    ]
    where = f" WHERE {' AND '.join(days)}" if days else ""
    return f"  SELECT * FROM {_table(sources.audit)}{where}"  # noqa: S608 - for people to run


def _athena_trail(sources: Sources) -> str:
    # AWS's own table for trails has no column for the source identity.
    columns = _event_columns("", source_identity="CAST(NULL AS varchar)", time="eventtime")
    return f"{columns}\n  FROM {_table(sources.trail)}"


def _table(name: str) -> str:
    """A table's name, or the id of an event data store, which stand in a query as they are.

    Raises:
        ConfigurationError: It is none.
    """
    if not _TABLE.fullmatch(name):
        raise ConfigurationError(
            f"`{name}` is no name of a table, write for example `audit` or `logs.audit`"
        )
    return name


def lake_source(sources: Sources) -> str:
    """Events of an event data store, with the same columns."""
    columns = _event_columns(
        "",
        source_identity="useridentity.sessioncontext.sourceidentity",
        time="date_format(eventtime, '%Y-%m-%dT%H:%i:%sZ')",
    )
    return f"{columns}\n  FROM {_table(sources.trail)}"


DUCKDB: Final = Dialect(
    _duckdb_audit,
    _duckdb_trail,
    lambda values, condition: f"len([each for each in {values} if {condition}]) > 0",
    lambda values, part: f"array_to_string([{part} for each in {values}], ',')",
    lambda values: f"array_to_string({values}, ',')",
)
ATHENA: Final = Dialect(
    _athena_audit,
    _athena_trail,
    lambda values, condition: f"any_match({values}, each -> {condition})",
    lambda values, part: f"array_join(transform({values}, each -> {part}), ',')",
    lambda values: f"array_join({values}, ',')",
)
