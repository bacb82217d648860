"""`python -m benchmarks [GROUP ...]`: measures, prints figures against bars, keeps them as data.

Without names all groups are measured. The exit code is 1 where a bar is missed. A figure whose
median is not known well enough is marked: the machine was busy, and the group should be repeated.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
import time
from itertools import groupby
from pathlib import Path

from benchmarks.groups import GROUPS
from benchmarks.pairing import QUICK
from benchmarks.results import CONTROL, RESULTS, Figure, Result, machine, save, versions

_PLACES = {"ratio": ".3f", "share": ".4f"}
_MOST_CONTROL = 0.05
"""Quartiles of equal calls that are further apart tell of a busy machine."""


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--quick", action="store_true", help="a short look; kept apart")
    parser.add_argument("--results", type=Path, help=f"where data goes, else {RESULTS.name}/")
    parser.add_argument(
        "--for-docs", action="store_true", help="exit code 0 although bars are missed"
    )
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.groups if name not in GROUPS]:
        parser.error(f"unknown group `{unknown[0]}`, there are: {', '.join(GROUPS)}")
    if options.quick:
        os.environ[QUICK] = "1"
    folder = options.results or (RESULTS / "local" if options.quick else RESULTS)
    began_s = time.monotonic()
    results = []
    for name in options.groups or GROUPS:
        results.append(_run(name, is_quick=options.quick))
        save(results[-1], folder)
    missed = _summary(results, time.monotonic() - began_s)
    return 1 if missed and not options.for_docs else 0


def _run(name: str, *, is_quick: bool) -> Result:
    """One group, printed."""
    group = GROUPS[name]
    print(f"\n{name}: {group.title}", flush=True)
    began_s = time.monotonic()
    outcome = group.run()
    took_s = round(time.monotonic() - began_s, 1)
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    for series, figures in groupby(outcome.figures, key=lambda each: each.series):
        print(f" {series}")
        for figure in figures:
            print(_row(figure), flush=True)
    for peer, reason in outcome.left_out.items():
        print(f" {peer} left out: {reason}")
    print(f" ({took_s:.0f} s)")
    return Result(name, group.title, today, took_s, is_quick, machine(), versions(), outcome)


def _row(figure: Figure) -> str:
    """A figure with its spread, its bar and the verdict."""
    places = ",.4g" if abs(figure.median) < 1_000 else ",.0f"
    if abs(figure.median) < 10:
        places = _PLACES.get(figure.unit, places)
    values = [format(value, places) for value in (figure.median, figure.low, figure.high)]
    shown = f"{values[0]} [{values[1]} to {values[2]}]"
    unit = "" if figure.unit in _PLACES else f" {figure.unit}"
    bar = ""
    if figure.bar is not None:
        bar = f"bar {'at least ' if figure.is_at_least else ''}{figure.bar:g}"
    return f"  {figure.name:<46} {shown + unit:<36} {bar:<12} {figure.verdict}".rstrip()


def _summary(results: list[Result], took_s: float) -> int:
    """Prints what is missed and what is in doubt; gives how many bars are missed."""
    figures = [(result.group, each) for result in results for each in result.outcome.figures]
    missed = [(group, each) for group, each in figures if each.is_held is False]
    noisy = [(group, each) for group, each in figures if each.is_noisy]
    barred = sum(each.bar is not None for _, each in figures)
    print(f"\n{barred - len(missed)} of {barred} bars held, {took_s / 60:.1f} minutes")
    for group, each in missed:
        print(f"  missed: {group}, {each.series}, {each.name}: {each.median:.4g} > {each.bar:g}")
    for _, each in figures:
        if each.name == CONTROL and each.high - each.low > _MOST_CONTROL:
            spread = f"{each.low:.3f} to {each.high:.3f}"
            print(f"the machine is busy: equal calls of {each.series} came out as {spread}")
    if noisy:
        groups = ", ".join(dict.fromkeys(group for group, _ in noisy))
        print(f"{len(noisy)} figures are noisy; on a quiet machine repeat: {groups}")
    return len(missed)


if __name__ == "__main__":
    sys.exit(main())
