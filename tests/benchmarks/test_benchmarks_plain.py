from __future__ import annotations

from benchmarks.plain import figures_of


def test_names_on_the_way_to_a_leaf_are_its_series() -> None:
    """Whatever the depth."""
    data = {"ours": {"10": {"load_ms": 1.5}}, "missing": ["vakt"], "import": 0.05}

    found = [(each.series, each.name, each.unit, each.median) for each in figures_of(data, {})]

    assert found == [("ours, 10", "load", "ms", 1.5), ("import", "import", "ratio", 0.05)]


def test_a_leaf_keeps_its_quartiles_pairs_and_bar() -> None:
    """Its own bar goes before those that are given."""
    leaf = {"median": 2.0, "low": 1.0, "high": 3.0, "pairs": 7, "bar": 2.5}

    (figure,) = figures_of({"install": leaf}, {"install": 9.0})

    assert (figure.low, figure.high, figure.pairs, figure.bar) == (1.0, 3.0, 7, 2.5)


def test_bars_are_found_by_series_and_name_then_by_name() -> None:
    """The narrower one counts."""
    data = {"a": {"install": 0.2}, "b": {"install": 0.2}}

    found = figures_of(data, {"install": 0.3, "b: install": 0.1})

    assert [each.bar for each in found] == [0.3, 0.1]


def test_a_series_may_tell_the_unit_of_all_its_figures() -> None:
    """Ways of loading by name, all in milliseconds."""
    found = [(each.series, each.name, each.unit) for each in figures_of({"load_ms": {"a": 1}}, {})]

    assert found == [("load", "a", "ms")]
