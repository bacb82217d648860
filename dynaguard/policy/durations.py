"""Durations as people write them: `90s`, `15m`, `1h`, `2d`, or several in that order (`1h30m`)."""

from __future__ import annotations

import re
from typing import Final

_SECONDS_BY_UNIT: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION: Final = re.compile(
    r"(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?\Z"
)


def parse_duration(text: str) -> float | None:
    """The seconds that a text means, or None where it means none.

    >>> parse_duration("1h30m"), parse_duration("90")
    (5400.0, None)
    """
    match = _DURATION.match(text)
    if match is None or not text:
        return None
    parts = zip(match.groups(), _SECONDS_BY_UNIT.values(), strict=True)
    return float(sum(int(count) * seconds for count, seconds in parts if count is not None))


def duration_text(seconds: float) -> str:
    """A duration as `parse_duration` reads it; fractions of a second stay: `1h30m`, `0.5s`.

    >>> duration_text(5400), duration_text(0.5)
    ('1h30m', '0.5s')
    """
    whole, rest = divmod(seconds, 1)
    left, found = int(whole), ""
    for unit, size in _SECONDS_BY_UNIT.items():
        count, left = divmod(left, size)
        if unit == "s":
            count_s = count + rest
            found += f"{count_s:g}s" if count_s or not found else ""
        elif count:
            found += f"{count}{unit}"
    return found
