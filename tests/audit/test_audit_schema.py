"""The published schema describes every key, and the page is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from jsonschema import Draft202012Validator

from dynaguard.audit.record import SCHEMA_VERSION
from dynaguard.audit.schema import (
    checkpoint_schema_markdown,
    record_schema,
    record_schema_markdown,
)
from dynaguard.boundary import BoundaryKind
from dynaguard.call import PrincipalKind, Status, Verdict
from dynaguard.scope import Priority


def objects_of(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema of an object with named keys, at any depth."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for each in schema.values():
            yield from objects_of(each)


def test_the_schema_is_valid_and_of_this_version() -> None:
    """By JSON Schema 2020-12."""
    schema = record_schema()

    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["properties"]["schema_version"]["const"] == SCHEMA_VERSION


def test_every_object_is_closed_and_every_key_described() -> None:
    """An unknown key is an error; only `problem` may be absent."""
    for schema in objects_of(record_schema()):
        assert schema["additionalProperties"] is False
        assert set(schema["properties"]) - set(schema["required"]) <= {"problem"}
        assert all(each["description"] for each in schema["properties"].values())


def test_closed_sets_are_those_of_the_code() -> None:
    """A new verdict or status comes with its schema."""
    keys = record_schema()["properties"]

    assert set(keys["priority"]["enum"]) == {each.value for each in Priority}
    boundary = keys["boundaries"]["items"]["properties"]
    assert tuple(boundary["kind"]["enum"]) == get_args(BoundaryKind)
    for found, kinds in (
        (keys["identity"]["properties"]["kind"], PrincipalKind),
        (keys["decision"]["properties"]["verdict"], Verdict),
        (keys["outcome"]["properties"]["status"], Status),
    ):
        assert set(found["enum"]) == {each.value for each in kinds}


def test_the_page_has_a_row_for_every_key() -> None:
    """Nested keys stand behind their parent; cells hold no bar of their own."""
    rows = record_schema_markdown().splitlines()

    assert rows[:2] == ["| Key | Type | Meaning |", "|---|---|---|"]
    assert "| `schema_version` | `3` | Version of this schema. |" in rows
    assert "| `tables` | array of strings | Tables that the call touches, in request order. |" in (
        rows
    )
    assert any(row.startswith("| `phase` | `intent`, `outcome` |") for row in rows)
    assert any(row.startswith("| `identity.arn` | string or null |") for row in rows)
    assert any(row.startswith("| `authorizations[].resource` | string |") for row in rows)
    assert any(row.startswith("| `outcome.consumed_capacity[].table` |") for row in rows)
    assert all(row.count("|") == 4 for row in [*rows, *checkpoint_schema_markdown().splitlines()])
    assert len(rows) == 2 + sum(len(each["properties"]) for each in objects_of(record_schema()))
