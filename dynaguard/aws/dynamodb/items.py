"""DynamoDB's condition keys, read from the parameters of item operations.

Names and key values that stand plainly in the parameters are known; what stands in an expression,
a legacy condition or PartiQL text is unknown in this release.

Source: Amazon DynamoDB Developer Guide, Using IAM policy conditions for fine-grained access
control; Service Authorization Reference, condition keys for Amazon DynamoDB.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from dynaguard.call import UNKNOWN, Authorization, Call, ContextValue
from dynaguard.policy.model import TableSchema

Tables = Mapping[str, TableSchema]
ItemKeyReader = Callable[[Call, Authorization, Tables], ContextValue]

ABSENT: Final[ContextValue] = ()
_PARTIQL: Final = "dynamodb:PartiQL"
_READS: Final = frozenset({"GetItem", "BatchGetItem", "Query", "Scan", "SearchVectors"})
_QUERIES: Final = frozenset({"Query", "SearchVectors"})
_WRITES: Final = frozenset({"PutItem", "UpdateItem", "DeleteItem"})
_KEYED: Final = frozenset({"GetItem", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"})
_BATCHES: Final = frozenset({"BatchGetItem", "BatchWriteItem"})
_ITEM_ACTIONS: Final = _READS | _KEYED | _BATCHES
_MAX_EXPONENT: Final = 130
"""DynamoDB's numbers end at 1E+126; written out, further ones could fill the memory."""
_MAX_NUMBER_LENGTH: Final = 300
_FILTERS: Final = ("FilterExpression", "QueryFilter", "ScanFilter")
_CONDITIONS: Final = ("ConditionExpression", "Expected")
_EXPRESSIONS: Final = (
    *_FILTERS,
    *_CONDITIONS,
    "KeyConditionExpression",
    "KeyConditions",
    "UpdateExpression",
    "AttributeUpdates",
    "SearchConditionExpression",
)


def _action(authorization: Authorization) -> str:
    """The action without its prefix."""
    return authorization.action.partition(":")[2]


def _is_partiql(authorization: Authorization) -> bool:
    """Whether the action is one of PartiQL's."""
    return authorization.action.startswith(_PARTIQL)


def _return_values(_call: Call, authorization: Authorization, _tables: Tables) -> ContextValue:
    """`dynamodb:ReturnValues`."""
    if _is_partiql(authorization):
        return UNKNOWN
    if _action(authorization) not in _WRITES:
        return ABSENT
    return (str(authorization.member.get("ReturnValues") or "NONE"),)


def _return_capacity(call: Call, authorization: Authorization, _tables: Tables) -> ContextValue:
    """`dynamodb:ReturnConsumedCapacity`; for batches and transactions it stands on the call."""
    if _action(authorization) not in _ITEM_ACTIONS and not _is_partiql(authorization):
        return ABSENT
    return (str(call.params.get("ReturnConsumedCapacity") or "NONE"),)


def _select(_call: Call, authorization: Authorization, _tables: Tables) -> ContextValue:
    """`dynamodb:Select`: what the call asks to be returned."""
    if _is_partiql(authorization):
        return UNKNOWN
    if _action(authorization) not in _READS:
        return ABSENT
    member = authorization.member
    if member.get("Select"):
        return (str(member["Select"]),)
    if member.get("ProjectionExpression") or member.get("AttributesToGet"):
        return ("SPECIFIC_ATTRIBUTES",)
    return ("ALL_PROJECTED_ATTRIBUTES" if authorization.index_name else "ALL_ATTRIBUTES",)


def _enclosing(_call: Call, authorization: Authorization, _tables: Tables) -> ContextValue:
    """`dynamodb:EnclosingOperation`."""
    enclosing = authorization.enclosing_operation
    return ABSENT if enclosing is None else (enclosing,)


def _full_table_scan(_call: Call, authorization: Authorization, _tables: Tables) -> ContextValue:
    """`dynamodb:FullTableScan`: set for PartiQLSelect alone, whose WHERE is not read yet."""
    return UNKNOWN if _is_partiql(authorization) else ABSENT


def _leading_keys(_call: Call, authorization: Authorization, tables: Tables) -> ContextValue:
    """`dynamodb:LeadingKeys`: the partition key values that the call addresses."""
    action = _action(authorization)
    if action in _QUERIES or _is_partiql(authorization):
        return UNKNOWN
    if action not in _KEYED and action not in _BATCHES:
        return ABSENT
    values: list[str] = []
    is_key = action not in ("PutItem", "BatchWriteItem")
    for item in _keys_and_items(authorization):
        value = _partition_value(item, authorization.table_name, tables, is_key=is_key)
        if value is None:
            return UNKNOWN
        values.append(value)
    return tuple(dict.fromkeys(values))


def _further_keys(_call: Call, authorization: Authorization, _tables: Tables) -> ContextValue:
    """Second to fourth partition key values: only on indexes, which Query addresses."""
    is_query = _action(authorization) == "Query" or _is_partiql(authorization)
    return UNKNOWN if is_query else ABSENT


def _keys_and_items(authorization: Authorization) -> Iterable[Any]:
    """Every `Key` and `Item` of the authorisation's part of the call."""
    member = authorization.member
    action = _action(authorization)
    if action == "BatchGetItem":
        keys = member.get("Keys")
        return keys if isinstance(keys, list) else [None]
    if action == "BatchWriteItem":
        requests = member.get("Requests")
        return map(_written, requests) if isinstance(requests, list) else [None]
    return [member.get("Item") if action == "PutItem" else member.get("Key")]


def _written(request: Any) -> Any:
    """The item or key of one write of a batch."""
    if not isinstance(request, Mapping) or len(request) != 1:
        return None
    kind, entry = next(iter(request.items()))
    if not isinstance(entry, Mapping):
        return None
    return entry.get("Item") if kind == "PutRequest" else entry.get("Key")


def _partition_value(item: Any, table: str | None, tables: Tables, *, is_key: bool) -> str | None:
    """The partition key's value as IAM compares it, or None when it cannot be told."""
    if not isinstance(item, Mapping):
        return None
    schema = tables.get(table or "")
    if schema is not None:
        return _as_text(item.get(schema.key.attributes[0]))
    # Without a schema the first attribute of several may be the sort key.
    return _as_text(next(iter(item.values()))) if is_key and len(item) == 1 else None


def _as_text(value: Any) -> str | None:
    """A key attribute's value as text: S as it is, N canonical, B in base64."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return None
    kind, content = next(iter(value.items()))
    if kind == "S" and isinstance(content, str):
        return content
    if kind == "B" and isinstance(content, bytes | bytearray):
        return base64.b64encode(content).decode()
    if kind == "N" and isinstance(content, str):
        return _canonical_number(content)
    return None


def _canonical_number(text: str) -> str | None:
    """A number without superfluous zeros: `1.0` is `1`."""
    try:
        number = Decimal(text) if len(text) <= _MAX_NUMBER_LENGTH else Decimal("NaN")
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number.adjusted()) > _MAX_EXPONENT:
        return None
    # Not `normalize()`: it rounds to the context's 28 digits, and two keys would become one.
    plain = f"{number:f}"
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return plain if number else "0"


def _attributes(_call: Call, authorization: Authorization, _tables: Tables) -> ContextValue:
    """`dynamodb:Attributes`: top-level names in the request; unknown with any expression."""
    if _is_partiql(authorization):
        return UNKNOWN
    if _action(authorization) not in _ITEM_ACTIONS:
        return ABSENT
    member = authorization.member
    if any(member.get(name) for name in _EXPRESSIONS):
        return UNKNOWN
    names: list[str] = []
    for item in _keys_and_items(authorization) if "Scan" not in authorization.action else ():
        if not isinstance(item, Mapping):
            return UNKNOWN
        names.extend(item)
    projected = _projected(member)
    return UNKNOWN if projected is None else tuple(dict.fromkeys([*names, *projected]))


def _projected(member: Mapping[str, Any]) -> list[str] | None:
    """Names of `AttributesToGet` and of a plain projection, or None when not understood."""
    names = list(member.get("AttributesToGet") or ())
    expression = member.get("ProjectionExpression")
    if not expression:
        return names
    aliases = member.get("ExpressionAttributeNames") or {}
    for part in str(expression).split(","):
        name = _plain_name(part.strip(), aliases)
        if name is None:
            return None
        names.append(name)
    return names


def _plain_name(text: str, aliases: Mapping[str, Any]) -> str | None:
    """The attribute that an element of a projection names, or None for anything but a name."""
    if text.startswith("#"):
        name = aliases.get(text)
        return name if isinstance(name, str) and name else None
    return text if text.isascii() and text.isidentifier() else None


def _consistent_read(_call: Call, authorization: Authorization, _tables: Tables) -> ContextValue:
    """`dynaguard:ConsistentRead`."""
    return (str(bool(authorization.member.get("ConsistentRead"))).lower(),)


def _has_any(*names: str) -> ItemKeyReader:
    """Whether any of these parameters is given; not told by PartiQL text."""

    def read(_call: Call, authorization: Authorization, _tables: Tables) -> ContextValue:
        if _is_partiql(authorization):
            return UNKNOWN
        return (str(any(authorization.member.get(name) for name in names)).lower(),)

    return read


def _item_count(call: Call, _authorization: Authorization, _tables: Tables) -> ContextValue:
    """`dynaguard:ItemCount`: members of the whole call."""
    params = call.params
    for name in ("TransactItems", "TransactStatements", "Statements"):
        if isinstance(params.get(name), list):
            return (str(len(params[name])),)
    requests = params.get("RequestItems")
    if not isinstance(requests, Mapping):
        return ("1",)
    count = 0
    for entry in requests.values():
        members = entry.get("Keys") if isinstance(entry, Mapping) else entry
        if not isinstance(members, list):
            return UNKNOWN
        count += len(members)
    return (str(count),)


def _scan_in_effect(_call: Call, authorization: Authorization, _tables: Tables) -> ContextValue:
    """`dynaguard:ScanInEffect`: whether the call reads without naming a partition key."""
    if authorization.action == "dynamodb:PartiQLSelect":
        return UNKNOWN
    return (str(authorization.action == "dynamodb:Scan").lower(),)


ITEM_KEYS: Final[Mapping[str, ItemKeyReader]] = {
    "dynamodb:leadingkeys": _leading_keys,
    "dynamodb:firstpartitionkeyvalues": _leading_keys,
    "dynamodb:secondpartitionkeyvalues": _further_keys,
    "dynamodb:thirdpartitionkeyvalues": _further_keys,
    "dynamodb:fourthpartitionkeyvalues": _further_keys,
    "dynamodb:attributes": _attributes,
    "dynamodb:select": _select,
    "dynamodb:returnvalues": _return_values,
    "dynamodb:returnconsumedcapacity": _return_capacity,
    "dynamodb:enclosingoperation": _enclosing,
    "dynamodb:fulltablescan": _full_table_scan,
    "dynaguard:consistentread": _consistent_read,
    "dynaguard:hasfilter": _has_any(*_FILTERS),
    "dynaguard:hascondition": _has_any(*_CONDITIONS),
    "dynaguard:itemcount": _item_count,
    "dynaguard:scanineffect": _scan_in_effect,
}
"""Readers by key, in lower case."""
