"""The words of a PartiQL statement.

Source: Amazon DynamoDB Developer Guide, PartiQL - a SQL-compatible query language.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

_FoundT = TypeVar("_FoundT")

MAX_STATEMENT_LENGTH: Final = 8192
"""DynamoDB takes no longer ones."""

# Possessive repeats: linear time. What servers might end elsewhere is refused rather than guessed:
# `\` before a quote, a comment in a comment or ended by a lone carriage return, any character
# beyond ASCII outside of quotes.
_TOKEN: Final = re.compile(
    r"""[\ \t\r\n\f\v]++ | --[\t\ -~]*+(?=\r?\n|\Z)
    | /\*(?:[\t\r\n\ -)+-.0-~]|\*(?!/)|/(?!\*))*+\*/
    | (?P<text>'(?:[^'\\]|''|\\(?!'))*+')
    | (?P<quoted>"(?:[^"\\]|""|\\(?!"))*+")
    | (?P<word>[A-Za-z_$][A-Za-z0-9_$]*)
    | (?P<number>[0-9][0-9A-Za-z.]*)
    | (?P<mark><<|>>|<=|>=|<>|!=|[?.,;()\[\]{}<>=+|&:%@^!]|-(?!-)|/(?!\*)|\*(?!/))""",
    re.VERBOSE,
)


class Token(NamedTuple):
    """A token: kind (`word`, `quoted`, `text`, `number`, `mark`) and text."""

    kind: str
    text: str

    @property
    def keyword(self) -> str:
        """An unquoted word in upper case, else empty."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def name(self) -> str | None:
        """The name that it is, quoted or not; None for what is no name."""
        if self.kind == "quoted":
            return self.text[1:-1].replace('""', '"') or None
        return self.text if self.kind == "word" else None

    def is_mark(self, text: str) -> bool:
        """Whether it is that sign, outside of quotes."""
        return self.kind == "mark" and self.text == text


class NotUnderstood(Exception):
    """The statement is none that the readers know. Carries no text of it."""


def read_tokens(text: str) -> tuple[Token, ...]:
    """The tokens of a statement; blanks, comments and a final semicolon left out.

    Raises:
        NotUnderstood: It is too long, or holds what is no token, or a second statement.

    Cost: linear in the text.
    """
    if len(text) > MAX_STATEMENT_LENGTH:
        raise NotUnderstood
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise NotUnderstood
        position = match.end()
        if match.lastgroup is not None:
            tokens.append(Token(match.lastgroup, match.group()))
    if tokens and tokens[-1].text == ";":
        tokens.pop()
    if not tokens or any(token.text == ";" for token in tokens):
        raise NotUnderstood
    return tuple(tokens)


_END: Final = Token("end", "")
_OPENING: Final = frozenset({"(", "["})
_ENDING: Final = frozenset({")", "]"})


class Cursor:
    """A place among the tokens of a statement; what is not as expected is `NotUnderstood`."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens = tokens
        self._at = 0

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
            raise NotUnderstood

    def expect_word(self, word: str) -> None:
        """Reads that keyword."""
        if not self.accept_word(word):
            raise NotUnderstood

    def name(self) -> str:
        """Reads a name, quoted or not."""
        name = self.take().name
        if name is None:
            raise NotUnderstood
        return name

    def several(self, read: Callable[[], _FoundT]) -> list[_FoundT]:
        """What `read` gives, one or more times, with commas between."""
        found = [read()]
        while self.accept(","):
            found.append(read())
        return found

    def after_group(self) -> Token | None:
        """The token after the group that opens here; None at the end of the statement."""
        depth = 0
        for at in range(self._at, len(self._tokens)):
            kind, text = self._tokens[at]
            if kind == "mark" and text in _OPENING:
                depth += 1
            elif kind == "mark" and text in _ENDING:
                depth -= 1
                if depth == 0:
                    return self._tokens[at + 1] if at + 1 < len(self._tokens) else None
        raise NotUnderstood
