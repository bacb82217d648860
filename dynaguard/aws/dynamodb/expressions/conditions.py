"""Key conditions, filters and conditions: which attributes they read, which values they fix."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from dynaguard.aws.dynamodb.expressions.paths import Path, read_path
from dynaguard.aws.dynamodb.expressions.tokens import ExpressionCursor, ExpressionError
from dynaguard.values import dataclass

_COMPARATORS: Final = frozenset({"=", "<>", "<", "<=", ">", ">="})
_ARGUMENTS_BY_TEST: Final = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
}
"""Functions that are true or false, by their count of arguments; case counts in their names."""


class Equality(NamedTuple):
    """`attribute = :value`, either way round, that every item must meet."""

    path: Path
    value: str


@dataclass(frozen=True, slots=True)
class Condition:
    """What a condition names.

    Attributes:
        paths: Every document path in it.
        values: Every `:value` in it.
        equalities: Equalities that hold for the whole: under AND alone.
    """

    paths: tuple[Path, ...]
    values: tuple[str, ...]
    equalities: tuple[Equality, ...]


@lru_cache(maxsize=1024)
def parse_condition(text: str) -> Condition:
    """Reads a KeyConditionExpression, FilterExpression or ConditionExpression.

    Raises:
        ExpressionError: It is not understood.

    Cost: linear in the text; remembered by text, bounded. Holds names and placeholders, no values.

    Source: Amazon DynamoDB Developer Guide, Comparison operator and function reference.
    """
    try:
        return _Reader(text).condition()
    except RecursionError:
        raise ExpressionError from None  # the caller's own stack is nearly full


class _Reader(ExpressionCursor):
    """Reads one condition, token by token."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._paths: list[Path] = []
        self._values: list[str] = []

    def condition(self) -> Condition:
        """The whole condition."""
        equalities = self._any()
        if not self.is_at_end:
            raise ExpressionError
        return Condition(tuple(self._paths), tuple(self._values), equalities)

    def _any(self) -> tuple[Equality, ...]:
        """Parts joined by OR: what holds in one of them holds for none."""
        equalities = self._all()
        while self.accept_word("OR"):
            self._all()
            equalities = ()
        return equalities

    def _all(self) -> tuple[Equality, ...]:
        """Parts joined by AND: what holds in one of them holds for all."""
        equalities = self._one()
        while self.accept_word("AND"):
            equalities += self._one()
        return equalities

    def _one(self) -> tuple[Equality, ...]:
        """NOT, parentheses, a function that is true or false, or a comparison."""
        if self.accept_word("NOT"):
            self.nested(self._one)
            return ()
        if self.is_call() and self.peek().text in _ARGUMENTS_BY_TEST:
            self._test()
            return ()
        if self.peek().is_mark("("):
            return self._parenthesised()
        return self._comparison()

    def _parenthesised(self) -> tuple[Equality, ...]:
        """`( condition )`, or a comparison whose left side stands in parentheses."""
        at, paths, values = self.position(), len(self._paths), len(self._values)
        try:
            self.expect("(")
            equalities = self.nested(self._any)
            self.expect(")")
        except ExpressionError:
            # Only an operand can be meant: `(a) = :b`. Nothing nests in it, so this happens once.
            self.return_to(at)
            del self._paths[paths:], self._values[values:]
            return self._comparison()
        return equalities

    def _test(self) -> None:
        """A function that is true or false."""
        count = _ARGUMENTS_BY_TEST[self.take().text]
        self.expect("(")
        if not isinstance(self._operand(), Path):
            raise ExpressionError
        if count > 1:
            self.expect(",")
            self._operand()
        self.expect(")")

    def _comparison(self) -> tuple[Equality, ...]:
        """`operand = operand`, `BETWEEN`, `IN`."""
        left = self._operand()
        token = self.take()
        if token.kind == "mark" and token.text in _COMPARATORS:
            right = self._operand()
            return _equality(left, right) if token.text == "=" else ()
        if token.keyword == "BETWEEN":
            self._operand()
            if not self.accept_word("AND"):
                raise ExpressionError
            self._operand()
            return ()
        if token.keyword == "IN":
            self.expect("(")
            self.several(self._operand)
            self.expect(")")
            return ()
        raise ExpressionError

    def _operand(self) -> Path | str | None:
        """A path, a `:value`, or `size(path)` (None)."""
        if self.accept("("):
            operand = self.nested(self._operand)
            self.expect(")")
            return operand
        if self.peek().kind == "value":
            value = self.take().text
            self._values.append(value)
            return value
        if self.is_call():
            if self.take().text != "size":
                raise ExpressionError
            self.expect("(")
            if not isinstance(self._operand(), Path):
                raise ExpressionError
            self.expect(")")
            return None
        path = read_path(self)
        self._paths.append(path)
        return path


def _equality(left: Path | str | None, right: Path | str | None) -> tuple[Equality, ...]:
    """An equality of a top-level attribute and a value, whichever comes first."""
    for path, value in ((left, right), (right, left)):
        if isinstance(path, Path) and path.is_plain and isinstance(value, str):
            return (Equality(path, value),)
    return ()
