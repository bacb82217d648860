"""Update expressions: which attributes they write and which they read."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from dynaguard.aws.dynamodb.expressions.paths import Path, read_path
from dynaguard.aws.dynamodb.expressions.tokens import ExpressionCursor, ExpressionError
from dynaguard.values import dataclass

_CLAUSES: Final = ("SET", "REMOVE", "ADD", "DELETE")
_FUNCTIONS: Final = frozenset({"if_not_exists", "list_append"})


@dataclass(frozen=True, slots=True)
class Update:
    """What an update expression names.

    Attributes:
        written: Paths that it sets, removes, adds to or deletes from.
        read: Paths on the right-hand sides.
        values: Every `:value` in it.
    """

    written: tuple[Path, ...]
    read: tuple[Path, ...]
    values: tuple[str, ...]


@lru_cache(maxsize=1024)
def parse_update(text: str) -> Update:
    """Reads an UpdateExpression.

    Raises:
        ExpressionError: It is not understood.

    Cost: linear in the text; remembered by text, bounded. Holds names and placeholders, no values.

    Source: Amazon DynamoDB Developer Guide, Using update expressions in DynamoDB.
    """
    try:
        return _Reader(text).update()
    except RecursionError:
        raise ExpressionError from None  # the caller's own stack is nearly full


class _Reader(ExpressionCursor):
    """Reads one update expression, token by token."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._written: list[Path] = []
        self._read: list[Path] = []
        self._values: list[str] = []

    def update(self) -> Update:
        """All clauses, each at most once."""
        left = {"SET": self._assign, "REMOVE": self._remove, "ADD": self._change}
        left["DELETE"] = self._change
        while not self.is_at_end:
            entry = left.pop(self.take().keyword, None)
            if entry is None:
                raise ExpressionError
            self.several(entry)
        if len(left) == len(_CLAUSES):
            raise ExpressionError
        return Update(tuple(self._written), tuple(self._read), tuple(self._values))

    def _assign(self) -> None:
        """`path = value`."""
        self._written.append(read_path(self))
        self.expect("=")
        self._value()

    def _remove(self) -> None:
        """`path`."""
        self._written.append(read_path(self))

    def _change(self) -> None:
        """`path :value`."""
        self._written.append(read_path(self))
        if self.peek().kind != "value":
            raise ExpressionError
        self._operand()

    def _value(self) -> None:
        """`operand`, `operand + operand`, `operand - operand`."""
        self._operand()
        while self.accept("+") or self.accept("-"):
            self._operand()

    def _operand(self) -> None:
        """A `:value`, a path, a function, or a value in parentheses."""
        if self.accept("("):
            self.nested(self._value)
            self.expect(")")
        elif self.peek().kind == "value":
            self._values.append(self.take().text)
        elif self.is_call():
            if self.take().text not in _FUNCTIONS:
                raise ExpressionError
            self.expect("(")
            self.nested(self._value)
            self.expect(",")
            self.nested(self._value)
            self.expect(")")
        else:
            self._read.append(read_path(self))
