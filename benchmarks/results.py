"""Figures as data: what was measured, where, with which versions, and whether bars are held.

One JSON file per group in `benchmarks/results/`. Tables and pictures of the docs come from these
files alone, so that they can be drawn again without measuring again.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from benchmarks.pairing import Ratio

RESULTS: Final = Path(__file__).parent / "results"
_MEASURED: Final = (
    "dynaguard",
    "botocore",
    "boto3",
    "wrapt",
    "cachetools",
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-instrumentation-botocore",
    "ddtrace",
    "aws-xray-sdk",
    "aws-lambda-powertools",
    "cedarpy",
    "casbin",
    "vakt",
)
CONTROL: Final = "bare, once more"
"""The name of figures that compare equal things: what differs from 1 is the machine."""
_RATIOS: Final = ("ratio", "share")
_KNOWN_TO: Final = (0.02, 0.005)
"""A ratio whose median is not known to this share of itself, or to this much, is noisy."""
_ELSE_KNOWN_TO: Final = 0.1
"""The same of other figures that have a bar, and of ratios of ten and more."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Attributes:
        series: What it belongs to within its group: an operation, a peer.
        name: What was measured.
        unit: `ratio` (of two CPU times), `share` (of a bare call), `ns`, `us`, `ms`, `bytes` ...
        median: The figure.
        low, high: Quartiles over the pairs.
        pairs: How many pairs.
        margin: How far the median may be off.
        bar: What it must not exceed; of `is_at_least`, what it must reach. None: no bar.
        is_at_least: Whether more is better.
        x: Where it stands on a plot's axis, for example the number of statements.
    """

    series: str
    name: str
    unit: str
    median: float
    low: float
    high: float
    pairs: int
    margin: float = 0.0
    bar: float | None = None
    is_at_least: bool = False
    x: float | None = None

    @property
    def is_held(self) -> bool | None:
        """Whether the bar is held; None without a bar."""
        if self.bar is None:
            return None
        return self.median >= self.bar if self.is_at_least else self.median <= self.bar

    @property
    def is_noisy(self) -> bool:
        """Whether the spread leaves the median too uncertain to quote; times are not quoted."""
        share, least = _KNOWN_TO
        if abs(self.median) >= 10 or self.unit not in _RATIOS:
            share, least = _ELSE_KNOWN_TO, 0.0
        is_quoted = self.unit in _RATIOS or self.bar is not None
        return is_quoted and self.margin > max(share * abs(self.median), least)

    @property
    def is_close(self) -> bool:
        """Whether the bar lies within what the median may be off by."""
        return self.bar is not None and abs(self.median - self.bar) < self.margin

    @property
    def verdict(self) -> str:
        """`held`, `missed`, and doubts about it; empty without bar and doubt."""
        parts = [] if self.bar is None else ["held" if self.is_held else "missed"]
        if self.is_close:
            parts.append("too close to call")
        if self.is_noisy:
            parts.append("noisy, repeat")
        return ", ".join(parts)


def figure_of(
    series: str, name: str, ratio: Ratio, *, unit: str = "ratio", bar: float | None = None
) -> Figure:
    """A figure from what pairs gave."""
    return Figure(
        series,
        name,
        unit,
        ratio.median,
        ratio.low,
        ratio.high,
        ratio.pairs,
        ratio.margin,
        bar,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one group of benchmarks found.

    Attributes:
        figures: In the order in which they are shown.
        settings: Counts and sizes that the figures depend on.
        left_out: Peers that were not measured, and why.
    """

    figures: tuple[Figure, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """A group's outcome with where and when it was measured.

    Attributes:
        group, title: Its name, and what its figures are.
        date: The day.
        took_s: Seconds of wall time.
        is_quick: Whether it was but a short look.
        machine: Processor, cores, operating system.
        versions: Python and every package that was measured.
        outcome: The figures.
    """

    group: str
    title: str
    date: str
    took_s: float
    is_quick: bool
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    outcome: Outcome

    def figure(self, series: str, name: str) -> Figure | None:
        """The figure of that name, if it was measured."""
        for each in self.outcome.figures:
            if (each.series, each.name) == (series, name):
                return each
        return None

    def of_series(self, series: str) -> tuple[Figure, ...]:
        """The figures of one series."""
        return tuple(each for each in self.outcome.figures if each.series == series)


def save(result: Result, folder: Path = RESULTS) -> Path:
    """Writes a group's file; gives its path."""
    data = asdict(result)
    for shown, figure in zip(data["outcome"]["figures"], result.outcome.figures, strict=True):
        for name in ("median", "low", "high", "margin"):
            shown[name] = float(f"{shown[name]:.6g}")
        shown.update(is_held=figure.is_held, is_noisy=figure.is_noisy)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.group}.json"
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return path


def load(group: str, folder: Path = RESULTS) -> Result | None:
    """A group's file, or None where it has not been measured."""
    path = folder / f"{group}.json"
    if not path.exists():
        return None
    data = json.loads(path.read_text(encoding="utf-8"))
    outcome = data.pop("outcome")
    return Result(**data, outcome=Outcome(**outcome | {"figures": _read(outcome["figures"])}))


def _read(rows: Iterable[dict[str, Any]]) -> tuple[Figure, ...]:
    """Figures without what follows from them."""
    derived = ("is_held", "is_noisy")
    return tuple(
        Figure(**{name: value for name, value in row.items() if name not in derived})
        for row in rows
    )


def machine() -> dict[str, Any]:
    """Processor model, cores, operating system; nothing that names the machine."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 1,
        "os": f"{platform.system()} {platform.release().split('-')[0]}, {platform.machine()}",
    }


def versions() -> dict[str, str]:
    """Of Python and of every package that is measured and installed here."""
    found = {platform.python_implementation(): platform.python_version()}
    for name in _MEASURED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _cpu_model() -> str:
    """As the kernel names it, else as Python does."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
