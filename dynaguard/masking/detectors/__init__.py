"""Detectors: values of known kinds, found in texts of any attribute.

docs/masking.md says what each of the known kinds is, and with what precision it is found.

A policy adds regular expressions under `[detectors]` (compiled by google-re2 where the extra `re2`
is installed, in time linear in the text), a program functions by `register_detector`.

What is found is masked inside its text, which keeps the rest; a number is masked whole. Values
that overlap are masked as one. Binary values, names of attributes and values split over several
attributes are not looked into.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dynaguard.errors import ConfigurationError
from dynaguard.masking.detectors.digits import Span
from dynaguard.masking.detectors.scanning import KNOWN_KINDS, scan
from dynaguard.masking.registry import Detector, registered_detector
from dynaguard.masking.strategies import Strategy
from dynaguard.policy.mask_section import CUSTOM
from dynaguard.policy.model import MaskStatement

__all__ = ["KNOWN_KINDS", "Detection", "Span", "detection_of", "scan"]

_OwnFinder = Callable[[str], Iterable[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Detection:
    """What a `[[mask]]` entry looks for, and how it masks what it finds.

    Attributes:
        kinds: Known kinds.
        own: The document's and the program's finders, by name.
        strategy: How hits are masked.
    """

    kinds: frozenset[str]
    own: tuple[tuple[str, _OwnFinder], ...]
    strategy: Strategy

    def find(self, text: str, parts: Sequence[str]) -> list[Span]:
        """Every hit in a text, in no order.

        Args:
            text: The parts, joined by `SEPARATOR`.
            parts: One text each: what is not known sees one at a time.
        """
        found = scan(text, self.kinds, parts) if self.kinds else []
        for name, find in self.own:
            start = 0
            for part in parts:
                found += [(start + a, start + b, name) for a, b in _safely(find, part)]
                start += len(part) + 1
        return found


def _safely(find: _OwnFinder, text: str) -> list[tuple[int, int]]:
    """What a finder finds; all of the text where it fails or tells places outside of it."""
    everything = [(0, len(text))] if text else []
    try:
        spans = list(find(text))
        if all(_is_place(start, end, len(text)) for start, end in spans):
            return spans
    except Exception:  # noqa: BLE001 - its message may hold the value: all is masked instead
        return everything
    return everything


def _is_place(start: object, end: object, length: int) -> bool:
    """Whether a finder's answer can be cut out of a text of that length."""
    return isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= length


def detection_of(
    statement: MaskStatement, strategy: Strategy, patterns: Mapping[str, str]
) -> Detection | None:
    """The detection of an entry, or None when it masks whole values.

    Args:
        statement: The entry.
        strategy: Its strategy.
        patterns: The document's `[detectors]`.

    Raises:
        ConfigurationError: It names a detector that is not known here, or a pattern that the
            installed google-re2 does not take.
    """
    if not statement.detectors:
        return None
    known = [name for name in statement.detectors if name in KNOWN_KINDS]
    own = [
        (name, _own_finder(name, statement, patterns))
        for name in statement.detectors
        if name not in KNOWN_KINDS
    ]
    return Detection(frozenset(known), tuple(own), strategy)


def _own_finder(name: str, statement: MaskStatement, patterns: Mapping[str, str]) -> _OwnFinder:
    if name.startswith(CUSTOM):
        detector: Detector = registered_detector(name.removeprefix(CUSTOM), statement.ref)
        return detector
    if name not in patterns:
        raise ConfigurationError(f"mask {statement.ref} names `{name}`, which is no detector")
    pattern = _compile(name, patterns[name])
    return lambda text: [found.span() for found in pattern.finditer(text)]


def _compile(name: str, pattern: str) -> Any:
    """The pattern, by google-re2 where it is installed."""
    try:
        import re2
    except ImportError:
        return re.compile(pattern)
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as err:
        raise ConfigurationError(
            f"detector `{name}` is no pattern of google-re2 ({str(err)[:80]}), which has no "
            "look-around and no back-references"
        ) from err
