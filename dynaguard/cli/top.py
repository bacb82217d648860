"""`dynaguard top`: who is throttled, who waits, how much budget is left; from the audit file."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from dynaguard.audit.following import Follower
from dynaguard.cli.output import console, output_option, print_json, reports_errors, table
from dynaguard.cli.rates import Row, Window
from dynaguard.cli.units import UnitsRow, rows_of


@click.command("top", short_help="Shows retry budgets live.")
@click.argument("audit_file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--window",
    "window_s",
    type=click.FloatRange(min=1.0),
    default=10.0,
    show_default=True,
    help="Seconds that the figures are over.",
)
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(min=0.2),
    default=1.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option(
    "--by",
    type=click.Choice(["budget", "units"]),
    default="budget",
    show_default=True,
    help="`budget`: throttles and retry budgets; `units`: consumed capacity by identity, job, "
    "runbook, table and index.",
)
@click.option("--once", is_flag=True, help="Print the last window of the file and end.")
@output_option
@reports_errors
def command(
    audit_file: Path, window_s: float, interval_s: float, *, by: str, once: bool, output: str
) -> None:
    """Shows retry budgets live, one line per job (or identity), table and class; or units.

    Reads the audit file that the processes write; what they do is not disturbed. Ends with
    Ctrl-C. JSON is one document, with --once.
    """
    follower = Follower(audit_file)
    window = Window(window_s)
    window.add(follower.read())
    if once or output == "json":
        _print_once(window, by, output)
        return
    with Live(console=console(), auto_refresh=False, screen=sys.stdout.isatty()) as live:
        try:
            while True:
                live.update(_table(_rows(window, by, time.time()), window_s, by), refresh=True)
                time.sleep(interval_s)
                window.add(follower.read())
        except KeyboardInterrupt:
            return


def _print_once(window: Window, by: str, output: str) -> None:
    """The last window of what was read."""
    rows = _rows(window, by, window.latest_s)
    if output == "json":
        print_json({"window_s": window.seconds, "rows": [_as_mapping(row) for row in rows]})
    else:
        console().print(_table(rows, window.seconds, by))


def _rows(window: Window, by: str, now_s: float) -> Sequence[Row | UnitsRow]:
    """The rows of one of the two views."""
    if by == "units":
        return rows_of(window.records(now_s), window.seconds)
    return window.rows(now_s)


def _as_mapping(row: Row | UnitsRow) -> Mapping[str, Any]:
    """A row for programs."""
    return {name: getattr(row, name) for name in type(row).__slots__}


def _table(rows: Sequence[Row | UnitsRow], window_s: float, by: str) -> Table:
    """The rows for people."""
    made = _empty_units_table() if by == "units" else _empty_budget_table()
    made.caption = f"over {window_s:g} s"
    made.caption_justify = "left"
    for row in rows:
        cells = _units_cells(row) if isinstance(row, UnitsRow) else _budget_cells(row)
        made.add_row(*map(escape, cells))
    return made


def _empty_budget_table() -> Table:
    made = table("job or identity", "class", "table", "calls/s")
    for column in ("throttled", "waited", "refused", "rate/s", "budget left"):
        made.add_column(column, justify="right")
    return made


def _budget_cells(row: Row) -> tuple[str, ...]:
    """One row of throttles and budgets."""
    return (
        row.job,
        row.priority,
        row.table,
        f"{row.calls_per_s:.1f}",
        f"{row.throttled_share:.1%}",
        f"{row.wait_s:.1f} s",
        str(row.refusals),
        "-" if row.rate_per_s is None else f"{row.rate_per_s:.0f}",
        "-" if row.tokens_left is None else f"{row.tokens_left:.1f}",
    )


def _empty_units_table() -> Table:
    made = table("identity", "job", "runbook", "table", "index")
    for column in ("read units/s", "write units/s"):
        made.add_column(column, justify="right")
    return made


def _units_cells(row: UnitsRow) -> tuple[str, ...]:
    """One row of consumed capacity."""
    return (
        row.identity,
        row.job or "-",
        row.runbook or "-",
        row.table,
        row.index or "-",
        f"{row.read_units_per_s:.1f}",
        f"{row.write_units_per_s:.1f}",
    )
