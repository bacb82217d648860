"""Patterns of the reference evaluator: one sign after the other, every way tried.

See `reference.py`; nothing of `patterns.py` and `variables.py` is used here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from dynaguard.call import UNKNOWN, UNKNOWN_CHAR, UNKNOWN_RUN, ContextLookup

NO: Final = 0
MAYBE: Final = 1
YES: Final = 2

Sign = tuple[str, str]
"""One sign of a pattern: the character, and where it comes from.

`text` and `value` (substituted) are literal, `wild` is a wildcard, `open` a variable without text.
"""

_PARTS: Final = ("resource", "resource", "resource", "resource", "account", "resource")
"""What each part of an ARN is called when it is not known."""


def read_signs(text: str, lookup: ContextLookup | None) -> tuple[list[Sign], list[str] | None]:
    """A pattern sign by sign.

    Args:
        text: The pattern.
        lookup: Gives the variables their texts; None: `${...}` is plain text.

    Returns:
        The signs; and None where every variable has a text, else the unknown keys among those
        of the pattern's variables.
    """
    signs: list[Sign] = []
    unknown: list[str] = []
    is_open = False
    at = 0
    while at < len(text):
        if lookup is None or not text.startswith("${", at):
            signs.append((text[at], "wild" if text[at] in "*?" else "text"))
            at += 1
            continue
        variable = re.compile(r"\$\{((?:[^}']|'[^']*')*)\}").match(text, at)
        at = variable.end() if variable else len(text)
        key, value = _variable(variable.group(1) if variable else "", lookup)
        if key and lookup(key.lower()) is UNKNOWN:
            unknown.append(key)
        if value is None:
            is_open = True
            signs.append(("*", "open"))
        else:
            signs += [(char, "value") for char in value]
    return signs, unknown if is_open else None


def _variable(content: str, lookup: ContextLookup) -> tuple[str, str | None]:
    """The key between the braces, and its text or None."""
    if content in ("*", "?", "$"):
        return "", content
    parsed = re.fullmatch(r"\s*([^,]*?)\s*(?:,\s*'(.*)'\s*)?", content, re.DOTALL)
    if parsed is None or not parsed.group(1):
        return "", None
    key, default = parsed.groups()
    values = lookup(key.lower())
    if values is UNKNOWN or len(values) > 1:
        return key, None
    return key, values[0] if values else default


def glob_level(signs: Sequence[Sign], text: str) -> int:
    """The level of a whole text, by a table over every (place in pattern, place in text)."""
    table: dict[tuple[int, int], int] = {(len(signs), len(text)): YES}
    for i in range(len(signs), -1, -1):
        for j in range(len(text), -1, -1):
            ways = [table.get((i, j), NO)]
            sign = signs[i] if i < len(signs) else None
            char = text[j] if j < len(text) else None
            if sign is not None and sign[1] in ("wild", "open") and sign[0] == "*":
                ways.append(table.get((i + 1, j), NO))
                if char is not None:
                    ways.append(table.get((i, j + 1), NO))
            elif sign is not None and char is not None:
                ways.append(min(_one_sign(sign, char), table.get((i + 1, j + 1), NO)))
            if char == UNKNOWN_RUN:
                # It may hide nothing, or what the next sign of the pattern asks for.
                ways.append(min(MAYBE, table.get((i, j + 1), NO)))
                ways.append(min(MAYBE, table.get((i + 1, j), NO)))
            table[i, j] = max(ways)
    return table[0, 0]


def _one_sign(sign: Sign, char: str) -> int:
    """The level of one sign that is not `*` on one character."""
    if char == UNKNOWN_RUN:
        return NO
    if sign == ("?", "wild"):
        return YES
    if char == UNKNOWN_CHAR:
        return MAYBE
    return YES if sign[0] == char else NO


def arn_level(signs: list[Sign], resource: str) -> int:
    """The level of an ARN pattern."""
    patterns, parts = _split(signs), resource.split(":", len(_PARTS) - 1)
    if len(patterns) == len(parts) == len(_PARTS):
        return min(
            glob_level(pattern, part) for pattern, part in zip(patterns, parts, strict=True)
        )
    if signs and all(sign == ("*", "wild") for sign in signs):
        return YES
    if len(patterns) == len(_PARTS) and not _is_marked(resource):
        return NO
    return min(MAYBE, glob_level(signs, resource))


def _split(signs: list[Sign]) -> list[list[Sign]]:
    """The six parts of a pattern, at the first five colons that stand in its own text."""
    parts: list[list[Sign]] = [[]]
    for sign in signs:
        if sign == (":", "text") and len(parts) < len(_PARTS):
            parts.append([])
        else:
            parts[-1].append(sign)
    return parts


def arn_doubts(signs: list[Sign], resource: str) -> list[str]:
    """Which unknown parts of a resource a doubtful match hangs on."""
    patterns, parts = _split(signs), resource.split(":", len(_PARTS) - 1)
    if not len(patterns) == len(parts) == len(_PARTS):
        return ["resource"] if _is_marked(resource) else []
    return [
        name
        for name, pattern, part in zip(_PARTS, patterns, parts, strict=True)
        if _is_marked(part) and glob_level(pattern, part) == MAYBE
    ]


def _is_marked(text: str) -> bool:
    """Whether a text holds marks for what is not known."""
    return UNKNOWN_CHAR in text or UNKNOWN_RUN in text
