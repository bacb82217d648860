"""Reads the text of a document into plain values and the line of each of them.

TOML, JSON and (with the extra `yaml`) YAML. Strict where formats are lax: no duplicate keys, no
NaN, no YAML aliases or tags, bounded size and depth. Faults are `PolicySyntaxError`.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dynaguard.errors import PolicySyntaxError, Problem
from dynaguard.policy.lines import Path_, json_lines, toml_lines
from dynaguard.values import dataclass

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 32
LEAST_POLICY: Final = '`version = 1` and `default = "deny"`'
SUFFIXES: Final = (".toml", ".json", ".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Source:
    """A document as read.

    Attributes:
        name: As the user names it.
        data: The top-level mapping: text, numbers, booleans, lists and mappings.
        line_by_path: Line of each value by its path of keys and list positions.
        raw: The bytes, for the digest.
        folder: Where relative paths in it start.
    """

    name: str
    data: Mapping[str, Any]
    line_by_path: Mapping[Path_, int]
    raw: bytes
    folder: Path

    def line(self, path: Path_) -> int:
        """Line of a value, or of the nearest one around it; 0 when nothing is known."""
        while path:
            found = self.line_by_path.get(path)
            if found:
                return found
            path = path[:-1]
        return self.line_by_path.get((), 0)


def read_source(path: str | os.PathLike[str], *, least: str = LEAST_POLICY) -> Source:
    """Reads and parses a file, once.

    Args:
        path: The file.
        least: What an empty one should hold, for the message.

    Raises:
        PolicySyntaxError: Not a readable, regular file of bounded size in a known format.
        MissingExtraError: YAML without PyYAML.
    """
    name = os.fspath(path)
    raw = _read_bytes(Path(path), str(name), least)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = raw.count(b"\n", 0, err.start) + 1
        raise _fault(str(name), "the file is not UTF-8, save it as UTF-8", line) from None
    data, lines = _parse(text, str(name))
    if not isinstance(data, Mapping):
        raise _fault(str(name), f"the document is a {_kind(data)}, it must be a table (mapping)")
    _check_depth(data, str(name))
    return Source(str(name), data, lines, raw, Path(path).absolute().parent)


def mapping_source(data: Mapping[str, Any]) -> Source:
    """A document that is given as a mapping: checked like a file's, without lines.

    Raises:
        PolicySyntaxError: It nests too deeply or holds what no document can hold.
    """
    name = "<policy>"
    _check_depth(data, name)
    try:
        raw = json.dumps(data, sort_keys=True).encode()
        copy = json.loads(json.dumps(data))
    except (TypeError, ValueError):
        message = "the mapping holds values other than text, numbers, booleans, lists, mappings"
        raise _fault(name, message) from None
    return Source(name, copy, {}, raw, Path.cwd())


def _read_bytes(path: Path, name: str, least: str) -> bytes:
    """The bytes of a regular file of bounded size."""
    try:
        with open(path, "rb", opener=_open_without_blocking) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _fault(name, "this is no regular file, name a policy document")
            raw = file.read(MAX_BYTES + 1)
    except PolicySyntaxError:
        raise  # it is a ValueError too
    except IsADirectoryError:
        raise _fault(name, "this is a folder, name a policy document in it") from None
    except (OSError, ValueError) as err:
        reason = getattr(err, "strerror", None) or "no valid path"
        raise _fault(name, f"the file cannot be read ({reason})") from None
    if len(raw) > MAX_BYTES:
        raise _fault(name, f"the file is over {MAX_BYTES} bytes, split it by `policies`")
    if not raw.strip():
        raise _fault(name, f"the file is empty, write at least {least}")
    return raw


def _open_without_blocking(path: str, flags: int) -> int:
    """Opens without waiting for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _parse(text: str, name: str) -> tuple[Any, Mapping[Path_, int]]:
    """Values and lines, by the file's suffix."""
    suffix = Path(name).suffix.lower()
    if suffix == ".toml":
        return _parse_toml(text, name)
    if suffix == ".json":
        return _parse_json(text, name)
    if suffix in (".yaml", ".yml"):
        from dynaguard.policy.yaml_reader import parse_yaml

        return parse_yaml(text, name)
    raise _fault(name, f"unknown suffix `{suffix}`, a document ends in {', '.join(SUFFIXES)}")


def _parse_toml(text: str, name: str) -> tuple[Any, Mapping[Path_, int]]:
    """TOML by the standard library; its faults carry line and column."""
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        message, line = _split_place(str(err), text)
        raise _fault(name, f"this is no valid TOML: {message}", line) from None
    except RecursionError:
        raise _fault(name, f"the document nests deeper than {MAX_DEPTH} levels") from None
    return data, toml_lines(text)


def _split_place(message: str, text: str) -> tuple[str, int]:
    """Message and line of a TOML fault: `... (at line 3, column 5)`."""
    head, _, place = message.rpartition(" (at line ")
    if head and place.partition(",")[0].isdigit():
        return head[0].lower() + head[1:], int(place.partition(",")[0])
    return message.partition(" (at end")[0].lower(), text.count("\n") + 1


def _parse_json(text: str, name: str) -> tuple[Any, Mapping[Path_, int]]:
    """JSON by the standard library; twice the same key and NaN are refused."""
    problems: list[str] = []

    def pairs(entries: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in entries:
            if key in found:
                problems.append(f"the key `{key}` stands twice in one object, keep one of them")
            found[key] = value
        return found

    def constant(word: str) -> float:
        problems.append(f"`{word}` is no number of JSON")
        return 0.0

    try:
        data = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as err:
        message = f"this is no valid JSON: {err.msg[0].lower()}{err.msg[1:]}, column {err.colno}"
        raise _fault(name, message, err.lineno) from None
    except RecursionError:
        raise _fault(name, f"the document nests deeper than {MAX_DEPTH} levels") from None
    if problems:
        raise PolicySyntaxError(Problem(problem, source=name) for problem in problems)
    if isinstance(data, Mapping | list):
        _check_depth(data, name)  # since Python 3.13 `json` reads deeper than Python code can go
    return data, json_lines(text)


def _check_depth(data: Any, name: str) -> None:
    """Refuses documents that nest too deeply, without recursion."""
    level, depth = [data], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _fault(name, f"the document nests deeper than {MAX_DEPTH} levels")
        below: list[Any] = []
        for value in level:
            if isinstance(value, Mapping):
                below.extend(value.values())
            else:
                below.extend(value)
        level = [value for value in below if isinstance(value, Mapping | list | tuple)]


def _kind(value: Any) -> str:
    """What a value is, in a document's words."""
    return {list: "list", str: "text", int: "number", float: "number", bool: "boolean"}.get(
        type(value), "value of another kind"
    )


def _fault(name: str, message: str, line: int = 0) -> PolicySyntaxError:
    """One problem as an error."""
    return PolicySyntaxError([Problem(message, source=name, line=line)])
