"""The words of an expression, and a place among them.

Source: Amazon DynamoDB Developer Guide, Using expressions in DynamoDB; limits of expressions in
Service, account, and table quotas.
"""

from __future__ import annotations

import re
from typing import Final

from dynaguard.aws.dynamodb.cursor import Cursor, Token

MAX_EXPRESSION_LENGTH: Final = 4096
MAX_DEPTH: Final = 100
"""DynamoDB allows 300 operators; nobody nests a hundred levels."""

# Names beyond ASCII, or that begin otherwise, are only possible through a `#name`.
_TOKEN: Final = re.compile(
    r"""[\ \t\r\n]++
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
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


class ExpressionCursor(Cursor):
    """A place among the tokens of an expression.

    Args:
        text: The expression.

    Raises:
        ExpressionError: It is too long, or holds what is no token.
    """

    error = ExpressionError
    max_depth = MAX_DEPTH

    def __init__(self, text: str) -> None:
        super().__init__(_read_tokens(text))


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
