"""Reads the attribute paths of a `[[mask]]` entry.

| path | names |
|---|---|
| `email` | the attribute of that name, at the top of an item |
| `profile.ssn` | a member of a map |
| `cards[*].number` | a member in every element of a list; `cards[0].number` in one |
| `addr_*` | every name of that form, with `*` and `?`, at its level |
| `**.email` | that name at any depth, in maps and lists |
| `["a.b", "c"]` | a list: names as they are, dots and stars too; positions; `[*]` and `**` |
"""

from __future__ import annotations

import re
from typing import Any, Final

from dynaguard.policy.model import MaskStep, NamePattern, PathStep

PATH_EXAMPLES: Final = (
    "`email`, `profile.ssn`, `cards[*].number`, `addr_*`, `**.email`, or a list of names such as "
    '`["name.with.dots"]`'
)

_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\*|[0-9]{1,9})\]")
_MARK_BY_TEXT: Final = {mark.value: mark for mark in MaskStep}


def read_mask_path(entry: Any) -> tuple[PathStep, ...] | None:
    """The steps of one path as written in a document, or None when it is none."""
    if isinstance(entry, list):
        return _listed(entry)
    if not isinstance(entry, str) or not entry or entry[0] in ".[":
        return None
    steps: list[PathStep] = []
    at = 0
    while at < len(entry):
        if entry[at] == ".":
            at += 1
        match = _STEP.match(entry, at)
        if match is None or (match.group(1) and at and entry[at - 1] != "."):
            return None
        name, position = match.groups()
        steps.append(_name(name) if name else _position(position))
        at = match.end()
    return tuple(steps)


def _listed(entry: list[Any]) -> tuple[PathStep, ...] | None:
    """A path given step by step: nothing in a name is read as a mark."""
    if not entry or not isinstance(entry[0], str) or entry[0] == MaskStep.EACH.value:
        return None
    steps: list[PathStep] = []
    for step in entry:
        if isinstance(step, str) and step:
            steps.append(_MARK_BY_TEXT.get(step, step))
        elif isinstance(step, int) and not isinstance(step, bool) and step >= 0:
            steps.append(step)
        else:
            return None
    return tuple(steps)


def _name(text: str) -> PathStep:
    if text == MaskStep.ANY_DEPTH.value:
        return MaskStep.ANY_DEPTH
    return NamePattern(text) if "*" in text or "?" in text else text


def _position(text: str) -> PathStep:
    return MaskStep.EACH if text == "*" else int(text)
