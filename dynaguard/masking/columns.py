"""The fast walk: all items of an answer at once, attribute by attribute and level by level.

What a node asks for is looked up once for all values that it stands for; values that are alike, as
the values of one attribute mostly are, are read and changed by a loop each. Where one is not of
the usual shape, the step is left to the careful walk (`walk.py`), which equals it in everything
else.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any

from dynaguard.masking import walk
from dynaguard.masking.tree import Node

if TYPE_CHECKING:
    from dynaguard.masking.strategies import Strategy
    from dynaguard.masking.walk import Sink

_Typed = dict[str, Any]


def mask_columns(maps: list[_Typed], node: Node, sink: Sink) -> None:
    """Masks the members of maps in place: the attributes of items, the members of values."""
    if node.names is None:
        _mask_every_member(maps, node, sink)
        return
    for name in node.names:
        child = node.members[name]
        try:
            values = [members[name] for members in maps]
        except KeyError:
            values = [members[name] for members in maps if name in members]
        if child is not None and not _are_masked(values, child, sink):
            _carefully(((members, name) for members in maps if name in members), child, sink)


def _mask_every_member(maps: list[_Typed], node: Node, sink: Sink) -> None:
    """The same where a path may name any member: grouped by what is to be done with them."""
    children = node.members
    values_by_node: dict[Node, list[_Typed]] = {}
    for members in maps:
        for name, value in members.items():
            child = children[name]
            if child is not None:
                if child in values_by_node:
                    values_by_node[child].append(value)
                else:
                    values_by_node[child] = [value]
    for child, values in values_by_node.items():
        if not _are_masked(values, child, sink):
            places = [(members, name) for members in maps for name in members]
            _carefully((place for place in places if children[place[1]] is child), child, sink)


def _carefully(places: Iterable[tuple[Any, Any]], node: Node, sink: Sink) -> None:
    """Leaves values to the careful walk, each where it stands."""
    for container, place in list(places):
        container[place] = walk.mask_value(container[place], node, sink)


def _are_masked(values: list[Any], node: Node, sink: Sink) -> bool:
    """Masks values of one node in place; nothing, and False, where one is of an odd shape."""
    if not values:
        return True
    kind = node.expected
    try:
        if set(map(len, values)) != {1}:
            return False
        if kind == "S" and "SS" in values[0]:
            kind = "SS"
        payloads = [value[kind] for value in values]
    except KeyError:
        pass
    except TypeError:
        return False
    else:
        if _are_alike_masked(values, kind, payloads, node, sink):
            return True
    if set(map(type, values)) != {dict}:
        return False
    _mask_mixed(values, node, sink)
    return True


def _are_alike_masked(
    values: list[_Typed], kind: str, payloads: list[Any], node: Node, sink: Sink
) -> bool:
    """Masks values that are all of one type, if their payloads are as that type has them."""
    types = set(map(type, payloads))
    if kind == "M" and types == {dict}:
        mask_columns(payloads, node, sink)
    elif kind == "L" and types == {list}:
        _mask_lists(payloads, node, sink)
    elif node.whole is not None:
        if not _are_texts_masked(values, kind, payloads, types, node.whole):
            return False
        sink.count(node.key, len(values))
    elif kind == "S" and types == {str} and node.strategy is None and node.detections is not None:
        sink.look_through_all(values, payloads, node.detections)
    else:
        return False
    return True


def _are_texts_masked(
    values: list[_Typed],
    kind: str,
    payloads: list[Any],
    types: set[type],
    strategy: Strategy,
) -> bool:
    """Masks strings, or sets of strings, as a whole."""
    token, mask_text = strategy.token, strategy.mask_text
    if kind == "S" and types == {str}:
        if token is None:
            for value, text in zip(values, payloads, strict=True):
                value["S"] = mask_text(text)
        else:
            for value in values:
                value["S"] = token
    elif kind == "SS" and types == {list} and {*map(type, chain(*payloads))} == {str}:
        for value, texts in zip(values, payloads, strict=True):
            # A set holds a value once, and two values may share a token.
            value["SS"] = [token] if token else list(dict.fromkeys(map(mask_text, texts)))
    else:
        return False
    return True


def _mask_mixed(values: list[_Typed], node: Node, sink: Sink) -> None:
    """Masks values of several types in place; goes on with what maps and lists hold."""
    maps: list[_Typed] = []
    lists: list[list[Any]] = []
    is_leaf_masked = node.strategy is not None or node.detections is not None
    kind, payload = "", None
    for value in values:
        for kind, payload in value.items():  # noqa: B007 - there is one: the quickest way to it
            pass
        if kind == "M" and type(payload) is dict:
            maps.append(payload)
        elif kind == "L" and type(payload) is list:
            lists.append(payload)
        elif is_leaf_masked or kind not in walk.LEAF_KINDS:
            masked = walk.mask_value(value, node, sink)
            if masked is not value:
                value.clear()
                value.update(masked)  # type: ignore[call-overload]  # a value in DynamoDB JSON
    if maps:
        mask_columns(maps, node, sink)
    if lists:
        _mask_lists(lists, node, sink)


def _mask_lists(lists: list[list[Any]], node: Node, sink: Sink) -> None:
    """Masks the elements of lists in place."""
    if node.are_elements_alike:
        child = node.elements[0]
        values = [value for elements in lists for value in elements]
        if child is None or _are_masked(values, child, sink):
            return
    for elements in lists:
        walk.mask_elements(elements, node, sink)
