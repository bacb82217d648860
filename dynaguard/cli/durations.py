"""Durations and instants as people type them: `15m`, `2h`, `2026-11-21T16:00Z`."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from dynaguard.policy.durations import parse_duration


def duration(text: str) -> float:
    """The seconds of a text such as `90s`, `15m`, `2h`, `1d`; a type for options."""
    seconds = parse_duration(text.strip())
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
    seconds = parse_duration(text.strip())
    if seconds is not None:
        return seconds
    found = instant_of(text)
    if found is None:
        raise click.BadParameter(
            f"`{text}` is neither a duration nor an instant with a time zone, write for example "
            "`15m` or `2026-11-21T16:00Z`"
        )
    return found


def instant_of(text: str) -> datetime | None:
    """The instant of a text that names its time zone, in UTC; or None."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return None if found.tzinfo is None else found.astimezone(UTC)
