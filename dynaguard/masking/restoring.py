"""Gives requests back the values of tokens, for writers that a `tokenize` mask trusts.

INVARIANT: a token opens only where the mask that made it would hide the value again: at an
attribute that the mask names, and, where it masks by detector, in a text in which it finds the
value. So nobody who may write a value without seeing it can carry it to where it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dynaguard.aws.dynamodb.partiql.bodies import read_body
from dynaguard.masking.findings import SEPARATOR
from dynaguard.masking.targets import Target, targets_of
from dynaguard.masking.tokens import TOKEN_PATTERN, TOKEN_PREFIX, Sealed, Tokenizer
from dynaguard.masking.tree import Node

_WHOLE: Final = TOKEN_PATTERN.fullmatch
_ANY_POSITION: Final = -1
"""A position that no path names, so that only those take it that take every position."""

_ITEMS: Final = frozenset({"Item", "Key"})
_BY_ATTRIBUTE: Final = frozenset(
    {"AttributeUpdates", "Expected", "KeyConditions", "QueryFilter", "ScanFilter"}
)
_PARTS: Final = frozenset(
    {
        "ConditionCheck",
        "Delete",
        "DeleteRequest",
        "Get",
        "Put",
        "PutRequest",
        "Statements",
        "TransactItems",
        "TransactStatements",
        "Update",
    }
)

Nodes = Mapping[str, Node]
"""What the masks that a caller may have opened do with the value at a place, by Sid."""


def restore(
    params: Mapping[str, Any], tokenizer: Tokenizer, trees: Mapping[str, Node]
) -> Mapping[str, Any]:
    """The parameters with the values in place of tokens; the same object where there are none.

    A token stays as it is, and is refused afterwards as any masked value on its way into a table,
    when its mask is not among `trees`; where it stands at an attribute that its mask does not
    name, or that cannot be told; in PartiQL but for the item of an INSERT; under another key.

    Args:
        params: Low-level request parameters, attribute values in DynamoDB JSON. Not changed.
        tokenizer: Reads tokens.
        trees: The masks whose tokens this caller may have opened, by Sid.
    """
    restored = _Request(_Values(tokenizer), trees).part(params)
    return restored if isinstance(restored, Mapping) else params


def restore_item(item: Mapping[str, Any], tokenizer: Tokenizer) -> Mapping[str, Any]:
    """An item with the values in place of the tokens of any mask, wherever they stand."""
    restored: Mapping[str, Any] = _Values(tokenizer).item(item, None)
    return restored


class _Request:
    """Finds the values of a request, and tells which attributes they are of."""

    __slots__ = ("_trees", "_values")

    def __init__(self, values: _Values, trees: Nodes) -> None:
        self._values = values
        self._trees = trees

    def part(self, part: Any) -> Any:
        """The parameters, or a member of a batch or transaction; itself unless it changes."""
        if isinstance(part, (list, tuple)):
            return _same_or(part, [self.part(each) for each in part])
        if not isinstance(part, Mapping):
            return part
        return _same_or(part, {name: self._member(part, name, part[name]) for name in part})

    def _member(self, part: Mapping[str, Any], name: str, value: Any) -> Any:
        """A member of it."""
        if name in _PARTS:
            return self.part(value)
        if name in _ITEMS:
            return self._values.item(value, self._trees)
        if name == "Parameters":
            return self._parameters(part.get("Statement"), value)
        return self._mapping(part, name, value) if isinstance(value, Mapping) else value

    def _mapping(
        self, part: Mapping[str, Any], name: str, value: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """A member that maps tables, placeholders or attributes to what is asked of them."""
        if name == "RequestItems":  # a table may be called `Item`
            found = {table: self._batch(each) for table, each in value.items()}
        elif name == "ExpressionAttributeValues":
            targets = targets_of(part)
            found = {key: self._placeholder(value[key], targets.get(key)) for key in value}
        elif name in _BY_ATTRIBUTE:
            found = {key: self._condition(key, value[key]) for key in value}
        else:
            return value
        return value if all(found[key] is value[key] for key in value) else found

    def _batch(self, value: Any) -> Any:
        """What a batch asks of one table: writes, or the keys of reads."""
        keys = value.get("Keys") if isinstance(value, Mapping) else None
        if not isinstance(keys, (list, tuple)):
            return self.part(value)
        items = [self._values.item(key, self._trees) for key in keys]
        return _same_or(value, {**value, "Keys": _same_or(keys, items)})

    def _condition(self, name: str, condition: Any) -> Any:
        """A legacy condition on an attribute, or update of it."""
        if not isinstance(condition, Mapping):
            return condition
        nodes = _members(self._trees, name)
        found = dict(condition)
        if "Value" in found:
            found["Value"] = self._values.value(found["Value"], nodes)
        listed = found.get("AttributeValueList")
        if isinstance(listed, (list, tuple)):
            values = [self._values.value(value, nodes) for value in listed]
            found["AttributeValueList"] = _same_or(listed, values)
        return _same_or(condition, found)

    def _placeholder(self, value: Any, targets: Sequence[Target] | None) -> Any:
        """An expression value: opened if it opens alike wherever the expressions use it."""
        opened = [
            self._values.value(value, _at(self._trees, steps), is_joined=is_joined)
            for steps, is_joined in targets or ()
        ]
        if not opened or any(each != opened[0] for each in opened):
            return value
        return opened[0]

    def _parameters(self, statement: Any, values: Any) -> Any:
        """The parameters of a PartiQL statement: those that are of an inserted item."""
        body = read_body(statement) if isinstance(statement, str) else None
        if body is None or not isinstance(values, (list, tuple)):
            return values
        nodes_by_position = {
            int(operand.text): _members(self._trees, name)
            for name, operand in body.item or ()
            if operand.kind == "?"
        }
        found = [
            self._values.value(value, nodes_by_position.get(position, {}))
            for position, value in enumerate(values)
        ]
        if body.item_parameter is not None and body.item_parameter < len(found):
            found[body.item_parameter] = self._values.value(
                values[body.item_parameter], self._trees
            )
        return _same_or(values, found)


class _Values:
    """Opens the tokens in values. Copies on the way to what changes, and nothing else.

    `nodes` tells the masks at the place of a value; None stands for any mask.
    """

    __slots__ = ("_tokenizer",)

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def item(self, item: Any, nodes: Nodes | None) -> Any:
        """An item, a key, or the members of a map."""
        if not isinstance(item, Mapping):
            return item
        return _same_or(
            item, {name: self.value(item[name], _members(nodes, name)) for name in item}
        )

    def value(self, value: Any, nodes: Nodes | None, *, is_joined: bool = False) -> Any:
        """A value in DynamoDB JSON, itself unless something in it changes."""
        if not isinstance(value, Mapping) or len(value) != 1:
            return value
        ((kind, payload),) = value.items()
        if kind == "S" and isinstance(payload, str):
            opened = self._opened_whole(payload, nodes)
            return opened or _same_or(value, {"S": self._text(payload, nodes)})
        if kind == "M" and isinstance(payload, Mapping):
            return _same_or(value, {"M": self.item(payload, nodes)})
        if kind == "L" and isinstance(payload, (list, tuple)):
            parts = [
                self.value(part, _elements(nodes, _ANY_POSITION if is_joined else position))
                for position, part in enumerate(payload)
            ]
            return _same_or(value, {"L": _same_or(payload, parts)})
        if kind == "SS" and isinstance(payload, (list, tuple)):
            return self._set(value, list(payload), nodes)
        return value

    def _set(self, value: Mapping[str, Any], elements: list[Any], nodes: Nodes | None) -> Any:
        """A string set: each element a text, or one token for all of a number set."""
        only = elements[0] if len(elements) == 1 else None
        opened = self._opened_whole(only, nodes) if isinstance(only, str) else None
        if opened is not None:
            return opened
        texts = [self._text(each, nodes) if isinstance(each, str) else each for each in elements]
        return value if texts == elements else {"SS": texts}

    def _opened_whole(self, text: str, nodes: Nodes | None) -> dict[str, Any] | None:
        """The value of a token that is the whole text and stands for no string."""
        sealed = self._read(text, nodes) if _WHOLE(text) else None
        if sealed is None or "S" in sealed.value:
            return None
        if nodes is not None and not _hides_whole(nodes[sealed.mask], sealed.value):
            return None
        return sealed.value

    def _text(self, text: str, nodes: Nodes | None) -> str:
        """A text with the strings in place of its tokens, of which a detector may put several."""
        if TOKEN_PREFIX not in text:
            return text
        pieces: list[str] = []
        places_by_mask: dict[str, list[tuple[int, int]]] = {}
        at = length = 0
        for found in TOKEN_PATTERN.finditer(text):
            sealed = self._read(found[0], nodes)
            if sealed is None or "S" not in sealed.value:
                continue
            between, plain = text[at : found.start()], sealed.value["S"]
            start = length + len(between)
            at, length = found.end(), start + len(plain)
            pieces += [between, plain]
            places_by_mask.setdefault(sealed.mask, []).append((start, length))
        restored = "".join([*pieces, text[at:]])
        if nodes is None:
            return restored
        hidden = (_hides(nodes[mask], restored, each) for mask, each in places_by_mask.items())
        return restored if all(hidden) else text

    def _read(self, token: str, nodes: Nodes | None) -> Sealed | None:
        """What a token holds, if its mask is one of those at this place."""
        sealed = self._tokenizer.read(token)
        return (
            None if sealed is None or (nodes is not None and sealed.mask not in nodes) else sealed
        )


def _members(nodes: Nodes | None, name: str) -> Nodes | None:
    """The masks at a member of a map, or at an attribute of an item."""
    return None if nodes is None else _kept({sid: n.members[name] for sid, n in nodes.items()})


def _elements(nodes: Nodes | None, position: int) -> Nodes | None:
    """The masks at an element of a list."""
    return (
        None if nodes is None else _kept({sid: n.elements[position] for sid, n in nodes.items()})
    )


def _kept(nodes: Mapping[str, Node | None]) -> Nodes:
    return {sid: node for sid, node in nodes.items() if node is not None}


def _at(nodes: Nodes | None, steps: Sequence[str | int]) -> Nodes | None:
    """The masks at a document path."""
    for step in steps:
        nodes = _members(nodes, step) if isinstance(step, str) else _elements(nodes, step)
    return nodes


def _hides_whole(node: Node, value: Mapping[str, Any]) -> bool:
    """Whether a mask hides a value that is no string: of numbers, all when one is found."""
    if node.strategy is not None:
        return True
    ((kind, payload),) = value.items()
    texts = [payload] if kind == "N" else payload if kind == "NS" else ()
    return any(detection.find(t, [t]) for detection, _ in node.detections or () for t in texts)


def _hides(node: Node, text: str, places: list[tuple[int, int]]) -> bool:
    """Whether a mask hides places of a text, which are given from left to right."""
    if node.strategy is not None:
        return True
    found = [hit[:2] for each, _ in node.detections or () for hit in each.find(text, [text])]
    if SEPARATOR in text:
        return bool(found)  # such a text is masked whole
    hidden = _joined(sorted(found))
    at = 0
    for start, end in places:
        while at < len(hidden) and hidden[at][1] < end:
            at += 1
        if at == len(hidden) or hidden[at][0] > start:
            return False
    return True


def _joined(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Places in order, those that touch as one."""
    joined: list[tuple[int, int]] = []
    for start, end in places:
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _same_or(old: Any, new: Any) -> Any:
    """The old mapping or sequence, where every part of the new one is the same object."""
    if isinstance(old, Mapping):
        return old if all(new[name] is old[name] for name in old) else new
    return old if all(one is other for one, other in zip(new, old, strict=True)) else new
