"""PartiQL statements: which kind, on which table or index. What is not understood is a problem.

The first word and the place of the table name decide. The rest of a statement is read by `bodies`
when a condition key asks for it, and not judged here, except that a second table (a sub-query, a
comma) is never missed: DynamoDB allows one table a statement, and what looks like more is refused.

INVARIANT: no text of a statement leaves this module.

Source: Amazon DynamoDB Developer Guide, PartiQL - a SQL-compatible query language.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from dynaguard.aws.arns import Place
from dynaguard.aws.dynamodb.cursor import Token
from dynaguard.aws.dynamodb.partiql.tokens import NotUnderstood, name_of, read_tokens
from dynaguard.aws.dynamodb.resources import on_table, unknown_resource
from dynaguard.call import UNKNOWN_RUN, Authorization, Call
from dynaguard.values import dataclass

Tokens = tuple[Token, ...]
_NOT_UNDERSTOOD: Final = "a PartiQL statement is not understood"


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
    try:
        return _read(read_tokens(text))
    except NotUnderstood:
        return None


def _read(tokens: Tokens) -> Statement:
    """Decides by the first word."""
    reader = _READER_BY_KEYWORD.get(tokens[0].keyword)
    if reader is None:
        raise NotUnderstood
    return reader(tokens)


def _read_select(tokens: Tokens) -> Statement:
    """`SELECT ... FROM table[.index] [WHERE ...]`."""
    places = [at for at, token in enumerate(tokens) if token.keyword == "FROM"]
    words = [token.keyword for token in tokens]
    if len(places) != 1 or words.count("SELECT") != 1 or "JOIN" in words:
        raise NotUnderstood
    table, index, after = _path(tokens, places[0] + 1)
    if after < len(tokens) and tokens[after].keyword not in ("WHERE", "ORDER"):
        raise NotUnderstood
    return Statement("PartiQLSelect", table, index)


def _read_exists(tokens: Tokens) -> Statement:
    """`EXISTS(SELECT ...)`, the condition check of a transaction."""
    if len(tokens) < 4 or tokens[1].text != "(" or tokens[-1].text != ")":
        raise NotUnderstood
    inner = tokens[2:-1]
    if inner[0].keyword != "SELECT":
        raise NotUnderstood
    return _read_select(inner)


def _read_insert(tokens: Tokens) -> Statement:
    """`INSERT INTO table VALUE {...}`."""
    if len(tokens) < 4 or tokens[1].keyword != "INTO":
        raise NotUnderstood
    table, index, after = _path(tokens, 2)
    if index is not None or after >= len(tokens) or tokens[after].keyword != "VALUE":
        raise NotUnderstood
    _refuse_queries(tokens[2:])
    return Statement("PartiQLInsert", table, None)


def _read_update(tokens: Tokens) -> Statement:
    """`UPDATE table SET|REMOVE ... WHERE ...`."""
    table, index, after = _path(tokens, 1)
    if index is not None or after >= len(tokens):
        raise NotUnderstood
    if tokens[after].keyword not in ("SET", "REMOVE"):
        raise NotUnderstood
    _refuse_queries(tokens[1:])
    return Statement("PartiQLUpdate", table, None)


def _read_delete(tokens: Tokens) -> Statement:
    """`DELETE FROM table WHERE ...`."""
    if len(tokens) < 3 or tokens[1].keyword != "FROM":
        raise NotUnderstood
    table, index, after = _path(tokens, 2)
    if index is not None or (after < len(tokens) and tokens[after].keyword != "WHERE"):
        raise NotUnderstood
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


def _refuse_queries(tokens: Tokens) -> None:
    """A statement within a statement is not understood."""
    if any(token.keyword in _STATEMENT_WORDS for token in tokens):
        raise NotUnderstood


def _path(tokens: Tokens, at: int) -> tuple[str, str | None, int]:
    """Table, index and the place after them: `"orders"."by_day"`, `orders`."""
    table, after = _name(tokens, at)
    if after < len(tokens) and tokens[after].text == ".":
        index, after = _name(tokens, after + 1)
        return table, index, after
    return table, None, after


def _name(tokens: Tokens, at: int) -> tuple[str, int]:
    """A table or index name, quoted or not, and the place after it."""
    name = name_of(tokens[at]) if at < len(tokens) else None
    if name is None:
        raise NotUnderstood
    return name, at + 1
