"""The queries that the page on audit shows run on files as they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dynaguard.audit.log import AuditLog
from dynaguard.call import Status
from tests.audit.audit_cases import DENIAL, OUTCOME, intent_values, record_values

duckdb: Any = pytest.importorskip("duckdb")
DAY_NS = 1_795_262_400 * 10**9  # 2026-11-21


@pytest.fixture
def queries(repository: Path) -> dict[str, str]:
    """The queries by their first line."""
    page = (repository / "docs" / "audit.md").read_text(encoding="utf-8")
    section = page.split("### DuckDB")[1].split("###")[0]
    found = re.findall(r"```sql\n-- (.*?)\n(.*?)```", section, re.DOTALL)
    return dict(found)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two calls, one of them refused, and one that never ended; in `audit/`."""
    monkeypatch.chdir(tmp_path)
    log = AuditLog("audit/", mode="required", service="orders", time_ns=lambda: DAY_NS)
    log.intent(**intent_values())
    log.outcome(**record_values())
    denied = OUTCOME._replace(status=Status.DENIED, capacity=())
    log.outcome(**record_values(decision=DENIAL, outcome=denied))
    call = intent_values()["call"]._replace(correlation_id="lost", operation="PutItem")
    log.intent(**intent_values(call=call))
    later = AuditLog("audit/", mode="required", service="orders", time_ns=lambda: DAY_NS + 10**9)
    later.intent(**intent_values())
    later.outcome(**record_values())
    for each in (log, later):
        each.close()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("what", "rows"),
    [
        ("who was refused what, and how often", [("etl", "GetItem", None, "1")]),
        (
            "what each job used of each table, where `consumed_capacity` is on",
            [("nightly", "orders", "1.0", "0.0")],
        ),
        (
            "calls without an outcome: what was under way when a process was killed",
            [("lost", "PutItem", "etl", "2026-11-21 12:00:00+00")],
        ),
    ],
)
def test_a_query_of_the_page_gives_what_it_says(
    queries: dict[str, str], what: str, rows: list[tuple[object, ...]]
) -> None:
    """On partitioned files, without a schema."""
    duckdb.sql("SET TimeZone = 'UTC'")
    query = queries[what].rstrip().rstrip(";")

    found = duckdb.sql(f"SELECT COLUMNS(*)::VARCHAR FROM ({query})")  # noqa: S608 - the page's own

    assert found.fetchall() == rows


def test_a_query_of_units_needs_no_units(
    queries: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `consumed_capacity` is off, every list is empty."""
    monkeypatch.chdir(tmp_path)
    log = AuditLog("audit/", mode="best-effort", time_ns=lambda: DAY_NS)
    log.outcome(**record_values(outcome=OUTCOME._replace(capacity=())))
    log.close()
    (query,) = (text for what, text in queries.items() if "used of each table" in what)

    assert duckdb.sql(query).fetchall() == []


def test_every_query_of_the_page_is_tried(queries: dict[str, str]) -> None:
    """A new one needs a test."""
    assert len(queries) == 3
