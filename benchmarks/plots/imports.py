"""Import and installation, over `import boto3`."""

from __future__ import annotations

from benchmarks.plots import style
from benchmarks.results import Result


def draw_imports(result: Result) -> str:
    """A bar for each of what is imported or installed after boto3."""
    rows = [
        (each.name, each.median, each.low, each.high, _colour(each.name))
        for each in result.outcome.figures
        if each.unit in {"ratio", "share"} and each.series == result.outcome.figures[0].series
    ]
    figure = style.headed(
        9.6,
        1.25 + 0.34 * len(rows),
        "What comes on top of importing boto3",
        "CPU in a fresh process that has imported boto3, over that of importing boto3.",
    )
    axes = figure.add_subplot()
    style.bars(axes, rows)
    height = 1.25 + 0.34 * len(rows)
    figure.subplots_adjust(left=0.42, right=0.97, top=1 - 0.75 / height, bottom=0.3 / height)
    return style.svg_of(figure, "CPU of imports and installation over that of importing boto3")


def _colour(name: str) -> str:
    """Ours stands out."""
    is_ours = "dynaguard" in name or name.startswith("install") or "bundle" in name
    return style.OURS if is_ours else style.PEER
