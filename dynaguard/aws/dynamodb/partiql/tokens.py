"""The words of a PartiQL statement.

Source: Amazon DynamoDB Developer Guide, PartiQL - a SQL-compatible query language.
"""

from __future__ import annotations

import re
from typing import Final

from dynaguard.aws.dynamodb.cursor import Cursor, Token

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


def name_of(token: Token) -> str | None:
    """The name that a token is, quoted or not; None for what is no name."""
    if token.kind == "quoted":
        return token.text[1:-1].replace('""', '"') or None
    return token.text if token.kind == "word" else None


class StatementCursor(Cursor):
    """A place among the tokens of a statement."""

    error = NotUnderstood

    def name(self) -> str:
        """Reads a name, quoted or not."""
        name = name_of(self.take())
        if name is None:
            raise NotUnderstood
        return name
