"""PartiQL statements: which kind, on which table or index. What is not understood is a problem.

A tokenizer finds the words; the first of them and the place of the table name decide. The rest of
a statement is not judged here, except that a second table (a sub-query, a comma) is never missed:
DynamoDB allows one table a statement, and anything that looks like more is refused.

INVARIANT: no text of a statement leaves this module.

Source: Amazon DynamoDB Developer Guide, PartiQL - a SQL-compatible query language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from dynaguard.aws.arns import Place
from dynaguard.aws.dynamodb.resources import on_table, unknown_resource
from dynaguard.call import UNKNOWN_RUN, Authorization, Call

MAX_STATEMENT_LENGTH: Final = 8192
_NOT_UNDERSTOOD: Final = "a PartiQL statement is not understood"

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


@dataclass(frozen=True, slots=True)
class Statement:
    """What a statement is about.

    Attributes:
        action: `PartiQLSelect`, `PartiQLInsert`, `PartiQLUpdate` or `PartiQLDelete`.
        table: Table name.
        index: Index name, or None.
    """

    action: str
    table: str
    index: str | None


class _Token(NamedTuple):
    """A token: kind (`word`, `quoted`, `text`, `number`, `mark`) and text."""

    kind: str
    text: str

    @property
    def keyword(self) -> str:
        """An unquoted word in upper case, else empty."""
        return self.text.upper() if self.kind == "word" else ""


class _NotUnderstood(Exception):
    """The statement is none that this reader knows."""


def partiql_authorizations(call: Call, place: Place) -> Iterator[Authorization]:
    """What the statements of ExecuteStatement, BatchExecuteStatement, ExecuteTransaction need."""
    enclosing = "ExecuteTransaction" if call.operation == "ExecuteTransaction" else None
    for member in _members(call):
        statement = member.get("Statement") if isinstance(member, Mapping) else None
        found = read_statement(statement) if isinstance(statement, str) else None
        if found is None:
            # Any of PartiQL's four actions: a Deny of one of them must not miss it.
            yield unknown_resource("PartiQL" + UNKNOWN_RUN, _NOT_UNDERSTOOD, call.params)
            continue
        yield on_table(
            found.action,
            place,
            found.table,
            index=found.index,
            member=member,
            enclosing=enclosing,
        )


def _members(call: Call) -> list[Any]:
    """The parameters that hold a statement each."""
    if call.operation == "ExecuteStatement":
        return [call.params]
    name = "Statements" if call.operation == "BatchExecuteStatement" else "TransactStatements"
    members = call.params.get(name)
    return list(members) if isinstance(members, list | tuple) and members else [{}]


@lru_cache(maxsize=512)
def read_statement(text: str) -> Statement | None:
    """What a statement is about, or None when it is not understood.

    Cost: linear in the text; statements over 8,192 characters (DynamoDB's limit) are not read.
    Remembered by text, bounded.
    """
    if len(text) > MAX_STATEMENT_LENGTH:
        return None
    try:
        return _read(list(_tokens(text)))
    except _NotUnderstood:
        return None


def _tokens(text: str) -> Iterator[_Token]:
    """The tokens of a statement, blanks and comments left out."""
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _NotUnderstood
        position = match.end()
        if match.lastgroup is not None:
            yield _Token(match.lastgroup, match.group())


def _read(tokens: list[_Token]) -> Statement:
    """Decides by the first word; a final semicolon is allowed."""
    if tokens and tokens[-1].text == ";":
        tokens = tokens[:-1]
    if not tokens or any(token.text == ";" for token in tokens):
        raise _NotUnderstood
    reader = _READER_BY_KEYWORD.get(tokens[0].keyword)
    if reader is None:
        raise _NotUnderstood
    return reader(tokens)


def _read_select(tokens: list[_Token]) -> Statement:
    """`SELECT ... FROM table[.index] [WHERE ...]`."""
    places = [at for at, token in enumerate(tokens) if token.keyword == "FROM"]
    words = [token.keyword for token in tokens]
    if len(places) != 1 or words.count("SELECT") != 1 or "JOIN" in words:
        raise _NotUnderstood
    table, index, after = _path(tokens, places[0] + 1)
    if after < len(tokens) and tokens[after].keyword not in ("WHERE", "ORDER"):
        raise _NotUnderstood
    return Statement("PartiQLSelect", table, index)


def _read_exists(tokens: list[_Token]) -> Statement:
    """`EXISTS(SELECT ...)`, the condition check of a transaction."""
    if len(tokens) < 4 or tokens[1].text != "(" or tokens[-1].text != ")":
        raise _NotUnderstood
    inner = tokens[2:-1]
    if inner[0].keyword != "SELECT":
        raise _NotUnderstood
    return _read_select(inner)


def _read_insert(tokens: list[_Token]) -> Statement:
    """`INSERT INTO table VALUE {...}`."""
    if len(tokens) < 4 or tokens[1].keyword != "INTO":
        raise _NotUnderstood
    table, index, after = _path(tokens, 2)
    if index is not None or after >= len(tokens) or tokens[after].keyword != "VALUE":
        raise _NotUnderstood
    _refuse_queries(tokens[2:])
    return Statement("PartiQLInsert", table, None)


def _read_update(tokens: list[_Token]) -> Statement:
    """`UPDATE table SET|REMOVE ... WHERE ...`."""
    table, index, after = _path(tokens, 1)
    if index is not None or after >= len(tokens):
        raise _NotUnderstood
    if tokens[after].keyword not in ("SET", "REMOVE"):
        raise _NotUnderstood
    _refuse_queries(tokens[1:])
    return Statement("PartiQLUpdate", table, None)


def _read_delete(tokens: list[_Token]) -> Statement:
    """`DELETE FROM table WHERE ...`."""
    if len(tokens) < 3 or tokens[1].keyword != "FROM":
        raise _NotUnderstood
    table, index, after = _path(tokens, 2)
    if index is not None or (after < len(tokens) and tokens[after].keyword != "WHERE"):
        raise _NotUnderstood
    _refuse_queries(tokens[2:])
    return Statement("PartiQLDelete", table, None)


_READER_BY_KEYWORD: Final = {
    "SELECT": _read_select,
    "EXISTS": _read_exists,
    "INSERT": _read_insert,
    "UPDATE": _read_update,
    "DELETE": _read_delete,
}


_STATEMENT_WORDS: Final = frozenset({"SELECT", "FROM", "INSERT", "INTO", "UPDATE", "DELETE"})


def _refuse_queries(tokens: list[_Token]) -> None:
    """A statement within a statement is not understood."""
    if any(token.keyword in _STATEMENT_WORDS for token in tokens):
        raise _NotUnderstood


def _path(tokens: list[_Token], at: int) -> tuple[str, str | None, int]:
    """Table, index and the place after them: `"orders"."by_day"`, `orders`."""
    table, after = _name(tokens, at)
    if after < len(tokens) and tokens[after].text == ".":
        index, after = _name(tokens, after + 1)
        return table, index, after
    return table, None, after


def _name(tokens: list[_Token], at: int) -> tuple[str, int]:
    """A table or index name, quoted or not, and the place after it."""
    if at >= len(tokens) or tokens[at].kind not in ("word", "quoted"):
        raise _NotUnderstood
    token = tokens[at]
    if token.kind == "quoted":
        name = token.text[1:-1].replace('""', '"')
        if not name:
            raise _NotUnderstood
        return name, at + 1
    return token.text, at + 1
