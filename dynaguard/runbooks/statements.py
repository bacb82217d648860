"""Collects what the calls of a run need into as few IAM statements as say the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from dynaguard.access.canonical import canonical_json

Statement = dict[str, Any]

_WORD: Final = re.compile(r"[A-Za-z0-9]+")


class Collected:
    """Statements as they come; those that differ in one part alone become one."""

    def __init__(self) -> None:
        self._entries: list[tuple[str, str, str, dict[str, Any]]] = []

    def add(self, step: str, action: str, resource: str, conditions: Mapping[str, Any]) -> None:
        """Takes in what one call needs."""
        self._entries.append((step, action, resource, dict(conditions)))

    def statements(self) -> tuple[Statement, ...]:
        """The statements, in the order of the steps."""
        merged: dict[str, tuple[str, list[str], list[str], dict[str, Any]]] = {}
        for step, action, resource, conditions in self._entries:
            key = canonical_json([resource, conditions])
            _, actions, _, _ = merged.setdefault(key, (step, [], [resource], conditions))
            if action not in actions:
                actions.append(action)
        by_actions: dict[str, tuple[str, list[str], list[str], dict[str, Any]]] = {}
        for step, actions, resources, conditions in merged.values():
            key = canonical_json([sorted(actions), conditions])
            _, _, found, _ = by_actions.setdefault(key, (step, actions, [], conditions))
            found += [each for each in resources if each not in found]
        return tuple(_numbered(by_actions.values()))


def _numbered(
    entries: Iterable[tuple[str, list[str], list[str], dict[str, Any]]],
) -> Iterator[Statement]:
    """The statements with Sids that tell the step, each once."""
    seen: dict[str, int] = {}
    for step, actions, resources, conditions in entries:
        sid = "".join(word.capitalize() for word in _WORD.findall(step))
        seen[sid] = seen.get(sid, 0) + 1
        statement: Statement = {
            "Sid": sid if seen[sid] == 1 else f"{sid}{seen[sid]}",
            "Effect": "Allow",
            "Action": _one_or_list(sorted(actions)),
            "Resource": _one_or_list(resources),
        }
        if conditions:
            statement["Condition"] = conditions
        yield statement


def _one_or_list(values: list[str]) -> str | list[str]:
    """One value alone, or the list."""
    return values[0] if len(values) == 1 else values
