"""What a WHERE clause fixes: which values an attribute can have in the items that it selects."""

from __future__ import annotations

from typing import Final, NamedTuple


class Operand(NamedTuple):
    """A literal, or a parameter in its place.

    Attributes:
        kind: `S`, `N`, `?` for a parameter, or `-` for anything else.
        text: The string, the number's text, the parameter's position from 0, or empty.
    """

    kind: str
    text: str = ""


class Fixes(NamedTuple):
    """`name = value` or `name IN [values]`."""

    name: str
    values: tuple[Operand, ...]


class Every(NamedTuple):
    """Parts joined by AND."""

    parts: tuple[Condition, ...]


class Either(NamedTuple):
    """Parts joined by OR."""

    parts: tuple[Condition, ...]


class Other(NamedTuple):
    """A condition that fixes nothing: a range, a function, NOT."""


Condition = Fixes | Every | Either | Other
OTHER: Final = Other()


def fixed_values(condition: Condition | None, name: str) -> tuple[Operand, ...] | None:
    """The values of an attribute that a condition leaves, or None when it does not fix them.

    Under AND one fixing part suffices; the values of several are given together, which is rather
    too many than too few. Under OR every part must fix it.
    """
    if isinstance(condition, Fixes):
        return condition.values if condition.name == name else None
    if isinstance(condition, Every):
        found = [fixed_values(part, name) for part in condition.parts]
        fixing = [values for values in found if values is not None]
        return _together(fixing) if fixing else None
    if isinstance(condition, Either):
        branches = [fixed_values(part, name) for part in condition.parts]
        known = [values for values in branches if values is not None]
        return _together(known) if len(known) == len(branches) else None
    return None


def _together(groups: list[tuple[Operand, ...]]) -> tuple[Operand, ...]:
    """All values, each once."""
    return tuple(dict.fromkeys(value for group in groups for value in group))
