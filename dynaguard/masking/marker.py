"""The marker that every masked value carries, and the search for it in a request.

INVARIANT: a path given by `find_marker` holds attribute names, placeholders (`:v0`) and indexes
only, never any part of a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MARKER: Final = "masked!dg1:"
"""Reserved prefix of every masked value.

ASCII that JSON encodes as it stands, so it reads the same in a body, a log and a table. A value
written by somebody else that begins so is taken for a masked one.
"""

_MARKER_BYTES: Final = MARKER.encode()

# Request members that map attribute names (or `:placeholders`) to values.
_VALUES_BY_NAME: Final = frozenset(
    {
        "AttributeUpdates",
        "ExclusiveStartKey",
        "Expected",
        "ExpressionAttributeValues",
        "Item",
        "Key",
        "KeyConditions",
        "Keys",
        "QueryFilter",
        "ScanFilter",
    }
)


def find_marker(params: Mapping[str, Any]) -> str | None:
    """Where the first masked value of a request stands, or None when it holds none.

    Strings and binary values that merely contain the marker count, and so do attribute names and
    PartiQL text. Streams given as binary values are not read.

    Args:
        params: Low-level request parameters, attribute values in DynamoDB JSON.

    Returns:
        The attribute (`email`, `profile.ssn`, `cards[0].number`), the placeholder (`:email`), the
        PartiQL parameter (`Parameters[0]`), or else the request member (`Statement`).

    Raises:
        RecursionError: The parameters contain themselves; botocore refuses them just so.

    Cost: O(size of the request); one substring search per string.
    """
    for member, value in params.items():
        if _holds_marker(value):
            return _locate_in_request(member, value)
    return None


def _holds_marker(value: object) -> bool:
    """Whether the marker stands anywhere in a value, names of maps included."""
    if isinstance(value, str):
        return MARKER in value
    if isinstance(value, dict):
        return any(map(_holds_marker, value)) or any(map(_holds_marker, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(map(_holds_marker, value))
    if isinstance(value, (bytes, bytearray)):
        return _MARKER_BYTES in value
    return False


def _locate_in_request(member: str, value: object) -> str:
    """The path of the first masked value in a request member that is known to hold one."""
    if isinstance(value, dict):
        if member in _VALUES_BY_NAME:
            return _locate_in_map(value) or member
        for name, part in value.items():
            if _holds_marker(part):
                # A table may be called `Item`: names of tables are not names of members.
                return _locate_in_request("" if member == "RequestItems" else name, part)
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            if _holds_marker(part):
                is_positional = member == "Parameters"
                return (
                    f"{member}[{index}]{_locate_in_value(part)}"
                    if is_positional
                    else _locate_in_request(member, part)
                )
    return member


def _locate_in_map(values: Mapping[str, Any]) -> str:
    """`name...` of the first member that holds the marker; empty when a name itself does."""
    for name, value in values.items():
        if _holds_marker(name):
            return ""
        if _holds_marker(value):
            return name + _locate_in_value(value)
    return ""


def _locate_in_value(value: object) -> str:
    """The rest of the path inside a typed value: `.name`, `[0]`, or nothing."""
    if not isinstance(value, dict):
        return ""
    members, elements = value.get("M"), value.get("L")
    if isinstance(members, dict):
        path = _locate_in_map(members)
        return f".{path}" if path else ""
    if isinstance(elements, (list, tuple)):
        for index, element in enumerate(elements):
            if _holds_marker(element):
                return f"[{index}]{_locate_in_value(element)}"
    return _locate_in_condition(value)


def _locate_in_condition(condition: Mapping[str, Any]) -> str:
    """The rest of the path inside an entry of `Expected`, `AttributeUpdates` and the like."""
    listed = condition.get("AttributeValueList")
    for value in (condition.get("Value"), *(listed if isinstance(listed, (list, tuple)) else ())):
        if _holds_marker(value):
            return _locate_in_value(value)
    return ""
