"""Names of alarms and ids of resources: stable, unique, and within every limit.

INVARIANT: a name depends on what it names alone, never on its neighbours, so that one more
identity renames (and therefore replaces) no other alarm.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from dynaguard.alarms import limits

_MAX_READABLE: Final = 120
_HASH_DIGITS: Final = 12
"""48 bits: among a template's 500 resources two are equal once in two billion templates."""


def resource_id(*parts: str) -> str:
    """An id for CloudFormation and Terraform: letters and digits, with a hash of the parts.

    `ReadThrottlesEtlNightlyOrders0f3c9a1be2d4`
    """
    words = [word for part in parts for word in re.findall(r"[A-Za-z0-9]+", part)]
    readable = "".join(word[0].upper() + word[1:] for word in words)[:_MAX_READABLE]
    # A Terraform name begins with a letter.
    readable = readable if readable[:1].isalpha() else f"Alarm{readable}"
    return f"{readable}{_hash(parts)}"


def alarm_name(*parts: str) -> str:
    """`dynaguard/read-throttles/etl-nightly/orders`; cut and with a hash where that is needed.

    Control characters, which CloudWatch refuses, become `_`.
    """
    plain = ["".join(char if char.isprintable() else "_" for char in part) for part in parts]
    name = "/".join(plain)
    is_clear = plain == list(parts) and not any("/" in part for part in parts)
    if is_clear and len(name) <= limits.MAX_ALARM_NAME:
        return name
    return f"{name[: limits.MAX_ALARM_NAME - _HASH_DIGITS - 1]}-{_hash(parts)}"


def _hash(parts: tuple[str, ...]) -> str:
    """Of all parts, told apart."""
    text = "\0".join(parts)
    # A lone surrogate is no UTF-8; such a name still gets an id of its own.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
