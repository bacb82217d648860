"""Collects the problems of a document while it is checked, each with its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from dynaguard.errors import Problem, nearest

if TYPE_CHECKING:
    from dynaguard.policy.lines import Path_  # its patterns are for the text of documents alone


class Located(Protocol):
    """What values stand in: a document as read, or a line of a bundle."""

    @property
    def name(self) -> str:
        """How messages name it."""

    def line(self, path: Path_, /) -> int:
        """Line of a value, or of the nearest one around it; 0 when nothing is known."""


@dataclass(slots=True)
class Findings:
    """The problems found in one source until now, and helpers that find the common ones."""

    source: Located
    problems: list[Problem] = field(default_factory=list)

    def add(self, path: Path_, message: str) -> None:
        """Notes a problem at a path."""
        line = self.source.line(path)
        self.problems.append(Problem(message, readable_path(path), self.source.name, line))

    def check_keys(self, table: Mapping[str, Any], path: Path_, known: Iterable[str]) -> None:
        """Notes every key that is not known, with the nearest that is."""
        names = tuple(known)
        for key in table:
            if key not in names:
                self.add((*path, key), f"unknown key `{key}`{hint(key, names)}")

    def table(self, value: Any, path: Path_) -> Mapping[str, Any]:
        """The value as a table, or an empty one and a problem."""
        if isinstance(value, Mapping):
            return value
        self.add(path, f"must be a table, this is {kind_of(value)}")
        return {}

    def tables(self, value: Any, path: Path_) -> list[tuple[Path_, Mapping[str, Any]]]:
        """The tables of a list (or the one table), each with its path."""
        if isinstance(value, Mapping):
            return [(path, value)]
        if not isinstance(value, list):
            self.add(path, f"must be a list of tables, this is {kind_of(value)}")
            return []
        found = []
        for at, entry in enumerate(value):
            if isinstance(entry, Mapping):
                found.append(((*path, at), entry))
            else:
                self.add((*path, at), f"must be a table, this is {kind_of(entry)}")
        return found

    def texts(self, value: Any, path: Path_) -> tuple[str, ...]:
        """The text, or the list of texts; at least one, none of them empty."""
        values = value if isinstance(value, list) else [value]
        if not values:
            self.add(path, "is an empty list, write at least one value")
        found = []
        for at, entry in enumerate(values):
            place = (*path, at) if isinstance(value, list) else path
            if not isinstance(entry, str):
                self.add(place, f"must be text, this is {kind_of(entry)}")
            elif not entry:
                self.add(place, "is empty")
            else:
                found.append(entry)
        return tuple(found)

    def choice(self, value: Any, path: Path_, choices: tuple[str, ...]) -> str | None:
        """One of the choices, or None and a problem."""
        if value in choices and isinstance(value, str):
            return value
        shown = f"`{value}`" if isinstance(value, str) else kind_of(value)
        listed = ", ".join(f"`{choice}`" for choice in choices)
        self.add(path, f"is {shown}, it must be one of {listed}{hint(str(value), choices)}")
        return None


def readable_path(path: Path_) -> str:
    """`statement[2].Condition.StringEquals`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def hint(word: str, choices: Iterable[str]) -> str:
    """`, did you mean `x`?` where something is near."""
    guess = nearest(word, choices)
    return f", did you mean `{guess}`?" if guess else ""


def kind_of(value: Any) -> str:
    """What a value is, in a document's words."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        return "a list"
    return "a table" if isinstance(value, Mapping) else "of another kind"
