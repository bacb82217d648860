"""The JSON Schema of runbooks, for editors. `make generate` writes it beside this file.

It says what a document may hold and where; `dynaguard runbook check` says more: operations and
their parameters, what references name, findings. What the schema refuses, the reader refuses too.
"""

from __future__ import annotations

from itertools import product
from typing import Final

from dynaguard.policy.schema import budget, mask, one_or_several, principals, table_keys
from dynaguard.policy.schema_approvals import approval_of_run
from dynaguard.policy.schema_parts import TEXTS, Schema, closed, described, mapping
from dynaguard.runbooks.lint.rules import RUNBOOK_RULES
from dynaguard.runbooks.model import ParameterType
from dynaguard.runbooks.parameter_section import (
    BOUNDED,
    PARAMETER_NAME,
    TYPES,
    parameter_keys,
)
from dynaguard.runbooks.patterns import MAX_PATTERN_LENGTH
from dynaguard.runbooks.reading import DAY_S, LINK, MOST, NAME, ROLE
from dynaguard.runbooks.schema_steps import (
    above_zero,
    or_null,
    reference_to,
    several,
    step_definitions,
    whole,
)

SCHEMA_FILE: Final = "runbook.schema.json"
_OF_ONE_JOB: Final = ("job", "tables")
"""Keys of a policy's budget that a run's has not: it is about every call of the run."""


def runbook_schema() -> Schema:
    """The schema (draft 2020-12) of a runbook."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dynaguard runbook",
        "description": "A runbook of dynaguard in TOML, JSON or YAML.",
        **_document(),
        "$defs": {
            "principal": principals(),
            "table": table_keys(),
            "mask": mask(),
            "budget": _budget(),
            "access": _access(),
            "limits": _limits(),
            "parameter": _parameter(),
            **step_definitions(),
        },
    }


def _document() -> Schema:
    """The document as a whole."""
    named = {"type": "object", "propertyNames": {"pattern": f"^{PARAMETER_NAME.pattern}$"}}
    return closed(
        {
            "$schema": described("Address of the schema, for editors.", {}),
            "runbook": described("Version of the grammar.", {"const": 1}),
            **_heading(),
            "may_run": described(
                "Who may run it; left out, whom the policy lets.", several("principal")
            ),
            "access": described("The role of a run, and its approval.", reference_to("access")),
            "limits": described("What one run may take.", reference_to("limits")),
            "tables": described("Key schemas by table name.", mapping(reference_to("table"))),
            "parameters": described(
                "What a run is told, by name.",
                {**named, "additionalProperties": reference_to("parameter")},
            ),
            "step": described("What it does, in order.", several("step")),
            "mask": described("What answers do not show.", one_or_several("mask")),
            "budget": described(
                "How much the run may retry.",
                {"anyOf": [reference_to("budget"), {"type": "null"}]},
            ),
            "lint": described("Findings of `dynaguard runbook check` that are weighed.", _lint()),
        },
        required=("runbook", "name", "purpose", "owner", "step"),
    )


def _heading() -> dict[str, Schema]:
    """What it is called, what it is for, whose it is."""
    sentence = {"type": "string", "pattern": r"\S"}
    return {
        "name": described(
            "1 to 64 letters, digits, `-` and `_`.",
            {"type": "string", "pattern": f"^{NAME.pattern}$"},
        ),
        "purpose": described("What it is for, in one sentence.", sentence),
        "owner": described("Who answers for it.", sentence),
        "link": described(
            "Address of a page about it.",
            or_null({"type": "string", "pattern": f"^{LINK.pattern}$"}),
        ),
    }


def _lint() -> Schema:
    """Codes of findings, each alone or with the step that it is about."""
    codes = sorted(RUNBOOK_RULES)
    of_step = {"type": "string", "pattern": f"^(?:{'|'.join(codes)}):"}
    entry = {"anyOf": [{"enum": codes}, of_step]}
    listed = {"type": "array", "items": entry, "minItems": 1}
    text = "`DGR101`, or `DGR101:step` for one step."
    return closed({"ignore": described(text, {"anyOf": [*entry["anyOf"], listed]})})


def _access() -> Schema:
    """`[access]`."""
    tag = {"type": "string", "minLength": 1, "maxLength": 128}
    return closed(
        {
            "role": described(
                "ARN of the role that is assumed for the run and narrowed to its calls.",
                or_null({"type": "string", "pattern": f"^{ROLE.pattern}$"}),
            ),
            "session_duration_s": described(
                "Seconds that its session lasts; left out, 900.", whole(DAY_S // 2, least=900)
            ),
            "tags": described(
                "Tags of the session, by name.",
                {**mapping(tag), "propertyNames": {"minLength": 1, "maxLength": 128}},
            ),
            "approval": described("Whose approval a run needs.", approval_of_run()),
        }
    )


def _limits() -> Schema:
    """`[limits]`."""
    return closed(
        {
            "duration_s": described("Seconds; left out, 900.", above_zero(DAY_S)),
            "items": described("Items that its calls read, write or delete.", whole(MOST)),
            "pages": described("Pages that its calls read.", whole(MOST)),
            "read_units": described("Read capacity units that it consumes.", above_zero(MOST)),
            "write_units": described("Write capacity units that it consumes.", above_zero(MOST)),
        }
    )


def _budget() -> Schema:
    """`[budget]`: as in policies, of every call of a run."""
    schema = budget()
    kept = {name: each for name, each in schema["properties"].items() if name not in _OF_ONE_JOB}
    return {**schema, "properties": kept}


def _parameter() -> Schema:
    """`[parameters.NAME]`: the keys of an entry depend on its type."""
    elements = [each for each in TYPES if each != ParameterType.LIST]
    text = or_null({"type": "string", "minLength": 1, "maxLength": MAX_PATTERN_LENGTH})
    schema = closed(
        {
            "type": described("What its value is.", {"enum": [*TYPES]}),
            "description": described("Shown to who runs it.", {"type": "string"}),
            "default": described("Its value where none is given.", {}),
            "required": described("Whether it may not be missing.", {"type": "boolean"}),
            "pattern": described("Regular expression of the whole value.", text),
            "minimum": described("Least value; of a list, least elements.", {}),
            "maximum": described("Greatest value; of a list, most elements.", {}),
            "choices": described("The values that there are.", TEXTS),
            "elements": described("Type of a list's elements.", {"enum": elements}),
        },
        required=("type",),
    )
    needless = {"properties": {"required": {"const": True}}, "required": ["required", "default"]}
    kinds = [ParameterType(each) for each in TYPES if each != ParameterType.LIST]
    lists = product([ParameterType.LIST], kinds)
    forms = [_form(kind, inner) for kind, inner in (*zip(kinds, kinds, strict=True), *lists)]
    return {**schema, "not": needless, "allOf": forms}


def _form(kind: ParameterType, inner: ParameterType) -> Schema:
    """What an entry of one type has, and a list of one type of elements."""
    is_list = kind is ParameterType.LIST
    known = {"type": {"const": kind.value}}
    needed = ["type"]
    if is_list:
        known["elements"] = {"const": inner.value}
        needed += [] if inner is ParameterType.STRING else ["elements"]  # left out: texts
    then: Schema = {"propertyNames": {"enum": sorted(parameter_keys(kind, inner))}}
    if kind in BOUNDED:
        then["properties"] = dict.fromkeys(("minimum", "maximum"), _bound(kind))
    if inner is ParameterType.SECRET:
        then["properties"] = {**then.get("properties", {}), "default": {"type": "null"}}
    if inner is ParameterType.ENUM:
        then["required"] = ["choices"]
    return {"if": {"properties": known, "required": needed}, "then": then}


def _bound(kind: ParameterType) -> Schema:
    """What `minimum` and `maximum` take."""
    if kind is ParameterType.DATE:
        return {"type": ["string", "null"]}
    if kind is ParameterType.NUMBER:
        return {"type": ["number", "null"]}
    return {"type": ["integer", "null"], "minimum": 0}
