"""Texts of an answer that detectors look through, all at once at the end of the walk.

One scan over all texts joined costs far less than one scan each.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dynaguard.masking.strategies import Strategy
    from dynaguard.masking.tree import DetectionSet, MaskKey

SEPARATOR: Final = "\0"
"""Stands between texts that are looked through together."""

_Hit = tuple[int, int, "Strategy", "MaskKey"]


class Findings:
    """Texts by what is looked for in them. Used by one walk."""

    __slots__ = ("_texts_by_set",)

    def __init__(self) -> None:
        self._texts_by_set: dict[DetectionSet, _Texts] = {}

    def add(self, value: Any, slot: str, text: str, detections: DetectionSet) -> None:
        """Notes a text that stands at `value[slot]`."""
        texts = self._texts_by_set.setdefault(detections, _Texts())
        texts.places.append((value, slot))
        texts.parts.append(text)

    def add_set(
        self, value: Any, slot: str, elements: Sequence[str], detections: DetectionSet
    ) -> None:
        """Notes the elements of a set in DynamoDB JSON: each is a text of its own."""
        texts = self._texts_by_set.setdefault(detections, _Texts())
        slots = range(len(elements)) if slot == "SS" else [slot] * len(elements)
        texts.places += [(value, each) for each in slots]
        texts.parts += elements

    def add_strings(
        self, values: list[dict[str, Any]], parts: list[str], detections: DetectionSet
    ) -> None:
        """Notes the texts of strings in DynamoDB JSON."""
        texts = self._texts_by_set.setdefault(detections, _Texts())
        texts.places += [(value, "S") for value in values]
        texts.parts += parts

    def mask(self, count: Callable[[MaskKey], None], plain: list[str] | None) -> None:
        """Masks what is found, in place.

        Args:
            count: Is told of each masked value.
            plain: Grows by what was masked, unless it is None.
        """
        for detections, texts in self._texts_by_set.items():
            sets: dict[int, tuple[Any, list[Strategy]]] = {}
            for index, hits in texts.find(detections).items():
                value, slot = texts.places[index]
                masked = _Rewriting(texts.parts[index], hits, plain)
                masked.put(value, slot)
                for key in masked.keys:
                    count(key)
                if slot not in {"S", "N"}:
                    sets.setdefault(id(value), (value, []))[1].append(masked.strategy)
            for value, strategies in sets.values():
                _finish_set(value, strategies)


def _finish_set(value: Any, strategies: list[Strategy]) -> None:
    """A set of which elements are masked: of numbers masked as one, of strings each once."""
    if "NS" in value:
        strictest = min(strategies, key=lambda strategy: strategy.strictness)
        value["SS"] = [strictest.mask_set(value.pop("NS"))]
    else:
        value["SS"] = list(dict.fromkeys(value["SS"]))


class _Texts:
    """The texts of one set of detections, and where they stand."""

    __slots__ = ("parts", "places")

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.places: list[tuple[Any, Any]] = []

    def find(self, detections: DetectionSet) -> dict[int, list[_Hit]]:
        """Hits by the index of their text; positions count from the text's own start."""
        parts = self.parts
        joined = SEPARATOR.join(parts)
        starts = [0, *accumulate(len(part) + 1 for part in parts)]
        hits_by_index: dict[int, list[_Hit]] = {}
        for detection, label in detections:
            strategy = detection.strategy
            for start, end, kind in detection.find(joined, parts):
                index = bisect_right(starts, start) - 1
                offset = starts[index]
                key = (label, strategy.name, kind)
                hit = (start - offset, min(end - offset, len(parts[index])), strategy, key)
                if SEPARATOR in parts[index]:
                    # A value that holds what no value holds may end elsewhere: all of it.
                    hit = (0, len(parts[index]), strategy, key)
                hits_by_index.setdefault(index, []).append(hit)
        return hits_by_index


class _Rewriting:
    """One text with its hits.

    Attributes:
        keys: What each masked part is counted by.
        strategy: The strictest of those that mask a part.
    """

    __slots__ = ("_plain", "_spans", "_text", "keys", "strategy")

    def __init__(self, text: str, hits: list[_Hit], plain: list[str] | None) -> None:
        self._text = text
        self._spans = _joined(hits)
        self._plain = plain
        self.keys = [key for _, _, _, key in self._spans]
        self.strategy = min((span[2] for span in self._spans), key=lambda each: each.strictness)

    def put(self, value: Any, slot: Any) -> None:
        """Puts the masked text where it stood: a number as a whole, one of a set later."""
        if self._plain is not None:
            self._plain += [self._text[start:end] for start, end, _, _ in self._spans]
        if slot == "N":
            del value["N"]
            value["S"] = self.strategy.mask_number(self._text)
        elif slot == "S":
            value["S"] = self._masked()
        elif slot != "NS":
            value["SS"][slot] = self._masked()

    def _masked(self) -> str:
        pieces, at = [], 0
        for start, end, strategy, _ in self._spans:
            pieces += [self._text[at:start], strategy.mask_text(self._text[start:end])]
            at = end
        return "".join([*pieces, self._text[at:]])


def _joined(hits: list[_Hit]) -> list[_Hit]:
    """Hits in order; those that overlap as one, under the strictest strategy."""
    spans: list[_Hit] = []
    for hit in sorted(hits, key=lambda each: each[:2]):
        if spans and hit[0] < spans[-1][1]:
            spans[-1] = _merged(spans[-1], hit)
        else:
            spans.append(hit)
    return spans


def _merged(one: _Hit, other: _Hit) -> _Hit:
    longer = one if one[1] - one[0] >= other[1] - other[0] else other
    stricter = min(one, other, key=lambda hit: hit[2].strictness)
    if one[2].strictness == other[2].strictness:
        stricter = longer
    return min(one[0], other[0]), max(one[1], other[1]), stricter[2], stricter[3]
