"""What a PartiQL statement says: attributes that it names, its condition, an item that it inserts.

A recursive descent over the tokens of `tokens`; what it does not know is not understood as a
whole, never in part.

INVARIANT: what is read stays in this process and goes into no message.

Source: Amazon DynamoDB Developer Guide, PartiQL statements, functions and operators for DynamoDB.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from dynaguard.aws.dynamodb.partiql.conditions import (
    OTHER,
    Condition,
    Either,
    Every,
    Fixes,
    Operand,
)
from dynaguard.aws.dynamodb.partiql.tokens import Cursor, NotUnderstood, Token, read_tokens

MAX_DEPTH: Final = 50
_COMPARATORS: Final = frozenset({"=", "<>", "!=", "<", "<=", ">", ">="})
_UNFIXED: Final = Operand("-")
_CONSTANTS: Final = frozenset({"TRUE", "FALSE", "NULL", "MISSING"})
_RESERVED: Final = frozenset(
    {
        *("AND", "OR", "NOT", "IN", "IS", "BETWEEN", "FROM", "WHERE", "ORDER", "BY", "VALUE"),
        *("SELECT", "SET", "REMOVE", "RETURNING", "ASC", "DESC", "INTO", "AS", "LIKE"),
    }
)


@dataclass(frozen=True, slots=True)
class Body:
    """What a statement says.

    Attributes:
        names: Top-level attributes that it names, anywhere.
        is_projected: Whether a SELECT lists what it returns.
        condition: Its WHERE clause, or None.
        item: Attribute and value of an inserted item; None for other statements.
        item_parameter: Position of the parameter that is the inserted item, or None.
        is_returning: Whether it has a RETURNING clause.
    """

    names: frozenset[str] = frozenset()
    is_projected: bool = False
    condition: Condition | None = None
    item: tuple[tuple[str, Operand], ...] | None = None
    item_parameter: int | None = None
    is_returning: bool = False


@lru_cache(maxsize=512)
def read_body(text: str) -> Body | None:
    """What a statement says, or None when it is not understood.

    Cost: linear in the text. Remembered by text, bounded.
    """
    try:
        return _Reader(read_tokens(text)).statement()
    except NotUnderstood:
        return None


class _Reader(Cursor):
    """Reads one statement, token by token."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        super().__init__(tokens)
        self._depth = 0
        self._parameters = 0
        self._names: set[str] = set()

    # --- statements --------------------------------------------------------------------------

    def statement(self) -> Body:
        """The whole statement."""
        word = self.take().keyword
        if word == "EXISTS":
            self.expect("(")
            self.expect_word("SELECT")
            body = self._select()
            self.expect(")")
        elif word == "SELECT":
            body = self._select()
        elif word == "INSERT":
            body = self._insert()
        elif word == "UPDATE":
            body = self._update()
        elif word == "DELETE":
            self.expect_word("FROM")
            self._table()
            body = Body(condition=self._where(), is_returning=self._returning())
        else:
            raise NotUnderstood
        if not self.is_at_end:
            raise NotUnderstood
        return replace(body, names=frozenset(self._names))

    def _select(self) -> Body:
        """`* | path, ... FROM table [WHERE ...] [ORDER BY path [ASC|DESC], ...]`."""
        is_projected = not self.accept("*")
        if is_projected:
            self.several(self._path)
        self.expect_word("FROM")
        self._table()
        condition = self._where()
        if self.accept_word("ORDER"):
            self.expect_word("BY")
            self.several(self._order)
        return Body(is_projected=is_projected, condition=condition)

    def _order(self) -> None:
        """`path [ASC|DESC]`."""
        self._path()
        if not self.accept_word("ASC"):
            self.accept_word("DESC")

    def _insert(self) -> Body:
        """`INTO table VALUE {...}`, or a parameter in place of the item."""
        self.expect_word("INTO")
        self._table()
        self.expect_word("VALUE")
        if self.accept("?"):
            return Body(item_parameter=self._next_parameter())
        self.expect("{")
        item = self._members()
        self._names.update(name for name, _ in item)
        return Body(item=tuple(item))

    def _update(self) -> Body:
        """`table SET path = value ... REMOVE path ... WHERE ...`."""
        self._table()
        is_changed = False
        while self.peek().keyword in ("SET", "REMOVE"):
            is_changed = True
            self.several(self._assignment if self.take().keyword == "SET" else self._path)
        if not is_changed:
            raise NotUnderstood
        return Body(condition=self._where(), is_returning=self._returning())

    def _assignment(self) -> None:
        """`path = value`."""
        self._path()
        self.expect("=")
        self._value()

    def _where(self) -> Condition | None:
        """`WHERE condition`, if there is one."""
        return self._any() if self.accept_word("WHERE") else None

    def _returning(self) -> bool:
        """`RETURNING ALL|MODIFIED OLD|NEW *`, if it is there."""
        if not self.accept_word("RETURNING"):
            return False
        if not self.accept_word("ALL"):
            self.expect_word("MODIFIED")
        if not self.accept_word("OLD"):
            self.expect_word("NEW")
        self.expect("*")
        return True

    def _table(self) -> None:
        """`table` or `table.index`: not attributes."""
        self.name()
        if self.accept("."):
            self.name()

    # --- conditions --------------------------------------------------------------------------

    def _any(self) -> Condition:
        """Parts joined by OR."""
        self._descend()
        parts = [self._all()]
        while self.accept_word("OR"):
            parts.append(self._all())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _all(self) -> Condition:
        """Parts joined by AND."""
        parts = [self._one()]
        while self.accept_word("AND"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _one(self) -> Condition:
        """NOT, parentheses, or a comparison."""
        is_negated = False
        while self.accept_word("NOT"):
            is_negated = True
        condition = self._parenthesised() if self._is_group() else self._comparison()
        return OTHER if is_negated else condition

    def _is_group(self) -> bool:
        """Whether a parenthesis opens a condition, rather than a value in parentheses."""
        if not self.peek().is_mark("("):
            return False
        after = self.after_group()
        return after is None or not _continues_a_value(after)

    def _parenthesised(self) -> Condition:
        """`( condition )`."""
        self.expect("(")
        condition = self._any()
        self.expect(")")
        return condition

    def _comparison(self) -> Condition:
        """`value = value`, `IN`, `BETWEEN`, `IS`, or a function that is true or false."""
        name, left, is_call = self._value()
        token = self.peek()
        if token.kind == "mark" and token.text in _COMPARATORS:
            self.take()
            right_name, right, _ = self._value()
            if token.text != "=":
                return OTHER
            return _fixes(name, right) or _fixes(right_name, left) or OTHER
        is_negated = self.accept_word("NOT")
        if self.accept_word("IN"):
            values = self._list()
            return OTHER if is_negated or name is None else Fixes(name, values)
        if self.accept_word("BETWEEN"):
            self._value()
            self.expect_word("AND")
            self._value()
            return OTHER
        if not is_negated and self.accept_word("IS"):
            self.accept_word("NOT")
            if self.take().keyword not in ("MISSING", "NULL"):
                raise NotUnderstood
            return OTHER
        if not is_call or is_negated:
            raise NotUnderstood
        return OTHER

    def _list(self) -> tuple[Operand, ...]:
        """`[a, b]` or `(a, b)`, after IN."""
        closing = {"[": "]", "(": ")"}.get(self.take().text)
        if closing is None:
            raise NotUnderstood
        values = self.several(lambda: self._value()[1])
        self.expect(closing)
        return tuple(values)

    # --- values ------------------------------------------------------------------------------

    def _value(self) -> tuple[str | None, Operand, bool]:
        """A value: attribute name when it is one and nothing else, operand, whether a call."""
        name, operand, is_call = self._term()
        while self.peek().kind == "mark" and self.peek().text in ("+", "-", "|"):
            if self.take().text == "|":
                self.expect("|")
            self._term()
            name, operand, is_call = None, _UNFIXED, False
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
            return None, _UNFIXED, False
        if token.kind == "word" and self.peek(1).text == "(" and token.keyword not in _RESERVED:
            return None, self._call(), True
        return self._path(), _UNFIXED, False

    def _in_parentheses(self) -> tuple[str | None, Operand, bool]:
        """`(value)`, which is that value, or `(value, ...)`."""
        self.expect("(")
        self._descend()
        values = self.several(self._value)
        self.expect(")")
        self._depth -= 1
        return values[0] if len(values) == 1 else (None, _UNFIXED, False)

    def _marked(self) -> Operand:
        """What begins with a sign or a digit: number, parameter, list, tuple, set."""
        token = self.take()
        if token.kind == "number":
            return Operand("N", self._exponent(token.text))
        if token.text == "-" and self.peek().kind == "number":
            return Operand("N", "-" + self._exponent(self.take().text))
        if token.text == "?":
            return Operand("?", str(self._next_parameter()))
        self._descend()
        if token.text == "{":
            self._members()
        elif token.text in _CLOSINGS:
            closing = _CLOSINGS[token.text]
            if not self.accept(closing):
                self.several(self._value)
                self.expect(closing)
        else:
            raise NotUnderstood
        self._depth -= 1
        return _UNFIXED

    def _exponent(self, text: str) -> str:
        """A number whose exponent has a sign is three tokens: `1e`, `-`, `5`."""
        if text[-1] in "eE" and self.peek().text in ("+", "-"):
            sign = self.take().text
            if self.peek().kind != "number":
                raise NotUnderstood
            return text + sign + self.take().text
        return text

    def _members(self) -> list[tuple[str, Operand]]:
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
        return token.text[1:-1].replace("''", "'"), self._value()[1]

    def _call(self) -> Operand:
        """`function(value, ...)`."""
        self.take()
        self.expect("(")
        self._descend()
        if not self.accept(")"):
            self.several(self._value)
            self.expect(")")
        self._depth -= 1
        return _UNFIXED

    def _path(self) -> str | None:
        """`name.part[0]`; gives the name when nothing follows it."""
        if self.peek().keyword in _RESERVED:
            raise NotUnderstood
        name = self.name()
        self._names.add(name)
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

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NotUnderstood

    def _next_parameter(self) -> int:
        self._parameters += 1
        return self._parameters - 1


_CLOSINGS: Final = {"[": "]", "<<": ">>"}


def _fixes(name: str | None, value: Operand) -> Condition | None:
    """`name = value`, if it is an attribute and a value."""
    return Fixes(name, (value,)) if name is not None and value != _UNFIXED else None


def _continues_a_value(token: Token) -> bool:
    """Whether a value goes on, or is compared, after its closing parenthesis."""
    if token.kind == "mark":
        return token.text in _COMPARATORS or token.text in ("+", "-", "|")
    return token.keyword in ("IN", "BETWEEN", "IS", "NOT")
