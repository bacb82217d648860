"""Reads the items of DynamoDB's answers faster than botocore does, to the same result.

botocore's parser visits every attribute value through half a dozen calls; most of them have
nothing to do but hand a text on. At `before-parse` the body is read by the JSON library once, the
items are taken out of it, looked through and, where they hold binary values, decoded; what is left
of the body, an empty list or mapping in the place of each, goes to botocore's own parser as
before. So every other member, metadata, errors and the order of keys are its work still.

INVARIANT: only what is surely understood is taken over. Anything unusual (an error answer, a null,
a member that this module does not know, another handler's own result) leaves the answer as it
came, and botocore reads all of it.

Source: botocore's `parsers.BaseJSONParser`, which it has to equal; `tests/hooks` compares the two,
and `agrees_with` does once per process, with the botocore that is installed.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final

import botocore
from botocore.parsers import create_parser

from dynaguard.interruption import came_from_handler

_log = logging.getLogger("dynaguard")
_parser_log = logging.getLogger("botocore.parsers")
_FIRST_FAILURE: Final = 300
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


class _UnsureError(Exception):
    """Something that botocore had better read itself."""


def _check_item(item: dict[str, Any]) -> None:
    """Looks through an item, or a map within one; decodes binary values in place."""
    for value in item.values():
        # one member, of one of the known kinds
        if len(value) != 1:
            raise _UnsureError
        for kind, inner in value.items():
            if kind == "S" or kind == "N":  # noqa: PLR1714 - measured: two comparisons are quicker
                if type(inner) is not str:
                    raise _UnsureError
            else:
                _READER_BY_KIND[kind](value, inner)


def _check_list(_value: Any, inner: Any) -> None:
    """`L`: a list of attribute values."""
    for each in inner:
        if len(each) != 1:
            raise _UnsureError
        for kind, content in each.items():
            _READER_BY_KIND[kind](each, content)


def _check_map(_value: Any, inner: Any) -> None:
    """`M`: attribute values by name."""
    _check_item(inner)


def _check_text(_value: Any, inner: Any) -> None:
    """`S`, `N`: a text."""
    if type(inner) is not str:
        raise _UnsureError


def _check_truth(_value: Any, inner: Any) -> None:
    """`BOOL`, `NULL`."""
    if type(inner) is not bool:
        raise _UnsureError


def _check_texts(_value: Any, inner: Any) -> None:
    """`SS`, `NS`: a list of texts."""
    if type(inner) is not list or not all(type(each) is str for each in inner):
        raise _UnsureError


def _decode(value: Any, inner: Any) -> None:
    """`B`: base64."""
    value["B"] = _bytes_of(inner)


def _decode_all(value: Any, inner: Any) -> None:
    """`BS`: a list of base64."""
    value["BS"] = [_bytes_of(each) for each in inner]


def _bytes_of(text: Any) -> bytes:
    """The bytes of a text in base64, as botocore decodes it."""
    if type(text) is not str:
        raise _UnsureError
    return base64.b64decode(text)


_READER_BY_KIND: Final[Mapping[str, Callable[[Any, Any], None]]] = {
    "S": _check_text,
    "N": _check_text,
    "B": _decode,
    "SS": _check_texts,
    "NS": _check_texts,
    "BS": _decode_all,
    "M": _check_map,
    "L": _check_list,
    "NULL": _check_truth,
    "BOOL": _check_truth,
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


Take = Callable[[Any], Any]
_TAKE_BY_OPERATION: Final[Mapping[str, tuple[str, Take]]] = {
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


def take_items(
    operation: str, response: MutableMapping[str, Any], result: MutableMapping[str, Any]
) -> bool:
    """Takes the items out of an answer of DynamoDB that botocore is about to parse.

    Args:
        operation: The operation.
        response: botocore's response (`body` as bytes, `status_code`); its body is replaced.
        result: What is merged into botocore's result; the items go there.

    Returns:
        Whether it did; if not, nothing is changed.

    Cost: the JSON library's, and a look at each attribute value.
    """
    taken = _TAKE_BY_OPERATION.get(operation)
    if taken is None or response["status_code"] >= _FIRST_FAILURE or result:
        return False
    member, take = taken
    try:
        answer = json.loads(response["body"].decode("utf-8"))
        items = answer.get(member)
        if items is None:
            return False
        answer[member] = take(items)
        body = _encode(answer).encode()
    except (_UnsureError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
    response["body"] = body
    result[member] = items
    return True


class FastParsing:
    """The fast path of one installation. Thread-safe: asking twice is harmless.

    Args:
        is_on: Whether it is to act, by the settings.
    """

    __slots__ = ("_agrees", "_is_on")

    def __init__(self, *, is_on: bool) -> None:
        self._is_on = is_on
        self._agrees: dict[str, bool] = {}

    @property
    def state(self) -> str:
        """`on`, `off`, or that it is off since the installed botocore reads something else."""
        if not self._is_on:
            return "off"
        return "on" if all(self._agrees.values()) else "off: this botocore reads answers otherwise"

    def take(self, operation_model: Any, response: Any, result: Any) -> None:
        """Takes the items of an answer, if botocore would read the same. Never raises."""
        operation = operation_model.name
        if not self._is_on or operation not in OPERATIONS:
            return
        if _parser_log.isEnabledFor(logging.DEBUG):
            return  # botocore logs what it parses, which should be the answer as it came
        agrees = self._agrees.get(operation)
        if agrees is None:
            agrees = self._agrees[operation] = agrees_with(operation_model)
            if not agrees:
                _log.warning(
                    "botocore %s reads the answer of %s otherwise than dynaguard, so botocore "
                    "reads them all from here on; `fast_parse` off silences this",
                    botocore.__version__,
                    operation,
                )
        if agrees:
            take_items(operation, response, result)


# --- does the installed botocore read the same? ------------------------------------------------

_SAMPLE_ITEM: Final = {
    "text": {"S": "ä"},
    "number": {"N": "-1.5E-7"},
    "binary": {"B": "AAEC/w=="},
    "texts": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2"]},
    "binaries": {"BS": ["AA==", "AQ=="]},
    "map": {"M": {"S": {"S": "inner"}, "M": {"M": {}}, "B": {"B": "AA=="}}},
    "list": {"L": [{"L": []}, {"B": "AA=="}, {"NULL": True}, {"M": {"N": {"N": "1"}}}]},
    "none": {"NULL": True},
    "truth": {"BOOL": False},
}
_SAMPLE: Final[Mapping[str, Any]] = {
    "LastEvaluatedKey": {"text": {"S": "a"}},
    "Items": [_SAMPLE_ITEM, {}],
    "Item": _SAMPLE_ITEM,
    "Attributes": _SAMPLE_ITEM,
    "Count": 2,
    "UnheardOf": 1,
}
_SAMPLE_CAPACITY: Final = {"TableName": "sample", "CapacityUnits": 0.5, "Unheard": {"Of": 1}}


def agrees_with(operation_model: Any) -> bool:
    """Whether botocore reads a sample answer the same with and without the items taken out.

    Args:
        operation_model: botocore's model of an operation in `OPERATIONS`.

    Effects: none. Cost: some hundred microseconds; to be asked once per process.
    """
    operation, shape = operation_model.name, operation_model.output_shape
    is_batch = shape.members["ConsumedCapacity"].type_name == "list"
    sample = {
        **_SAMPLE,
        "Responses": _sample_responses(operation),
        "ConsumedCapacity": [_SAMPLE_CAPACITY] if is_batch else _SAMPLE_CAPACITY,
    }
    body = json.dumps(
        {name: sample[name] for name in ("UnheardOf", *reversed(shape.members)) if name in sample}
    ).encode()

    def parsed(*, is_fast: bool) -> dict[str, Any]:
        response = {"headers": {}, "status_code": 200, "body": body, "context": {}}
        result: dict[str, Any] = {}
        if is_fast and not take_items(operation, response, result):
            return {}
        protocol = operation_model.service_model.metadata["protocol"]
        return {**create_parser(protocol).parse(response, shape), **result}

    try:
        stock, fast = parsed(is_fast=False), parsed(is_fast=True)
    except Exception as err:
        if came_from_handler(err):
            raise  # meant for the application
        return False
    return stock == fast and list(stock) == list(fast)


def _sample_responses(operation: str) -> Any:
    """`Responses` as an operation answers them."""
    if operation == "BatchGetItem":
        return {"sample": [_SAMPLE_ITEM]}
    if operation == "BatchExecuteStatement":
        return [{"TableName": "sample", "Item": _SAMPLE_ITEM}, {}]
    return [{"Item": _SAMPLE_ITEM}, {}]
