"""Mask paths compiled into a tree, and the walk over items that follows it.

The tree is deterministic: where several paths cover a value, its node already knows the strictest
of them, so the walk visits named attributes only and never compares.

INVARIANT: a value that no path covers is neither replaced nor changed; a value on a path whose
shape is not understood is replaced whole (withheld).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Final

from dynaguard.errors import ConfigurationError
from dynaguard.masking.strategies import REDACTED, Strategy

MAX_PATH_STEPS: Final = 64
"""DynamoDB nests values 32 levels deep, so a longer path can name nothing."""

MAX_NODES: Final = 50_000
"""Most nodes of a tree; overlapping list positions multiply."""

EVERY: Final = "*"
_ABSENT: Final = object()
_LEAF_KINDS: Final = frozenset({"S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS"})

_ELEMENT_TYPES: Final[Mapping[object, frozenset[type]]] = {
    "SS": frozenset({str}),
    "NS": frozenset({str}),
    "BS": frozenset({bytes, bytearray}),
}

Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class MaskedPath:
    """One attribute path of one `[[mask]]` entry.

    Attributes:
        steps: What is left of the path: names, indexes, `*` for every element of a list.
        strategy: How the value is masked.
        label: The whole path as written in the policy.
        position: Place in the policy; of two equally strict paths the first decides.
    """

    steps: tuple[str | int, ...]
    strategy: Strategy
    label: str
    position: int


@dataclass(frozen=True, slots=True)
class Node:
    """What is to be done with one value.

    Attributes:
        label: The path under which masked values are counted.
        strategy: How the whole value is masked, or None when only parts of it are.
        members: Nodes of a map's members by name.
        element: Node of every element of a list, or None.
        elements: Nodes of single elements, by index.
        rest: Node of the parts that neither of them names, when the whole value is masked; None
            stands for this node itself.
    """

    label: str
    strategy: Strategy | None = None
    members: Mapping[str, Node] = field(default_factory=dict)
    element: Node | None = None
    elements: Mapping[int, Node] = field(default_factory=dict)
    rest: Node | None = None


def label_of(steps: Iterable[str | int]) -> str:
    """The path as written in a policy: `cards[*].number`; a name with dots in double quotes."""
    label = ""
    for step in steps:
        if isinstance(step, int) or step == EVERY:
            label += f"[{step}]"
        else:
            name = f'"{step}"' if any(mark in step for mark in ".[]") else step
            label += f".{name}" if label else name
    return label


def at_any_position(path: MaskedPath) -> MaskedPath:
    """The path with every list position taken for all positions."""
    return replace(path, steps=tuple(EVERY if isinstance(s, int) else s for s in path.steps))


def with_endings(path: MaskedPath) -> list[MaskedPath]:
    """The path and each end of it that begins with a name: `a.b[*].c`, `b[*].c`, `c`."""
    return [
        replace(path, steps=path.steps[start:])
        for start, step in enumerate(path.steps)
        if isinstance(step, str) and step != EVERY
    ]


def compile_tree(paths: Sequence[MaskedPath]) -> Node:
    """The tree of some paths.

    Raises:
        ConfigurationError: A path is empty, too long or begins with a list position; the paths
            overlap in too many list positions.
    """
    for path in paths:
        first = path.steps[0] if path.steps else EVERY
        if first == EVERY or isinstance(first, int) or len(path.steps) > MAX_PATH_STEPS:
            raise ConfigurationError(
                f"`{path.label[:80]}` is no attribute to mask, write a name followed by at most "
                f"{MAX_PATH_STEPS - 1} names or list positions"
            )
    return _compile(list(paths), None, count(1))


def _compile(paths: list[MaskedPath], outer: MaskedPath | None, numbers: count[int]) -> Node:
    """The node that `paths` lead to; `outer` covers a value around it."""
    if next(numbers) > MAX_NODES:
        raise ConfigurationError(
            f"the masks overlap in too many list positions (over {MAX_NODES} combinations), "
            "write `[*]` instead of single positions"
        )
    ending = [path for path in paths if not path.steps]
    own = min((*ending, outer) if outer else ending, key=_strictness, default=None)
    if len(ending) == len(paths):
        return Node(own.label, own.strategy) if own else Node("")
    by_step: dict[str | int, list[MaskedPath]] = {}
    for path in paths:
        if path.steps:
            by_step.setdefault(path.steps[0], []).append(replace(path, steps=path.steps[1:]))
    every = by_step.pop(EVERY, [])

    def below(step_type: type[str | int], further: list[MaskedPath]) -> dict[Any, Node]:
        return {
            step: _compile(found + further, own, numbers)
            for step, found in by_step.items()
            if isinstance(step, step_type)
        }

    return Node(
        own.label if own else paths[0].label,
        own.strategy if own else None,
        members=below(str, []),
        element=_compile(every, own, numbers) if every else None,
        elements=below(int, every),
        rest=Node(own.label, own.strategy) if own else None,
    )


def _strictness(path: MaskedPath) -> tuple[tuple[int, int], int]:
    return path.strategy.strictness, path.position


def mask_items(items: list[Any], root: Node, counts: Counts) -> None:
    """Masks every item of a list in place.

    Args:
        items: Mappings of attribute name to value in DynamoDB JSON. One that is not understood is
            replaced by an item that holds nothing but its masked attributes, withheld.
        root: The tree; its members are the items' attributes.
        counts: Grows by the number of masked values, by label.

    Cost: O(items x named attributes that they hold).
    """
    if not all(isinstance(item, dict) for item in items):
        items[:] = [mask_item(item, root, counts) for item in items]
        return
    # By attribute, then by item: what an attribute needs is looked up once for all items.
    for name, node in root.members.items():
        _mask_attribute(items, name, node, counts)


def mask_item(item: object, root: Node, counts: Counts) -> object:
    """Masks an item in place; the item itself unless it is not understood. None stays None."""
    if item is None:
        return None
    if not isinstance(item, dict):
        return _withheld_item(root, counts)
    for name, node in root.members.items():
        value = item.get(name, _ABSENT)
        if value is not _ABSENT:
            item[name] = _mask_deep(value, node, counts)
    return item


def _mask_attribute(
    items: Iterable[dict[str, Any]], name: str, node: Node, counts: Counts
) -> None:
    """Masks one attribute of every item in place."""
    mask_text = node.strategy.mask_text if node.strategy is not None else None
    string_count = 0
    for item in items:
        value = item.get(name, _ABSENT)
        if value is _ABSENT:
            continue
        # Strings are most of what is masked: they take the short way.
        if (
            mask_text is not None
            and type(value) is dict
            and len(value) == 1
            and type(text := value.get("S")) is str
        ):
            item[name] = {"S": mask_text(text)}
            string_count += 1
        else:
            item[name] = _mask_deep(value, node, counts)
    if string_count:
        counts[node.label] = counts.get(node.label, 0) + string_count


def _mask_deep(value: object, node: Node, counts: Counts) -> object:
    """As `_mask_value`, for a value that may contain itself: such a one is withheld."""
    try:
        return _mask_value(value, node, counts)
    except RecursionError:
        return _withhold(node, counts)  # only a stubbed answer can be so


def _withheld_item(root: Node, counts: Counts) -> dict[str, Any]:
    return {name: _withhold(node, counts) for name, node in root.members.items()}


def _withhold(node: Node, counts: Counts) -> dict[str, Any]:
    counts[node.label] = counts.get(node.label, 0) + 1
    return {"S": REDACTED}


def _mask_members(members: dict[str, Any], node: Node, counts: Counts) -> None:
    """Masks the members of a map in place."""
    if node.strategy is None:
        for name, child in node.members.items():
            value = members.get(name, _ABSENT)
            if value is not _ABSENT:
                members[name] = _mask_value(value, child, counts)
        return
    rest = node.rest or node
    for name, value in members.items():
        members[name] = _mask_value(value, node.members.get(name, rest), counts)


def _mask_elements(elements: list[Any], node: Node, counts: Counts) -> None:
    """Masks the elements of a list in place."""
    every = node.element
    if every is None and node.strategy is not None:
        every = node.rest or node
    if every is None:
        for index, child in node.elements.items():
            if 0 <= index < len(elements):
                elements[index] = _mask_value(elements[index], child, counts)
        return
    for index, value in enumerate(elements):
        elements[index] = _mask_value(value, node.elements.get(index, every), counts)


def _mask_value(value: object, node: Node, counts: Counts) -> object:
    """The value as the caller may see it: itself, changed in place, or another."""
    if not isinstance(value, dict) or len(value) != 1:
        return _withhold(node, counts)
    ((kind, payload),) = value.items()
    if kind == "M" and isinstance(payload, dict):
        _mask_members(payload, node, counts)
        return value
    if kind == "L" and isinstance(payload, (list, tuple)):
        value["L"] = payload = payload if isinstance(payload, list) else list(payload)
        _mask_elements(payload, node, counts)
        return value
    if node.strategy is None:
        return value if kind in _LEAF_KINDS else _withhold(node, counts)
    if kind == "NULL" and isinstance(payload, bool):
        return value
    counts[node.label] = counts.get(node.label, 0) + 1
    return _mask_leaf(kind, payload, node.strategy)


def _mask_leaf(kind: object, payload: Any, strategy: Strategy) -> dict[str, Any]:
    """The token, or set of tokens, for a leaf; the token that tells nothing when it is odd."""
    if kind in {"S", "N"} and isinstance(payload, str):
        return {"S": strategy.mask_text(payload)}
    if kind == "B" and isinstance(payload, (bytes, bytearray)):
        return {"S": strategy.mask_bytes(bytes(payload))}
    element_types = _ELEMENT_TYPES.get(kind)
    if not element_types or not isinstance(payload, (list, tuple)):
        return {"S": REDACTED}
    if not element_types.issuperset(map(type, payload)):
        return {"S": REDACTED}
    if kind == "SS":
        # A set holds a value once, and two values may share a token.
        return {"SS": list(dict.fromkeys(map(strategy.mask_text, payload)))}
    return {"SS": [strategy.mask_set(payload)]}
