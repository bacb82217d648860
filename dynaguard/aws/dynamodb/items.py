"""DynamoDB's condition keys, and dynaguard's own about items, read from the parameters.

What the parameters do not tell, or tell in a way that is not understood, is unknown.

Source: Amazon DynamoDB Developer Guide, Using IAM policy conditions for fine-grained access
control; Service Authorization Reference, condition keys for Amazon DynamoDB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from dynaguard.aws.dynamodb.attributes import (
    NamedAttributes,
    NotUnderstood,
    named_attributes,
    names_attributes,
)
from dynaguard.aws.dynamodb.keys import (
    BATCHES,
    KEYED,
    PARTIQL,
    body_of,
    is_full_scan,
    partition_values,
)
from dynaguard.aws.dynamodb.partiql.bodies import Body
from dynaguard.aws.dynamodb.schemas import KeySchemas
from dynaguard.call import UNKNOWN, Authorization, Call, ContextValue

ItemKeyReader = Callable[[Call, Authorization, KeySchemas], ContextValue]

ABSENT: Final[ContextValue] = ()
_NONE: Final = "NONE"
_PARTIQL_SELECT: Final = "PartiQLSelect"
_PARTIQL_WRITES: Final = frozenset({"PartiQLInsert", "PartiQLUpdate", "PartiQLDelete"})
_SEARCHES: Final = frozenset({"Query", "Scan", "SearchVectors"})
_READS: Final = frozenset({"GetItem", "BatchGetItem"}) | _SEARCHES
_WRITES: Final = frozenset({"PutItem", "UpdateItem", "DeleteItem"})
_ITEM_ACTIONS: Final = _READS | KEYED | BATCHES
_FILTERS: Final = ("FilterExpression", "QueryFilter", "ScanFilter")
_CONDITIONS: Final = ("ConditionExpression", "Expected")


def _action(authorization: Authorization) -> str:
    """The action without its prefix."""
    return authorization.action.partition(":")[2]


def _flag(value: bool | None, /) -> ContextValue:  # noqa: FBT001 - it is all there is
    """A yes or no; unknown when it cannot be told."""
    return UNKNOWN if value is None else (str(value).lower(),)


# --- keys of DynamoDB ------------------------------------------------------------------------


def _partition_key(position: int) -> ItemKeyReader:
    """`dynamodb:LeadingKeys` and its companions: values of one partition key attribute."""

    def read(call: Call, authorization: Authorization, schemas: KeySchemas) -> ContextValue:
        return partition_values(call, authorization, schemas, position)

    return read


def _attributes(told: Callable[[NamedAttributes], Iterable[str] | None]) -> ItemKeyReader:
    """`dynamodb:Attributes` and its finer companions: names, unknown where not all are told."""

    def read(_call: Call, authorization: Authorization, _schemas: KeySchemas) -> ContextValue:
        if not names_attributes(authorization):
            return ABSENT
        try:
            names = told(named_attributes(authorization))
        except NotUnderstood:
            return UNKNOWN
        return UNKNOWN if names is None else tuple(dict.fromkeys(names))

    return read


def _select(_call: Call, authorization: Authorization, _schemas: KeySchemas) -> ContextValue:
    """`dynamodb:Select`: what the call asks to be returned."""
    action, member = _action(authorization), authorization.member
    if action.startswith(PARTIQL):
        if action in _PARTIQL_WRITES:
            return ABSENT
        body = body_of(authorization)
        if body is None:
            return UNKNOWN
        is_projected = body.is_projected
    elif action not in _READS:
        return ABSENT
    elif member.get("Select"):
        return (str(member["Select"]),)
    else:
        is_projected = bool(member.get("ProjectionExpression") or member.get("AttributesToGet"))
    if is_projected:
        return ("SPECIFIC_ATTRIBUTES",)
    return ("ALL_PROJECTED_ATTRIBUTES" if authorization.index_name else "ALL_ATTRIBUTES",)


def _return_values(
    _call: Call, authorization: Authorization, _schemas: KeySchemas
) -> ContextValue:
    """`dynamodb:ReturnValues`. PartiQL has no such key, and a RETURNING clause no known value."""
    action = _action(authorization)
    if action.startswith(PARTIQL):
        body = body_of(authorization)
        return UNKNOWN if body is None or body.is_returning else ABSENT
    if action not in _WRITES:
        return ABSENT
    return (str(authorization.member.get("ReturnValues") or _NONE),)


def _return_capacity(
    call: Call, authorization: Authorization, _schemas: KeySchemas
) -> ContextValue:
    """`dynamodb:ReturnConsumedCapacity`; for batches and transactions it stands on the call."""
    action = _action(authorization)
    if action not in _ITEM_ACTIONS and not action.startswith(PARTIQL):
        return ABSENT
    return (str(call.params.get("ReturnConsumedCapacity") or _NONE),)


def _enclosing(_call: Call, authorization: Authorization, _schemas: KeySchemas) -> ContextValue:
    """`dynamodb:EnclosingOperation`."""
    enclosing = authorization.enclosing_operation
    return ABSENT if enclosing is None else (enclosing,)


def _full_table_scan(
    call: Call, authorization: Authorization, schemas: KeySchemas
) -> ContextValue:
    """`dynamodb:FullTableScan`: set for PartiQLSelect alone."""
    action = _action(authorization)
    if not action.startswith(PARTIQL) or action in _PARTIQL_WRITES:
        return ABSENT
    return _flag(is_full_scan(call, authorization, schemas))


# --- dynaguard's own keys --------------------------------------------------------------------


def _consistent_read(
    call: Call, authorization: Authorization, _schemas: KeySchemas
) -> ContextValue:
    """`dynaguard:ConsistentRead`; transactions have no choice."""
    action = _action(authorization)
    is_read = action in _READS or action == _PARTIQL_SELECT
    if not is_read or authorization.enclosing_operation is not None:
        return ABSENT
    given = authorization.member.get("ConsistentRead")
    return _flag(bool(call.params.get("ConsistentRead") if given is None else given))


def _has_filter(_call: Call, authorization: Authorization, _schemas: KeySchemas) -> ContextValue:
    """`dynaguard:HasFilter`; a WHERE clause may be a key condition alone."""
    if _action(authorization).startswith(PARTIQL):
        return _no_condition(authorization, lambda body: body.condition is None)
    return _flag(any(authorization.member.get(name) for name in _FILTERS))


def _has_condition(
    _call: Call, authorization: Authorization, _schemas: KeySchemas
) -> ContextValue:
    """`dynaguard:HasCondition`; the WHERE clause of a PartiQL write names its key at least."""
    if _action(authorization).startswith(PARTIQL):
        return _no_condition(authorization, lambda body: body.item is not None)
    return _flag(any(authorization.member.get(name) for name in _CONDITIONS))


def _no_condition(
    authorization: Authorization, is_without: Callable[[Body], bool]
) -> ContextValue:
    """False where a statement surely has none, else unknown."""
    body = body_of(authorization)
    return ("false",) if body is not None and is_without(body) else UNKNOWN


def _return_on_failure(
    _call: Call, authorization: Authorization, _schemas: KeySchemas
) -> ContextValue:
    """`dynaguard:ReturnValuesOnConditionCheckFailure`; IAM has no key for it."""
    action = _action(authorization)
    if action not in _WRITES and action != "ConditionCheckItem" and action not in _PARTIQL_WRITES:
        return ABSENT
    return (str(authorization.member.get("ReturnValuesOnConditionCheckFailure") or _NONE),)


def _item_count(call: Call, authorization: Authorization, _schemas: KeySchemas) -> ContextValue:
    """`dynaguard:ItemCount`: members of the whole batch or transaction; 1 for a single item."""
    params = call.params
    for name in ("TransactItems", "TransactStatements", "Statements"):
        members = params.get(name)
        if members is not None:
            return (str(len(members)),) if isinstance(members, list | tuple) else UNKNOWN
    requests = params.get("RequestItems")
    if requests is None:
        action = _action(authorization)
        return ("1",) if action in KEYED or action.startswith(PARTIQL) else ABSENT
    return _requested(requests)


def _requested(requests: Any) -> ContextValue:
    """How many items `RequestItems` names."""
    if not isinstance(requests, Mapping):
        return UNKNOWN
    count = 0
    for entry in requests.values():
        members = entry.get("Keys") if isinstance(entry, Mapping) else entry
        if not isinstance(members, list | tuple):
            return UNKNOWN
        count += len(members)
    return (str(count),)


def _scan_in_effect(call: Call, authorization: Authorization, schemas: KeySchemas) -> ContextValue:
    """`dynaguard:ScanInEffect`: whether the call reads without naming a partition key."""
    action = _action(authorization)
    if action.startswith(PARTIQL) and action not in _PARTIQL_WRITES:
        return _flag(is_full_scan(call, authorization, schemas))
    return _flag(action == "Scan")


ITEM_KEYS: Final[Mapping[str, ItemKeyReader]] = {
    "dynamodb:leadingkeys": _partition_key(0),
    "dynamodb:firstpartitionkeyvalues": _partition_key(0),
    "dynamodb:secondpartitionkeyvalues": _partition_key(1),
    "dynamodb:thirdpartitionkeyvalues": _partition_key(2),
    "dynamodb:fourthpartitionkeyvalues": _partition_key(3),
    "dynamodb:attributes": _attributes(NamedAttributes.all_names),
    "dynaguard:writtenattributes": _attributes(lambda named: named.written),
    "dynaguard:filteredattributes": _attributes(lambda named: named.filtered),
    "dynaguard:returnedattributes": _attributes(lambda named: named.returned),
    "dynamodb:select": _select,
    "dynamodb:returnvalues": _return_values,
    "dynamodb:returnconsumedcapacity": _return_capacity,
    "dynamodb:enclosingoperation": _enclosing,
    "dynamodb:fulltablescan": _full_table_scan,
    "dynaguard:consistentread": _consistent_read,
    "dynaguard:hasfilter": _has_filter,
    "dynaguard:hascondition": _has_condition,
    "dynaguard:returnvaluesonconditioncheckfailure": _return_on_failure,
    "dynaguard:itemcount": _item_count,
    "dynaguard:scanineffect": _scan_in_effect,
}
"""Readers by key, in lower case."""
