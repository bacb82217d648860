"""`python -m benchmarks.plots`: draws the pictures of the docs from the saved data."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.plots import style
from benchmarks.plots.calls import draw_calls, draw_steps
from benchmarks.plots.decisions import draw_decisions
from benchmarks.plots.imports import draw_imports
from benchmarks.plots.overview import draw_overview
from benchmarks.results import RESULTS, load

FOLDER: Final = Path(__file__).parents[2] / "docs" / "performance"


def draw_all(results: Path) -> Iterator[tuple[str, str]]:
    """Every picture that there is data for: name of its file and its text."""
    calls, decided, imported = (load(name, results) for name in ("calls", "decisions", "imports"))
    if calls is not None:
        yield "calls.svg", draw_calls(calls)
        yield "steps.svg", draw_steps(calls)
    if decided is not None and any(each.x for each in decided.outcome.figures):
        yield "decisions.svg", draw_decisions(decided)
        if calls is not None:
            yield "overview.svg", draw_overview(calls, decided)
    if imported is not None:
        yield "imports.svg", draw_imports(imported)


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plots", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    with style.drawing():
        for name, text in draw_all(options.results):
            path = options.folder / name
            path.write_text(text, encoding="utf-8")
            print(f"{path.name} drawn")
    return 0


if __name__ == "__main__":
    sys.exit(main())
