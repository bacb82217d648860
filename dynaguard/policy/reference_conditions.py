"""Condition operators of the reference evaluator, each written out plainly.

See `reference.py`; nothing of `conditions.py` and `literals.py` is used here.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from dynaguard.call import UNKNOWN, ContextLookup, ContextValue
from dynaguard.policy.model import Condition
from dynaguard.policy.reference_patterns import MAYBE, NO, YES, arn_level, read_signs


def condition_level(
    condition: Condition, lookup: ContextLookup, variables: ContextLookup | None
) -> int:
    """The level of one condition.

    Args:
        condition: The condition.
        lookup: The context of the call.
        variables: The same where `${...}` means a variable, else None.
    """
    values = lookup(condition.key.lower())
    if condition.operator == "Null":
        return _null_level(condition, values)
    if condition.operator not in {*_POSITIVE, *_NEGATED} or values is UNKNOWN:
        return MAYBE
    if not values:
        return _absent_level(condition)
    levels = [_value_level(condition, value, variables) for value in values]
    if condition.qualifier == "ForAllValues":
        return min(levels)
    if condition.qualifier == "ForAnyValue":
        return max(levels)
    return levels[0] if len(levels) == 1 else MAYBE


def condition_doubts(
    condition: Condition, lookup: ContextLookup, variables: ContextLookup | None
) -> list[str]:
    """The unknown ones of the keys that a condition reads, as written."""
    keys = [condition.key]
    if variables is not None and condition.operator.startswith(("String", "Arn")):
        for text in condition.values:
            keys += re.findall(r"\$\{\s*([^}',*?$]+?)\s*[,}]", text)
    return [key for key in keys if lookup(key.lower()) is UNKNOWN]


def _null_level(condition: Condition, values: ContextValue) -> int:
    """The level of `Null`, which takes neither qualifier nor IfExists."""
    asked = {text.lower() for text in condition.values}
    if condition.qualifier or condition.if_exists or not asked <= {"true", "false"}:
        return MAYBE
    if values is UNKNOWN:
        return MAYBE
    return YES if ("false" if values else "true") in asked else NO


def _absent_level(condition: Condition) -> int:
    """The level of a condition whose key is known to be absent."""
    if condition.if_exists or condition.qualifier == "ForAllValues":
        return YES
    return YES if condition.operator in _NEGATED and condition.qualifier is None else NO


def _value_level(condition: Condition, value: str, variables: ContextLookup | None) -> int:
    """The level of one value of the call against all values of a condition."""
    base = _NEGATED.get(condition.operator, condition.operator)
    level = max(_POSITIVE[base](value, each, variables) for each in condition.values)
    return YES - level if condition.operator in _NEGATED else level


def _string_equals(value: str, wanted: str, variables: ContextLookup | None) -> int:
    """StringEquals: wildcards are plain signs here."""
    signs, missing = read_signs(wanted, variables)
    if missing is not None:
        return MAYBE
    return YES if value == "".join(char for char, _ in signs) else NO


def _string_equals_ignore_case(value: str, wanted: str, variables: ContextLookup | None) -> int:
    """StringEqualsIgnoreCase."""
    signs, missing = read_signs(wanted, variables)
    if missing is not None:
        return MAYBE
    return YES if value.lower() == "".join(char for char, _ in signs).lower() else NO


def _string_like(value: str, wanted: str, variables: ContextLookup | None) -> int:
    """StringLike, by a regular expression."""
    signs, missing = read_signs(wanted, variables)
    if missing is not None:
        return MAYBE
    wild = {"*": ".*", "?": "."}
    pattern = "".join(wild[char] if kind == "wild" else re.escape(char) for char, kind in signs)
    return YES if re.fullmatch(pattern, value, re.DOTALL) else NO


def _arn_like(value: str, wanted: str, variables: ContextLookup | None) -> int:
    """ArnLike and ArnEquals; a value that is no ARN is not understood."""
    signs, missing = read_signs(wanted, variables)
    if missing is not None or len(value.split(":")) < _ARN_PARTS:
        return MAYBE
    return arn_level(signs, value)


def _typed(
    read: Callable[[str], Any], holds: Callable[[Any, Any], bool]
) -> Callable[[str, str, ContextLookup | None], int]:
    """An operator over typed values; what does not parse is not known."""

    def compare(value: str, wanted: str, _variables: ContextLookup | None) -> int:
        actual, expected = read(value), read(wanted)
        if actual is None or expected is None:
            return MAYBE
        return YES if holds(actual, expected) else NO

    return compare


def _ip_address(value: str, wanted: str, _variables: ContextLookup | None) -> int:
    """IpAddress: a network of the other version holds no address."""
    if "%" in value + wanted:
        return MAYBE
    try:
        return (
            YES
            if ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
            else NO
        )
    except ValueError:
        return MAYBE


def _read_number(text: str) -> Decimal | None:
    """A decimal number."""
    is_number = re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,6})?", text)
    return Decimal(text) if is_number else None


def _read_bool(text: str) -> bool | None:
    """`true` or `false`."""
    return text.lower() == "true" if text.lower() in ("true", "false") else None


def _read_bytes(text: str) -> bytes | None:
    """Base64."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def _read_instant(text: str) -> Decimal | None:
    """Seconds since 1970."""
    if re.fullmatch(r"[0-9]{4}(-[0-9]{2}){0,2}", text):
        return _seconds((text + "-01-01")[:10], "0")
    moment = re.fullmatch(
        r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2})(:[0-9]{2})?(?<=:[0-9]{2})"
        r"(?:\.([0-9]+))?(Z|[+-][0-9]{2}:[0-9]{2})",
        text,
    )
    if moment is None:
        return _read_number(text)
    minute, second, fraction, zone = moment.groups()
    if fraction and not second:
        return None
    return _seconds(minute + (second or ":00") + zone, fraction or "0")


def _seconds(iso: str, fraction: str) -> Decimal | None:
    """A whole second in Python's own ISO form, and its fraction, since 1970."""
    try:
        instant = datetime.fromisoformat(iso)
    except ValueError:
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    # In whole seconds, so that the fraction stays exact.
    whole = (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    return Decimal(whole) + Decimal(f"0.{fraction}")


_ARN_PARTS: Final = 6
_POSITIVE: Final[dict[str, Callable[[str, str, ContextLookup | None], int]]] = {
    "StringEquals": _string_equals,
    "StringEqualsIgnoreCase": _string_equals_ignore_case,
    "StringLike": _string_like,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": _typed(_read_bool, lambda actual, expected: actual == expected),
    "BinaryEquals": _typed(_read_bytes, lambda actual, expected: actual == expected),
    "IpAddress": _ip_address,
    "NumericEquals": _typed(_read_number, lambda actual, expected: actual == expected),
    "NumericLessThan": _typed(_read_number, lambda actual, expected: actual < expected),
    "NumericLessThanEquals": _typed(_read_number, lambda actual, expected: actual <= expected),
    "NumericGreaterThan": _typed(_read_number, lambda actual, expected: actual > expected),
    "NumericGreaterThanEquals": _typed(_read_number, lambda actual, expected: actual >= expected),
    "DateEquals": _typed(_read_instant, lambda actual, expected: actual == expected),
    "DateLessThan": _typed(_read_instant, lambda actual, expected: actual < expected),
    "DateLessThanEquals": _typed(_read_instant, lambda actual, expected: actual <= expected),
    "DateGreaterThan": _typed(_read_instant, lambda actual, expected: actual > expected),
    "DateGreaterThanEquals": _typed(_read_instant, lambda actual, expected: actual >= expected),
}
_NEGATED: Final = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
}
