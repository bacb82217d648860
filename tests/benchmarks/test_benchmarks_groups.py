from __future__ import annotations

from typing import Any

import pytest

from benchmarks import decision_cost, decision_figures, tables
from benchmarks.call_cost import BARE, BARE_AGAIN, Measured
from benchmarks.groups import GROUPS


def leaf(median: float) -> dict[str, float]:
    """A figure of the decisions' benchmark."""
    return {"median": median, "low": median, "high": median}


def test_every_group_counts_on_the_page() -> None:
    """The bars of a group that the page does not know would not be told."""
    assert set(tables.GROUPS) == set(GROUPS)


def test_decisions_become_figures_with_their_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times by engine and kind, ratios by name, what is missing by reason."""
    data: dict[str, Any] = {
        "engines": {
            "dynaguard": {"10": {"fresh_p50_ns": leaf(2_000.0), "load_ms": leaf(1.0)}},
            "cedarpy": {"10": {"load_ms": leaf(50.0)}},
        },
        "ratios": {
            "warm / floor": {"10": leaf(1.4)},
            "cedarpy / dynaguard, warm": {"10": leaf(600.0)},
        },
        "missing": ["vakt"],
    }
    monkeypatch.setattr(decision_cost, "run", lambda **_: data)

    outcome = decision_figures.run()

    assert outcome.left_out == {"vakt": "vakt is not installed"}
    assert [
        (each.series, each.unit, each.x, each.bar, each.is_held)
        for each in outcome.figures
        if each.bar
    ] == [
        ("dynaguard, nothing remembered", "ns", 10.0, 10_000.0, True),
        ("warm / floor", "ratio", 10.0, 1.5, True),
        ("cedarpy / dynaguard, warm", "ratio", 10.0, 500.0, True),
    ]


def test_a_layer_is_held_against_the_bare_samples_of_its_own_round() -> None:
    """The mean of two; a slow round is slow for both sides."""
    samples = {
        BARE: {"GetItem": [10.0, 20.0]},
        BARE_AGAIN: {"GetItem": [10.0, 40.0]},
        "ours": {"GetItem": [12.0, 36.0]},
    }

    ratio = Measured({"f": samples}, {}, {}).ratio("f", "ours", "GetItem")

    assert (ratio.median, ratio.pairs) == (pytest.approx(1.2), 2)


def test_a_change_is_a_share_of_the_bare_call() -> None:
    """Of layers more than as many others, round by round."""
    samples = {
        BARE: {"GetItem": [10.0]},
        BARE_AGAIN: {"GetItem": [10.0]},
        "more": {"GetItem": [16.0]},
        "less": {"GetItem": [13.0]},
    }
    measured = Measured({"f": samples}, {}, {})

    assert measured.change("f", "GetItem", ["more"], ["less"]).median == pytest.approx(0.3)
    assert measured.change("f", "GetItem", ["more", BARE], ["less", BARE]).median == (
        pytest.approx(0.3)
    )
