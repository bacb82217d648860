"""Key values as IAM compares them: text, whatever their type."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

_MAX_EXPONENT: Final = 130
"""DynamoDB's numbers end at 1E+126; written out, further ones could fill the memory."""
_MAX_NUMBER_LENGTH: Final = 300


def key_text(value: Any) -> str | None:
    """A key attribute's value in DynamoDB JSON as text: S as it is, N canonical, B in base64.

    None for anything else: no key can hold it.
    """
    if not isinstance(value, Mapping) or len(value) != 1:
        return None
    kind, content = next(iter(value.items()))
    if kind == "S" and isinstance(content, str):
        return content
    if kind == "B" and isinstance(content, bytes | bytearray):
        return base64.b64encode(content).decode()
    if kind == "N" and isinstance(content, str):
        return canonical_number(content)
    return None


def canonical_number(text: str) -> str | None:
    """A number without superfluous zeros: `1.0` is `1`; None for what is no number of DynamoDB."""
    try:
        number = Decimal(text) if len(text) <= _MAX_NUMBER_LENGTH else Decimal("NaN")
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number.adjusted()) > _MAX_EXPONENT:
        return None
    # Not `normalize()`: it rounds to the context's 28 digits, and two keys would become one.
    plain = f"{number:f}"
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return plain if number else "0"
