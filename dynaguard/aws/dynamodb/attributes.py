"""The top-level attributes that a request names, wherever it names them, and what for.

Keys, items, projections, both sides of conditions and updates, the legacy parameters and PartiQL.
A part that is not understood makes the whole unknown: a name that was missed could be the one
that a policy withholds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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
from dynaguard.call import Authorization

_SEARCHES: Final = frozenset({"Query", "Scan", "SearchVectors"})
_READS: Final = frozenset({"GetItem", "BatchGetItem"}) | _SEARCHES
_CONDITIONS: Final = ("KeyConditionExpression", "FilterExpression", "ConditionExpression")
_LEGACY_CONDITIONS: Final = ("Expected", "KeyConditions", "QueryFilter", "ScanFilter")
_NOT_READ: Final = ("SearchConditionExpression", "SearchVector")
_PARTIQL_SELECT: Final = "PartiQLSelect"


@dataclass(slots=True)
class NamedAttributes:
    """Attributes by what a request names them for; in request order, each once.

    Attributes:
        keys: In `Key`.
        written: Put, set, removed, added to or deleted from.
        read: On the right-hand sides of an update.
        filtered: In key conditions, filters and conditions.
        returned: Asked for by name; None where whole items, or unknown parts of them, come back.
    """

    keys: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    filtered: list[str] = field(default_factory=list)
    returned: list[str] | None = field(default_factory=list)

    def all_names(self) -> tuple[str, ...]:
        """Every name, whatever it is named for."""
        parts = (self.keys, self.written, self.read, self.filtered, self.returned or [])
        return tuple(dict.fromkeys(name for part in parts for name in part))


class NotUnderstood(Exception):
    """A part of the request that could name attributes is not understood."""


def names_attributes(authorization: Authorization) -> bool:
    """Whether requests for such an action name attributes at all."""
    action = authorization.action.partition(":")[2]
    return (
        action in KEYED or action in BATCHES or action in _SEARCHES or action.startswith(PARTIQL)
    )


def named_attributes(authorization: Authorization) -> NamedAttributes:
    """The attributes that the authorisation's part of a call names.

    Raises:
        NotUnderstood: A part that could name one is not understood.

    Cost: parses its expressions, which are remembered by their text.
    """
    action = authorization.action.partition(":")[2]
    try:
        if action.startswith(PARTIQL):
            return _of_statement(action, authorization)
        return _of_parameters(action, authorization)
    except ExpressionError:
        raise NotUnderstood from None


def _of_statement(action: str, authorization: Authorization) -> NamedAttributes:
    """Names in a PartiQL statement, those of an item that is a parameter included."""
    body = body_of(authorization)
    if body is None:
        raise NotUnderstood
    found = NamedAttributes(
        written=sorted(body.written),
        filtered=sorted(body.filtered),
        read=sorted(body.names),
        returned=sorted(body.returned),
    )
    if (action == _PARTIQL_SELECT and not body.is_projected) or body.is_returning:
        found.returned = None
    if body.item_parameter is not None:
        item = inserted_item(authorization, body)
        if item is None:
            raise NotUnderstood
        found.written += _names_of(item)
    return found


def _of_parameters(action: str, authorization: Authorization) -> NamedAttributes:
    """Names in the parameters of an item operation."""
    member = authorization.member
    names = member.get("ExpressionAttributeNames")
    values = member.get("ExpressionAttributeValues")
    if any(member.get(name) is not None for name in _NOT_READ):
        raise NotUnderstood
    found = NamedAttributes(returned=_returned(action, member, names))
    for item in items_of(authorization) if action not in _SEARCHES else ():
        is_put = action in ("PutItem", "BatchWriteItem")
        (found.written if is_put else found.keys).extend(_names_of(item))
    for parameter in _CONDITIONS:
        if member.get(parameter) is not None:
            found.filtered += condition_attributes(member[parameter], names, values)
    for parameter in _LEGACY_CONDITIONS:
        if member.get(parameter) is not None:
            found.filtered += _names_of(member[parameter])
    if member.get("UpdateExpression") is not None:
        written, read = update_attributes(member["UpdateExpression"], names, values)
        found.written += written
        found.read += read
    if member.get("AttributeUpdates") is not None:
        found.written += _names_of(member["AttributeUpdates"])
    return found


def _returned(action: str, member: Mapping[str, Any], names: Any) -> list[str] | None:
    """Names that the answer is limited to, or None where it is not limited by names."""
    projection, wanted = member.get("ProjectionExpression"), member.get("AttributesToGet")
    returned: list[str] = []
    if projection is not None:
        returned += projected_attributes(projection, names)
    if wanted is not None:
        if not isinstance(wanted, list | tuple) or not all(isinstance(n, str) for n in wanted):
            raise NotUnderstood
        returned += wanted
    if returned or (action in _SEARCHES and member.get("Select") == "COUNT"):
        return returned
    if action in _READS:
        return None
    kinds = (member.get("ReturnValues"), member.get("ReturnValuesOnConditionCheckFailure"))
    return [] if all(kind in (None, "NONE") for kind in kinds) else None


def _names_of(mapping: Any) -> Iterable[str]:
    """The names of a mapping by attribute."""
    if not isinstance(mapping, Mapping) or not all(isinstance(name, str) for name in mapping):
        raise NotUnderstood
    return mapping
