"""The JSON Schema of audit records, and the reference table made of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def record_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of one record. Reads it from the package."""
    path = Path(__file__).with_name("audit-record.schema.json")
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def record_schema_markdown() -> str:
    """A Markdown table of all fields of a record, for the reference page."""
    rows = ["| field | type | meaning |", "|---|---|---|"]
    rows += [
        f"| `{path}` | {_type_of(field)} | {field['description']} |"
        for path, field in _fields(record_schema(), "")
    ]
    return "\n".join(rows)


def _fields(schema: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every field below `schema` with its path, parents first; `[]` stands for each entry."""
    for name, field in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        yield path, field
        yield from _fields(field, f"{path}.")
        yield from _fields(field.get("items", {}), f"{path}[].")


def _type_of(field: Mapping[str, Any]) -> str:
    """The type in words: `text or null`, `list of text`, one of the allowed values."""
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join("null" if value is None else f"`{value}`" for value in field["enum"])
    kinds = field["type"] if isinstance(field["type"], list) else [field["type"]]
    return " or ".join(_word_for(kind, field) for kind in kinds)


def _word_for(kind: str, field: Mapping[str, Any]) -> str:
    """The word of one JSON type."""
    if kind == "array":
        return f"list of {_word_for(field['items']['type'], field['items'])}"
    return {"string": "text", "boolean": "true or false"}.get(kind, kind)
