from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import tables
from benchmarks.results import Figure, Outcome, Result, machine, save

ANY_TABLE = (
    *("measured_on", "summary", "bars", "calls", "recording", "steps", "flame", "decisions"),
    *("imports", "loading", "memory", "rate", "evidence", "masking"),
)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the place of the saved figures."""
    monkeypatch.setattr("benchmarks.results.RESULTS", tmp_path)
    return tmp_path


def keep(folder: Path, group: str, *figures: Figure) -> None:
    """Saves a group."""
    outcome = Outcome(figures, {}, {"ddtrace": "ddtrace is not installed"})
    made = Result(group, "", "2026-01-02", 60.0, False, machine(), {"botocore": "1.2"}, outcome)
    save(made, folder)


def ratio(series: str, name: str, median: float, **changes: object) -> Figure:
    """A figure of a hundred pairs."""
    return Figure(series, name, "ratio", median, median, median, 100, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ANY_TABLE)
def test_a_table_of_nothing_says_so(results: Path, name: str) -> None:
    """A page can be written before anything was measured."""
    assert getattr(tables, name)() == "(not measured yet)"


def test_operations_are_columns_of_the_table_of_calls(results: Path) -> None:
    """What an operation has no figure of stays empty."""
    keep(results, "calls", ratio("GetItem", "all", 1.2, bar=1.0), ratio("PutItem", "one", 0.9))

    assert tables.calls().splitlines()[2:] == [
        "| all | 1.200 (missed) |  |  |  |",
        "| one |  | 0.900 |  |  |",
    ]


def test_the_summary_counts_bars_and_names_what_is_missed(results: Path) -> None:
    """Figures without a bar do not count."""
    figures = [ratio("GetItem", "all", 1.2, bar=1.0), ratio("Query", "all", 0.5, bar=0.55)]
    keep(results, "calls", *figures, ratio("PutItem", "all", 3.0))

    text = tables.summary()

    assert text.startswith("Of 2 bars 1 are held.")
    assert text.endswith("- GetItem, all (1.200, bar 1)")


def test_every_bar_is_listed_with_its_verdict(results: Path) -> None:
    """Least bars are told from most bars, doubts are told."""
    fast = Figure("cedarpy", "1,000", "ratio", 900.0, 1, 1, 5, 1.0, 500.0, is_at_least=True)
    keep(results, "calls", ratio("GetItem", "all", 1.01, margin=0.02, bar=1.0), fast)

    assert tables.bars().splitlines()[2:] == [
        "| calls | GetItem: all | 1.010 | at most 1 | **missed** (too close to call) |",
        "| calls | cedarpy: 1,000 | 900 | at least 500 | held |",
    ]


def test_sizes_are_columns_of_the_table_of_decisions(results: Path) -> None:
    """In the order of their number."""
    timed = [
        Figure("warm", f"{size}", "us", 0.25, 0.2, 0.3, 9, x=float(size)) for size in (1000, 10)
    ]
    keep(results, "decisions", *timed)

    assert tables.decisions().splitlines()[0] == "|  | 10 | 1,000 |"
    assert tables.decisions().splitlines()[2] == "| warm | 250 ns | 250 ns |"


def test_the_page_tells_machine_versions_and_what_was_left_out(results: Path) -> None:
    """And how long it took."""
    keep(results, "calls", ratio("GetItem", "all", 1.0, margin=0.5))

    text = tables.measured_on()

    assert "| versions | botocore 1.2 |" in text
    assert "| figures | 1, of which 1 too noisy to quote |" in text
    assert "| left out | ddtrace: ddtrace is not installed |" in text
    assert "| took | 1 minutes |" in text
