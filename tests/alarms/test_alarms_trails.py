"""Queries over audit and CloudTrail: DuckDB runs them on files, others are held to golden text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dynaguard.access_change import AccessChange
from dynaguard.alarms.trail_sources import Sources
from dynaguard.alarms.trails import MAX_IDS, query_text
from dynaguard.audit.log import AuditLog
from dynaguard.audit.subject import Subject
from dynaguard.boundary import Boundary
from dynaguard.call import ApprovalRef, GrantRef
from dynaguard.errors import ConfigurationError
from dynaguard.scope import Scope
from tests.audit.audit_cases import CALL, DECISION, NOW_NS, OUTCOME, record_values

ARN = "arn:aws:sts::123456789012:assumed-role/etl/run-1"
TRAIL_COLUMNS = (
    "time seen_by what who session_name source_identity tables status error task runbook grants "
    "ticket correlation_id request_id"
).split()


@pytest.fixture
def duckdb() -> Any:
    """The engine, or the test is left out."""
    return pytest.importorskip("duckdb")


def event(request_id: str, agent: str = "", **changed: Any) -> dict[str, Any]:
    """An event of CloudTrail, as its files have it."""
    return {
        "eventID": f"e-{request_id}",
        "eventVersion": "1.10",
        "eventTime": "2026-11-20T12:30:15Z",
        "eventSource": "dynamodb.amazonaws.com",
        "eventName": "GetItem",
        "requestID": request_id,
        "userAgent": f"[Boto3/1.40 {agent}]",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": ARN,
            "sessionContext": {
                "sourceIdentity": "lea",
                "sessionIssuer": {"userName": "etl"},
            },
        },
        "requestParameters": {"tableName": "orders"},
        **changed,
    }


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """Audit files of a task and of a stranger, and a trail that knows some of both, and more."""
    log = AuditLog(str(tmp_path / "audit.jsonl"), mode="best-effort", time_ns=lambda: NOW_NS)
    scope = Scope(
        task="t-1", runbook="fix", boundaries=(Boundary("runbook", "fix", "t-1", ticket="tk-1"),)
    )
    grant = GrantRef("g-1", "lea", "look", 1.0)
    approval = ApprovalRef("tk-1", "c" * 64, ("sam",), 0.0, 1.0)
    log.change(AccessChange("run begun", "t-1", "lea", task="t-1", runbook="fix"))
    for request_id, call, decision in (
        ("R1", CALL._replace(scope=scope), DECISION._replace(approval=approval)),
        ("R2", CALL._replace(scope=scope), DECISION._replace(grants=(grant,))),
        ("R9", CALL._replace(correlation_id="other"), DECISION),
    ):
        outcome = OUTCOME._replace(request_id=request_id)
        log.outcome(**record_values(call=call, decision=decision, outcome=outcome))
    log.close()
    with (tmp_path / "audit.jsonl").open("a") as file:
        file.write('{"schema_version":3,"phase":"out')
    trail = [
        event("R1", "md/dynaguard#INC-4711 md/dynaguard-task#t-1"),
        event("R0", "md/dynaguard#INC-4711 md/dynaguard-task#t-1", errorCode="Throttling"),
        event("R7", "", eventName="Scan"),
        event("R9", "md/dynaguard#other"),
    ]
    (tmp_path / "trail.json").write_text(json.dumps({"Records": trail}))
    return Sources(str(tmp_path / "*.jsonl"), str(tmp_path / "trail*.json"))


def rows(duckdb: Any, subject: Subject, sources: Sources) -> list[dict[str, Any]]:
    """What the query gives."""
    found = duckdb.sql(query_text(subject, "duckdb", sources))
    assert list(found.columns) == TRAIL_COLUMNS
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def test_a_task_is_seen_from_both_sides(duckdb: Any, sources: Sources) -> None:
    """Its begin, its calls, and an attempt that only CloudTrail has; no stranger's."""
    found = rows(duckdb, Subject("task", "t-1"), sources)

    seen = sorted((each["request_id"] or "", each["seen_by"], each["what"]) for each in found)
    assert seen == [
        ("", "audit", "run begun"),
        ("R0", "cloudtrail", "GetItem"),
        ("R1", "both", "GetItem"),
        ("R2", "audit", "GetItem"),
    ]
    both = next(each for each in found if each["seen_by"] == "both")
    assert both == {
        "time": "2026-11-20T12:30:15.000042Z",
        "seen_by": "both",
        "what": "GetItem",
        "who": "etl",
        "session_name": "run-1",
        "source_identity": "lea",
        "tables": "orders",
        "status": "ok",
        "error": None,
        "task": "t-1",
        "runbook": "fix",
        "grants": "",
        "ticket": "tk-1",
        "correlation_id": "INC-4711",
        "request_id": "R1",
    }
    assert next(each for each in found if each["request_id"] == "R0")["error"] == "Throttling"


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (Subject("ticket", "tk-1"), {"R0", "R1", "R2"}),
        (Subject("grant", "g-1"), {"R0", "R1", "R2"}),
        (Subject("session", "run-1"), {"R0", "R1", "R2", "R7", "R9"}),
        (Subject("role", "etl"), {"R0", "R1", "R2", "R7", "R9"}),
        (Subject("task", "no-such"), set()),
        (Subject("task", "it's --; \\ %"), set()),
    ],
)
def test_other_subjects_are_found(
    duckdb: Any, sources: Sources, subject: Subject, expected: set[str]
) -> None:
    """By what records name, and what shares a correlation id with that; ids are but text."""
    found = rows(duckdb, subject, sources)

    assert {each["request_id"] for each in found if each["request_id"]} == expected


def test_without_a_trail_the_audit_alone_is_read(duckdb: Any, sources: Sources) -> None:
    """Within a time range, too."""
    alone = Sources(sources.audit, since="2026-11-20", until="2026-11-21")
    early = Sources(sources.audit, until="2026-11-20")

    assert {each["seen_by"] for each in rows(duckdb, Subject("task", "t-1"), alone)} == {"audit"}
    assert rows(duckdb, Subject("task", "t-1"), early) == []


def test_athena_s_text_is_the_same_query(duckdb: Any) -> None:
    """Columns, joins and conditions; only lists and sources are written in another way.

    DuckDB cannot run it, but reads it: what it complains of is a table that is not there.
    """
    sources = Sources("logs.audit", "cloudtrail_logs", since="2026-11-20T08", until="2026-11-21")
    text = query_text(Subject("task", "t-1"), "athena", sources)

    assert "\"date\" >= '2026-11-20' AND \"date\" <= '2026-11-21'" in text
    assert "any_match(boundaries, each -> each.task = 't-1')" in text
    assert "array_join(transform(chosen.decision.grants, each -> each.id), ',') AS grants" in text
    assert "event_time >= '2026-11-20T08' AND event_time < '2026-11-21'" in text
    statement = text.replace("each -> each.task = 't-1'", "1").replace("each -> each.id", "1")
    with pytest.raises(duckdb.CatalogException, match="audit"):
        duckdb.sql(statement)


def test_a_name_of_a_table_is_checked() -> None:
    """It stands in the query as it is."""
    with pytest.raises(ConfigurationError, match="no name of a table"):
        query_text(Subject("task", "t"), "athena", Sources("a; DROP", "b"))


def test_logs_insights_over_the_records() -> None:
    """Golden: conditions over the first places of lists, since it has no other."""
    text = query_text(Subject("grant", 'g"1'), "insights", Sources("audit"))

    assert text.splitlines()[:2] == [
        'filter phase in ["outcome", "access"]',
        "| filter "
        + " or ".join(
            f'{field} = "g\\"1"'
            for field in ("change.id", *(f"decision.grants.{place}.id" for place in range(4)))
        ),
    ]


@pytest.mark.parametrize(
    ("subject", "condition"),
    [
        (Subject("session", "run-1"), '| filter identity.session_name = "run-1"'),
        (Subject("role", "etl"), '| filter strcontains(identity.arn, ":assumed-role/etl/")'),
    ],
)
def test_logs_insights_by_session_and_role(subject: Subject, condition: str) -> None:
    """As the record has them."""
    assert condition in query_text(subject, "insights", Sources("audit")).splitlines()


@pytest.mark.parametrize(
    ("subject", "ids", "condition"),
    [
        (
            Subject("task", "t 1"),
            ["INC-1"],
            (
                'filter strcontains(userAgent, "md/dynaguard#INC-1") or '
                'strcontains(userAgent, "md/dynaguard-task#t-1")'
            ),
        ),
        (Subject("session", "s"), [], 'filter strcontains(userIdentity.arn, "/s")'),
        (
            Subject("role", "etl"),
            [],
            'filter userIdentity.sessionContext.sessionIssuer.userName = "etl"',
        ),
        (Subject("grant", "g"), ["c"], 'filter strcontains(userAgent, "md/dynaguard#c")'),
    ],
)
def test_logs_insights_over_the_trail(subject: Subject, ids: list[str], condition: str) -> None:
    """By what the User-Agent and the session show."""
    text = query_text(subject, "insights-cloudtrail", Sources("audit"), ids)

    assert text.splitlines()[0] == condition


@pytest.mark.parametrize(
    ("subject", "ids", "condition"),
    [
        (
            Subject("task", "t-1"),
            ["INC-1", "INC-1"],
            "WHERE (stamped_correlation_id IN ('INC-1') OR stamped_task = 't-1')",
        ),
        (Subject("session", "s"), [], "WHERE (session_name = 's')"),
        (Subject("ticket", "tk"), ["a", "b"], "WHERE (stamped_correlation_id IN ('a', 'b'))"),
    ],
)
def test_cloudtrail_lake_alone(subject: Subject, ids: list[str], condition: str) -> None:
    """Over an event data store, which knows the source identity."""
    text = query_text(subject, "cloudtrail-lake", Sources("", "12ab-34cd"), ids)

    assert condition in text.splitlines()
    assert "FROM 12ab-34cd" in text
    assert "useridentity.sessioncontext.sourceidentity AS source_identity" in text


@pytest.mark.parametrize("engine", ["cloudtrail-lake", "insights-cloudtrail"])
def test_what_cloudtrail_does_not_know_needs_the_audit(engine: Any) -> None:
    """A ticket or a grant is none of AWS's; ids that are listed are bounded."""
    with pytest.raises(ConfigurationError, match="CloudTrail knows no grants, name the audit"):
        query_text(Subject("grant", "g"), engine, Sources("", "x"))

    many = query_text(Subject("grant", "g"), engine, Sources("", "x"), map(str, range(2000)))
    assert f"{MAX_IDS - 1}" in many
    assert f"{MAX_IDS}'" not in many
