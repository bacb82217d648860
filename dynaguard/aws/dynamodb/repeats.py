"""Writes that a repeat would do twice: those that add to what is there.

Source: Amazon DynamoDB Developer Guide, *Working with items* (atomic counters are not idempotent)
and *Error handling* (an internal error may have taken effect).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_ADD_CLAUSE: Final = re.compile(
    r"\bADD\b(.*?)(?=\b(?:SET|REMOVE|DELETE)\b|$)", re.IGNORECASE | re.DOTALL
)
_VALUE: Final = re.compile(r":\w+")
_APPEND: Final = re.compile(r"\blist_append\s*\(", re.IGNORECASE)
_QUOTED: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_IS_UPDATE: Final = re.compile(r"\s*UPDATE\b", re.IGNORECASE)
_SET_TYPES: Final = frozenset({"SS", "NS", "BS"})


def is_additive(operation: str, params: Mapping[str, Any]) -> bool:
    """Whether a second run of the same request would change the item once more.

    An update with a condition is taken as safe: whoever writes one knows what it holds. So are
    transactions, which carry a ClientRequestToken, and puts and deletes, which set a state. What
    cannot be read counts as additive.

    Cost: linear in the expression; asked for after a failure alone.
    """
    try:
        if operation == "UpdateItem":
            return _is_additive_update(params)
        if operation == "ExecuteStatement":
            return _is_additive_statement(params["Statement"])
        if operation == "BatchExecuteStatement":
            return any(_is_additive_statement(each["Statement"]) for each in params["Statements"])
    except (KeyError, TypeError, AttributeError):
        return True
    return False


def _is_additive_update(params: Mapping[str, Any]) -> bool:
    """An UpdateItem that adds a number, appends or calculates, without a condition."""
    if params.get("ConditionExpression") or params.get("Expected"):
        return False
    legacy = params.get("AttributeUpdates") or {}
    if any(each.get("Action") == "ADD" and not _is_set(each["Value"]) for each in legacy.values()):
        return True
    text = params.get("UpdateExpression") or ""
    # names with a sign in them cannot stand in an expression, only behind a `#`
    if "+" in text or "-" in text or _APPEND.search(text):
        return True
    values = params.get("ExpressionAttributeValues") or {}
    added = [name for clause in _ADD_CLAUSE.findall(text) for name in _VALUE.findall(clause)]
    return any(not _is_set(values[name]) for name in added)


def _is_set(value: Mapping[str, Any]) -> bool:
    """Whether an attribute value is a set: adding its elements again changes nothing."""
    return not _SET_TYPES.isdisjoint(value)


def _is_additive_statement(text: str) -> bool:
    """A PartiQL UPDATE that calculates or appends."""
    if not _IS_UPDATE.match(text):
        return False
    bare = _QUOTED.sub("''", text)
    return "+" in bare or "-" in bare or _APPEND.search(bare) is not None
