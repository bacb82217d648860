"""The values in a PartiQL statement: literals, parameters, paths, calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from dynaguard.aws.dynamodb.cursor import Token
from dynaguard.aws.dynamodb.partiql.conditions import Operand
from dynaguard.aws.dynamodb.partiql.tokens import NotUnderstood, StatementCursor

PARTS: Final = ("written", "filtered", "returned", "read")
"""What a statement can name an attribute for."""

UNFIXED: Final = Operand("-")
"""A value that is neither a literal nor a parameter."""

_FoundT = TypeVar("_FoundT")
_CONSTANTS: Final = frozenset({"TRUE", "FALSE", "NULL", "MISSING"})
_RESERVED: Final = frozenset(
    {
        *("AND", "OR", "NOT", "IN", "IS", "BETWEEN", "FROM", "WHERE", "ORDER", "BY", "VALUE"),
        *("SELECT", "SET", "REMOVE", "RETURNING", "ASC", "DESC", "INTO", "AS", "LIKE"),
    }
)
_CLOSINGS: Final = {"[": "]", "<<": ">>"}


class TermReader(StatementCursor):
    """Reads values, and keeps the attributes that it comes across, by what they are named for."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        super().__init__(tokens)
        self.named: dict[str, set[str]] = {part: set() for part in PARTS}
        self._part = "read"
        self._parameters = 0

    def named_as(self, part: str, read: Callable[[], _FoundT]) -> _FoundT:
        """What `read` gives; the names in it are named as that part."""
        before, self._part = self._part, part
        found = read()
        self._part = before
        return found

    def value(self) -> tuple[str | None, Operand, bool]:
        """A value: attribute name when it is one and nothing else, operand, whether a call."""
        name, operand, is_call = self._term()
        while self.peek().kind == "mark" and self.peek().text in ("+", "-", "|"):
            if self.take().text == "|":
                self.expect("|")
            self._term()
            name, operand, is_call = None, UNFIXED, False
        return name, operand, is_call

    def _term(self) -> tuple[str | None, Operand, bool]:
        """A literal, a parameter, a path, a call, or a value in parentheses."""
        token = self.peek()
        if token.kind == "text":
            self.take()
            return None, Operand("S", token.text[1:-1].replace("''", "'")), False
        if token.is_mark("("):
            return self._in_parentheses()
        if token.kind in ("number", "mark"):
            return None, self._marked(), False
        if token.keyword in _CONSTANTS:
            self.take()
            return None, UNFIXED, False
        if self.is_call() and token.keyword not in _RESERVED:
            return None, self._call(), True
        return self.path(), UNFIXED, False

    def _in_parentheses(self) -> tuple[str | None, Operand, bool]:
        """`(value)`, which is that value, or `(value, ...)`."""
        self.expect("(")
        values = self.nested(lambda: self.several(self.value))
        self.expect(")")
        return values[0] if len(values) == 1 else (None, UNFIXED, False)

    def _marked(self) -> Operand:
        """What begins with a sign or a digit: number, parameter, list, tuple, set."""
        token = self.take()
        if token.kind == "number":
            return Operand("N", self._exponent(token.text))
        if token.text == "-" and self.peek().kind == "number":
            return Operand("N", "-" + self._exponent(self.take().text))
        if token.text == "?":
            return Operand("?", str(self.next_parameter()))
        if token.text == "{":
            self.nested(self.members)
            return UNFIXED
        closing = _CLOSINGS.get(token.text)
        if closing is None:
            raise NotUnderstood
        if not self.accept(closing):
            self.nested(lambda: self.several(self.value))
            self.expect(closing)
        return UNFIXED

    def _exponent(self, text: str) -> str:
        """A number whose exponent has a sign is three tokens: `1e`, `-`, `5`."""
        if text[-1] in "eE" and self.peek().text in ("+", "-"):
            sign = self.take().text
            if self.peek().kind != "number":
                raise NotUnderstood
            return text + sign + self.take().text
        return text

    def members(self) -> list[tuple[str, Operand]]:
        """`'name': value, ...}`, after the opening brace."""
        if self.accept("}"):
            return []
        members = self.several(self._member)
        self.expect("}")
        return members

    def _member(self) -> tuple[str, Operand]:
        """`'name': value`."""
        token = self.take()
        if token.kind != "text":
            raise NotUnderstood
        self.expect(":")
        return token.text[1:-1].replace("''", "'"), self.value()[1]

    def _call(self) -> Operand:
        """`function(value, ...)`."""
        self.take()
        self.expect("(")
        if not self.accept(")"):
            self.nested(lambda: self.several(self.value))
            self.expect(")")
        return UNFIXED

    def path(self) -> str | None:
        """`name.part[0]`; gives the name when nothing follows it."""
        if self.peek().keyword in _RESERVED:
            raise NotUnderstood
        name = self.name()
        self.named[self._part].add(name)
        is_plain = True
        while True:
            if self.accept("."):
                self.name()
            elif self.accept("["):
                if self.take().kind not in ("number", "text"):
                    raise NotUnderstood
                self.expect("]")
            else:
                return name if is_plain else None
            is_plain = False

    def next_parameter(self) -> int:
        """Position of the parameter that was just read, from 0."""
        self._parameters += 1
        return self._parameters - 1
