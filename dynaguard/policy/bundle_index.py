"""The index of a bundle's statements (`statement_index.py`), ready-made: read as it is asked for.

**Shape**: the header holds the action patterns, each with the number of a part; a part is a line
with the numbers of the statements that have the pattern. Part 1 is the resource patterns of all
statements; part 0 is not of the index (`bundle_statements.py`). A process reads the parts of the
actions that it calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from dynaguard.policy.statement_index import Resources, StatementIndex

ReadPart = Callable[[int], Any]
"""Gives the JSON of a part, or raises what tells that the bundle is damaged."""
_RESOURCES: Final = 1


def index_parts(index: StatementIndex) -> tuple[dict[str, Any], list[Any]]:
    """What the header says of an index, and its parts from the second on."""
    parts: list[Any] = [list(index.resources)]

    def part_of(numbers: Sequence[int]) -> int:
        parts.append(list(numbers))
        return len(parts)

    head = {
        "by_action": {action: part_of(found) for action, found in index.by_action.items()},
        "by_wildcard": {action: part_of(found) for action, found in index.by_wildcard.items()},
        "not_actions": [[list(patterns), list(found)] for patterns, found in index.not_actions],
        "not_resources": sorted(index.not_resources),
        "with_variables": sorted(index.with_variables),
    }
    return head, parts


class _Groups(Mapping[str, Sequence[int]]):
    """Numbers of statements by action pattern; a pattern's are read when they are asked for."""

    __slots__ = ("_part_by_pattern", "_read", "_read_part")

    def __init__(self, part_by_pattern: Mapping[str, int], read_part: ReadPart) -> None:
        self._part_by_pattern = part_by_pattern
        self._read_part = read_part
        self._read: dict[str, Sequence[int]] = {}

    def __getitem__(self, pattern: str) -> Sequence[int]:
        found = self._read.get(pattern)
        if found is None:
            found = self._read[pattern] = self._read_part(self._part_by_pattern[pattern])
        return found

    def __contains__(self, pattern: object) -> bool:
        return pattern in self._part_by_pattern

    def __iter__(self) -> Iterator[str]:
        return iter(self._part_by_pattern)

    def __len__(self) -> int:
        return len(self._part_by_pattern)


def same_index(one: StatementIndex, other: StatementIndex) -> bool:
    """Whether two indexes say the same, every part of them."""
    return index_parts(one) == index_parts(other)


class BundleIndex:
    """A `StatementIndex` over the parts of a bundle. Thread-safe: two threads read the same.

    Args:
        head: What the header says of it, checked.
        read_part: Gives the parts.
    """

    __slots__ = (
        "_read_part",
        "_resources",
        "by_action",
        "by_wildcard",
        "not_actions",
        "not_resources",
        "with_variables",
    )

    def __init__(self, head: Mapping[str, Any], read_part: ReadPart) -> None:
        self._read_part = read_part
        self._resources: Resources | None = None
        self.by_action: Mapping[str, Sequence[int]] = _Groups(head["by_action"], read_part)
        self.by_wildcard: Mapping[str, Sequence[int]] = _Groups(head["by_wildcard"], read_part)
        self.not_actions: Sequence[tuple[Sequence[str], Sequence[int]]] = head["not_actions"]
        self.not_resources = frozenset(head["not_resources"])
        self.with_variables = frozenset(head["with_variables"])

    @property
    def resources(self) -> Resources:
        """All at once: 10,000 texts of JSON take a third of a millisecond."""
        if self._resources is None:
            self._resources = self._read_part(_RESOURCES)
        return self._resources
