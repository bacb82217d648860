"""Decision latency as figures: engines by number of statements, and ratios with their bars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from benchmarks import decision_cost
from benchmarks.pairing import Ratio, is_quick
from benchmarks.results import Figure, Outcome, figure_of

OURS: Final = "dynaguard"
_TIMES: Final = {
    "warm_p50_ns": ("warm", "ns"),
    "warm_p99_ns": ("warm, p99", "ns"),
    "fresh_p50_ns": ("nothing remembered", "ns"),
    "fresh_p99_ns": ("nothing remembered, p99", "ns"),
    "load_ms": ("loading", "ms"),
    "first_ms": ("first decision after loading", "ms"),
}
"""Figures of an engine at a size: how their series is named, and their unit."""
_BARS: Final = {
    # Series, number of statements (None: any): the bar.
    (f"{OURS}, nothing remembered", None): decision_cost.BAR_FRESH_NS,
    (f"{OURS}, first decision after loading", 10_000): 5.0,  # ms
    ("warm / floor", None): decision_cost.BARS["warm / floor"],
    ("warm / smallest", 100_000): decision_cost.BARS["warm / smallest"],
}
_LEAST: Final = {
    ("cedarpy / dynaguard, warm", int(size)): least
    for size, least in decision_cost.BAR_BY_SIZE_OF_CEDARPY.items()
}
_SHOWN: Final = tuple(name for name in decision_cost.PEERS if name != "reference")
"""The slow evaluator that tests hold the matcher against is nobody's peer."""
_QUICK_SIZES: Final = (10, 1_000)
_QUICK_ROUNDS: Final = 3


def run() -> Outcome:
    """Measures and translates."""
    if is_quick():
        found = decision_cost.run(_QUICK_SIZES, rounds=_QUICK_ROUNDS, bound_s=2.0, peers=_SHOWN)
    else:
        found = decision_cost.run(peers=_SHOWN)
    left_out = {name: f"{name} is not installed" for name in found["missing"]}
    figures = (*_times(found["engines"]), *_ratios(found["ratios"]))
    return Outcome(figures, {"bound_s": decision_cost.BOUND_S}, left_out)


def _times(engines: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[Figure]:
    """Times of every engine, by kind and then by size."""
    for engine, cell_by_size in engines.items():
        for key, (kind, unit) in _TIMES.items():
            for size, cell in cell_by_size.items():
                if key in cell:
                    yield _figure(f"{engine}, {kind}", int(size), unit, cell[key])


def _ratios(ratios: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Iterator[Figure]:
    """Ratios within the run."""
    for name, figure_by_size in ratios.items():
        for size, figure in figure_by_size.items():
            yield _figure(name, int(size), "ratio", figure)


def _figure(series: str, size: int, unit: str, figure: Mapping[str, float]) -> Figure:
    """One figure with its bar, if it has one."""
    ratio = Ratio(figure["median"], figure["low"], figure["high"], pairs=_rounds(series))
    made = figure_of(series, f"{size:,} statements", ratio, unit=unit)
    least = _LEAST.get((series, size))
    bar = _BARS.get((series, size), _BARS.get((series, None)))
    return replace(
        made, x=float(size), bar=bar if least is None else least, is_at_least=least is not None
    )


def _rounds(series: str) -> int:
    """How many rounds a series has."""
    if not series.startswith((OURS, "floor", "warm /")):
        return decision_cost.PEER_ROUNDS
    return _QUICK_ROUNDS if is_quick() else decision_cost.ROUNDS
