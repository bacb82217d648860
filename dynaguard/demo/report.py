"""The demo's result as text for people."""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dynaguard.demo.results import BatchWrite, DemoResult, Evidence
from dynaguard.masking import MARKER

_INDENT: Final = "   "
_MAX_WIDTH: Final = 110
_REFUSED: Final = "red"


def print_report(result: DemoResult, out: Console) -> None:
    """Prints the whole result."""
    _print_setting(result, out)
    _print_masked_read(result, out)
    _print_refusals(result, out)
    _print_batch_writes(result, out)
    _print_evidence(result.evidence, out)
    _print_summary(result, out)
    _print_next(result, out)


def _print_setting(result: DemoResult, out: Console) -> None:
    """Where the job plays and under what."""
    loaded, installed = result.loaded, result.installed
    items = sum(loaded.items_by_table.values())
    endpoint = loaded.endpoint_url
    if loaded.is_embedded:
        moto = result.versions.get("moto", "")
        endpoint += f" (moto {moto}, started in {loaded.start_s:.1f} s)"
    out.print(Text("dynaguard demo: a nightly job under a policy", style="bold"))
    out.print()
    _print_pairs(
        {
            "endpoint": endpoint,
            "data": f"{items:,} items in {len(loaded.items_by_table)} tables, "
            f"loaded in {loaded.elapsed_s:.1f} s",
            "policy": installed.policy,
            "": f"{installed.statements} statements, {installed.masks} masks, "
            f"{_count(installed.budgets, 'retry budget')}",
            "identity": installed.identity,
            "job": f"{installed.job}, run {installed.run_id}, environment {installed.environment}",
        },
        out,
    )


def _print_masked_read(result: DemoResult, out: Console) -> None:
    """The allowed query."""
    read = result.masked_read
    _print_heading("1  Allowed, with masks", out)
    _print_line(f"Query {read.table}, index {read.index}: {read.items} items", out)
    _print_line(
        f"in them {read.plain_emails} plain e-mail addresses, {read.plain_cards} plain card "
        "numbers",
        out,
    )
    out.print()
    rows = _table(*(read.rows[0] if read.rows else ()))
    for row in read.rows:
        rows.add_row(*(_cell(str(value)) for value in row.values()))
    _print_table(rows, out)


def _print_refusals(result: DemoResult, out: Console) -> None:
    """The forbidden calls."""
    _print_heading("2  Refused before anything is sent", out)
    rows = _table("call", "refused by", "line", "requests")
    for refusal in result.refusals:
        line = str(refusal.line) if refusal.line else "-"
        by = Text(refusal.statement or "nothing", style=_REFUSED)
        rows.add_row(refusal.title, by, line, str(refusal.requests_sent))
    _print_table(rows, out)
    first = next((refusal for refusal in result.refusals if refusal.statement), None)
    if first:
        out.print()
        _print_line(f"`{first.title}` raised {first.error}, a ClientError with the code", out)
        _print_line(f"{first.error_code}:", out)
        out.print()
        _print_wrapped(first.message, out)


def _print_batch_writes(result: DemoResult, out: Console) -> None:
    """The throttled writes, side by side."""
    rollup, limit = result.rollup, result.limit
    _print_heading("3  Throttled, and finished within its retry budget", out)
    _print_line(
        f"{rollup.customers} totals of {rollup.orders:,} orders ({rollup.calls} queries, "
        f"{rollup.elapsed_s:.1f} s), written by "
        f"{_count(result.batch_writes[0].threads, 'thread')}",
        out,
    )
    _print_line(
        f"to a table that takes {limit.items_per_s:g} items/s after a burst of "
        f"{limit.burst_items:g}",
        out,
    )
    out.print()
    rows = Table(box=None, pad_edge=False, header_style="bold")
    rows.add_column("")
    for column in ("requests", "throttled", "items back", "waited", "took", "arrived"):
        rows.add_column(column, justify="right")
    for write in result.batch_writes:
        rows.add_row(*_batch_row(write))
    _print_table(rows, out)
    for write in result.batch_writes:
        _print_budget(write, out)


def _batch_row(write: BatchWrite) -> tuple[str, ...]:
    """One write's figures."""
    return (
        "with dynaguard" if write.is_guarded else "boto3 alone",
        f"{write.requests:,}",
        f"{write.throttled_requests:,}",
        f"{write.items_handed_back:,}",
        "-" if write.wait_s is None else f"{write.wait_s:.1f} s",
        f"{write.elapsed_s:.1f} s",
        f"{write.arrived} of {write.items}",
    )


def _print_budget(write: BatchWrite, out: Console) -> None:
    """What the retry budget ruled, or how the write failed."""
    if write.error:
        who = "dynaguard" if write.is_guarded else "boto3 alone"
        out.print()
        _print_line(f"{who}: gave up with {write.error}", out)
    if write.retries_granted is None:
        return
    out.print()
    _print_line(
        f"Retry budget: {write.retries_granted} granted, {write.retries_refused} refused, "
        f"{write.tokens_left:.1f} of {write.max_tokens:g} tokens left. On record: "
        f"{write.audited_attempts} of {write.requests} requests",
        out,
    )


def _print_evidence(evidence: Evidence, out: Console) -> None:
    """What the query of the first step left behind."""
    _print_heading(
        f"4  What one call left behind: {evidence.correlation_id}, the query above", out
    )
    signed = "signed" if evidence.is_header_signed else "not signed"
    _print_line("on the wire", out, style="bold")
    _print_line(f"  X-Dynaguard-Correlation-Id: {evidence.header} ({signed})", out)
    _print_line(f"  User-Agent: ... {evidence.user_agent_token}", out)
    out.print()
    _print_line("span", out, style="bold")
    _print_json(evidence.span, out)
    out.print()
    _print_line("audit record", out, style="bold")
    _print_json(evidence.record, out)


def _print_summary(result: DemoResult, out: Console) -> None:
    """The figures of the audit file, and whether all is as it should be."""
    summary = result.summary
    _print_heading("Summary", out)
    _print_pairs(
        {
            "calls": f"{summary.calls}: {_listed(summary.calls_by_operation)}",
            "decisions": _listed(summary.calls_by_verdict),
            "refused by": _listed(summary.denials_by_statement),
            "masked": _listed(summary.masked_by_attribute),
            "requests": f"{summary.requests} sent, {summary.throttles} throttled in whole or in "
            f"part, {summary.wait_s:.1f} s waited, all threads together",
            "audit file": f"{summary.audit_path} ({_count(summary.records, 'record')})",
            "took": f"{result.elapsed_s:.1f} s",
        },
        out,
    )
    out.print()
    if result.is_as_expected:
        _print_line("Everything went as the policy says.", out, style="bold green")
    for clause in result.unmet:
        _print_line(f"Not as expected: {clause}", out, style="bold red")


def _print_next(result: DemoResult, out: Console) -> None:
    """What to try."""
    policy, audit = shlex.quote(result.installed.policy), shlex.quote(result.summary.audit_path)
    table = next(name for name in result.loaded.items_by_table if name.endswith("prod-orders"))
    params = shlex.quote(json.dumps({"TableName": table}))
    _print_heading("What to try next", out)
    for what, command in (
        ("why was it refused", f"dynaguard explain dynamodb Scan {params} --policy {policy}"),
        ("what does a job need", f"dynaguard init needed.toml --from-audit {audit}"),
        ("is my edit well formed", f"dynaguard check {policy}"),
    ):
        _print_line(what, out)
        _print_line(f"  {command}", out)
    for name in result.kept_tables:
        _print_line(f"kept table: {name}", out)


# --- pieces --------------------------------------------------------------------------------------


def _print_heading(text: str, out: Console) -> None:
    out.print()
    out.print(Text(text, style="bold cyan"))
    out.print()


def _print_line(text: str, out: Console, *, style: str = "") -> None:
    """A line as it is; brackets in it are no markup."""
    out.print(Text(_INDENT + text, style=style))


def _print_pairs(pairs: Mapping[str, str], out: Console) -> None:
    """Names and values, aligned."""
    width = max(map(len, pairs))
    for name, value in pairs.items():
        _print_line(f"{name:{width}}  {value}", out)


def _table(*columns: str) -> Table:
    """An empty table in the house style."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def _print_table(table: Table, out: Console) -> None:
    out.print(Padding(table, (0, 0, 0, len(_INDENT))))


def _print_wrapped(text: str, out: Console) -> None:
    """A long line, broken between words."""
    width = min(out.width, _MAX_WIDTH) - 2 * len(_INDENT)
    for line in textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False):
        _print_line(_INDENT + line, out)


def _print_json(value: Mapping[str, Any], out: Console) -> None:
    """A value as JSON, what is short on one line."""
    for line in _json_lines(value, min(out.width, _MAX_WIDTH) - 2 * len(_INDENT)):
        _print_line(_INDENT + line, out)


def _json_lines(value: Any, width: int) -> list[str]:
    """The lines of a value; an object or list that fits takes one."""
    text = json.dumps(value, default=str)
    if len(text) <= width:
        return [text]
    if isinstance(value, Mapping):
        members = [(f"{json.dumps(name)}: ", member) for name, member in value.items()]
    elif isinstance(value, list):
        members = [("", member) for member in value]
    else:
        return [text]
    lines = [text[0]]
    for label, member in members:
        first, *rest = _json_lines(member, width - len(label) - 3)
        lines += [f"  {label}{first}", *(f"  {line}" for line in rest)]
        lines[-1] += ","
    lines[-1] = lines[-1].removesuffix(",")
    return [*lines, text[-1]]


def _cell(text: str) -> Text:
    """A value of an item; a masked one stands out."""
    return Text(text, style="yellow" if text.startswith(MARKER) else "")


def _listed(count_by_name: Mapping[str, int]) -> str:
    """`Query 15, Scan 1`; `none` for nothing."""
    return ", ".join(f"{name} {count}" for name, count in count_by_name.items()) or "none"


def _count(number: int, noun: str) -> str:
    """`1 record`, `2 records`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
