"""The JSON Schema of policy documents, for editors. `make generate` writes it beside this file.

It says what a document may hold and where; `dynaguard check` says more (ARNs, dates, names of
variables and groups). What the schema refuses, the loader refuses too; a test holds that.
"""

from __future__ import annotations

from typing import Final

from dynaguard.policy.mask_section import CUSTOM, DETECTORS, STRATEGIES
from dynaguard.policy.packs import PACK_PREFIX, pack_names
from dynaguard.policy.schema_approvals import (
    access_requests,
    approval,
    runbook,
    runbooks,
    threshold,
)
from dynaguard.policy.schema_parts import (
    SCALARS,
    TEXT,
    TEXTS,
    Schema,
    closed,
    described,
    mapping,
)
from dynaguard.policy.statements import EFFECTS, OPERATORS
from dynaguard.scope import Priority
from dynaguard.settings.table import SETTINGS, Kind, Setting

SCHEMA_FILE: Final = "policy.schema.json"


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
            "principal": principals(),
            "condition": _condition(),
            "values": described("Values by condition key.", mapping(SCALARS)),
            "table": table_keys(),
            "mask": mask(),
            "budget": budget(),
            "capacity_limit": _capacity_limit(),
            "approval": approval(),
            "threshold": threshold(),
            "runbook": runbook(),
            "settings": _settings(),
        },
    }


def one_or_several(name: str) -> Schema:
    """A definition, or a list of it."""
    reference = {"$ref": f"#/$defs/{name}"}
    return {"anyOf": [reference, {"type": "array", "items": reference}]}


def _iam() -> Schema:
    """A plain IAM policy."""
    return closed(
        {
            "Version": {"enum": ["2012-10-17", "2008-10-17"]},
            "Id": {},
            "Statement": one_or_several("statement"),
        },
        required=("Statement",),
    )


def _native() -> Schema:
    """A document of dynaguard's own."""
    packs = ", ".join(f"{PACK_PREFIX}{name}" for name in pack_names())
    variable = {
        "anyOf": [
            {"type": "string"},
            closed({"env": TEXT, "default": {"type": "string"}}, required=("env",)),
        ]
    }
    return closed(
        {
            "$schema": described("Address of the schema, for editors.", {}),
            "version": described("Of the format.", {"const": 1}),
            "revision": described(
                "Free text that `dynaguard status` shows.", {"type": ["string", "integer", "null"]}
            ),
            "default": described(
                "The verdict for a governed call that no statement matches.",
                {"enum": ["deny", "allow"]},
            ),
            "govern": described(
                "IAM prefixes of the services that the policy decides; left out, those that "
                "statements name.",
                TEXTS,
            ),
            "policies": described(
                f"IAM policy files as globs, and packs: {packs}.",
                {"anyOf": [TEXT, {"type": "array", "items": TEXT}]},
            ),
            "variables": described("Used as `${name}` in every text.", mapping(variable)),
            "groups": described(
                "Members by group: ARN patterns, claims such as `oidc:repository=acme/orders` and "
                "`sso:role=DataEngineer`.",
                mapping(TEXTS),
            ),
            "owners": described(
                "The identities that each owner answers for; the first that names one counts.",
                mapping({"$ref": "#/$defs/principal"}),
            ),
            "tables": described("Key schemas by table name.", mapping({"$ref": "#/$defs/table"})),
            "statement": one_or_several("statement"),
            "mask": one_or_several("mask"),
            "detectors": described(
                "Regular expressions of values that `detect` finds, by name.", mapping(TEXT)
            ),
            "budget": one_or_several("budget"),
            "capacity_limit": one_or_several("capacity_limit"),
            "runbooks": described(
                "Runbooks that the document trusts, by name.",
                runbooks(),
            ),
            "access_requests": described(
                "Who approves access that is asked for, and how long it may last at most.",
                access_requests(),
            ),
            "standing_access": described(
                "`none`: no statement allows anything outside of a runbook or an approval.",
                {"enum": ["none", "allowed"]},
            ),
            "context": described("Condition keys whose values are known.", mapping(SCALARS)),
            "settings": {"$ref": "#/$defs/settings"},
            "lint": described(
                "Findings of `dynaguard check` that are not to be reported.",
                closed({"ignore": TEXTS}),
            ),
        },
        required=("version", "default"),
    )


def _statement() -> Schema:
    """A statement in IAM's grammar."""
    principal = {"$ref": "#/$defs/principal"}
    schema = closed(
        {
            "Sid": described("Its name in messages and records.", {"type": ["string", "null"]}),
            "Effect": described(
                "`RequireApproval` comes before an Allow and after a Deny; in native documents.",
                {"enum": list(EFFECTS)},
            ),
            "Principal": described("For whom; left out, for everyone.", principal),
            "NotPrincipal": described("For everyone else.", principal),
            "Action": described("`dynamodb:GetItem`, wildcards allowed.", TEXTS),
            "NotAction": described("Every action but these.", TEXTS),
            "Resource": described("ARNs, wildcards allowed.", TEXTS),
            "NotResource": described("Every resource but these.", TEXTS),
            "Condition": {"$ref": "#/$defs/condition"},
            "Mode": described(
                "`observe` records what the statement would do and leaves it out of the verdict.",
                {"enum": ["enforce", "observe"]},
            ),
            "Approval": described(
                "Of Effect `RequireApproval`: what an approval takes.",
                {"$ref": "#/$defs/approval"},
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


def principals() -> Schema:
    """Identities: `*`, ARN patterns, accounts, groups."""
    named = closed(
        {
            "Group": described("Names of groups.", TEXTS),
            "AWS": described("ARN patterns and account ids.", TEXTS),
        }
    )
    return {"anyOf": [*TEXTS["anyOf"], {**named, "minProperties": 1}]}


def _condition() -> Schema:
    """Operators, condition keys, values."""
    names = [
        f"{qualifier}{operator}{suffix}"
        for operator in OPERATORS
        for qualifier in ("", "ForAllValues:", "ForAnyValue:")
        for suffix in ("", "IfExists")
        if operator != "Null" or not (qualifier or suffix)
    ]
    return closed({name: {"$ref": "#/$defs/values"} for name in names})


def table_keys() -> Schema:
    """A table's key schema and those of its indexes."""
    key = {
        "anyOf": [
            {"type": "string", "minLength": 1},
            {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 2},
        ]
    }
    several = {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 4}]}
    multiple = closed(
        {
            "partition": described("Attributes of the partition key.", several),
            "sort": described("Attributes of the sort key.", several),
        },
        required=("partition",),
    )
    return closed(
        {
            "key": described('`["pk", "sk"]`.', key),
            "indexes": described(
                "Key schemas by index name.", mapping({"anyOf": [*key["anyOf"], multiple]})
            ),
        },
        required=("key",),
    )


def mask() -> Schema:
    """What answers do not show: attributes of tables, or secrets of other services."""
    principal = {"$ref": "#/$defs/principal"}
    path = {"anyOf": [TEXT, {"type": "array"}]}
    custom = {"type": "string", "pattern": f"^{CUSTOM}[a-z][a-z0-9-]*$"}
    schema = closed(
        {
            "Sid": described("Its name in messages and records.", {"type": "string"}),
            "tables": described("Table name patterns.", TEXTS),
            "operations": described("`Query`, wildcards allowed; left out, all.", TEXTS),
            "attributes": described(
                "`email`, `profile.ssn`, `cards[*].number`, `**.email`, `addr_*`.",
                {"anyOf": [TEXT, {"type": "array", "items": path, "minItems": 1}]},
            ),
            "detect": described(
                f"Kinds of values to find, there or everywhere: {', '.join(DETECTORS)}, those of "
                f"`detectors`, or `{CUSTOM}NAME`.",
                TEXTS,
            ),
            "services": described("IAM prefixes of services whose secrets to mask.", TEXTS),
            "except": described("Services that `services` leaves out.", TEXTS),
            "with": described(
                "What stands in place of the value.",
                {"anyOf": [{"enum": list(STRATEGIES)}, custom]},
            ),
            "unless": described("Identities that see the plain value.", principal),
            "only": described("The only identities that do not.", principal),
            "unseal": described(
                "Of `tokenize`: identities whose requests get the values of tokens back.",
                principal,
            ),
            "keep": described(
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


def budget() -> Schema:
    """How much a job may retry."""
    return closed(
        {
            "Sid": described("Its name in messages and records.", {"type": "string"}),
            "job": described("Job name patterns.", TEXTS),
            "tables": described("Table name patterns.", TEXTS),
            "retry_ratio": described(
                "Retries that a success earns.", {"type": "number", "minimum": 0, "maximum": 1}
            ),
            "priority": described(
                "The class of the calls, whatever their scope says.",
                {"enum": [each.value for each in Priority]},
            ),
            "max_tokens": described(
                "Most tokens that a bucket holds.",
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1e6},
            ),
            "min_retries_per_s": described(
                "Tokens that drip in.", {"type": "number", "minimum": 0, "maximum": 1e6}
            ),
            "max_attempts": described(
                "Attempts of one call at most.",
                {"type": "integer", "minimum": 1, "maximum": 1000},
            ),
            "max_wait_s": described(
                "Longest that one call waits.", {"type": "number", "minimum": 0, "maximum": 86400}
            ),
            "capacity_units_per_s": described(
                "What the resource is known to take.",
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1e9},
            ),
            "max_share": described(
                "Share of the capacity that this process asks for at most.",
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            ),
            "repeat_ambiguous_writes": described(
                "Repeat writes that may have taken effect and add to what is there.",
                {"type": "boolean"},
            ),
            "measure_capacity": described(
                "Ask every answer for the capacity that it consumed.", {"type": "boolean"}
            ),
            "Mode": described(
                "`observe` records what it would do and does nothing.",
                {"enum": ["enforce", "observe"]},
            ),
        }
    )


def _capacity_limit() -> Schema:
    """What one run of a job may consume."""
    units = {"type": "number", "exclusiveMinimum": 0, "maximum": 1e15}
    schema = closed(
        {
            "Sid": described("Its name in messages and records.", {"type": "string"}),
            "job": described("Job name patterns.", TEXTS),
            "tables": described(
                "Table name patterns; the tables that match share the limit.", TEXTS
            ),
            "read_units": described("Read capacity units of one run.", units),
            "write_units": described("Write capacity units of one run.", units),
            "soft": described(
                "Share of them at which the run is warned of.",
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            ),
            "Mode": described(
                "`observe` records what it would do and does nothing.",
                {"enum": ["enforce", "observe"]},
            ),
        }
    )
    return {**schema, "anyOf": [{"required": ["read_units"]}, {"required": ["write_units"]}]}


def _settings() -> Schema:
    """The settings that a document may give."""
    return closed(
        {row.name: described(row.doc, _setting(row)) for row in SETTINGS if row.is_in_document}
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
