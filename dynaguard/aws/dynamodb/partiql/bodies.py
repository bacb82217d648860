"""What a PartiQL statement says: attributes that it names, its condition, an item that it inserts.

A recursive descent over the tokens of `tokens`; what it does not know is not understood as a
whole, never in part.

INVARIANT: what is read stays in this process and goes into no message.

Source: Amazon DynamoDB Developer Guide, PartiQL statements, functions and operators for DynamoDB.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

from dynaguard.aws.dynamodb.cursor import Token
from dynaguard.aws.dynamodb.partiql.conditions import (
    OTHER,
    Condition,
    Either,
    Every,
    Fixes,
    Operand,
)
from dynaguard.aws.dynamodb.partiql.terms import UNFIXED, TermReader
from dynaguard.aws.dynamodb.partiql.tokens import NotUnderstood, read_tokens
from dynaguard.values import dataclass

_COMPARATORS: Final = frozenset({"=", "<>", "!=", "<", "<=", ">", ">="})


@dataclass(frozen=True, slots=True)
class Body:
    """What a statement says.

    Attributes:
        names: Top-level attributes that it names, anywhere.
        written: Of these, those that it sets, removes or inserts.
        filtered: Of these, those in its WHERE clause.
        returned: Of these, those that a SELECT lists.
        is_projected: Whether a SELECT lists what it returns.
        condition: Its WHERE clause, or None.
        item: Attribute and value of an inserted item; None for other statements.
        item_parameter: Position of the parameter that is the inserted item, or None.
        is_returning: Whether it has a RETURNING clause.
    """

    names: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()
    filtered: frozenset[str] = frozenset()
    returned: frozenset[str] = frozenset()
    is_projected: bool = False
    condition: Condition | None = None
    item: tuple[tuple[str, Operand], ...] | None = None
    item_parameter: int | None = None
    is_returning: bool = False


def read_body(text: str) -> Body | None:
    """What a statement says, or None when it is not understood.

    Cost: linear in the text. Remembered by text, bounded.
    """
    try:
        return _read(text)
    except RecursionError:
        return None  # the caller's own stack is nearly full; not remembered


@lru_cache(maxsize=512)
def _read(text: str) -> Body | None:
    """As `read_body`; may run out of stack."""
    try:
        return _Reader(read_tokens(text)).statement()
    except NotUnderstood:
        return None


class _Reader(TermReader):
    """Reads one statement, token by token."""

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
        named = {part: frozenset(names) for part, names in self.named.items()}
        everything = frozenset().union(*named.values())
        return replace(
            body,
            names=everything,
            written=named["written"],
            filtered=named["filtered"],
            returned=named["returned"],
        )

    def _select(self) -> Body:
        """`* | path, ... FROM table [WHERE ...] [ORDER BY path [ASC|DESC], ...]`."""
        is_projected = not self.accept("*")
        if is_projected:
            self.named_as("returned", lambda: self.several(self.path))
        self.expect_word("FROM")
        self._table()
        condition = self._where()
        if self.accept_word("ORDER"):
            self.expect_word("BY")
            self.several(self._order)
        return Body(is_projected=is_projected, condition=condition)

    def _order(self) -> None:
        """`path [ASC|DESC]`."""
        self.path()
        if not self.accept_word("ASC"):
            self.accept_word("DESC")

    def _insert(self) -> Body:
        """`INTO table VALUE {...}`, or a parameter in place of the item."""
        self.expect_word("INTO")
        self._table()
        self.expect_word("VALUE")
        if self.accept("?"):
            return Body(item_parameter=self.next_parameter())
        self.expect("{")
        item = self.members()
        self.named["written"].update(name for name, _ in item)
        return Body(item=tuple(item))

    def _update(self) -> Body:
        """`table SET path = value ... REMOVE path ... WHERE ...`."""
        self._table()
        is_changed = False
        while self.peek().keyword in ("SET", "REMOVE"):
            is_changed = True
            is_set = self.take().keyword == "SET"
            self.several(self._assignment if is_set else self._target)
        if not is_changed:
            raise NotUnderstood
        return Body(condition=self._where(), is_returning=self._returning())

    def _assignment(self) -> None:
        """`path = value`."""
        self._target()
        self.expect("=")
        self.value()

    def _target(self) -> None:
        """A path that is written."""
        self.named_as("written", self.path)

    def _where(self) -> Condition | None:
        """`WHERE condition`, if there is one."""
        return self.named_as("filtered", self._any) if self.accept_word("WHERE") else None

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
        parts = [self.nested(self._all)]
        while self.accept_word("OR"):
            parts.append(self.nested(self._all))
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
        name, left, is_call = self.value()
        token = self.peek()
        if token.kind == "mark" and token.text in _COMPARATORS:
            self.take()
            right_name, right, _ = self.value()
            if token.text != "=":
                return OTHER
            return _fixes(name, right) or _fixes(right_name, left) or OTHER
        is_negated = self.accept_word("NOT")
        if self.accept_word("IN"):
            values = self._list()
            return OTHER if is_negated or name is None else Fixes(name, values)
        if self.accept_word("BETWEEN"):
            self.value()
            self.expect_word("AND")
            self.value()
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
        values = self.several(lambda: self.value()[1])
        self.expect(closing)
        return tuple(values)


def _fixes(name: str | None, value: Operand) -> Condition | None:
    """`name = value`, if it is an attribute and a value."""
    return Fixes(name, (value,)) if name is not None and value != UNFIXED else None


def _continues_a_value(token: Token) -> bool:
    """Whether a value goes on, or is compared, after its closing parenthesis."""
    if token.kind == "mark":
        return token.text in _COMPARATORS or token.text in ("+", "-", "|")
    return token.keyword in ("IN", "BETWEEN", "IS", "NOT")
