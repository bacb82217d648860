"""Document paths, and the names and values that placeholders stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from dynaguard.aws.dynamodb.expressions.tokens import ExpressionCursor, ExpressionError

KEYWORDS: Final = frozenset(
    {"AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE"}
)
"""Words with a meaning in expressions, which DynamoDB reserves.

It reserves hundreds more and refuses an expression that uses one as a name. Those are read as
names: the call fails then, whatever was decided.
"""


class Path(NamedTuple):
    """A document path as written: `a.b[3].#c`.

    Attributes:
        first: Its top-level attribute: a name or a `#name`.
        aliases: Every `#name` in it.
        is_plain: Whether it is a top-level attribute and nothing more.
    """

    first: str
    aliases: tuple[str, ...] = ()
    is_plain: bool = True


def read_path(cursor: ExpressionCursor) -> Path:
    """Reads a document path."""
    first = _read_name(cursor)
    names = [first]
    is_plain = True
    while True:
        if cursor.accept("."):
            names.append(_read_name(cursor))
        elif cursor.accept("["):
            if cursor.take().kind != "number":
                raise ExpressionError
            cursor.expect("]")
        else:
            aliases = tuple(name for name in names if name.startswith("#"))
            return Path(first, aliases, is_plain)
        is_plain = False


def _read_name(cursor: ExpressionCursor) -> str:
    """One step of a path: a name or a `#name`."""
    token = cursor.take()
    if token.kind == "alias" or (token.kind == "word" and token.keyword not in KEYWORDS):
        return token.text
    raise ExpressionError


def attribute_of(path: Path, names: Any) -> str:
    """The top-level attribute that a path names.

    Args:
        path: The path.
        names: `ExpressionAttributeNames`, or None.

    Raises:
        ExpressionError: A `#name` in it is not defined.
    """
    defined: Mapping[str, Any] = names if isinstance(names, Mapping) else {}
    for alias in path.aliases:
        if not isinstance(defined.get(alias), str) or not defined[alias]:
            raise ExpressionError
    # A `#name` is one attribute, whatever dots its name has.
    return str(defined[path.first]) if path.first.startswith("#") else path.first


def check_values(used: Iterable[str], values: Any) -> None:
    """Refuses a `:value` that is not defined.

    Raises:
        ExpressionError: One is not in `ExpressionAttributeValues`.
    """
    defined = values if isinstance(values, Mapping) else {}
    if any(value not in defined for value in used):
        raise ExpressionError
