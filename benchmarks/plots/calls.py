"""Whole calls: CPU over a bare call by operation, and the shares of the steps."""

from __future__ import annotations

from typing import Final

from matplotlib.axes import Axes

from benchmarks.plots import style
from benchmarks.results import Result
from benchmarks.stub import OPERATIONS

ROWS: Final = (
    # What the picture says, the figure's name, its colour.
    ("dynaguard, everything on", "everything: + audit to a file", style.OURS),
    (
        "\N{HORIZONTAL ELLIPSIS} and a span and metrics",
        "everything, and a recording span and metrics",
        style.OURS_PALE,
    ),
    ("OpenTelemetry, API only", "OpenTelemetry, API only", style.PEER_PALE),
    ("OpenTelemetry, SDK", "OpenTelemetry, SDK", style.PEER),
    ("AWS X-Ray SDK", "aws-xray-sdk", style.PEER),
    ("Datadog ddtrace", "ddtrace", style.PEER),
)
_SHARES: Final = "share of a bare GetItem"


def draw_calls(result: Result) -> str:
    """A panel for each operation."""
    figure = style.headed(
        9.6,
        6.4,
        "CPU of a whole call, over a bare botocore call",
        "Shorter is better; the line at 1 is botocore alone. Answers come from memory.",
    )
    for place, operation in enumerate(OPERATIONS):
        axes = figure.add_subplot(2, 2, place + 1)
        panel(axes, result, operation.name)
        if place % 2:
            axes.set_yticklabels([])
    figure.subplots_adjust(
        left=0.21, right=0.985, top=0.825, bottom=0.045, wspace=0.06, hspace=0.36
    )
    return style.svg_of(figure, "CPU of a whole call over a bare one, by operation and peer")


def panel(axes: Axes, result: Result, operation: str) -> None:
    """One operation's bars, and the line of the bare call."""
    rows = [
        (name, figure.median, figure.low, figure.high, colour)
        for name, key, colour in ROWS
        if (figure := result.figure(operation, key)) is not None
    ]
    style.bars(axes, rows)
    axes.axvline(1.0, color=style.INK, linewidth=1.2)
    axes.set_title(operation, pad=15)
    axes.set_xticks([0, 0.5, 1.0, 1.5])
    axes.set_xlim(0, longest(result) * 1.13)
    axes.text(1.0, -0.55, "bare", size=9, color=style.INK, ha="center", va="bottom")


def longest(result: Result) -> float:
    """Where the longest bar of any panel ends: all panels have one scale."""
    ends = [
        figure.high
        for operation in OPERATIONS
        for _, key, _ in ROWS
        if (figure := result.figure(operation.name, key)) is not None
    ]
    return max(1.5, *ends)


def draw_steps(result: Result) -> str:
    """Each step's share of a bare GetItem, with what the design allows it."""
    figures = result.of_series(_SHARES)
    rows = [(each.name, each.median, each.low, each.high, style.OURS) for each in figures]
    figure = style.headed(
        9.6,
        4.5,
        "What each step of a guarded call takes",
        "CPU as a share of a bare GetItem, fast parse off. Upright marks: what the design allows.",
    )
    axes = figure.add_subplot()
    style.bars(axes, rows, places=3)
    for place, each in enumerate(figures):
        if each.bar is not None:
            axes.plot([each.bar] * 2, [place - 0.42, place + 0.42], color=style.MARK, linewidth=2)
    axes.axvline(0.0, color=style.INK, linewidth=1.0)
    figure.subplots_adjust(left=0.345, right=0.965, top=0.83, bottom=0.07)
    return style.svg_of(figure, "Share of each step of a guarded call in a bare GetItem")
