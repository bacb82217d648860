"""The part of the JSON Schema that is about approvals and the runbooks that a document trusts."""

from __future__ import annotations

from dynaguard.policy.approval_section import (
    ANY_NUMBER,
    DURATIONS,
    MAX_COUNT,
    MAX_QUORUM,
    MAX_UNITS,
    MAX_USES,
    WINDOW_S,
)
from dynaguard.policy.schema_parts import TEXTS, Schema, closed, described, mapping

_DURATION: Schema = {"type": "string", "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$"}


def approval() -> Schema:
    """What an approval takes."""
    uses = {"anyOf": [_whole(MAX_USES), {"enum": [ANY_NUMBER]}]}
    return _with_one_form(
        closed(
            {
                **_of_people(),
                "threshold": described(
                    "What goes without an approval.", {"$ref": "#/$defs/threshold"}
                ),
                "uses": described("Calls that one approval is good for.", uses),
            }
        ),
        tuple(DURATIONS),
    )


def threshold() -> Schema:
    """How much goes without an approval, within a sliding window."""
    schema = closed(
        {
            **_duration("window", "Length of the window.", WINDOW_S),
            "calls": described("Calls that the statement matches.", _whole(MAX_COUNT)),
            "items": described("Items that they read, write or delete.", _whole(MAX_COUNT)),
            "read_units": described("Read capacity units that they consumed.", _units()),
            "write_units": described("Write capacity units that they consumed.", _units()),
        }
    )
    limits = ("calls", "items", "read_units", "write_units")
    return {
        **schema,
        "oneOf": [{"required": ["window"]}, {"required": ["window_s"]}],
        "anyOf": [{"required": [name]} for name in limits],
    }


def runbook() -> Schema:
    """A runbook that the document trusts."""
    return closed(
        {
            "sha256": described(
                "Its content hash, as `dynaguard runbook hash` prints it.",
                {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
            ),
            "may_run": described("Who may run it.", {"$ref": "#/$defs/principal"}),
            "approval": described(
                "Whose approval a run needs.",
                approval_of_run(),
            ),
        },
        required=("sha256",),
    )


def access_requests() -> Schema:
    """Who approves access that is asked for; a group at least."""
    least: Schema = {"minItems": 1}
    named = [{"required": [name], "properties": {name: least}} for name in ("any_of", "all_of")]
    return {**approval_of_run(), "anyOf": named}


def approval_of_run(**more: Schema) -> Schema:
    """What an approval takes that is given once, as a whole.

    Args:
        more: Further keys of the table.
    """
    return _with_one_form(closed({**_of_people(), **more}), tuple(DURATIONS))


def runbooks() -> Schema:
    """The runbooks by name."""
    return mapping({"$ref": "#/$defs/runbook"})


def _of_people() -> dict[str, Schema]:
    """Who approves, and for how long."""
    return {
        "quorum": described("How many different people have to approve.", _whole(MAX_QUORUM)),
        "any_of": described("Groups of which each approver must be in one.", TEXTS),
        "all_of": described("Groups that must each be among the approvers.", TEXTS),
        **_duration("timeout", "How long it can be approved.", DURATIONS["timeout"]),
        **_duration("duration", "How long an approval lasts.", DURATIONS["duration"]),
    }


def _duration(name: str, text: str, bounds: tuple[float, float]) -> dict[str, Schema]:
    """The two forms of a duration."""
    least_s, most_s = bounds
    in_seconds = {"type": "number", "minimum": least_s, "maximum": most_s}
    return {
        name: described(f'{text} `"15m"`, `"1h"`, `"2d"`.', _DURATION),
        f"{name}_s": described(f"{text} Seconds.", in_seconds),
    }


def _with_one_form(schema: Schema, names: tuple[str, ...]) -> Schema:
    """A table that gives each duration in one form at most."""
    return {**schema, "allOf": [{"not": {"required": [name, f"{name}_s"]}} for name in names]}


def _whole(most: int) -> Schema:
    return {"type": "integer", "minimum": 1, "maximum": most}


def _units() -> Schema:
    return {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_UNITS}
