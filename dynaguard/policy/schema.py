"""The JSON Schema of policy documents, for editors. `make generate` writes it beside this file.

It says what a document may hold and where; `dynaguard check` says more (ARNs, dates, names of
variables and groups). What the schema refuses, the loader refuses too; a test holds that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dynaguard.policy.mask_section import CUSTOM, DETECTORS, STRATEGIES
from dynaguard.policy.packs import PACK_PREFIX, pack_names
from dynaguard.policy.statements import OPERATORS
from dynaguard.scope import Priority
from dynaguard.settings.table import SETTINGS, Kind, Setting

SCHEMA_FILE: Final = "policy.schema.json"
Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_TEXTS: Final[Schema] = {
    "anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}],
}
_SCALAR: Final[Schema] = {"type": ["string", "number", "boolean"]}
_SCALARS: Final[Schema] = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}


def policy_schema() -> Schema:
    """The schema (draft 2020-12) of a native document and of a plain IAM policy."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dynaguard policy",
        "description": "A policy of dynaguard in TOML, JSON or YAML, or a plain IAM policy.",
        "if": {
            "anyOf": [
                {"type": "object", "required": ["Statement"]},
                {"type": "object", "required": ["Version"]},
            ]
        },
        "then": {"$ref": "#/$defs/iam"},
        "else": {"$ref": "#/$defs/native"},
        "$defs": {
            "iam": _iam(),
            "native": _native(),
            "statement": _statement(),
            "principal": _principal(),
            "condition": _condition(),
            "values": _described("Values by condition key.", _mapping(_SCALARS)),
            "table": _table(),
            "mask": _mask(),
            "budget": _budget(),
            "capacity_limit": _capacity_limit(),
            "settings": _settings(),
        },
    }


def _described(description: str, schema: Mapping[str, Any]) -> Schema:
    """A schema with the text that an editor shows."""
    return {"description": description, **schema}


def _closed(properties: Mapping[str, Schema], *, required: tuple[str, ...] = ()) -> Schema:
    """An object that holds nothing else."""
    schema: Schema = {
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
    }
    return {**schema, "required": list(required)} if required else schema


def _one_or_several(name: str) -> Schema:
    """A definition, or a list of it."""
    reference = {"$ref": f"#/$defs/{name}"}
    return {"anyOf": [reference, {"type": "array", "items": reference}]}


def _mapping(values: Schema) -> Schema:
    """An object of any keys."""
    return {"type": "object", "additionalProperties": values}


def _iam() -> Schema:
    """A plain IAM policy."""
    return _closed(
        {
            "Version": {"enum": ["2012-10-17", "2008-10-17"]},
            "Id": {},
            "Statement": _one_or_several("statement"),
        },
        required=("Statement",),
    )


def _native() -> Schema:
    """A document of dynaguard's own."""
    packs = ", ".join(f"{PACK_PREFIX}{name}" for name in pack_names())
    variable = {
        "anyOf": [
            {"type": "string"},
            _closed({"env": _TEXT, "default": {"type": "string"}}, required=("env",)),
        ]
    }
    return _closed(
        {
            "version": _described("Of the format.", {"const": 1}),
            "revision": _described(
                "Free text that `dynaguard status` shows.", {"type": ["string", "integer", "null"]}
            ),
            "default": _described(
                "The verdict for a governed call that no statement matches.",
                {"enum": ["deny", "allow"]},
            ),
            "govern": _described(
                "IAM prefixes of the services that the policy decides; left out, those that "
                "statements name.",
                _TEXTS,
            ),
            "policies": _described(
                f"IAM policy files as globs, and packs: {packs}.",
                {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]},
            ),
            "variables": _described("Used as `${name}` in every text.", _mapping(variable)),
            "groups": _described("ARN patterns of identities, by group.", _mapping(_TEXTS)),
            "tables": _described(
                "Key schemas by table name.", _mapping({"$ref": "#/$defs/table"})
            ),
            "statement": _one_or_several("statement"),
            "mask": _one_or_several("mask"),
            "detectors": _described(
                "Regular expressions of values that `detect` finds, by name.", _mapping(_TEXT)
            ),
            "budget": _one_or_several("budget"),
            "capacity_limit": _one_or_several("capacity_limit"),
            "context": _described("Condition keys whose values are known.", _mapping(_SCALARS)),
            "settings": {"$ref": "#/$defs/settings"},
            "lint": _described(
                "Findings of `dynaguard check` that are not to be reported.",
                _closed({"ignore": _TEXTS}),
            ),
        },
        required=("version", "default"),
    )


def _statement() -> Schema:
    """A statement in IAM's grammar."""
    principal = {"$ref": "#/$defs/principal"}
    schema = _closed(
        {
            "Sid": _described("Its name in messages and records.", {"type": ["string", "null"]}),
            "Effect": {"enum": ["Allow", "Deny"]},
            "Principal": _described("For whom; left out, for everyone.", principal),
            "NotPrincipal": _described("For everyone else.", principal),
            "Action": _described("`dynamodb:GetItem`, wildcards allowed.", _TEXTS),
            "NotAction": _described("Every action but these.", _TEXTS),
            "Resource": _described("ARNs, wildcards allowed.", _TEXTS),
            "NotResource": _described("Every resource but these.", _TEXTS),
            "Condition": {"$ref": "#/$defs/condition"},
            "Mode": _described(
                "`observe` records what the statement would do and leaves it out of the verdict.",
                {"enum": ["enforce", "observe"]},
            ),
        },
        required=("Effect",),
    )
    both = [("Action", "NotAction"), ("Resource", "NotResource")]
    return {
        **schema,
        "allOf": [
            {"oneOf": [{"required": [name]}, {"required": [other]}]} for name, other in both
        ],
        "not": {"required": ["Principal", "NotPrincipal"]},
    }


def _principal() -> Schema:
    """Identities: `*`, ARN patterns, accounts, groups."""
    named = _closed({"Group": _TEXTS, "AWS": _TEXTS})
    return {"anyOf": [*_TEXTS["anyOf"], {**named, "minProperties": 1}]}


def _condition() -> Schema:
    """Operators, condition keys, values."""
    names = [
        f"{qualifier}{operator}{suffix}"
        for operator in OPERATORS
        for qualifier in ("", "ForAllValues:", "ForAnyValue:")
        for suffix in ("", "IfExists")
        if operator != "Null" or not (qualifier or suffix)
    ]
    return _closed({name: {"$ref": "#/$defs/values"} for name in names})


def _table() -> Schema:
    """A table's key schema and those of its indexes."""
    key = {
        "anyOf": [
            {"type": "string", "minLength": 1},
            {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 2},
        ]
    }
    several = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 4}]}
    multiple = _closed({"partition": several, "sort": several}, required=("partition",))
    return _closed(
        {
            "key": _described('`["pk", "sk"]`.', key),
            "indexes": _mapping({"anyOf": [*key["anyOf"], multiple]}),
        },
        required=("key",),
    )


def _mask() -> Schema:
    """What answers do not show: attributes of tables, or secrets of other services."""
    principal = {"$ref": "#/$defs/principal"}
    path = {"anyOf": [_TEXT, {"type": "array"}]}
    custom = {"type": "string", "pattern": f"^{CUSTOM}[a-z][a-z0-9-]*$"}
    schema = _closed(
        {
            "Sid": {"type": "string"},
            "tables": _described("Table name patterns.", _TEXTS),
            "operations": _described("`Query`, wildcards allowed; left out, all.", _TEXTS),
            "attributes": _described(
                "`email`, `profile.ssn`, `cards[*].number`, `**.email`, `addr_*`.",
                {"anyOf": [_TEXT, {"type": "array", "items": path, "minItems": 1}]},
            ),
            "detect": _described(
                f"Kinds of values to find, there or everywhere: {', '.join(DETECTORS)}, those of "
                f"`detectors`, or `{CUSTOM}NAME`.",
                _TEXTS,
            ),
            "services": _described("IAM prefixes of services whose secrets to mask.", _TEXTS),
            "except": _described("Services that `services` leaves out.", _TEXTS),
            "with": {"anyOf": [{"enum": list(STRATEGIES)}, custom]},
            "unless": _described("Identities that see the plain value.", principal),
            "only": _described("The only identities that do not.", principal),
            "unseal": _described(
                "Of `tokenize`: identities whose requests get the values of tokens back.",
                principal,
            ),
            "keep": _described(
                "Of `partial`: how many characters stay.",
                {"type": "integer", "minimum": 0, "maximum": 64},
            ),
        }
    )
    of_tables = {
        "required": ["tables"],
        "anyOf": [{"required": ["attributes"]}, {"required": ["detect"]}],
        "not": {"anyOf": [{"required": ["services"]}, {"required": ["except"]}]},
    }
    others = ("tables", "attributes", "detect", "operations", "unseal")
    of_services = {
        "required": ["services"],
        "not": {"anyOf": [{"required": [name]} for name in others]},
    }
    return {**schema, "oneOf": [of_tables, of_services]}


def _budget() -> Schema:
    """How much a job may retry."""
    return _closed(
        {
            "Sid": {"type": "string"},
            "job": _described("Job name patterns.", _TEXTS),
            "tables": _described("Table name patterns.", _TEXTS),
            "retry_ratio": _described(
                "Retries that a success earns.", {"type": "number", "minimum": 0, "maximum": 1}
            ),
            "priority": _described(
                "The class of the calls, whatever their scope says.",
                {"enum": [each.value for each in Priority]},
            ),
            "max_tokens": _described(
                "Most tokens that a bucket holds.",
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1e6},
            ),
            "min_retries_per_s": _described(
                "Tokens that drip in.", {"type": "number", "minimum": 0, "maximum": 1e6}
            ),
            "max_attempts": _described(
                "Attempts of one call at most.",
                {"type": "integer", "minimum": 1, "maximum": 1000},
            ),
            "max_wait_s": _described(
                "Longest that one call waits.", {"type": "number", "minimum": 0, "maximum": 86400}
            ),
            "capacity_units_per_s": _described(
                "What the resource is known to take.",
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1e9},
            ),
            "max_share": _described(
                "Share of the capacity that this process asks for at most.",
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            ),
            "repeat_ambiguous_writes": _described(
                "Repeat writes that may have taken effect and add to what is there.",
                {"type": "boolean"},
            ),
            "measure_capacity": _described(
                "Ask every answer for the capacity that it consumed.", {"type": "boolean"}
            ),
            "Mode": {"enum": ["enforce", "observe"]},
        }
    )


def _capacity_limit() -> Schema:
    """What one run of a job may consume."""
    units = {"type": "number", "exclusiveMinimum": 0, "maximum": 1e15}
    schema = _closed(
        {
            "Sid": {"type": "string"},
            "job": _described("Job name patterns.", _TEXTS),
            "tables": _described(
                "Table name patterns; the tables that match share the limit.", _TEXTS
            ),
            "read_units": _described("Read capacity units of one run.", units),
            "write_units": _described("Write capacity units of one run.", units),
            "soft": _described(
                "Share of them at which the run is warned of.",
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            ),
            "Mode": {"enum": ["enforce", "observe"]},
        }
    )
    return {**schema, "anyOf": [{"required": ["read_units"]}, {"required": ["write_units"]}]}


def _settings() -> Schema:
    """The settings that a document may give."""
    return _closed(
        {row.name: _described(row.doc, _setting(row)) for row in SETTINGS if row.is_in_document}
    )


def _setting(row: Setting) -> Schema:
    """What one setting takes."""
    if row.kind is Kind.CHOICE or row.choices:
        return {"enum": [str(choice) for choice in row.choices]}
    if row.kind is Kind.SWITCH:
        return {"type": ["boolean", "string"]}
    if row.kind is Kind.SECONDS:
        return {"type": "number", "exclusiveMinimum": 0}
    return {"type": ["string", "integer"]}
