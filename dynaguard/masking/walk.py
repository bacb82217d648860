"""The walk over items that follows a tree and masks in place.

INVARIANT: a value that no path covers is neither replaced nor changed; a value on a path whose
shape is not understood is replaced whole (withheld).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from dynaguard.masking.findings import Findings
from dynaguard.masking.strategies import REDACTED, Strategy
from dynaguard.masking.tree import DetectionSet, MaskKey, Node

LEAF_KINDS: Final = frozenset({"S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS"})

_ELEMENT_TYPES: Final[Mapping[object, frozenset[type]]] = {
    "SS": frozenset({str}),
    "NS": frozenset({str}),
    "BS": frozenset({bytes, bytearray}),
}

ITEMS_AT_ONCE: Final = 100
"""Items whose attributes are masked column by column: so many stay in a processor's cache."""

Counts = dict[MaskKey, int]


class Sink:
    """What a walk leaves behind besides the masked items.

    Attributes:
        counts: Masked values by path, strategy and detector.
        plain: The texts that were masked, for error messages that repeat them; None when nobody
            wants them.
        findings: Texts that are to be looked through at the end of the walk.
    """

    __slots__ = ("counts", "findings", "plain")

    def __init__(self, counts: Counts | None = None, plain: list[str] | None = None) -> None:
        self.counts: Counts = {} if counts is None else counts
        self.plain = plain
        self.findings: Findings | None = None

    def count(self, key: MaskKey, times: int = 1) -> None:
        """Counts masked values."""
        self.counts[key] = self.counts.get(key, 0) + times

    def look_through(self, value: Any, slot: str, text: str, detections: DetectionSet) -> None:
        """Notes a text to be looked through: `value[slot]`, as DynamoDB JSON has it."""
        if self.findings is None:
            self.findings = Findings()
        self.findings.add(value, slot, text, detections)

    def look_through_set(
        self, value: Any, slot: str, elements: list[str], detections: DetectionSet
    ) -> None:
        """Notes the elements of the set `value[slot]`, each to be looked through by itself."""
        if self.findings is None:
            self.findings = Findings()
        self.findings.add_set(value, slot, elements, detections)

    def look_through_all(
        self, values: list[dict[str, Any]], texts: list[str], detections: DetectionSet
    ) -> None:
        """Notes the texts of many strings at once."""
        if self.findings is None:
            self.findings = Findings()
        self.findings.add_strings(values, texts, detections)

    def finish(self) -> None:
        """Masks what detectors find in the texts that were noted."""
        if self.findings is not None:
            self.findings.mask(self.count, self.plain)
            self.findings = None


def mask_items(items: list[Any], root: Node, sink: Sink) -> None:
    """Masks every item of a list in place; call `sink.finish()` afterwards.

    Args:
        items: Mappings of attribute name to value in DynamoDB JSON. One that is not understood is
            replaced by an item that holds nothing but its masked attributes, withheld.
        root: The tree; its members are the items' attributes.
        sink: Grows by what is masked.

    Cost: O(items x named attributes that they hold); with patterns, O(size of the items).
    """
    if sink.plain is None and set(map(type, items)) <= {dict}:
        from dynaguard.masking.columns import mask_columns  # it is made of the steps below

        try:
            for start in range(0, len(items), ITEMS_AT_ONCE):
                mask_columns(items[start : start + ITEMS_AT_ONCE], root, sink)
        except RecursionError:
            pass  # only a stubbed answer can be so; what is masked already stays as it is
        else:
            return
    items[:] = [mask_item(item, root, sink) for item in items]


def mask_item(item: object, root: Node, sink: Sink) -> object:
    """Masks an item in place; the item itself unless it is not understood. None stays None."""
    if item is None:
        return None
    if not isinstance(item, dict):
        return _withheld_item(root, sink)
    try:
        _mask_members(item, root, sink)
    except RecursionError:
        # Only a stubbed answer contains itself: the attribute that does is withheld.
        for name in list(item):
            node = root.members[name] if isinstance(name, str) else None
            if node is not None:
                item[name] = _mask_deep(item[name], node, sink)
    return item


def _mask_deep(value: object, node: Node, sink: Sink) -> object:
    """As `mask_value`, for a value that may contain itself: such a one is withheld."""
    try:
        return mask_value(value, node, sink)
    except RecursionError:
        return _withhold(node, sink)  # only a stubbed answer can be so


def _withheld_item(root: Node, sink: Sink) -> dict[str, Any]:
    """An item of which nothing is known: the attributes that are known to be masked, withheld."""
    nodes = {name: root.members[name] for name in root.names or ()}
    return {name: _withhold(node, sink) for name, node in nodes.items() if node is not None}


def _withhold(node: Node, sink: Sink) -> dict[str, Any]:
    sink.count(node.key)
    return {"S": REDACTED}


def mask_value(value: object, node: Node, sink: Sink) -> object:
    """The value as the caller may see it: itself, changed in place, or another."""
    if not isinstance(value, dict) or len(value) != 1:
        return _withhold(node, sink)
    kind, payload = "", None
    for kind, payload in value.items():  # noqa: B007 - there is one: the quickest way to it
        pass
    if kind == "M" and isinstance(payload, dict):
        _mask_members(payload, node, sink)
        return value
    if kind == "L" and isinstance(payload, (list, tuple)):
        value["L"] = payload = payload if isinstance(payload, list) else list(payload)
        mask_elements(payload, node, sink)
        return value
    if kind == "NULL" and isinstance(payload, bool):
        return value
    if node.strategy is None:
        return _look_into(value, kind, payload, node, sink)
    return _mask_leaf(kind, payload, node, node.strategy, sink)


def _mask_members(members: dict[str, Any], node: Node, sink: Sink) -> None:
    """Masks the members of a map in place."""
    for name in list(members) if node.names is None else node.names:
        if name in members and isinstance(name, str):
            child = node.members[name]
            if child is None:
                continue
            value = members[name]
            # A string that is masked whole, as most are, without the way through `mask_value` and
            # two more: half of the time that it took.
            if (
                child.whole is not None
                and type(value) is dict
                and len(value) == 1
                and type(text := value.get("S")) is str
            ):
                sink.counts[child.key] = sink.counts.get(child.key, 0) + 1
                if sink.plain is not None:
                    sink.plain += plain_texts(text)
                members[name] = {"S": child.whole.mask_text(text)}
            else:
                members[name] = mask_value(value, child, sink)


def mask_elements(elements: list[Any], node: Node, sink: Sink) -> None:
    """Masks the elements of a list in place."""
    positions = range(len(elements)) if node.positions is None else node.positions
    for index in positions:
        child = node.elements[index] if 0 <= index < len(elements) else None
        if child is not None:
            elements[index] = mask_value(elements[index], child, sink)


def _mask_leaf(
    kind: object, payload: Any, node: Node, strategy: Strategy, sink: Sink
) -> dict[str, Any]:
    """The token, or set of tokens, for a leaf; the token that tells nothing when it is odd."""
    key = node.key
    if node.detections is not None:
        strategy, key = _strictest(kind, payload, node, strategy)
    sink.count(key)
    if sink.plain is not None:
        sink.plain += plain_texts(payload)
    return _token(kind, payload, strategy)


def _token(kind: object, payload: Any, strategy: Strategy) -> dict[str, Any]:
    if kind == "S" and isinstance(payload, str):
        return {"S": strategy.mask_text(payload)}
    if kind == "N" and isinstance(payload, str):
        return {"S": strategy.mask_number(payload)}
    if kind == "B" and (data := _to_bytes(payload)) is not None:
        return {"S": strategy.mask_bytes(data)}
    element_types = _ELEMENT_TYPES.get(kind)
    is_set = isinstance(payload, (list, tuple)) and element_types is not None
    if not is_set or not {*map(type, payload)} <= (element_types or set()):
        return {"S": REDACTED}
    if kind == "SS":
        # A set holds a value once, and two values may share a token.
        return {"SS": list(dict.fromkeys(map(strategy.mask_text, payload)))}
    return {"SS": [strategy.mask_set(payload)]}


def _to_bytes(payload: object) -> bytes | None:
    """A binary value; events of Lambda hold it as base64 text."""
    if isinstance(payload, str):
        try:
            return base64.b64decode(payload, validate=True)
        except binascii.Error:
            return None
    return bytes(payload) if isinstance(payload, (bytes, bytearray)) else None


def _strictest(
    kind: object, payload: Any, node: Node, strategy: Strategy
) -> tuple[Strategy, MaskKey]:
    """The strategy of a value that is masked whole anyway, and may hold what is masked more."""
    texts = [payload] if kind in {"S", "N"} else payload if kind in {"SS", "NS"} else []
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
        return strategy, node.key
    for detection, label in node.detections or ():
        for text in texts:
            found = detection.find(text, [text])
            if found:
                return detection.strategy, (label, detection.strategy.name, found[0][2])
    return strategy, node.key


def _look_into(
    value: dict[str, Any], kind: object, payload: Any, node: Node, sink: Sink
) -> dict[str, Any]:
    """Has the texts of a leaf looked through, where there is something to look for."""
    if kind not in LEAF_KINDS:
        return _withhold(node, sink)
    if node.detections is None or kind in {"B", "BS", "BOOL"}:
        return value
    if kind in {"S", "N"}:
        if not isinstance(payload, str):
            return _withhold(node, sink)
        sink.look_through(value, str(kind), payload, node.detections)
        return value
    if not isinstance(payload, (list, tuple)) or {*map(type, payload)} - {str}:
        return _withhold(node, sink)
    if not isinstance(payload, list):
        value[str(kind)] = payload = list(payload)
    sink.look_through_set(value, str(kind), payload, node.detections)
    return value


def plain_texts(payload: object) -> list[str]:
    """The texts of a leaf's value, as a message could repeat them."""
    parts = payload if isinstance(payload, (list, tuple, set, frozenset)) else [payload]
    found = [part for part in parts if isinstance(part, str) and part]
    for part in parts:
        if isinstance(part, (bytes, bytearray)) and part:
            found += [repr(bytes(part)), part.decode("latin-1")]
    return found
