"""What the parts of the JSON Schema are put together from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string", "minLength": 1}
TEXTS: Final[Schema] = {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1}]}
_SCALAR: Final[Schema] = {"type": ["string", "number", "boolean"]}
SCALARS: Final[Schema] = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}


def described(description: str, schema: Mapping[str, Any]) -> Schema:
    """A schema with the text that an editor shows."""
    return {"description": description, **schema}


def closed(properties: Mapping[str, Schema], *, required: tuple[str, ...] = ()) -> Schema:
    """An object that holds nothing else."""
    schema: Schema = {
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
    }
    return {**schema, "required": list(required)} if required else schema


def mapping(values: Schema) -> Schema:
    """An object of any keys."""
    return {"type": "object", "additionalProperties": values}
