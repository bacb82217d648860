"""Reads `KIND=VALUE` options into the timings of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from dynaguard.alarms.kinds import DEFAULT_TIMINGS, AlarmKind, Timing
from dynaguard.errors import ConfigurationError, nearest

_ALL: Final = "all"

_Change = Callable[[Timing, str], Timing]


def timings_from(
    thresholds: Sequence[str] = (), periods: Sequence[str] = (), datapoints: Sequence[str] = ()
) -> Mapping[AlarmKind, Timing]:
    """The timings of all kinds: the defaults, changed as the options say, the last one counting.

    Args:
        thresholds: `denials=5`.
        periods: `read-throttles=300`, seconds.
        datapoints: `write-throttles=3/5`. In all three `all` is every kind.

    Raises:
        ConfigurationError: One is not of that form; names the option and the nearest kind.
    """
    timings = dict(DEFAULT_TIMINGS)
    options: tuple[tuple[str, Sequence[str], str, _Change], ...] = (
        ("--threshold", thresholds, "denials=5", _with_threshold),
        ("--period", periods, "read-throttles=300", _with_period),
        ("--datapoints", datapoints, "write-throttles=3/5", _with_datapoints),
    )
    for option, values, example, change in options:
        for value in values:
            name, equals, text = value.partition("=")
            try:
                for kind in _kinds(option, name):
                    timings[kind] = change(timings[kind], text if equals else "")
            except (ValueError, OverflowError) as err:
                if isinstance(err, ConfigurationError):
                    raise
                raise ConfigurationError(
                    f"{option}: `{value}` is not of the form `{example}`"
                ) from None
    return timings


def _kinds(option: str, name: str) -> Iterator[AlarmKind]:
    """The kinds that a name stands for."""
    if name == _ALL:
        yield from AlarmKind
        return
    try:
        yield AlarmKind(name)
    except ValueError:
        choices = [_ALL, *AlarmKind]
        guess = nearest(name, choices)
        near = f", did you mean `{guess}`?" if guess else ""
        raise ConfigurationError(
            f"{option}: `{name}` is no kind of alarm{near}; there are {', '.join(choices)}"
        ) from None


def _with_threshold(timing: Timing, text: str) -> Timing:
    return replace(timing, threshold=float(text))


def _with_period(timing: Timing, text: str) -> Timing:
    return replace(timing, period_s=int(text))


def _with_datapoints(timing: Timing, text: str) -> Timing:
    datapoints, _, periods = text.partition("/")
    return replace(timing, datapoints=int(datapoints), evaluation_periods=int(periods))
