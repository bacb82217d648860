"""The one picture of the README: what a guarded call costs, and that statements cost nothing."""

from __future__ import annotations

from benchmarks.plots import calls, decisions, style
from benchmarks.results import Result


def draw_overview(result: Result, decided: Result) -> str:
    """Whole calls at the left, decision time at the right."""
    figure = style.headed(
        11.6,
        4.5,
        "What guarding a call costs",
        "CPU of a whole call over a bare botocore call (left); time of one decision (right). "
        "Less is better.",
    )
    grid = figure.add_gridspec(2, 2, width_ratios=(1.0, 0.95))
    for row, operation in enumerate(("GetItem", "Query(25)")):
        calls.panel(figure.add_subplot(grid[row, 0]), result, operation)
    axes = figure.add_subplot(grid[:, 1])
    decisions.panel(axes, decided)
    axes.set_title("Decision, by number of statements", pad=15)
    axes.set_xlabel("")
    figure.subplots_adjust(left=0.18, right=0.79, top=0.765, bottom=0.075, wspace=0.2, hspace=0.5)
    return style.svg_of(figure, "CPU of guarded calls and time of decisions, with peers")
