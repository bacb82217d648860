"""What a decision costs by the number of statements, for dynaguard and for others.

Warm: ten tables, the first asked for far more often than the last. Fresh: no two requests are for
the same action and table, so that nothing remembered helps. Every engine gets the same statements
and requests, and has to give the answers of a naive loop before it is timed.

Times are wall time of single decisions, median and 99th percentile of a round; each figure is the
median of the rounds, with quartiles. Only ratios within one run are to be compared.
"""

from __future__ import annotations

import gc
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from benchmarks.decision_mix import (
    ARN,
    OPERATIONS,
    Request,
    busy_requests,
    fresh_requests,
    mixed_statements,
)
from benchmarks.decision_peers import PEERS, Dynaguard, Engine, Floor, FnmatchLoop

SIZES: Final = (10, 100, 1_000, 10_000, 100_000)
ROUNDS: Final = 9
PEER_ROUNDS: Final = 3
BOUND_S: Final = 20.0
"""So long may a peer take at one size, loading included; larger sizes are then left out."""
BARS: Final = {"warm / floor": 1.5, "warm / smallest": 1.2}
BAR_FRESH_NS: Final = 10_000.0
BAR_BY_SIZE_OF_CEDARPY: Final = {"10": 500.0, "1000": 10_000.0}
_REQUESTS: Final = 1_000
_REPEATS: Final = 20
"""A warm decision is timed so many times in a row: reading the clock costs as much as one."""
_FEWEST: Final = 5
"""Fewer decisions in the time of a round say nothing."""
_REFERENCE_UP_TO: Final = 100
"""Statements up to which our own naive evaluator confirms the naive loop."""

Figure = dict[str, float]
"""`median`, and the quartiles `low` and `high`."""
Row = dict[str, float]
"""One round: figures by name."""


def run(
    sizes: Sequence[int] = SIZES,
    *,
    rounds: int = ROUNDS,
    bound_s: float = BOUND_S,
    peers: Sequence[str] = tuple(PEERS),
) -> dict[str, Any]:
    """All figures as plain data.

    **Shape**: `engines`: by name and size (text), figures by name: `warm_p50_ns`, `warm_p99_ns`,
    `fresh_p50_ns`, `fresh_p99_ns`, `load_ms`, `first_ms` (the first decision after loading);
    `floor` among them, warm alone. `ratios`: by name and size, figures: `warm / floor`,
    `warm / smallest`, and for each peer `cedarpy / dynaguard, warm` and `..., fresh`. `missing`:
    the peers that are not installed. A figure has `median`, `low` and `high` (quartiles).
    """
    subjects = {size: _Subject(size) for size in sizes}
    gc.collect()
    gc.freeze()
    rows = [
        {size: subject.round(number) for size, subject in subjects.items()}
        for number in range(rounds)
    ]
    engines: dict[str, dict[str, dict[str, Figure]]] = {
        name: {str(size): _figures([row[size][name] for row in rows]) for size in sizes}
        for name in ("dynaguard", "floor")
    }
    missing = []
    for name in peers:
        try:
            engines[name] = _peer(name, subjects, bound_s)
        except ImportError:
            missing.append(name)
    gc.unfreeze()
    return {"engines": engines, "ratios": _ratios(rows, engines), "missing": missing}


class _Subject:
    """Statements of one size, the requests that are asked of them, and dynaguard itself."""

    def __init__(self, size: int) -> None:
        self.statements = mixed_statements(size)
        self.busy = busy_requests(self.statements, _REQUESTS)
        self.checked = fresh_requests(self.statements, 60 if size <= 1_000 else 12, seed=4)
        loop = FnmatchLoop(self.statements)
        self._expected = [loop.decide(*loop.arguments(request)) for request in self.checked]
        if size <= _REFERENCE_UP_TO:
            self.check("reference", PEERS["reference"](self.statements), count=20)
        self._floor = Floor(self.busy)
        self._own = Dynaguard(self.statements)
        self.check("dynaguard", self._own)

    def check(self, name: str, engine: Engine, count: int | None = None) -> None:
        """Stops the run if an engine gives other answers than the naive loop."""
        answers = [engine.decide(*engine.arguments(request)) for request in self.checked[:count]]
        allowed = [engine.is_allowed(answer) for answer in answers]
        if allowed != self._expected[:count]:
            message = f"`{name}` answers otherwise than the naive loop"
            raise AssertionError(message)

    def round(self, number: int) -> dict[str, Row]:
        """One round of the floor and of dynaguard, beside each other."""
        row = {
            "floor": _percentiles("warm", _latencies_ns(self._floor, self.busy, _REPEATS)),
            "dynaguard": _percentiles("warm", _latencies_ns(self._own, self.busy, _REPEATS)),
        }
        # Loaded anew, so that a round remembers nothing of the one before.
        row["dynaguard"] |= self._load()
        fresh = fresh_requests(self.statements, _REQUESTS, seed=100 + number)
        row["dynaguard"] |= _percentiles("fresh", _latencies_ns(self._own, fresh))
        return row

    def _load(self) -> Row:
        """Times loading and the first decision; then each action has been asked about once."""
        asked = [
            self._own.arguments(Request(f"dynamodb:{name}", f"{ARN}first", self.busy[0].context))
            for name in OPERATIONS
        ]
        started_s = time.perf_counter()
        self._own.load()
        loaded_s = time.perf_counter()
        self._own.decide(*asked[0])
        decided_s = time.perf_counter()
        for arguments in asked[1:]:
            self._own.decide(*arguments)
        return {
            "load_ms": (loaded_s - started_s) * 1e3,
            "first_ms": (decided_s - loaded_s) * 1e3,
        }


def _peer(
    name: str, subjects: Mapping[int, _Subject], bound_s: float
) -> dict[str, dict[str, Figure]]:
    """The figures of a peer, up to the size that it cannot do in time."""
    cells = {}
    for size, subject in subjects.items():
        started_s = time.perf_counter()
        engine = PEERS[name](subject.statements)
        load_s = time.perf_counter() - started_s
        subject.check(name, engine, count=_FEWEST)
        checked_s = time.perf_counter() - started_s
        left_s = bound_s - checked_s
        if left_s < checked_s - load_s:
            break
        round_s = left_s / (2 * PEER_ROUNDS)
        rows = []
        for number in range(PEER_ROUNDS):
            fresh = fresh_requests(subject.statements, _REQUESTS, seed=100 + number)
            warm = _latencies_ns(engine, subject.busy, bound_s=round_s)
            row = _percentiles("warm", warm)
            row |= _percentiles("fresh", _latencies_ns(engine, fresh, bound_s=round_s))
            rows.append({**row, "load_ms": load_s * 1e3})
        cells[str(size)] = _figures(rows)
        # Ten times the statements take ten times as long, in all that was measured here.
        if checked_s * 10 > bound_s:
            break
    return cells


# --- timing -----------------------------------------------------------------------------------


def _latencies_ns(
    engine: Floor | Engine,
    requests: Iterable[Request],
    repeats: int = 1,
    *,
    bound_s: float = BOUND_S,
) -> list[float]:
    """The time of each decision, without that of the clock; ends early when over the bound."""
    prepared = [engine.arguments(request) for request in requests]
    decide: Callable[[Any, Any, Any], object] = engine.decide
    clock, clock_ns = time.perf_counter_ns, _clock_ns()
    latencies = []
    ends_ns = clock() + bound_s * 1e9
    for first, second, third in prepared:
        started_ns = clock()
        for _ in itertools.repeat(None, repeats):
            decide(first, second, third)
        ended_ns = clock()
        latencies.append((ended_ns - started_ns - clock_ns) / repeats)
        if ended_ns > ends_ns and len(latencies) >= _FEWEST:
            break
    return latencies


def _clock_ns() -> float:
    """What reading the clock twice takes."""
    clock = time.perf_counter_ns
    return statistics.median(-clock() + clock() for _ in range(1_000))


def _percentiles(name: str, latencies_ns: Sequence[float]) -> Row:
    """Median and 99th percentile of a round."""
    cuts = statistics.quantiles(latencies_ns, n=100, method="inclusive")
    return {f"{name}_p50_ns": cuts[49], f"{name}_p99_ns": cuts[98]}


def _figures(rows: Sequence[Row]) -> dict[str, Figure]:
    """The figures of rounds."""
    return {name: _figure([row[name] for row in rows]) for name in rows[0]}


def _figure(values: Sequence[float]) -> Figure:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": middle, "low": low, "high": high}


def _ratios(
    rows: Sequence[Mapping[int, Mapping[str, Row]]],
    engines: Mapping[str, Mapping[str, Mapping[str, Figure]]],
) -> dict[str, dict[str, Figure]]:
    """Ratios by name and size: round by round where both sides were in it."""
    ratios: dict[str, dict[str, Figure]] = {"warm / floor": {}, "warm / smallest": {}}
    smallest = min(rows[0])
    for size in rows[0]:
        warm = [row[size]["dynaguard"]["warm_p50_ns"] for row in rows]
        floor = [row[size]["floor"]["warm_p50_ns"] for row in rows]
        least = [row[smallest]["dynaguard"]["warm_p50_ns"] for row in rows]
        for name, others in (("warm / floor", floor), ("warm / smallest", least)):
            shares = [one / other for one, other in zip(warm, others, strict=True)]
            ratios[name][str(size)] = _figure(shares)
    for name in engines.keys() - {"dynaguard", "floor"}:
        for kind in ("warm", "fresh"):
            ratios[f"{name} / dynaguard, {kind}"] = {
                size: _over(cell[f"{kind}_p50_ns"], engines["dynaguard"][size][f"{kind}_p50_ns"])
                for size, cell in engines[name].items()
            }
    return ratios


def _over(figure: Figure, base: Figure) -> Figure:
    """A figure over the median of another one."""
    return {name: value / base["median"] for name, value in figure.items()}


# --- report -----------------------------------------------------------------------------------


def main() -> int:
    """Prints the figures and whether they hold their bars; `--json` prints the data alone."""
    results = run()
    if "--json" in sys.argv:
        print(json.dumps(results, indent=2))
        return 0
    for name, cells in results["engines"].items():
        print(f"\n{name}: median of p50 of the rounds, warm and fresh, in us; load, first in ms")
        for size, cell in cells.items():
            shown = [
                f"{key.rpartition('_')[0]} {figure['median'] / unit:,.3f}"
                for key, figure in cell.items()
                for unit in (1e3 if key.endswith("_ns") else 1.0,)
            ]
            print(f"  {int(size):>7,} statements  {'  '.join(shown)}")
    for name in results["missing"]:
        print(f"\n{name} is not installed, run `make bench`")
    return report_bars(results)


def report_bars(results: Mapping[str, Any]) -> int:
    """Prints the ratios against their bars; gives the number of missed ones."""
    missed = 0
    for name, by_size in sorted(results["ratios"].items()):
        print(f"\n{name}")
        for size, figure in by_size.items():
            bar = BARS.get(name)
            value = figure["median"]
            is_missed = bar is not None and value > bar
            if name == "cedarpy / dynaguard, warm":
                bar = BAR_BY_SIZE_OF_CEDARPY.get(size)
                is_missed = bar is not None and value < bar
            missed += is_missed
            verdict = "" if bar is None else f"  bar {bar:g} {'missed' if is_missed else 'held'}"
            spread = f"[{figure['low']:,.3g}-{figure['high']:,.3g}]"
            print(f"  {int(size):>7,} statements  {value:,.4g} {spread}{verdict}")
    for size, cell in results["engines"]["dynaguard"].items():
        value = cell["fresh_p50_ns"]["median"]
        is_missed = value > BAR_FRESH_NS
        missed += is_missed
        print(
            f"fresh p50 at {int(size):,}: {value / 1e3:.2f} us, bar 10 us "
            f"{'missed' if is_missed else 'held'}"
        )
    return missed


if __name__ == "__main__":
    sys.exit(main())
