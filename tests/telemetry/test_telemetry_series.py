"""The attribute sets of an instrument are bounded."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.telemetry.series import MAX_SETS, Counted, Observed, Recorded


class Instrument:
    """Keeps what it was given."""

    def __init__(self) -> None:
        self.given: list[tuple[float, dict[str, Any]]] = []

    def add(self, value: float, attributes: dict[str, Any]) -> None:
        self.given.append((value, attributes))

    record = set = add


@pytest.mark.parametrize(
    ("kind", "verb"), [(Counted, "add"), (Recorded, "record"), (Observed, "set")]
)
def test_sets_beyond_the_bound_are_counted_as_one(kind: Any, verb: str) -> None:
    """Those that were seen before go on by themselves."""
    instrument = Instrument()
    bounded = kind(instrument, max_sets=2)

    for name in "abcad":
        getattr(bounded, verb)(1, {"job": name})

    overflow = {"otel.metric.overflow": True}
    assert [attributes for _, attributes in instrument.given] == [
        {"job": "a"},
        {"job": "b"},
        overflow,
        {"job": "a"},
        overflow,
    ]


def test_ten_thousand_identities_are_two_thousand_series() -> None:
    """The bound of the specification."""
    instrument = Instrument()
    counted = Counted(instrument)  # type: ignore[arg-type]

    for number in range(10_000):
        counted.add(1, {"dynaguard.identity.name": f"p{number}"})

    different = {str(attributes) for _, attributes in instrument.given}
    assert len(different) == MAX_SETS + 1
    assert len(counted._bounds._series_by_set) == MAX_SETS
