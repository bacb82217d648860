"""One text for one value: what is hashed, signed and compared.

Source: RFC 8785 (JSON Canonicalization Scheme) for the order of keys and the lack of white space;
numbers are written as Python writes them, so hashes are compared among dynaguard's own only.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical_json(value: Any) -> str:
    """The text of a value, the same for equal values.

    Args:
        value: JSON's own types; and, as botocore's parameters have them, bytes (told apart from
            text), sets and tuples (as lists; sets sorted), `Decimal` and datetimes (as text).

    Raises:
        TypeError: It holds something else.
    """
    return json.dumps(
        _plain(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
    )


def sha256_of(value: Any) -> str:
    """SHA-256 over the canonical text in UTF-8, 64 hexadecimal characters."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    """The value in JSON's own types."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {_plain_key(str(key)): _plain(each) for key, each in value.items()}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$bytes": base64.b64encode(bytes(value)).decode("ascii")}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(each) for each in value), key=canonical_json)
    return _as_text(value)


def _plain_key(key: str) -> str:
    """The key; one that begins like our own marks gets a further `$`, so that it is none."""
    return f"${key}" if key.startswith("$") else key


def _as_text(value: Any) -> Any:
    """Numbers and instants that JSON does not know."""
    from datetime import date
    from decimal import Decimal

    if isinstance(value, Decimal):
        return {"$number": str(value)}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    raise TypeError(f"a value of type {type(value).__name__} has no canonical text")
