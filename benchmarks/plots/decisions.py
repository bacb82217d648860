"""Decision time against the number of statements, on logarithmic axes."""

from __future__ import annotations

import itertools
import math
from typing import Final

from matplotlib.axes import Axes

from benchmarks.plots import style
from benchmarks.results import Result

OURS: Final = "dynaguard"
_TO_US: Final = {"ns": 1e-3, "us": 1.0, "ms": 1e3}
_DASHES: Final = ("-", "--", ":", "-.")


def draw_decisions(result: Result) -> str:
    """All peers."""
    figure = style.headed(
        9.6,
        5.2,
        "Time of one decision, by number of statements",
        "Median, one thread; both axes are logarithmic. Lower is better.",
    )
    panel(figure.add_subplot(), result)
    figure.subplots_adjust(left=0.075, right=0.765, top=0.84, bottom=0.11)
    return style.svg_of(figure, "Decision time against number of statements, by peer")


def panel(axes: Axes, result: Result) -> None:
    """A line for each engine, named at its end; ours also with nothing remembered."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    ends = []
    dashes = itertools.cycle(_DASHES)
    for series in dict.fromkeys(each.series for each in result.outcome.figures):
        if (name := _shown(series)) is None:
            continue
        is_ours = name.startswith(OURS)
        dash = ("-" if series == f"{OURS}, warm" else "--") if is_ours else next(dashes)
        colour = style.OURS if is_ours else style.PEER
        points = sorted(
            (each.x or 0.0, each.median * _TO_US[each.unit]) for each in result.of_series(series)
        )
        style.line_of(
            axes, points, color=colour, linestyle=dash, linewidth=2.2 if is_ours else 1.5
        )
        ends.append((name, *points[-1], colour))
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * 2)  # room for names
    _name_ends(axes, ends)
    _ticks(axes)


def _shown(series: str) -> str | None:
    """What a series is called, None where it is not drawn."""
    engine, _, kind = series.partition(", ")
    if engine == OURS:
        return series if kind in {"warm", "nothing remembered"} else None
    is_time = " / " not in engine and engine != "floor"
    return engine if kind == "warm" and is_time else None


def _ticks(axes: Axes) -> None:
    """A grid of decades."""
    axes.set_xlabel("statements")
    axes.grid(visible=True, which="major")
    sizes = [10, 100, 1_000, 10_000, 100_000]
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    low, high = axes.get_ylim()
    decades = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    axes.set_yticks([10.0**power for power in decades], [_named_us(power) for power in decades])
    axes.minorticks_off()


def _name_ends(axes: Axes, ends: list[tuple[str, float, float, str]]) -> None:
    """Each line's name right of its end; names that would overlap are moved apart."""
    low, high = (math.log10(limit) for limit in axes.get_ylim())
    heights = style.spaced([math.log10(y) for _, _, y, _ in ends], (high - low) * 0.052)
    for (name, x, y, colour), height in zip(ends, heights, strict=True):
        axes.annotate(
            name,
            (x, y),
            (x * 1.4, 10**height),
            va="center",
            size=9.5,
            color=colour,
            arrowprops={"arrowstyle": "-", "color": style.GRID, "shrinkA": 0, "shrinkB": 3},
            annotation_clip=False,
            # A line that goes on behind a name must not cross it out.
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )


def _named_us(power: int) -> str:
    """A power of ten of microseconds, in the unit that reads best."""
    for unit, above in (("s", 6), ("ms", 3), ("µs", 0)):
        if power >= above:
            return f"{10 ** (power - above):,} {unit}"
    return f"{10 ** (power + 3):,} ns"
