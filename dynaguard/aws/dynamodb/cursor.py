"""A place among the tokens of a text, shared by the readers of expressions and of PartiQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, NamedTuple, TypeVar

_FoundT = TypeVar("_FoundT")
_OPENING: Final = frozenset({"(", "["})
_CLOSING: Final = frozenset({")", "]"})


class Token(NamedTuple):
    """A token: kind (`word`, `mark`, `number`, others of the language, `end`) and text."""

    kind: str
    text: str

    @property
    def keyword(self) -> str:
        """An unquoted word in upper case, else empty."""
        return self.text.upper() if self.kind == "word" else ""

    def is_mark(self, text: str) -> bool:
        """Whether it is that sign, outside of quotes."""
        return self.kind == "mark" and self.text == text


_END: Final = Token("end", "")


class Cursor:
    """Reads tokens one by one; what is not as expected raises the language's own error.

    Args:
        tokens: All of the text's.

    Attributes:
        error: Raised where something else stands than is expected.
        max_depth: How many levels may nest.
    """

    error: ClassVar[type[Exception]] = ValueError
    max_depth: ClassVar[int] = 50

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
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

    def accept(self, mark: str) -> bool:
        """Reads that sign, if it is next."""
        is_there = self.peek().is_mark(mark)
        self._at += is_there
        return is_there

    def accept_word(self, word: str) -> bool:
        """Reads that keyword, if it is next."""
        is_there = self.peek().keyword == word
        self._at += is_there
        return is_there

    def expect(self, mark: str) -> None:
        """Reads that sign."""
        if not self.accept(mark):
            raise self.error

    def expect_word(self, word: str) -> None:
        """Reads that keyword."""
        if not self.accept_word(word):
            raise self.error

    def several(self, read: Callable[[], _FoundT]) -> list[_FoundT]:
        """What `read` gives, one or more times, with commas between."""
        found = [read()]
        while self.accept(","):
            found.append(read())
        return found

    def nested(self, read: Callable[[], _FoundT]) -> _FoundT:
        """What `read` gives one level deeper."""
        if self._depth >= self.max_depth:
            raise self.error
        self._depth += 1
        try:
            return read()
        finally:
            self._depth -= 1

    def is_call(self) -> bool:
        """Whether a function's name and its opening parenthesis are next."""
        return self.peek().kind == "word" and self.peek(1).is_mark("(")

    def position(self) -> int:
        """Where it is, for `return_to`."""
        return self._at

    def return_to(self, position: int) -> None:
        """Goes back to where it was."""
        self._at = position

    def after_group(self) -> Token | None:
        """The token after the group that opens here; None at the end of the text."""
        depth = 0
        for at in range(self._at, len(self._tokens)):
            kind, text = self._tokens[at]
            if kind == "mark" and text in _OPENING:
                depth += 1
            elif kind == "mark" and text in _CLOSING:
                depth -= 1
                if depth == 0:
                    return self._tokens[at + 1] if at + 1 < len(self._tokens) else None
        raise self.error
