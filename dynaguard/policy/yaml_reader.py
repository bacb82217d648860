"""YAML documents, of which only the plain part is taken: no aliases, no tags, no surprises.

Scalars are typed by their spelling alone: `true` and `false` are booleans, decimal numbers are
numbers, everything else is text, so that `no`, `on` and dates stay the words that they are.
"""

from __future__ import annotations

import re
from typing import Any, Final

from dynaguard.errors import MissingExtraError, PolicySyntaxError, Problem
from dynaguard.policy.lines import Path_

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})$")
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,18}$")
_MAX_DEPTH: Final = 32


def parse_yaml(text: str, name: str) -> tuple[Any, dict[Path_, int]]:
    """Values and lines of a YAML text.

    Raises:
        MissingExtraError: PyYAML is not installed.
        PolicySyntaxError: No valid YAML, or more than the plain part of it.
    """
    try:
        import yaml
    except ImportError:
        raise MissingExtraError("a YAML policy", "yaml") from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _refuse_aliases(yaml, yaml.parse(text, Loader=loader), name)
        node = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None)
        what = getattr(err, "problem", None) or "it cannot be read"
        line = mark.line + 1 if mark else 0
        raise _fault(name, f"this is no valid YAML: {what}", line) from None
    reader = _Reader(yaml, name)
    value = None if node is None else reader.read(node, ())
    if reader.problems:
        raise PolicySyntaxError(reader.problems)
    return value, reader.lines


def _refuse_aliases(yaml: Any, events: Any, name: str) -> None:
    """Refuses aliases before anything is composed: they can make a small text huge."""
    depth = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            line = event.start_mark.line + 1
            raise _fault(name, "anchors and aliases are not allowed, write the value out", line)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            line = event.start_mark.line + 1
            raise _fault(name, f"the document nests deeper than {_MAX_DEPTH} levels", line)


class _Reader:
    """Turns composed nodes into values, noting lines and faults."""

    def __init__(self, yaml: Any, name: str) -> None:
        self._yaml = yaml
        self._name = name
        self.lines: dict[Path_, int] = {}
        self.problems: list[Problem] = []

    def read(self, node: Any, path: Path_) -> Any:
        """The value of a node."""
        self.lines.setdefault(path, node.start_mark.line + 1)
        if not node.tag.startswith("tag:yaml.org,2002:"):
            self._add(f"the tag `{node.tag}` is not allowed", node)
        if isinstance(node, self._yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, self._yaml.SequenceNode):
            return [self.read(item, (*path, at)) for at, item in enumerate(node.value)]
        return _scalar(node.value, is_plain=not node.style)

    def _mapping(self, node: Any, path: Path_) -> dict[str, Any]:
        """A mapping; keys are text and stand once."""
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, self._yaml.ScalarNode):
                self._add("a key must be text", key)
                continue
            if key.value in found:
                self._add(f"the key `{key.value}` stands twice, keep one of them", key)
            self.lines[(*path, key.value)] = key.start_mark.line + 1
            found[key.value] = self.read(value, (*path, key.value))
        return found

    def _add(self, message: str, node: Any) -> None:
        """Notes a fault."""
        line = node.start_mark.line + 1
        self.problems.append(Problem(message, source=self._name, line=line))


def _scalar(text: str, *, is_plain: bool) -> Any:
    """A scalar's value; quoted ones are text."""
    if not is_plain:
        return text
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.match(text):
        return int(text)
    return float(text) if _DECIMAL.match(text) else text


def _fault(name: str, message: str, line: int) -> PolicySyntaxError:
    """One problem as an error."""
    return PolicySyntaxError([Problem(message, source=name, line=line)])
