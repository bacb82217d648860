"""Strategies and detectors that the program brings: `custom:NAME` in a policy.

A policy names them and never imports them: who may write the policy must not be able to run code.
Registered before `install()`, which looks them up once; afterwards a registration has no effect on
the guard in force.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol, TypeVar

from dynaguard.call import StatementRef
from dynaguard.errors import ConfigurationError, nearest

ShowPart = Callable[[str], str]
"""Gives what may be shown of a text (a string, or a number's decimal text)."""

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")


class Detector(Protocol):
    """Finds values of one kind in a text."""

    def __call__(self, text: str, /) -> Iterable[tuple[int, int]]:
        """Start and end (exclusive) of each value found, in characters."""
        ...


_strategies: dict[str, ShowPart] = {}
_detectors: dict[str, Detector] = {}
_PartT = TypeVar("_PartT")


def register_strategy(name: str, show: ShowPart) -> None:
    """Makes `with = "custom:NAME"` known to policies that are installed from now on.

    Args:
        name: Small letters, digits and hyphens.
        show: Takes the text of a string, or the decimal text of a number, and gives what may be
            shown of it; the marker and the name are put in front. Binary values, booleans and
            number sets are redacted without it. Called on the call path, by any thread; where it
            raises, the value is redacted.

    Raises:
        ConfigurationError: No such name, nothing that can be called, or another one is registered
            under the name.

    Example:
        >>> register_strategy("initials", lambda text: "".join(w[0] for w in text.split()))
    """
    _register(_strategies, name, show, "strategy")


def register_detector(name: str, detector: Detector) -> None:
    """Makes `detect = "custom:NAME"` known to policies that are installed from now on.

    Args:
        name: Small letters, digits and hyphens.
        detector: Takes a text, one element where it is of a set, and gives start and end
            (exclusive) of each value that it finds. Called on the call path, by any thread; where
            it raises, or tells places that are not within the text, the whole text is masked.

    Raises:
        ConfigurationError: As `register_strategy`.
    """
    _register(_detectors, name, detector, "detector")


def registered_strategy(name: str, ref: StatementRef) -> ShowPart:
    """What a mask names.

    Raises:
        ConfigurationError: Nobody registered it.
    """
    return _registered(_strategies, name, ref, "strategy")


def registered_detector(name: str, ref: StatementRef) -> Detector:
    """What a mask names.

    Raises:
        ConfigurationError: Nobody registered it.
    """
    return _registered(_detectors, name, ref, "detector")


def _register(parts: dict[str, Any], name: object, part: object, kind: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"`{str(name)[:80]}` is no name of a {kind}, write small letters, digits and hyphens"
        )
    if not callable(part):
        raise ConfigurationError(f"{kind} `{name}` cannot be called, pass a function")
    if parts.get(name, part) is not part:
        raise ConfigurationError(f"a {kind} `{name}` is registered already, choose another name")
    parts[name] = part


def _registered(parts: dict[str, _PartT], name: str, ref: StatementRef, kind: str) -> _PartT:
    part = parts.get(name)
    if part is None:
        guess = nearest(name, parts)
        raise ConfigurationError(
            f"mask {ref} names `custom:{name}` and no such {kind} is registered"
            + (f", did you mean `custom:{guess}`?" if guess else "")
            + f", call `dynaguard.register_{kind}()` before `install()`"
        )
    return part
