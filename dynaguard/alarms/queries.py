"""Logs Insights queries over audit records.

Source: CloudWatch Logs user guide, Logs Insights query syntax; discovered fields of JSON: nested
names are joined by dots, places in a list too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LogView = Literal["table", "timeSeries", "bar"]


@dataclass(frozen=True, slots=True)
class LogQuery:
    """One query of a dashboard.

    Attributes:
        title: Of its widget.
        view: How it is shown. Only a query by time alone makes lines.
        text: The query, `{at}` where the record stands in the event.
    """

    title: str
    view: LogView
    text: str

    def source(self, log_group: str, field_prefix: str) -> str:
        """The query as a widget has it."""
        lines = self.text.replace("{at}", f"{field_prefix}." if field_prefix else "").split(" | ")
        return f"SOURCE '{log_group}' | " + "\n| ".join(lines)


_OUTCOMES = '{at}phase = "outcome"'

CALLS = (
    LogQuery(
        "Calls by identity",
        "bar",
        f"filter {_OUTCOMES} | stats count(*) as calls by {{at}}identity.name | sort calls desc",
    ),
    LogQuery(
        "Decisions by identity and verdict",
        "table",
        f"filter {_OUTCOMES} | stats count(*) as calls by {{at}}identity.name, "
        "{at}decision.verdict, {at}decision.is_enforced | sort calls desc",
    ),
)

DENIALS = (
    LogQuery(
        "Denials by statement",
        "table",
        f'filter {_OUTCOMES} and {{at}}decision.verdict in ["deny", "implicit_deny"] '
        "| stats count(*) as denials, latest({at}decision.how_to_allow) as how_to_allow "
        "by {at}identity.name, {at}decision.statement, {at}operation, {at}tables.0 "
        "| sort denials desc | limit 50",
    ),
    LogQuery(
        "Refusals of IAM",
        "table",
        f"filter {_OUTCOMES} and {{at}}outcome.error_code like /^AccessDenied/ "
        "| stats count(*) as refusals by {at}identity.name, {at}service, {at}operation, "
        "{at}tables.0 | sort refusals desc | limit 50",
    ),
)

PRIVILEGED = (
    LogQuery(
        "Calls by a grant or an approval",
        "table",
        f"filter {_OUTCOMES} and (ispresent({{at}}decision.grants.0.id) or "
        "ispresent({at}decision.approval.ticket)) "
        "| stats count(*) as calls, latest({at}time) as last by {at}identity.name, "
        "{at}decision.grants.0.id, {at}decision.grants.0.owner, {at}decision.approval.ticket, "
        "{at}task | sort calls desc | limit 50",
    ),
    LogQuery(
        "Grants, approvals, tasks and runs",
        "table",
        'filter {at}phase = "access" | fields {at}time, {at}change.by, {at}change.kind, '
        "{at}change.id, {at}change.identity, {at}change.runbook, {at}change.reason "
        "| sort {at}time desc | limit 50",
    ),
)

RETRIES = (
    LogQuery(
        "Seconds waited for retries",
        "timeSeries",
        f"filter {_OUTCOMES} and {{at}}outcome.wait_s > 0 "
        "| stats sum({at}outcome.wait_s) as total_s, max({at}outcome.wait_s) as longest_s "
        "by bin(1m)",
    ),
    LogQuery(
        "Calls given up",
        "table",
        "filter ispresent({at}outcome.budget_refusal) "
        "| stats count(*) as calls by {at}identity.name, {at}job, {at}tables.0, "
        "{at}outcome.budget_refusal | sort calls desc | limit 50",
    ),
)

MASKED = LogQuery(
    "Masked values",
    "table",
    f"filter {_OUTCOMES} and ispresent({{at}}outcome.masked.0.count) "
    "| fields jsonParse(@message) as record | unnest record.{at}outcome.masked into masked "
    "| stats sum(masked.count) as masked_values by {at}identity.name, masked.table, "
    "masked.attribute, masked.strategy | sort masked_values desc | limit 50",
)

UNITS = LogQuery(
    "Consumed units by identity",
    "table",
    f"filter {_OUTCOMES} and ispresent({{at}}outcome.consumed_capacity.0.total_units) "
    "| fields jsonParse(@message) as record "
    "| unnest record.{at}outcome.consumed_capacity into consumed "
    "| stats sum(consumed.read_units) as read_units, sum(consumed.write_units) as write_units, "
    "sum(consumed.total_units) as total_units by {at}identity.name, {at}job, "
    "consumed.table, consumed.index | sort total_units desc | limit 50",
)

LATENCY = LogQuery(
    "Latency of calls, waits included (s)",
    "timeSeries",
    f'filter {_OUTCOMES} and {{at}}service = "dynamodb" and {{at}}outcome.attempts > 0 '
    "| stats pct({at}outcome.latency_s, 50) as p50_s, pct({at}outcome.latency_s, 99) as p99_s "
    "by bin(1m)",
)
