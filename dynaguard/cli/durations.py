"""Durations and instants as people type them: `15m`, `2h`, `2026-11-21T16:00Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

import click

_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd])")
_SECONDS_BY_UNIT: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def duration(text: str) -> float:
    """The seconds of a text such as `90s`, `15m`, `2h`, `1d`; a type for options."""
    seconds = seconds_of(text)
    if seconds is None:
        raise click.BadParameter(f"`{text}` is no duration, write for example `15m` or `2h`")
    return seconds


def instant(text: str) -> datetime:
    """The instant of a text in ISO 8601 with its time zone; a type for options."""
    found = instant_of(text)
    if found is None:
        raise click.BadParameter(
            f"`{text}` is no instant with a time zone, write for example `2026-11-21T16:00Z`"
        )
    return found


def end(text: str) -> float | datetime:
    """A duration in seconds, or an instant; a type for options."""
    seconds = seconds_of(text)
    if seconds is not None:
        return seconds
    found = instant_of(text)
    if found is None:
        raise click.BadParameter(
            f"`{text}` is neither a duration nor an instant with a time zone, write for example "
            "`15m` or `2026-11-21T16:00Z`"
        )
    return found


def seconds_of(text: str) -> float | None:
    """The seconds of a duration, or None."""
    match = _DURATION.fullmatch(text.strip())
    return float(match[1]) * _SECONDS_BY_UNIT[match[2]] if match else None


def instant_of(text: str) -> datetime | None:
    """The instant of a text that names its time zone, in UTC; or None."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return None if found.tzinfo is None else found.astimezone(UTC)


def shown_duration(seconds: float) -> str:
    """A duration in its largest units, whole seconds: `15m`, `1h 30m`, `2d`."""
    left = max(0, round(seconds))
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, int(_SECONDS_BY_UNIT[unit]))
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"
