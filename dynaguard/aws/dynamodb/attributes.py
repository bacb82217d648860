"""`dynamodb:Attributes`: the top-level attributes that a request names, wherever it names them.

Keys, items, projections, both sides of conditions and updates, the legacy parameters and PartiQL.
A part that is not understood makes the whole unknown: a name that was missed could be the one
that a policy withholds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from dynaguard.aws.dynamodb.expressions import (
    ExpressionError,
    condition_attributes,
    projected_attributes,
    update_attributes,
)
from dynaguard.aws.dynamodb.keys import (
    BATCHES,
    KEYED,
    PARTIQL,
    body_of,
    inserted_item,
    items_of,
)
from dynaguard.call import UNKNOWN, Authorization, ContextValue

_SEARCHES: Final = frozenset({"Query", "Scan", "SearchVectors"})
_CONDITIONS: Final = ("KeyConditionExpression", "FilterExpression", "ConditionExpression")
_LEGACY_MAPPINGS: Final = (
    "AttributeUpdates",
    "Expected",
    "KeyConditions",
    "QueryFilter",
    "ScanFilter",
)
_NOT_READ: Final = ("SearchConditionExpression", "SearchVector")


class _NotUnderstood(Exception):
    """A part of the request that could name attributes is not understood."""


def named_attributes(authorization: Authorization) -> ContextValue:
    """Value of `dynamodb:Attributes`: the names, none for what names no attributes, or unknown.

    Cost: parses the expressions of the authorisation's part of the call, which are remembered by
    their text.
    """
    action = authorization.action.partition(":")[2]
    try:
        if action.startswith(PARTIQL):
            return tuple(sorted(_named_in_statement(authorization)))
        if action not in KEYED and action not in BATCHES and action not in _SEARCHES:
            return ()
        return tuple(dict.fromkeys(_named_in_parameters(action, authorization)))
    except (_NotUnderstood, ExpressionError):
        return UNKNOWN


def _named_in_statement(authorization: Authorization) -> frozenset[str]:
    """Names in a PartiQL statement, those of an item that is a parameter included."""
    body = body_of(authorization)
    if body is None:
        raise _NotUnderstood
    if body.item_parameter is None:
        return body.names
    item = inserted_item(authorization, body)
    if item is None:
        raise _NotUnderstood
    return body.names | frozenset(item)


def _named_in_parameters(action: str, authorization: Authorization) -> Iterator[str]:
    """Names in the parameters of an item operation, first come first."""
    member = authorization.member
    if action not in _SEARCHES:
        for item in items_of(authorization):
            yield from _names_of(item)
    yield from _named_in_expressions(member)
    for name in _LEGACY_MAPPINGS:
        if member.get(name) is not None:
            yield from _names_of(member[name])
    wanted = member.get("AttributesToGet")
    if wanted is not None:
        if not isinstance(wanted, list | tuple) or not all(isinstance(n, str) for n in wanted):
            raise _NotUnderstood
        yield from wanted
    if any(member.get(name) is not None for name in _NOT_READ):
        raise _NotUnderstood


def _named_in_expressions(member: Mapping[str, Any]) -> Iterator[str]:
    """Names in every expression of the parameters."""
    names = member.get("ExpressionAttributeNames")
    values = member.get("ExpressionAttributeValues")
    projection, update = member.get("ProjectionExpression"), member.get("UpdateExpression")
    if projection is not None:
        yield from projected_attributes(projection, names)
    for parameter in _CONDITIONS:
        if member.get(parameter) is not None:
            yield from condition_attributes(member[parameter], names, values)
    if update is not None:
        written, read = update_attributes(update, names, values)
        yield from (*written, *read)


def _names_of(mapping: Any) -> Iterable[str]:
    """The names of a mapping by attribute."""
    if not isinstance(mapping, Mapping) or not all(isinstance(name, str) for name in mapping):
        raise _NotUnderstood
    return mapping
