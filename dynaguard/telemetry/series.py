"""Bounds the different attribute sets of one instrument, as the metrics of a process must be.

An SDK keeps a value for each set it has seen for as long as the process runs. Names in our sets
come from outside (tables, jobs, identities, attributes of masks), so that a bound is needed.

Source: OpenTelemetry metrics SDK specification, "Cardinality limits": 2,000 sets, and the overflow
attribute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.metrics import Counter, Histogram

from dynaguard.telemetry import names
from dynaguard.telemetry.attributes import Attributes

if TYPE_CHECKING:
    from opentelemetry.metrics import _Gauge as Gauge  # no public name, nor in every version

MAX_SETS: Final = 2000
_OVERFLOW: Final[Attributes] = {names.OTEL_METRIC_OVERFLOW: True}


class Counted:
    """A counter whose attribute sets are bounded.

    Thread-safe: the bound is exact but for as many sets as threads come to it at once.

    Args:
        instrument: The counter.
        max_sets: The bound.
    """

    __slots__ = ("_bounds", "instrument")

    def __init__(self, instrument: Counter, max_sets: int = MAX_SETS) -> None:
        self.instrument = instrument
        self._bounds = _Bounds(max_sets)

    def add(self, value: float, attributes: Attributes) -> None:
        """As the instrument's own. May raise."""
        self.instrument.add(value, self._bounds.checked(attributes))


class Recorded:
    """A histogram whose attribute sets are bounded, as those of `Counted` are."""

    __slots__ = ("_bounds", "_instrument")

    def __init__(self, instrument: Histogram, max_sets: int = MAX_SETS) -> None:
        self._instrument = instrument
        self._bounds = _Bounds(max_sets)

    def record(self, value: float, attributes: Attributes) -> None:
        """As the instrument's own. May raise."""
        self._instrument.record(value, self._bounds.checked(attributes))


class Observed:
    """A gauge whose attribute sets are bounded, as those of `Counted` are."""

    __slots__ = ("_bounds", "_instrument")

    def __init__(self, instrument: Gauge, max_sets: int = MAX_SETS) -> None:
        self._instrument = instrument
        self._bounds = _Bounds(max_sets)

    def set(self, value: float, attributes: Attributes) -> None:
        """As the instrument's own. May raise."""
        self._instrument.set(value, self._bounds.checked(attributes))


class _Bounds:
    """The attribute sets that were seen."""

    __slots__ = ("_max_sets", "_seen")

    def __init__(self, max_sets: int) -> None:
        self._max_sets = max_sets
        self._seen: set[frozenset[tuple[str, object]]] = set()

    def checked(self, attributes: Attributes) -> Attributes:
        """The set itself, or the overflow's once there are too many others."""
        key = frozenset(attributes.items())  # metrics have no lists
        if key not in self._seen:
            if len(self._seen) >= self._max_sets:
                return _OVERFLOW
            self._seen.add(key)
        return attributes
