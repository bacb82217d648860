"""The published schema of a record, and its page of the reference."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

SCHEMA_FILE: Final = "audit-record.schema.json"
CHECKPOINT_SCHEMA_FILE: Final = "audit-checkpoint.schema.json"
ACCESS_SCHEMA_FILE: Final = "audit-access.schema.json"


def record_schema() -> Mapping[str, Any]:
    """The JSON Schema (2020-12) of a record, as it is published with the package."""
    return _schema(SCHEMA_FILE)


def checkpoint_schema() -> Mapping[str, Any]:
    """The JSON Schema (2020-12) of a checkpoint."""
    return _schema(CHECKPOINT_SCHEMA_FILE)


def access_schema() -> Mapping[str, Any]:
    """The JSON Schema (2020-12) of a change in access."""
    return _schema(ACCESS_SCHEMA_FILE)


def record_schema_markdown() -> str:
    """Every key of a record as a Markdown table: key, type, meaning."""
    return _markdown(record_schema())


def checkpoint_schema_markdown() -> str:
    """The same of a checkpoint."""
    return _markdown(checkpoint_schema())


def access_schema_markdown() -> str:
    """The same of a change in access."""
    return _markdown(access_schema())


def _schema(name: str) -> Mapping[str, Any]:
    """A schema that is published with the package."""
    from importlib import resources  # only the reference and tools read the schema

    text = resources.files("dynaguard.audit").joinpath(name).read_text(encoding="utf-8")
    schema: Mapping[str, Any] = json.loads(text)
    return schema


def _markdown(schema: Mapping[str, Any]) -> str:
    """Every key as a row."""
    rows = [f"| `{path}` | {kind} | {meaning} |" for path, kind, meaning in _rows(schema, "")]
    return "\n".join(["| Key | Type | Meaning |", "|---|---|---|", *rows])


def _rows(schema: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str, str]]:
    """Key, type and meaning of what a schema describes, nested keys behind their parent."""
    for name, described in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        yield path, _kind(described), described["description"]
        yield from _rows(described, f"{path}.")
        yield from _rows(described.get("items", {}), f"{path}[].")


def _kind(schema: Mapping[str, Any]) -> str:
    """The type of a value, in words."""
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    text = " or ".join(kinds)
    return f"{text} of {schema['items']['type']}s" if "items" in schema else text
