"""Figures from plain data: nested mappings whose leaves are numbers, or medians with quartiles.

A leaf may be a number, or a mapping with `median` and, if they are known, `low`, `high`, `pairs`
and `bar`. The names on the way to it are its series; an ending of name or series tells the unit
(`load_ms`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from benchmarks.pairing import Ratio
from benchmarks.results import Figure, figure_of

_UNITS: Final = {"_ns": "ns", "_us": "us", "_ms": "ms", "_s": "s", "_mb": "MB", "_bytes": "bytes"}


def figures_of(
    data: Any, bars: Mapping[str, float], series: str = "", name: str = ""
) -> Iterator[Figure]:
    """Every figure that the data holds, in its order.

    Args:
        data: A leaf, or a mapping by name of further data.
        bars: By name of a figure, or by `SERIES: NAME`.
        series: Of the data itself.
        name: The same, if it is a leaf.
    """
    if isinstance(data, Mapping) and "median" not in data:
        inner = f"{series}, {name}".strip(", ")
        for key, value in data.items():
            yield from figures_of(value, bars, inner, str(key))
    elif (ratio := _ratio(data)) is not None:
        (unit, shown), (unit_of_series, series) = _unit(name), _unit(series)
        given = data.get("bar") if isinstance(data, Mapping) else None
        bar = given or bars.get(f"{series}: {shown}", bars.get(shown))
        unit = unit or unit_of_series or "ratio"
        yield figure_of(series or shown, shown, ratio, unit=unit, bar=bar)


def _ratio(leaf: Any) -> Ratio | None:
    """A leaf's median and spread; None for what is no number (a list of what is missing)."""
    if isinstance(leaf, Mapping):
        median = leaf["median"]
        low, high = leaf.get("low", median), leaf.get("high", median)
        return Ratio(median, low, high, pairs=int(leaf.get("pairs", 1)))
    if isinstance(leaf, bool) or not isinstance(leaf, int | float):
        return None
    return Ratio(leaf, leaf, leaf)


def _unit(name: str) -> tuple[str, str]:
    """The unit that a name ends with, if any, and the name as it is shown."""
    for ending, unit in _UNITS.items():
        if name.endswith(ending):
            return unit, name.removesuffix(ending).replace("_", " ")
    return "", name.replace("_", " ")
