from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from benchmarks.pairing import QUICK, Ratio, count_of, paired_ratio, spread
from benchmarks.results import Figure, Outcome, Result, figure_of, load, machine, save, versions


def figure(median: float = 1.0, *, margin: float = 0.001, **changes: object) -> Figure:
    """A ratio that is well known, unless changed."""
    shown = {"low": median, "high": median, "pairs": 10, "margin": margin, **changes}
    return Figure("GetItem", "everything", "ratio", median, **shown)  # type: ignore[arg-type]


def result(*figures: Figure) -> Result:
    """What a group found."""
    outcome = Outcome(figures, {"rounds": 3}, {"peer": "not installed"})
    return Result("calls", "a title", "2026-01-02", 1.5, False, machine(), versions(), outcome)


def test_the_ratio_of_pairs_is_that_of_neighbours() -> None:
    """A machine that gets slower during the run is slower for both sides of each pair."""
    speeds = itertools.count(1)

    ratio = paired_ratio(lambda: 10.0 * next(speeds), lambda: 20.0 * next(speeds), 40)

    assert ratio.pairs == 40
    assert ratio.median == pytest.approx(2.0, rel=0.05)


def test_the_order_of_a_pair_changes() -> None:
    """Else whoever comes second would always have the warmer cache."""
    order: list[str] = []

    def sample(name: str) -> float:
        order.append(name)
        return 1.0

    paired_ratio(lambda: sample("base"), lambda: sample("variant"), 4)

    assert order[2:6] == ["base", "variant", "variant", "base"]


def test_quartiles_and_margin_come_from_the_pairs() -> None:
    """1.57 quartile ranges over the root of their number."""
    ratio = spread([1.0, 2.0, 3.0, 4.0, 5.0])

    assert (ratio.low, ratio.median, ratio.high, ratio.pairs) == (2.0, 3.0, 4.0, 5)
    assert ratio.margin == pytest.approx(1.57 * 2.0 / 5**0.5)


def test_a_single_value_has_no_spread() -> None:
    """Growth of memory is measured once."""
    assert spread([0.5]) == Ratio(0.5, 0.5, 0.5)


def test_a_short_look_takes_a_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    """But never fewer than five pairs."""
    assert count_of(120) == 120

    monkeypatch.setenv(QUICK, "1")

    assert (count_of(120), count_of(9)) == (12, 5)


@pytest.mark.parametrize(
    ("median", "bar", "is_at_least", "is_held"),
    [
        (1.0, 1.0, False, True),
        (1.01, 1.0, False, False),
        (500.0, 500.0, True, True),
        (499.0, 500.0, True, False),
        (7.0, None, False, None),
    ],
)
def test_a_bar_is_a_most_or_a_least(
    median: float, bar: float | None, is_at_least: bool, is_held: bool | None
) -> None:
    """What is equal to it holds it."""
    assert figure(median, bar=bar, is_at_least=is_at_least).is_held is is_held


def test_a_wide_spread_is_said() -> None:
    """A ratio that is not known to a fiftieth of itself is not one to quote."""
    assert figure(1.0, margin=0.019).verdict == ""
    assert figure(1.0, margin=0.021).verdict == "noisy, repeat"


def test_a_bar_within_the_margin_is_too_close_to_call() -> None:
    """On either side of it."""
    assert figure(1.004, margin=0.005, bar=1.0).verdict == "missed, too close to call"
    assert figure(0.996, margin=0.005, bar=1.0).verdict == "held, too close to call"
    assert figure(1.006, margin=0.005, bar=1.0).verdict == "missed"


def test_figures_come_back_as_they_were_saved(tmp_path: Path) -> None:
    """With machine, versions, settings and what was left out."""
    kept = result(figure(1.25, bar=1.5), figure(0.5, x=10.0, is_at_least=True))

    save(kept, tmp_path)

    assert load("calls", tmp_path) == kept


def test_saved_verdicts_stand_beside_the_figures(tmp_path: Path) -> None:
    """For readers of the file that know nothing of this code."""
    text = save(result(figure(1.25, bar=1.0)), tmp_path).read_text(encoding="utf-8")

    assert '"is_held": false' in text
    assert '"is_noisy": false' in text


def test_a_group_that_was_not_measured_has_no_figures(tmp_path: Path) -> None:
    """None, not an error: tables say so."""
    assert load("calls", tmp_path) is None


def test_figures_are_found_by_series_and_name() -> None:
    """Tables and pictures ask so."""
    kept = result(figure(1.25))

    assert kept.figure("GetItem", "everything") == figure(1.25)
    assert kept.figure("Query", "everything") is None
    assert kept.of_series("GetItem") == (figure(1.25),)


def test_the_machine_is_described_and_not_named() -> None:
    """Processor, cores and system; no host name."""
    assert set(machine()) == {"cpu", "cores", "os"}
    assert "botocore" in versions()


def test_a_figure_takes_spread_and_pairs_from_its_ratio() -> None:
    """Nothing is lost on the way into the file."""
    made = figure_of("GetItem", "everything", Ratio(1.0, 0.9, 1.1, 2.0, 100), bar=1.2)

    assert (made.low, made.high, made.pairs, made.bar) == (0.9, 1.1, 100, 1.2)
    assert made.margin == pytest.approx(1.57 * 0.2 / 10)
