"""Rows of results as tables: medians over the runs, and how far they spread."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from benchmarks.retry.policies import POLICIES
from benchmarks.retry.scenarios import SCENARIOS

# Heading by the figure's name, in the order of the columns.
COLUMNS: Final[Mapping[str, str]] = {
    "amplification": "amp.",
    "amplification_settled": "amp. settled",
    "hot_key_amplification": "hot key amp.",
    "requests_per_item": "req./item",
    "leftover_calls": "leftover calls",
    "goodput": "goodput",
    "goodput_settled": "goodput settled",
    "job_s": "job s",
    "job_ideal_s": "ideal s",
    "throttled_share": "throttled",
    "jain": "Jain",
    "inter_p50_ms": "p50 ms",
    "inter_p99_ms": "p99 ms",
    "inter_p999_ms": "p99.9 ms",
    "inter_p99_ratio": "p99 / alone",
    "inter_p99_settled_ratio": "settled p99 / alone",
    "inter_error_share": "inter. errors",
    "inter_throttled_share": "inter. throttled",
    "inter_unfinished": "unfinished",
    "brownout_amplification": "brown-out amp.",
    "brownout_inter_p99_ms": "brown-out p99 ms",
    "brownout_inter_error_share": "brown-out errors",
    "recovery_s": "recovery s",
    "hot_per_s": "hot/s",
    "hot_amplification": "hot amp.",
    "idle_per_s": "idle/s",
    "idle_share": "idle share",
    "idle_within_1s_share": "idle within 1 s",
    "idle_p50_ms": "idle p50 ms",
    "idle_p99_ms": "idle p99 ms",
    "idle_error_share": "idle errors",
    "items_lost": "lost",
    "surfaced": "surfaced",
}
_ONLY: Final[Mapping[str, frozenset[str]]] = {
    "hot_key_amplification": frozenset({"hotkey"}),
    "leftover_calls": frozenset({"batchwrite"}),
    "requests_per_item": frozenset({"batchwrite"}),
}


def print_tables(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints a table of medians per scenario."""
    for name, scenario in SCENARIOS.items():
        mine = [row for row in rows if row["scenario"] == name]
        if mine:
            print(f"\n{name}: {scenario.about}")
            print("\n".join(_align(_table(name, mine))), flush=True)


def _table(scenario: str, rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The cells of one scenario's table: a figure per line, a policy per column."""
    policies = [policy for policy in POLICIES if any(row["policy"] == policy for row in rows)]
    of_policy = {
        policy: [_with_surfaced(row) for row in rows if row["policy"] == policy]
        for policy in policies
    }
    runs = [f"{policy} ({len(of_policy[policy])})" for policy in policies]
    cells = [["median [spread]", *runs]]
    for column, heading in COLUMNS.items():
        if scenario not in _ONLY.get(column, frozenset({scenario})):
            continue
        shown = [show_spread(row.get(column) for row in of_policy[policy]) for policy in policies]
        if any(shown):
            cells.append([heading, *(text or "-" for text in shown)])
    return cells


def _with_surfaced(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row, with the number of errors that reached the job."""
    return {**row, "surfaced": sum(row.get("errors_surfaced", {}).values())}


def show_spread(values: Iterable[float | None]) -> str:
    """`1.02 [1.01-1.04]`; of one value only that, of none nothing."""
    found = [value for value in values if value is not None]
    if not found:
        return ""
    text = _show(statistics.median(found))
    if len(found) > 1 and min(found) != max(found):
        text += f" [{_show(min(found))}-{_show(max(found))}]"
    return text


def _show(value: float) -> str:
    """A figure with as many digits as it deserves."""
    if value == int(value):
        return f"{int(value):,}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 20 else f"{value:.3f}"


def _align(cells: Sequence[Sequence[str]]) -> list[str]:
    """Lines with columns of even width."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  "
        + "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
