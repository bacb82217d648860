"""Charts of results: `python -m benchmarks.retry.charts RESULTS.jsonl OUTDIR`.

A panel per policy, side by side and on the same axes; medians over the runs.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.retry.policies import POLICIES
from benchmarks.retry.scenarios import SCENARIOS
from benchmarks.retry.svg import FAINT, INK, Axis, Canvas, Panel

Rows = Sequence[Mapping[str, Any]]
_OURS: Final = "dynaguard"
_OUR_COLOUR: Final = "#1463c4"
_PEER_COLOUR: Final = "#5b6372"
_ASKED_COLOUR: Final = "#f0a35e"
_COLUMNS: Final = 3
_WIDTH, _HEIGHT, _GAP = 270.0, 130.0, 62.0
_HEAD: Final = 58.0
_LABEL: Final = 18.0
"""What the name of a policy needs beyond the gap between panels."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes every chart that the results are enough for; prints their paths."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retry.charts", description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    rows = [json.loads(line) for line in options.results.read_text().splitlines() if line.strip()]
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, text in draw_all(rows):
        path = options.folder / name
        path.write_text(text)
        print(path)


def draw_all(rows: Rows) -> Iterator[tuple[str, str]]:
    """Every chart: name of its file and its text."""
    for scenario in SCENARIOS:
        mine = [row for row in rows if row["scenario"] == scenario and row.get("timeline")]
        if not mine:
            continue
        if scenario != "baseline":
            yield f"throughput_{scenario}.svg", draw_throughput(scenario, mine)
        yield f"interactive_p99_{scenario}.svg", draw_latency(scenario, mine, rows)
    if any(_amplification(row) for row in rows):
        yield "amplification.svg", draw_amplification(rows)


def draw_throughput(scenario: str, rows: Rows) -> str:
    """Units accepted and asked for, over time."""
    goodputs = [value for row in rows for value in row["timeline"]["goodput"]]
    capacities = [value for row in rows for value in row["timeline"]["capacity"]]
    # What was stored is spent at once: its spike would flatten the rest.
    high = 1.1 * max(*capacities, min(max(goodputs), 2 * max(capacities)))
    up = Axis(0.0, high, _round_ticks(high))
    canvas, panels = _panels(
        rows,
        f"{scenario}: {SCENARIOS[scenario].about}",
        "Units per second over time, of job and service; cut at the top",
        up,
    )
    for policy, panel in panels.items():
        mine = [row for row in rows if row["policy"] == policy]
        goodput, amplification = _median(mine, "goodput"), _median(mine, "amplification")
        note = f"goodput {goodput:.2f} of capacity, amplification {amplification:.2f}"
        panel.frame(policy, note, " s")
        panel.plot(_series(mine, "capacity"), FAINT, width=1, dash="4 3")
        panel.plot(_series(mine, "asked"), _ASKED_COLOUR, width=1.2)
        panel.plot(_series(mine, "goodput"), _colour(policy))
    _legend(canvas, {"accepted": _PEER_COLOUR, "asked for": _ASKED_COLOUR, "capacity": FAINT})
    return canvas.render()


def draw_latency(scenario: str, rows: Rows, all_rows: Rows) -> str:
    """The service's 99th percentile by half seconds, over time."""
    slowest = max(value for row in rows for value in row["timeline"]["inter_p99_ms"] if value)
    decades = max(2, math.ceil(math.log10(slowest)))
    up = Axis(1.0, 10.0**decades, [10.0**power for power in range(decades + 1)], math.log10)
    canvas, panels = _panels(
        rows,
        f"{scenario}: {SCENARIOS[scenario].about}",
        "Interactive p99 of each half second, in ms (logarithmic); dashed: alone",
        up,
    )
    for policy, panel in panels.items():
        mine = [row for row in rows if row["policy"] == policy]
        errors = 100 * _median(mine, "inter_error_share")
        note = f"p99 {_median(mine, 'inter_p99_ms'):,.0f} ms overall, {errors:.1f} % errors"
        panel.frame(policy, note, " s")
        alone = [
            row for row in all_rows if row["scenario"] == "baseline" and row["policy"] == policy
        ]
        if alone:
            level = _median(alone, "inter_p99_ms")
            ends = [(panel.across.low, level), (panel.across.high, level)]
            panel.plot(ends, FAINT, width=1, dash="4 3")
        panel.plot(_series(mine, "inter_p99_ms"), _colour(policy))
    return canvas.render()


def draw_amplification(rows: Rows) -> str:
    """Units asked for per unit accepted: a panel per scenario, a bar per policy.

    A scenario that one policy alone was run through has nothing to be compared to.
    """
    run = {(row["scenario"], row["policy"]) for row in rows if _amplification(row)}
    names = [name for name in SCENARIOS if sum(scenario == name for scenario, _ in run) > 1]
    bar_height, policies = 17.0, _policies(rows)
    height = bar_height * len(policies)
    lines = math.ceil(len(names) / _COLUMNS)
    canvas = _canvas(
        lines * (height + _GAP),
        "Work amplification of the batch job",
        "Units asked for per unit accepted, 1 is no waste; bars show what is above 1; "
        "twotables: of the hot table",
    )
    for index, name in enumerate(names):
        left = _GAP + _LABEL + (index % _COLUMNS) * (_WIDTH + _GAP)
        top = _HEAD + 30 + (index // _COLUMNS) * (height + _GAP)
        values = {
            policy: statistics.median(found)
            for policy in policies
            if (
                found := [
                    value
                    for row in rows
                    if row["scenario"] == name and row["policy"] == policy
                    if (value := _amplification(row))
                ]
            )
        }
        canvas.text(left, top - 8, name, size=12, is_bold=True)
        longest = max(0.02, *(value - 1 for value in values.values()), 0.0)
        for place, (policy, value) in enumerate(values.items()):
            y = top + place * bar_height
            width = (_WIDTH - _LABEL - 60) * max(0.0, value - 1) / longest
            canvas.text(left - 5, y + 11, policy, colour=FAINT, size=10, anchor="end")
            canvas.bar(left, y + 2, width, bar_height - 5, _colour(policy))
            canvas.text(left + width + 5, y + 11, f"{value:.3f}", size=10)
    return canvas.render()


def _panels(rows: Rows, title: str, note: str, up: Axis) -> tuple[Canvas, dict[str, Panel]]:
    """A canvas with a panel per policy, all with the same axes."""
    slot_s = rows[0]["timeline"]["slot_s"]
    end_s = max(len(row["timeline"]["goodput"]) for row in rows) * slot_s
    across = Axis(0.0, end_s, _round_ticks(end_s))
    policies = _policies(rows)
    canvas = _canvas(math.ceil(len(policies) / _COLUMNS) * (_HEIGHT + _GAP), title, note)
    panels = {
        policy: Panel(
            canvas,
            _GAP + (index % _COLUMNS) * (_WIDTH + _GAP),
            _HEAD + 36 + (index // _COLUMNS) * (_HEIGHT + _GAP),
            _WIDTH,
            _HEIGHT,
            across,
            up,
        )
        for index, policy in enumerate(policies)
    }
    return canvas, panels


def _canvas(height: float, title: str, note: str) -> Canvas:
    """A canvas with its headings."""
    canvas = Canvas(_COLUMNS * (_WIDTH + _GAP) + 30, _HEAD + 20 + height, title)
    canvas.text(20, 26, title, size=15, is_bold=True)
    canvas.text(20, 44, note, colour=FAINT, size=11)
    return canvas


def _legend(canvas: Canvas, colour_by_name: Mapping[str, str]) -> None:
    """Names of the lines, at the right of the headings."""
    x = _COLUMNS * (_WIDTH + _GAP) - 40.0
    for name, colour in reversed(list(colour_by_name.items())):
        canvas.text(x, 26, name, colour=INK, size=11, anchor="end")
        x -= 6.5 * len(name) + 8
        canvas.bar(x - 14, 21, 14, 3, colour)
        x -= 30


def _policies(rows: Rows) -> list[str]:
    """The policies in the rows, in the usual order."""
    return [policy for policy in POLICIES if any(row["policy"] == policy for row in rows)]


def _colour(policy: str) -> str:
    """Ours stands out."""
    return _OUR_COLOUR if policy == _OURS else _PEER_COLOUR


def _series(rows: Rows, name: str) -> list[tuple[float, float]]:
    """Medians over the runs by half second, as far as most runs went."""
    timelines = [row["timeline"] for row in rows]
    slot_s = timelines[0]["slot_s"]
    length = statistics.median_low([len(timeline[name]) for timeline in timelines])
    points = []
    for index in range(length):
        values = [
            timeline[name][index]
            for timeline in timelines
            if index < len(timeline[name]) and timeline[name][index] is not None
        ]
        if values:
            points.append(((index + 0.5) * slot_s, statistics.median(values)))
    return points


def _median(rows: Rows, name: str) -> float:
    """Median of a figure over the runs; not a number where it was never found."""
    values = [row[name] for row in rows if row.get(name) is not None]
    return statistics.median(values) if values else math.nan


def _amplification(row: Mapping[str, Any]) -> float | None:
    """The row's amplification: of the job, or of the hot table."""
    value: float | None = row.get("amplification") or row.get("hot_amplification")
    return value


def _round_ticks(high: float) -> list[float]:
    """Three to six round values up to `high`."""
    size = 10.0 ** math.floor(math.log10(high))
    parts = (0.1, 0.2, 0.25, 0.5, 1.0, 2.0)
    step = next(size * part for part in parts if high / (size * part) <= 6)
    return [step * index for index in range(int(high / step) + 1)]


if __name__ == "__main__":
    main()
