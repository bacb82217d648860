"""Which partition key values a call addresses: `dynamodb:LeadingKeys` and its companions.

Three answers: the values, none (a Scan addresses no key), or unknown, where the key schema or a
part of the request is not known.

Source: Amazon DynamoDB Developer Guide, Using IAM policy conditions for fine-grained access
control; Service Authorization Reference, condition keys for Amazon DynamoDB.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from dynaguard.aws.dynamodb.expressions import ExpressionError, key_equalities
from dynaguard.aws.dynamodb.partiql.bodies import Body, read_body
from dynaguard.aws.dynamodb.partiql.conditions import Operand, fixed_values
from dynaguard.aws.dynamodb.schemas import KeySchemas
from dynaguard.aws.dynamodb.values import canonical_number, key_text
from dynaguard.call import UNKNOWN, Authorization, Call, ContextValue
from dynaguard.policy.model import KeySchema

ABSENT: Final[ContextValue] = ()
PARTIQL: Final = "PartiQL"
KEYED: Final = frozenset({"GetItem", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"})
BATCHES: Final = frozenset({"BatchGetItem", "BatchWriteItem"})
_EQUAL: Final = "EQ"


def partition_values(
    call: Call, authorization: Authorization, schemas: KeySchemas, position: int
) -> ContextValue:
    """Values of a partition key attribute that a call addresses.

    Args:
        call: The call.
        authorization: The part of it that is asked about.
        schemas: Key schemas.
        position: Which partition key attribute, from 0; only indexes have more than one.
    """
    action = authorization.action.partition(":")[2]
    if action.startswith(PARTIQL):
        return _of_statement(call, authorization, schemas, position)
    if action == "Query":
        return _of_query(call, authorization, schemas, position)
    if action == "SearchVectors":
        return UNKNOWN  # what it may be limited to is not documented yet
    if action not in KEYED and action not in BATCHES:
        return ABSENT
    return ABSENT if position else _of_items(call, authorization, schemas)


def items_of(authorization: Authorization) -> Iterable[Any]:
    """Every `Key` and `Item` of the authorisation's part of the call; None for one that is odd."""
    member = authorization.member
    action = authorization.action.partition(":")[2]
    if action == "BatchGetItem":
        keys = member.get("Keys")
        return keys if isinstance(keys, list | tuple) else [None]
    if action == "BatchWriteItem":
        requests = member.get("Requests")
        return map(_written, requests) if isinstance(requests, list | tuple) else [None]
    return [member.get("Item") if action == "PutItem" else member.get("Key")]


def _written(request: Any) -> Any:
    """The item or key of one write of a batch."""
    if not isinstance(request, Mapping) or len(request) != 1:
        return None
    kind, entry = next(iter(request.items()))
    if not isinstance(entry, Mapping):
        return None
    return entry.get("Item") if kind == "PutRequest" else entry.get("Key")


def _of_items(call: Call, authorization: Authorization, schemas: KeySchemas) -> ContextValue:
    """The partition key of every item and key in the parameters."""
    is_key = not authorization.action.endswith(("PutItem", "BatchWriteItem"))
    schema = schemas.key_of(call, authorization)
    values: list[str] = []
    for item in items_of(authorization):
        if not isinstance(item, Mapping):
            return UNKNOWN
        name = _partition_name(item, schema, is_key=is_key)
        value = None if name is None else key_text(item.get(name))
        if value is None:
            return UNKNOWN
        values.append(value)
    return tuple(dict.fromkeys(values))


def _partition_name(item: Mapping[str, Any], schema: KeySchema | None, *, is_key: bool) -> Any:
    """The name of the partition key, or None when it cannot be told."""
    if schema is not None:
        return schema.attributes[0]
    # Without a schema the first attribute of several may be the sort key.
    return next(iter(item)) if is_key and len(item) == 1 else None


def _of_query(
    call: Call, authorization: Authorization, schemas: KeySchemas, position: int
) -> ContextValue:
    """What the key condition fixes, in an expression or in the legacy parameter."""
    fixed = _fixed_by(authorization.member)
    if fixed is None:
        return UNKNOWN
    schema = schemas.key_of(call, authorization)
    if schema is None:
        # A single equality can be of nothing but the one partition key attribute.
        if len(fixed) != 1 or authorization.index_name is not None:
            return UNKNOWN
        return ABSENT if position else _text_or_unknown(next(iter(fixed.values())))
    if position >= schema.partition_key_count:
        return ABSENT
    return _text_or_unknown(fixed.get(schema.attributes[position]))


def _text_or_unknown(value: Any) -> ContextValue:
    text = key_text(value)
    return UNKNOWN if text is None else (text,)


def _fixed_by(member: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Value by attribute that a Query's key condition fixes, or None when it is not understood."""
    expression, legacy = member.get("KeyConditionExpression"), member.get("KeyConditions")
    if expression is not None and legacy is None:
        try:
            return key_equalities(
                expression,
                member.get("ExpressionAttributeNames"),
                member.get("ExpressionAttributeValues"),
            )
        except ExpressionError:
            return None
    if expression is not None or not isinstance(legacy, Mapping):
        return None
    fixed = {}
    for name, condition in legacy.items():
        if not isinstance(condition, Mapping):
            return None
        values = condition.get("AttributeValueList")
        if condition.get("ComparisonOperator") != _EQUAL:
            continue
        if not isinstance(values, list | tuple) or len(values) != 1:
            return None
        fixed[name] = values[0]
    return fixed


# --- PartiQL ---------------------------------------------------------------------------------


def body_of(authorization: Authorization) -> Body | None:
    """What the authorisation's PartiQL statement says, or None when it is not understood."""
    text = authorization.member.get("Statement")
    return read_body(text) if isinstance(text, str) else None


def inserted_item(authorization: Authorization, body: Body) -> Mapping[str, Any] | None:
    """An inserted item that is given as a parameter, or None."""
    if body.item_parameter is None:
        return None
    value = _parameter(authorization, body.item_parameter)
    item = value.get("M") if isinstance(value, Mapping) else None
    return item if isinstance(item, Mapping) else None


def is_full_scan(call: Call, authorization: Authorization, schemas: KeySchemas) -> bool | None:
    """Whether a SELECT reads the whole table or index; None when that cannot be told.

    It does unless its WHERE clause fixes the partition key by `=` or IN, in every branch of an OR.
    """
    body = body_of(authorization)
    if body is None:
        return None
    if body.condition is None:
        return True
    schema = schemas.key_of(call, authorization)
    if schema is None:
        return None
    names = schema.attributes[: schema.partition_key_count]
    return any(fixed_values(body.condition, name) is None for name in names)


def _of_statement(
    call: Call, authorization: Authorization, schemas: KeySchemas, position: int
) -> ContextValue:
    """What a statement's WHERE clause or inserted item fixes."""
    body = body_of(authorization)
    if body is None:
        return UNKNOWN
    is_insert = body.item is not None or body.item_parameter is not None
    if not is_insert and is_full_scan(call, authorization, schemas):
        return ABSENT
    schema = schemas.key_of(call, authorization)
    if schema is None:
        return UNKNOWN
    if position >= schema.partition_key_count:
        return ABSENT
    name = schema.attributes[position]
    if body.item_parameter is not None:
        item = inserted_item(authorization, body)
        return _text_or_unknown(item.get(name) if item else None)
    if body.item is not None:
        operands = tuple(value for key, value in body.item if key == name)
    else:
        operands = fixed_values(body.condition, name) or ()
    texts = [_operand_text(authorization, operand) for operand in operands]
    known = tuple(dict.fromkeys(text for text in texts if text is not None))
    return known if texts and None not in texts else UNKNOWN


def _operand_text(authorization: Authorization, operand: Operand) -> str | None:
    """A literal or parameter as key text, or None for anything else."""
    if operand.kind == "S":
        return operand.text
    if operand.kind == "N":
        return canonical_number(operand.text)
    if operand.kind == "?":
        return key_text(_parameter(authorization, int(operand.text)))
    return None


def _parameter(authorization: Authorization, position: int) -> Any:
    """The value bound to the `?` at a position, or None."""
    parameters = authorization.member.get("Parameters")
    is_there = isinstance(parameters, list | tuple) and position < len(parameters)
    return parameters[position] if is_there else None  # type: ignore[index]
