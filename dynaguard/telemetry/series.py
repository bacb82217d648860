"""Bounds the different attribute sets of one instrument, as the metrics of a process must be.

An SDK keeps a value for each set it has seen for as long as the process runs. Names in our sets
come from outside (tables, jobs, identities, attributes of masks), so that a bound is needed.

Source: OpenTelemetry metrics SDK specification, "Cardinality limits": 2,000 sets, and the overflow
attribute.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.metrics import Counter, Histogram

from dynaguard.telemetry import names
from dynaguard.telemetry.attributes import Attributes

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import _Gauge as Gauge  # no public name, nor in every version

MAX_SETS: Final = 2000
_OVERFLOW: Final[Attributes] = {names.OTEL_METRIC_OVERFLOW: True}
_TAKES_CONTEXT: Final = "context" in inspect.signature(Counter.add).parameters
"""Since opentelemetry-api 1.28, as have exemplars, which are what the context is for."""


class Series:
    """One attribute set of one instrument; equal sets of an instrument share one.

    Attributes:
        attributes: The set; must not be changed.
        is_summed: Whether several values may be told as their sum: those of a counter.
        is_told: Whether the instrument has had a value. For a reader a series begins with it.
    """

    __slots__ = ("_take", "attributes", "is_summed", "is_told")

    def __init__(
        self, take: Callable[..., None], attributes: Attributes, *, is_summed: bool
    ) -> None:
        self._take = take
        self.attributes = attributes
        self.is_summed = is_summed
        self.is_told = False

    def tell(self, value: float, context: Context | None = None) -> None:
        """Gives a value to the instrument. May raise.

        Args:
            value: The value.
            context: What it was measured in; None: the current one.
        """
        self.is_told = True
        if context is None or not _TAKES_CONTEXT:
            self._take(value, self.attributes)
        else:
            self._take(value, self.attributes, context)


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
        self._bounds = _Bounds(instrument, "add", max_sets)

    def series(self, attributes: Attributes) -> Series:
        """The series of a set, to be told more than once."""
        return self._bounds.series(attributes)

    def add(self, value: float, attributes: Attributes) -> None:
        """As the instrument's own. May raise."""
        self._bounds.series(attributes).tell(value)


class Recorded:
    """A histogram whose attribute sets are bounded, as those of `Counted` are."""

    __slots__ = ("_bounds",)

    def __init__(self, instrument: Histogram, max_sets: int = MAX_SETS) -> None:
        self._bounds = _Bounds(instrument, "record", max_sets)

    def series(self, attributes: Attributes) -> Series:
        """The series of a set, to be told more than once."""
        return self._bounds.series(attributes)

    def record(self, value: float, attributes: Attributes) -> None:
        """As the instrument's own. May raise."""
        self._bounds.series(attributes).tell(value)


class Observed:
    """A gauge whose attribute sets are bounded, as those of `Counted` are."""

    __slots__ = ("_bounds",)

    def __init__(self, instrument: Gauge, max_sets: int = MAX_SETS) -> None:
        self._bounds = _Bounds(instrument, "set", max_sets)

    def set(self, value: float, attributes: Attributes) -> None:
        """As the instrument's own. May raise."""
        self._bounds.series(attributes).tell(value)


class _Bounds:
    """The attribute sets of an instrument that were seen."""

    __slots__ = ("_instrument", "_max_sets", "_overflow", "_series_by_set", "_verb")

    def __init__(self, instrument: Any, verb: str, max_sets: int) -> None:
        self._instrument = instrument
        self._verb = verb
        self._max_sets = max_sets
        self._series_by_set: dict[frozenset[tuple[str, object]], Series] = {}
        self._overflow: Series | None = None

    def series(self, attributes: Attributes) -> Series:
        """The set's own series, or the overflow's once there are too many others."""
        key = frozenset(attributes.items())  # metrics have no lists
        found = self._series_by_set.get(key)
        if found is None:
            if len(self._series_by_set) >= self._max_sets:
                self._overflow = self._overflow or self._made(_OVERFLOW)
                return self._overflow
            found = self._series_by_set.setdefault(key, self._made(attributes))
        return found

    def _made(self, attributes: Attributes) -> Series:
        return Series(
            getattr(self._instrument, self._verb), attributes, is_summed=self._verb == "add"
        )
