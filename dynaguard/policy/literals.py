"""The texts of condition values as typed values: numbers, instants, booleans, bytes, networks.

Each reader gives None for a text that it does not understand. A condition on such a text is
neither true nor false: no match in an Allow, a match in a Deny.

Source: IAM User Guide, IAM JSON policy elements: Condition operators.
"""

from __future__ import annotations

import base64
import ipaddress
from datetime import date
from decimal import Context, Decimal, InvalidOperation
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_DIGITS: Final = frozenset("0123456789")
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_S_PER_DAY: Final = 86_400
_YEAR_LENGTH: Final = 4
_EXACT: Final = Context(prec=200, traps=[])  # the application's own context may round


def parse_number(text: str) -> Decimal | None:
    """A decimal number such as `100`, `-0.5` or `1e3`; never a float."""
    # Decimal() alone would also read blanks, underscores, `nan` and the digits of other scripts.
    if not text.isascii() or not set(text) <= _DIGITS | set("+-.eE"):
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    # Where the application took the trap out of its decimal context, nonsense is `nan`.
    return number if number.is_finite() else None


def parse_bool(text: str) -> bool | None:
    """`true` or `false`, in any case."""
    return {"true": True, "false": False}.get(text.lower())


def parse_bytes(text: str) -> bytes | None:
    """Base64 in its canonical alphabet, padded."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def parse_network(text: str) -> Network | None:
    """An IPv4 or IPv6 block; a bare address is a block of one. Host bits are ignored."""
    if "%" in text or ("/" in text and not _is_digits(text.partition("/")[2])):
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def parse_address(text: str) -> Network | None:
    """One address, as a block of one."""
    return None if "/" in text else parse_network(text)


def parse_instant(text: str) -> Decimal | None:
    """An instant in seconds since 1970, exact.

    Forms: W3C's profile of ISO 8601 (`2026`, `2026-12`, `2026-12-01`, `2026-12-01T08:30Z`,
    `2026-12-01T08:30:15.25+01:00`), or seconds since 1970. Four digits are a year. A time of day
    without a zone is not understood: it would mean another instant on every machine.
    """
    is_year = len(text) == _YEAR_LENGTH and _is_digits(text)
    if not is_year and "T" not in text and "-" not in text[1:]:
        return parse_number(text)
    day_text, has_time, time_text = text.partition("T")
    day = _parse_day(day_text)
    if day is None or not has_time:
        return day
    time = _parse_time(time_text) if day_text.count("-") == 2 else None
    return None if time is None else _EXACT.add(day, time)


def _parse_day(text: str) -> Decimal | None:
    """`2026`, `2026-12` or `2026-12-01` as seconds since 1970."""
    parts = text.split("-")
    widths = [len(part) for part in parts]
    if widths not in ([4], [4, 2], [4, 2, 2]) or not all(map(_is_digits, parts)):
        return None
    year, month, day = (*map(int, parts), 1, 1)[:3]
    try:
        return Decimal((date(year, month, day).toordinal() - _EPOCH_DAY) * _S_PER_DAY)
    except ValueError:
        return None


def _parse_time(text: str) -> Decimal | None:
    """`08:30Z`, `08:30:15.25+01:00` as seconds from midnight in UTC."""
    if text.endswith("Z"):
        return _parse_clock(text[:-1])
    sign = text[-6:-5]
    clock, offset = _parse_clock(text[:-6]), _parse_clock(text[-5:])
    if clock is None or offset is None or sign not in {"+", "-"}:
        return None
    shift = _EXACT.subtract if sign == "+" else _EXACT.add
    return shift(clock, offset)


def _parse_clock(text: str) -> Decimal | None:
    """`08:30`, `08:30:15` or `08:30:15.25` as seconds."""
    whole, has_fraction, fraction = text.partition(".")
    parts = whole.split(":")
    is_clock = [len(part) for part in parts] in ([2, 2], [2, 2, 2])
    if not is_clock or not all(map(_is_digits, parts)):
        return None
    hour, minute, second = (*map(int, parts), 0)[:3]
    if hour > 23 or minute > 59 or second > 59:
        return None
    if has_fraction and (len(parts) == 2 or not _is_digits(fraction)):
        return None
    return Decimal(f"{hour * 3600 + minute * 60 + second}.{fraction or 0}")


def _is_digits(text: str) -> bool:
    """Whether a text is one or more of the ten ASCII digits."""
    return bool(text) and set(text) <= _DIGITS
