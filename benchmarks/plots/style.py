"""One look for all pictures: white ground, ours in blue, everything else in greys.

The ground is opaque, so that a picture reads the same on light and dark pages. The text of a
picture stays text; equal data gives equal bytes.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.retry.svg import FAINT, GRID, INK

OURS: Final = "#1463c4"
OURS_PALE: Final = "#8fb8ea"
PEER: Final = "#5b6372"
PEER_PALE: Final = "#aab1bd"
MARK: Final = "#c2571a"
_SETTINGS: Final = {
    "svg.hashsalt": "dynaguard",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": GRID,
    "axes.labelcolor": FAINT,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Within it every figure has the look."""
    with mpl.rc_context(_SETTINGS):
        yield


def headed(width: float, height: float, title: str, note: str) -> Figure:
    """An empty figure, in inches, with a title and a line of explanation."""
    figure = Figure(figsize=(width, height))
    figure.text(0.16 / width, 1 - 0.30 / height, title, size=14, weight="bold", color=INK)
    figure.text(0.16 / width, 1 - 0.54 / height, note, size=10, color=FAINT)
    return figure


def svg_of(figure: Figure, label: str) -> str:
    """The figure as SVG.

    Args:
        figure: Drawn.
        label: What it shows, for readers who do not see it.
    """
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Title": label})
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", stream.getvalue())
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<svg ", "<svg role='img' ", text, count=1)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n"


def bars(
    axes: Axes, rows: Sequence[tuple[str, float, float, float, str]], *, places: int = 2
) -> None:
    """Horizontal bars from the top down, with quartiles and the value at the end.

    Args:
        axes: Where.
        rows: Of each bar its name, value, quartiles and colour.
        places: Of the value that is written.
    """
    longest = max(high for _, _, _, high, _ in rows)
    for place, (_, value, low, high, colour) in enumerate(rows):
        axes.barh(place, value, height=0.62, color=colour)
        axes.plot([low, high], [place, place], color=INK, linewidth=1.1, solid_capstyle="butt")
        axes.text(
            max(value, high, 0) + longest * 0.02,
            place,
            f"{value:.{places}f}".replace("-", "\N{MINUS SIGN}"),
            va="center",
            size=9.5,
            color=INK,
            # A line behind it must not cross out the figure.
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            zorder=5,
        )
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.invert_yaxis()
    axes.set_xlim(min(0.0, *(low for _, _, low, _, _ in rows)) * 1.15, longest * 1.17)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.grid(axis="x")
    axes.grid(visible=False, axis="y")


def spaced(places: Sequence[float], least: float) -> list[float]:
    """The places moved apart until neighbours are at least so far from each other."""
    order = sorted(range(len(places)), key=places.__getitem__)
    moved = list(places)
    for _ in range(100):
        for lower, upper in itertools.pairwise(order):
            if (lacking := least - (moved[upper] - moved[lower])) > 0:
                moved[lower] -= lacking / 2
                moved[upper] += lacking / 2
    return moved


def line_of(axes: Axes, points: Sequence[tuple[float, float]], **look: Any) -> None:
    """A line with a mark at each point."""
    across, up = zip(*points, strict=True)
    axes.plot(across, up, marker="o", markersize=4, **look)
