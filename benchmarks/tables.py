"""The tables of `docs/performance.md`, made from the saved figures by `docs/generate.py`.

Every function gives one part of the page as Markdown. What was not measured yet is said to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks import results
from benchmarks.flame.folding import load_profile
from benchmarks.results import Figure, Result

_OPERATIONS = ("GetItem", "PutItem", "Query(25)", "BatchWriteItem(25)")
GROUPS = (
    "calls",
    "decisions",
    "loading",
    "imports",
    "memory",
    "analysis",
    "admission",
    "rate",
    "grants",
    "audit",
    "span",
    "consumption",
    "masking",
)
_NANOSECONDS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
_UNTOLD = ", p99"
"""The end of series that the page does not show, unless they are dynaguard's own."""
_ABSENT = "(not measured yet)"
_SHARES = "share of a bare GetItem"
_RECORDING = "added by recording, over what OpenTelemetry adds"


def measured_on() -> str:
    """Machine, versions, date and doubts."""
    found = _results()
    if not found:
        return _ABSENT
    last = max(found, key=lambda each: each.date)
    machine = last.machine
    took_min = sum(each.took_s for each in found) / 60
    figures = [figure for each in found for figure in each.outcome.figures]
    noisy = sum(each.is_noisy for each in figures)
    rows = [
        ("date", " to ".join(dict.fromkeys((min(each.date for each in found), last.date)))),
        ("machine", f"{machine['cpu']}, {machine['cores']} cores, {machine['os']}"),
        ("versions", ", ".join(f"{name} {number}" for name, number in last.versions.items())),
        ("figures", f"{len(figures)}, of which {noisy} too noisy to quote"),
        ("took", f"{took_min:.0f} minutes"),
    ]
    left_out = {name: why for each in found for name, why in each.outcome.left_out.items()}
    rows += [("left out", f"{name}: {why}") for name, why in left_out.items()]
    return _table(("", ""), rows)


def bars() -> str:
    """Every figure that has a bar, and whether it holds it."""
    rows = []
    for result in _results():
        for figure in result.outcome.figures:
            if figure.bar is not None:
                verdict = "held" if figure.is_held else "**missed**"
                doubt = " (too close to call)" if figure.is_close else ""
                sign = "at least" if figure.is_at_least else "at most"
                name = f"{figure.series}: {figure.name}"
                rows.append(
                    (
                        result.group,
                        name,
                        _value(figure),
                        f"{sign} {_limit(figure)}",
                        verdict + doubt,
                    )
                )
    return _table(("group", "figure", "measured", "bar", ""), rows) if rows else _ABSENT


def summary() -> str:
    """How many bars are held, and which are not."""
    found = [
        (
            figure.is_held,
            f"{figure.series}, {figure.name} ({_value(figure)}, bar {_limit(figure)})",
        )
        for result in _results()
        for figure in result.outcome.figures
        if figure.bar is not None
    ]
    missed = [name for is_held, name in found if not is_held]
    said = f"Of {len(found)} bars {len(found) - len(missed)} are held."
    if missed:
        said += " Missed are:\n\n" + "\n".join(f"- {name}" for name in missed)
    return said if found else _ABSENT


def calls() -> str:
    """Whole calls: a row for each variant, a column for each operation."""
    result = _load("calls")
    if result is None:
        return _ABSENT
    names = dict.fromkeys(
        figure.name for operation in _OPERATIONS for figure in result.of_series(operation)
    )
    rows = [
        (name, *(_cell(result.figure(operation, name)) for operation in _OPERATIONS))
        for name in names
    ]
    return _table(("CPU over a bare call", *_OPERATIONS), rows)


def recording() -> str:
    """What a recording span and metrics add, over what OpenTelemetry's instrumentation adds."""
    result = _load("calls")
    found = result.of_series(_RECORDING) if result else ()
    rows = [(each.name, _cell(each), _bar(each)) for each in found]
    return (
        _table(("added, over what OpenTelemetry adds", "ratio", "bar"), rows) if rows else _ABSENT
    )


def steps() -> str:
    """Shares of the steps in a bare GetItem, with the design's."""
    result = _load("calls")
    if result is None:
        return _ABSENT
    rows = [
        (each.name, _cell(each), f"{each.low:.3f} to {each.high:.3f}", _limit(each))
        for each in result.of_series(_SHARES)
    ]
    return _table(("step", "share", "quartiles", "design"), rows)


def flame() -> str:
    """Whose code the samples of a guarded call were in."""
    profile = load_profile(results.RESULTS / "flame.json")
    if profile is None:
        return _ABSENT
    rows = [(name, f"{share:.0%}") for name, share in profile.shares.items()]
    return _table((f"of {profile.total:,} samples, innermost frame in", "share"), rows)


def decisions() -> str:
    """Decision times by number of statements."""
    result = _load("decisions")
    if result is None:
        return _ABSENT
    placed = [
        each
        for each in result.outcome.figures
        if each.x and (each.series.startswith("dynaguard") or not each.series.endswith(_UNTOLD))
    ]
    if not placed:
        return _listed(result)
    sizes = sorted({each.x for each in placed if each.x})
    series = dict.fromkeys(each.series for each in placed)
    found = {(each.series, each.x): each for each in placed}
    rows = [(name, *(_cell(found.get((name, size))) for size in sizes)) for name in series]
    table = _table(("", *(f"{size:,.0f}" for size in sizes)), rows)
    rest = [each for each in result.outcome.figures if not each.x]
    return f"{table}\n\n{_rows_of(rest)}" if rest else table


def imports() -> str:
    """Import and installation."""
    return _listed(_load("imports"))


def loading() -> str:
    """Loading of policies and bundles."""
    return _listed(_load("loading"))


def memory() -> str:
    """Memory."""
    return _listed(_load("memory"))


def rate() -> str:
    """Calls a second of threads together."""
    return _listed(_load("rate"))


def evidence() -> str:
    """Grants, admission, analysis, audit records and the span, over a bare call."""
    parts = (_load(name) for name in ("analysis", "admission", "grants", "audit", "span"))
    found = [each for result in parts if result for each in result.outcome.figures]
    return _rows_of(found) if found else _ABSENT


def masking() -> str:
    """Masks by set and strategy."""
    result = _load("masking")
    if result is None:
        return _ABSENT
    tables = []
    for series in dict.fromkeys(each.series for each in result.outcome.figures):
        rows = [(each.name, _cell(each), _bar(each)) for each in result.of_series(series)]
        tables.append(_table((series, "share", "bar"), rows))
    return "\n\n".join(tables)


def _load(group: str) -> Result | None:
    """A group's saved figures."""
    return results.load(group, results.RESULTS)


def _results() -> list[Result]:
    """Every group that was measured."""
    return [result for name in GROUPS if (result := _load(name)) is not None]


def _listed(result: Result | None) -> str:
    """All figures of a group, one a row."""
    return _rows_of(result.outcome.figures) if result else _ABSENT


def _rows_of(figures: Iterable[Figure]) -> str:
    """Figures one a row, with what they belong to, quartiles and bar."""
    rows = [
        (f"{each.series}: {each.name}", _value(each), _quartiles(each), _bar(each))
        for each in figures
    ]
    return _table(("", "median", "quartiles", "bar"), rows)


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [" | ".join(headers), "|".join("---" for _ in headers)]
    lines += [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return "\n".join(f"| {line} |" if "---" not in line else f"|{line}|" for line in lines)


def _cell(figure: Figure | None) -> str:
    """A median, marked where it misses its bar or is not well known."""
    if figure is None:
        return ""
    marks = ("*" if figure.is_noisy else "") + (" (missed)" if figure.is_held is False else "")
    return _value(figure) + marks


def _bar(figure: Figure) -> str:
    """The bar and whether it is held."""
    if figure.bar is None:
        return ""
    return f"{_limit(figure)}, {'held' if figure.is_held else '**missed**'}"


def _limit(figure: Figure) -> str:
    """The bar itself, a time in the unit that reads best."""
    if figure.bar is None:
        return ""
    factor = _NANOSECONDS.get(figure.unit)
    return f"{figure.bar:g}{_unit(figure.unit)}" if factor is None else _time(figure.bar * factor)


def _value(figure: Figure) -> str:
    """The median with its unit; times in the unit that reads best."""
    if figure.unit in _NANOSECONDS:
        return _time(figure.median * _NANOSECONDS[figure.unit])
    return _number(figure.median, figure.unit) + _unit(figure.unit)


def _time(time_ns: float) -> str:
    """Three places, in the largest unit that is not larger than the time."""
    unit = next((name for name in ("s", "ms", "us") if time_ns >= _NANOSECONDS[name]), "ns")
    scaled = time_ns / _NANOSECONDS[unit]
    return f"{scaled:.0f} {unit}" if scaled >= 100 else f"{scaled:.3g} {unit}"


def _quartiles(figure: Figure) -> str:
    """Both, where there is more than one pair."""
    if figure.pairs < 2:
        return ""
    return f"{_number(figure.low, figure.unit)} to {_number(figure.high, figure.unit)}"


def _number(value: float, unit: str) -> str:
    """As many places as can be trusted."""
    if unit in {"ratio", "share"} and abs(value) < 10:
        return f"{value:.3f}" if abs(value) >= 0.02 else f"{value:.4f}"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def _unit(unit: str) -> str:
    """Ratios and shares have none."""
    return "" if unit in {"ratio", "share"} else f" {unit}"
