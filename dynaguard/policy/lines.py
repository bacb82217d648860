"""Lines of values in TOML and JSON texts, which their parsers do not tell.

The texts are valid already, so these scanners need not judge; where they cannot tell, the line of
the value around is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

Path_ = tuple[str | int, ...]
"""Keys and list positions from the top: `("statement", 2, "Effect")`."""

_HEADER: Final = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
_KEY: Final = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
    r"""(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'))*)\s*=\s*(.*)$"""
)
_PART: Final = re.compile(r"""[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'""")
_INLINE_KEY: Final = re.compile(r"""(?:[{,]\s*)([A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')\s*=""")


def toml_lines(text: str) -> dict[Path_, int]:
    """Line of each table, of each key in it, and of the keys of one-line inline tables."""
    lines: dict[Path_, int] = {(): 1}
    counts: dict[Path_, int] = {}
    prefix: Path_ = ()
    closing: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if closing is not None:
            if closing in line:
                closing = None
            continue
        header = _HEADER.match(line)
        if header and "=" not in line.partition("]")[0]:
            prefix = _header_path(header.group(2), counts, is_array=header.group(1) == "[[")
            lines.setdefault(prefix, number)
            lines.setdefault(prefix[:1], number)
            continue
        key = _KEY.match(line)
        if key is None:
            continue
        path = (*prefix, *_parts(key.group(1)))
        for end in range(len(prefix) + 1, len(path) + 1):
            lines.setdefault(path[:end], number)
        value = key.group(2)
        for inline in _INLINE_KEY.finditer(value):
            lines.setdefault((*path, _unquoted(inline.group(1))), number)
        closing = _unclosed(value)
    return lines


def _header_path(text: str, counts: dict[Path_, int], *, is_array: bool) -> Path_:
    """The path of a table header; tables within arrays belong to the newest element."""
    path: Path_ = ()
    parts = _parts(text)
    for at, part in enumerate(parts):
        path = (*path, part)
        is_last = at == len(parts) - 1
        if is_last and is_array:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _parts(text: str) -> list[str]:
    """The parts of a dotted key."""
    return [_unquoted(part) for part in _PART.findall(text)]


def _unquoted(part: str) -> str:
    """A key without its quotes."""
    return part[1:-1] if part[:1] in ("'", '"') else part


def _unclosed(value: str) -> str | None:
    """The quotes that a text of several lines ends with, if one begins here."""
    for quotes in ('"""', "'''"):
        if value.startswith(quotes) and quotes not in value[3:]:
            return quotes
    return None


class _JsonScanner:
    """Walks a valid JSON text and notes where values begin."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._decode = json.JSONDecoder().raw_decode
        self.lines: dict[Path_, int] = {}

    def scan(self, path: Path_) -> None:
        """One value; the text stands before it or on it."""
        self._skip_blanks()
        self.lines[path] = self._line
        char = self._text[self._at]
        if char == "{":
            self._scan_members(path, "}", self._members(path))
        elif char == "[":
            self._scan_members(path, "]", self._elements(path))
        else:
            self._scalar()

    def _scan_members(self, _path: Path_, end: str, members: Iterator[None]) -> None:
        """The members of an object or array, up to its end."""
        self._at += 1
        self._skip_blanks()
        while self._text[self._at] != end:
            next(members)
            self._skip_blanks()
            if self._text[self._at] == ",":
                self._at += 1
                self._skip_blanks()
        self._at += 1

    def _members(self, path: Path_) -> Iterator[None]:
        """Key and value of each member of an object."""
        while True:
            key = self._scalar()
            line = self._line
            self._skip_blanks()
            self._at += 1  # the colon
            self.scan((*path, key))
            self.lines[(*path, key)] = line
            yield

    def _elements(self, path: Path_) -> Iterator[None]:
        """Each element of an array."""
        position = 0
        while True:
            self.scan((*path, position))
            position += 1
            yield

    def _scalar(self) -> Any:
        """A text, number or word; the text moves behind it."""
        value, end = self._decode(self._text, self._at)
        self._at = end
        return value

    def _skip_blanks(self) -> None:
        """Moves to the next character that is no blank, counting lines."""
        while self._at < len(self._text) and self._text[self._at] in " \t\r\n":
            self._line += self._text[self._at] == "\n"
            self._at += 1


def json_lines(text: str) -> dict[Path_, int]:
    """Line of each value of a valid JSON text; members by the line of their key."""
    scanner = _JsonScanner(text.lstrip("\ufeff"))
    scanner.scan(())
    return scanner.lines
