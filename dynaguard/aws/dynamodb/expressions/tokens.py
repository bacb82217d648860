"""The words of an expression, and a place among them.

Source: Amazon DynamoDB Developer Guide, Using expressions in DynamoDB; limits of expressions in
Service, account, and table quotas.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

_FoundT = TypeVar("_FoundT")

MAX_EXPRESSION_LENGTH: Final = 4096
MAX_DEPTH: Final = 100
"""DynamoDB allows 300 operators; nobody nests a hundred levels."""

# Names beyond ASCII, or that begin otherwise, are only possible through a `#name`.
_TOKEN: Final = re.compile(
    r"""[\ \t\r\n]++
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<alias>\#[A-Za-z0-9_]+)
    | (?P<value>:[A-Za-z0-9_]+)
    | (?P<number>[0-9]+)
    | (?P<mark><>|<=|>=|[=<>+\-().,\[\]])""",
    re.VERBOSE,
)


class ExpressionError(Exception):
    """An expression is not understood. What it could have named is unknown.

    Carries no text of the expression.
    """


class Token(NamedTuple):
    """A token: kind (`name`, `alias`, `value`, `number`, `mark`, `end`) and text."""

    kind: str
    text: str

    @property
    def keyword(self) -> str:
        """A word in upper case, else empty."""
        return self.text.upper() if self.kind == "name" else ""


_END: Final = Token("end", "")


class Cursor:
    """A place among the tokens of an expression; what is not as expected is `ExpressionError`.

    Args:
        text: The expression.
    """

    def __init__(self, text: str) -> None:
        self._tokens = _read_tokens(text)
        self._at = 0
        self._depth = 0

    @property
    def is_at_end(self) -> bool:
        """Whether every token is read."""
        return self._at >= len(self._tokens)

    def peek(self, ahead: int = 0) -> Token:
        """A token to come; of kind `end` after the last."""
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else _END

    def take(self) -> Token:
        """The next token, read."""
        token = self.peek()
        self._at += 1
        return token

    def accept(self, text: str) -> bool:
        """Reads that mark, if it is next."""
        token = self.peek()
        is_there = token.kind == "mark" and token.text == text
        self._at += is_there
        return is_there

    def accept_word(self, word: str) -> bool:
        """Reads that keyword, if it is next."""
        is_there = self.peek().keyword == word
        self._at += is_there
        return is_there

    def expect(self, text: str) -> None:
        """Reads that mark."""
        if not self.accept(text):
            raise ExpressionError

    def several(self, read: Callable[[], _FoundT]) -> list[_FoundT]:
        """What `read` gives, one or more times, with commas between."""
        found = [read()]
        while self.accept(","):
            found.append(read())
        return found

    def nested(self, read: Callable[[], _FoundT]) -> _FoundT:
        """What `read` gives one level deeper."""
        if self._depth >= MAX_DEPTH:
            raise ExpressionError
        self._depth += 1
        try:
            return read()
        finally:
            self._depth -= 1

    def is_call(self) -> bool:
        """Whether a function's name and its opening parenthesis are next."""
        return self.peek().kind == "name" and self.peek(1) == ("mark", "(")

    def position(self) -> int:
        """Where it is, for `return_to`."""
        return self._at

    def return_to(self, position: int) -> None:
        """Goes back to where it was."""
        self._at = position


def _read_tokens(text: str) -> list[Token]:
    """The tokens of an expression, blanks left out."""
    if len(text) > MAX_EXPRESSION_LENGTH:
        raise ExpressionError
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ExpressionError
        position = match.end()
        if match.lastgroup is not None:
            tokens.append(Token(match.lastgroup, match.group()))
    return tokens
