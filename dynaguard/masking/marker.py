"""The marker that every masked value carries, and the search for it in a request.

INVARIANT: a path given by `find_marker` holds attribute names, placeholders (`:v0`) and indexes
only, never any part of a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

MARKER: Final = "masked!dg1:"
"""Reserved prefix of every masked value.

ASCII that JSON encodes as it stands, so it reads the same in a body, a log and a table. A value
written by somebody else that begins so is taken for a masked one.
"""

_KeyT = TypeVar("_KeyT")
_MARKER_BYTES: Final = MARKER.encode()
_MARK: Final = "!"
"""Rare in values, so that most are looked through once, at the speed of memory."""
_MARK_BYTE: Final = b"!"

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

    Strings and binary values that merely contain the marker count, in letters of any case, and so
    do attribute names and PartiQL text. Streams given as binary values are not read.

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
        if holds_marker(value):
            return _locate_in_request(member, value)
    return None


def holds_marker(value: object) -> bool:
    """Whether the marker stands anywhere in a value, names of maps included, in any case."""
    if isinstance(value, str):
        return _MARK in value and (MARKER in value or MARKER in value.lower())
    if isinstance(value, dict):
        # Plain strings, nearly all there is, are settled here: a call for each takes longer.
        for name, part in value.items():
            if ((type(name) is not str or _MARK in name) and holds_marker(name)) or (
                (type(part) is not str or _MARK in part) and holds_marker(part)
            ):
                return True
        return False
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(map(holds_marker, value))
    if not isinstance(value, (bytes, bytearray)):
        return False
    return _MARK_BYTE in value and _MARKER_BYTES in value.lower()


def _first_holder(parts: Iterable[tuple[_KeyT, object]]) -> tuple[_KeyT, object] | None:
    """The first part that holds the marker, with its name or index."""
    return next(((key, part) for key, part in parts if holds_marker(part)), None)


def _locate_in_request(member: str, value: object) -> str:
    """The path of the first masked value in a request member that is known to hold one."""
    if member in _VALUES_BY_NAME and isinstance(value, dict):
        return _locate_in_map(value) or member
    if isinstance(value, dict) and (named := _first_holder(value.items())):
        # A table may be called `Item`: names of tables are not names of members.
        name = "" if member == "RequestItems" else named[0]
        return _locate_in_request(name, named[1]) or member
    if isinstance(value, (list, tuple)) and (placed := _first_holder(enumerate(value))):
        index, part = placed
        if member == "Parameters":
            return f"{member}[{index}]{_locate_in_value(part)}"
        return _locate_in_request(member, part)
    return member


def _locate_in_map(values: Mapping[str, Any]) -> str:
    """`name...` of the first member that holds the marker; empty when a name itself does."""
    named = _first_holder(values.items())
    if named is None or any(map(holds_marker, values)):
        return ""
    return f"{named[0]}{_locate_in_value(named[1])}"


def _locate_in_value(value: object) -> str:
    """The rest of the path inside a value or a legacy condition: `.name`, `[0]`, or nothing."""
    named = _first_holder(value.items()) if isinstance(value, dict) else None
    kind, payload = named or ("", None)
    if kind == "M" and isinstance(payload, dict):
        path = _locate_in_map(payload)
        return f".{path}" if path else ""
    if kind in {"L", "AttributeValueList"} and isinstance(payload, (list, tuple)):
        index, part = _first_holder(enumerate(payload)) or (0, None)
        return (f"[{index}]" if kind == "L" else "") + _locate_in_value(part)
    return _locate_in_value(payload) if kind == "Value" else ""
