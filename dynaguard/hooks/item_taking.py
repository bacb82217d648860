"""Takes the items out of an answer of DynamoDB that botocore is about to parse.

INVARIANT: only what is surely understood is taken. Anything unusual (an error answer, a null, a
member that this module does not know, another handler's own result) leaves the answer as it came,
and botocore reads all of it.

Source: botocore's `parsers.BaseJSONParser`, which it has to equal.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final

from dynaguard.interruption import came_from_handler

MAX_DEPTH: Final = 64
"""How deep maps and lists may nest; DynamoDB allows 32. What nests deeper is botocore's to read,
or to fail at."""

_FIRST_FAILURE: Final = 300
# Without `json.loads` around it: that takes as long again for an answer of one item.
_decode_json: Final = json.JSONDecoder().raw_decode
_encode_json: Final = json.JSONEncoder(separators=(",", ":")).encode


class _UnsureError(Exception):
    """Something that botocore had better read itself."""


def _check_item(item: dict[str, Any], depth: int = 0) -> None:
    """Looks through an item, or a map within one; decodes binary values in place.

    As botocore does, it hands on whatever stands for a text or a truth, but for a null. The most
    common types are asked for by name, which takes half the time of going through the members of a
    value; what is no mapping raises TypeError, and the answer is left to botocore.
    """
    if depth > MAX_DEPTH:
        raise _UnsureError
    for value in item.values():
        if len(value) != 1:
            raise _UnsureError
        if "S" in value:
            if value["S"] is None:
                raise _UnsureError
        elif "N" in value:
            if value["N"] is None:
                raise _UnsureError
        elif "M" in value:
            _check_item(value["M"], depth + 1)
        else:
            for kind, inner in value.items():
                _READER_BY_KIND[kind](value, inner, depth)


def _check_list(_value: Any, inner: Any, depth: int) -> None:
    """`L`: a list of attribute values."""
    if type(inner) is not list or depth >= MAX_DEPTH:
        raise _UnsureError
    for each in inner:
        if len(each) != 1:
            raise _UnsureError
        for kind, content in each.items():
            _READER_BY_KIND[kind](each, content, depth + 1)


def _check_map(_value: Any, inner: Any, depth: int) -> None:
    """`M`: attribute values by name."""
    _check_item(inner, depth + 1)


def _check_plain(_value: Any, inner: Any, _depth: int) -> None:
    """`S`, `N`, `BOOL`, `NULL`: anything but a null."""
    if inner is None:
        raise _UnsureError


def _check_set(_value: Any, inner: Any, _depth: int) -> None:
    """`SS`, `NS`: a list of anything."""
    if type(inner) is not list:
        raise _UnsureError


def _decode(value: Any, inner: Any, _depth: int) -> None:
    """`B`: base64, as botocore decodes it; TypeError for what is no text."""
    value["B"] = b64decode(inner)


def _decode_all(value: Any, inner: Any, _depth: int) -> None:
    """`BS`: a list of base64."""
    if type(inner) is not list:
        raise _UnsureError
    value["BS"] = [b64decode(each) for each in inner]


_READER_BY_KIND: Final[Mapping[str, Callable[[Any, Any, int], None]]] = {
    "S": _check_plain,
    "N": _check_plain,
    "B": _decode,
    "SS": _check_set,
    "NS": _check_set,
    "BS": _decode_all,
    "M": _check_map,
    "L": _check_list,
    "NULL": _check_plain,
    "BOOL": _check_plain,
}


def _take_item(item: Any) -> Any:
    """An item; gives what stands in its place."""
    _check_item(item)
    return {}


def _take_items(items: Any) -> Any:
    """A list of items."""
    if type(items) is not list:
        raise _UnsureError
    for item in items:
        _check_item(item)
    return []


def _take_items_by_table(items_by_table: Any) -> Any:
    """Items by table, as BatchGetItem answers."""
    for items in items_by_table.values():
        _take_items(items)
    return {}


def _take_item_entries(entries: Any) -> Any:
    """A list of `{"Item": ...}`; entries of items that were not found are empty."""
    return _take_entries(entries, frozenset({"Item"}))


def _take_statement_entries(entries: Any) -> Any:
    """A list of `{"TableName": ..., "Item": ...}`; one with an error is botocore's to read."""
    return _take_entries(entries, frozenset({"Item", "TableName"}))


def _take_entries(entries: Any, known: frozenset[str]) -> Any:
    """Entries with nothing but known members, in botocore's order of these."""
    if type(entries) is not list:
        raise _UnsureError
    for entry in entries:
        if not entry.keys() <= known or type(entry.get("TableName", "")) is not str:
            raise _UnsureError
        if "Item" in entry:
            item = entry.pop("Item")
            _check_item(item)
            entry["Item"] = item  # behind the table's name, as the service's model has them
    return []


_Take = Callable[[Any], Any]
_TAKE_BY_OPERATION: Final[Mapping[str, tuple[str, _Take]]] = {
    "GetItem": ("Item", _take_item),
    "PutItem": ("Attributes", _take_item),
    "UpdateItem": ("Attributes", _take_item),
    "DeleteItem": ("Attributes", _take_item),
    "Query": ("Items", _take_items),
    "Scan": ("Items", _take_items),
    "ExecuteStatement": ("Items", _take_items),
    "BatchGetItem": ("Responses", _take_items_by_table),
    "TransactGetItems": ("Responses", _take_item_entries),
    "ExecuteTransaction": ("Responses", _take_item_entries),
    "BatchExecuteStatement": ("Responses", _take_statement_entries),
}
OPERATIONS: Final = frozenset(_TAKE_BY_OPERATION)
MEMBERS: Final = frozenset(member for member, _ in _TAKE_BY_OPERATION.values())
"""Members of answers that hold items."""

_BODY_OF_ITEM_ALONE: Final = {
    member: _encode_json({member: {}}).encode() for member in ("Item", "Attributes")
}
"""What is left of an answer that holds an item and nothing else."""


def take_items(
    operation: str, response: MutableMapping[str, Any], result: MutableMapping[str, Any]
) -> str | None:
    """Takes the items out of an answer, binary values decoded.

    Args:
        operation: The operation.
        response: botocore's response (`body` as bytes, `status_code`); its body is replaced by
            one with an empty list or mapping in the place of the items.
        result: What is merged into botocore's result; the items go there.

    Returns:
        The member of the answer that holds the items; None when none were taken, and nothing is
        changed.

    Cost: the JSON library's, and a look at each attribute value.
    """
    taken = _TAKE_BY_OPERATION.get(operation)
    if taken is None or response["status_code"] >= _FIRST_FAILURE or result:
        return None
    member, take = taken
    body = response["body"]
    if body == b"{}":
        return None  # of most writes
    try:
        text = body.decode("utf-8")
        answer, end = _decode_json(text)
        items = answer.get(member)
        if items is None or end != len(text):
            return None
        stand_in = take(items)
        if len(answer) == 1 and member in _BODY_OF_ITEM_ALONE:
            body = _BODY_OF_ITEM_ALONE[member]
        else:
            answer[member] = stand_in
            body = _encode_json(answer).encode()
    except (_UnsureError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as err:
        if came_from_handler(err):
            raise  # meant for the application
        return None
    response["body"] = body
    result[member] = items
    return member
