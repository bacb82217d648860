"""DynamoDB's expressions: the attributes that they name and the key values that they fix.

Readers know the grammar as a whole; what is not understood is an `ExpressionError`, which callers
take for unknown, never for absent. A placeholder that is not defined is not understood either.
"""

from __future__ import annotations

from typing import Any

from dynaguard.aws.dynamodb.expressions.conditions import parse_condition
from dynaguard.aws.dynamodb.expressions.paths import Path, attribute_of, check_values
from dynaguard.aws.dynamodb.expressions.projections import parse_projection
from dynaguard.aws.dynamodb.expressions.tokens import ExpressionError
from dynaguard.aws.dynamodb.expressions.updates import parse_update

__all__ = [
    "ExpressionError",
    "condition_attributes",
    "key_equalities",
    "projected_attributes",
    "update_attributes",
]


def projected_attributes(text: Any, names: Any) -> tuple[str, ...]:
    """Top-level attributes that a ProjectionExpression asks for.

    Args:
        text: The expression.
        names: `ExpressionAttributeNames`, or None.

    Raises:
        ExpressionError: It is not understood.
    """
    return _attributes(parse_projection(_checked(text)), names)


def condition_attributes(text: Any, names: Any, values: Any) -> tuple[str, ...]:
    """Top-level attributes that a key condition, filter or condition reads.

    Args:
        text: The expression.
        names: `ExpressionAttributeNames`, or None.
        values: `ExpressionAttributeValues`, or None; looked at for their names alone.

    Raises:
        ExpressionError: It is not understood.
    """
    condition = parse_condition(_checked(text))
    check_values(condition.values, values)
    return _attributes(condition.paths, names)


def update_attributes(
    text: Any, names: Any, values: Any
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Top-level attributes that an UpdateExpression writes, and those that its values read.

    Arguments and errors as above.
    """
    update = parse_update(_checked(text))
    check_values(update.values, values)
    return _attributes(update.written, names), _attributes(update.read, names)


def key_equalities(text: Any, names: Any, values: Any) -> dict[str, Any]:
    """Value by attribute that a KeyConditionExpression fixes by `=`, whichever side it stands on.

    Args:
        text: The expression.
        names: `ExpressionAttributeNames`, or None.
        values: `ExpressionAttributeValues`, or None.

    Raises:
        ExpressionError: It is not understood, or fixes one attribute twice.
    """
    condition = parse_condition(_checked(text))
    check_values(condition.values, values)
    fixed: dict[str, Any] = {}
    for path, value in condition.equalities:
        name = attribute_of(path, names)
        if name in fixed:
            raise ExpressionError
        fixed[name] = values[value]
    _attributes(condition.paths, names)  # every alias must be defined
    return fixed


def _attributes(paths: tuple[Path, ...], names: Any) -> tuple[str, ...]:
    """The top-level attribute of each path, each once."""
    return tuple(dict.fromkeys(attribute_of(path, names) for path in paths))


def _checked(text: Any) -> str:
    """The text of an expression; anything else is none."""
    if type(text) is not str:
        raise ExpressionError
    return text
