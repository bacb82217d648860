"""The part of the JSON Schema of runbooks that is about steps, and values from elsewhere."""

from __future__ import annotations

from typing import Any, Final

from dynaguard.policy.schema_approvals import approval_of_run
from dynaguard.policy.schema_parts import TEXT, Schema, closed, described, mapping
from dynaguard.runbooks.call_section import MOST_ITEMS, MOST_PAGES
from dynaguard.runbooks.checks_section import (
    COMPARISONS,
    LONGEST_WINDOW_S,
    ORDERED,
    PERIOD_S,
    STATISTICS,
    WITHOUT_VALUE,
)
from dynaguard.runbooks.parameter_section import PARAMETER_NAME
from dynaguard.runbooks.references import ANY_TYPES
from dynaguard.runbooks.steps_section import (
    KEYS_BY_KIND,
    KINDS_IN_LOOPS,
    LONGEST_PAUSE_S,
    MOST_LOOPS,
    STEP_NAME,
    TARGET,
)

TOP: Final = ""
IN_LOOP: Final = "_in_loop"
IN_PYTHON: Final = "_in_python"
"""Ends of the names of definitions: what a value may be depends on where a call stands."""
_KEYS_BY_PLACE: Final = {
    TOP: ("$param", "$result"),
    IN_LOOP: ("$param", "$item", "$result"),
    IN_PYTHON: ("$param", "$result", "$any"),
}


def step_definitions() -> dict[str, Schema]:
    """The definitions of steps and of what stands in them, by name."""
    found: dict[str, Schema] = {
        "step": {"oneOf": [reference_to(f"{kind}_step") for kind in KEYS_BY_KIND]},
        "step_in_loop": {
            "oneOf": [reference_to(f"{kind}_step{IN_LOOP}") for kind in KINDS_IN_LOOPS]
        },
        "pause_step": _step({"pause": _pause()}, ("pause",)),
        "loop_step": _step(_loop(), ("loop", "step")),
        "python_step": _step(_python(), ("python",)),
        "approval_step": _step({"approval": _approval()}, ("approval",)),
        "call_of_python": closed(_call(IN_PYTHON), required=("call",)),
    }
    for place in (TOP, IN_LOOP):
        found[f"call_step{place}"] = _step(_call(place), ("call",))
        found[f"check_step{place}"] = _step({"check": _check(place)}, ("check",))
    for place, keys in _KEYS_BY_PLACE.items():
        found[f"value{place}"] = _value(place)
        found[f"reference{place}"] = _reference(keys)
    return found


def reference_to(name: str) -> Schema:
    """A definition, by its name."""
    return {"$ref": f"#/$defs/{name}"}


def or_null(schema: Schema) -> Schema:
    """What a schema of one type takes, or null, which is as if the key were left out."""
    return {**schema, "type": [schema["type"], "null"]}


def whole(most: int, *, least: int = 1) -> Schema:
    """A whole number within bounds."""
    return or_null({"type": "integer", "minimum": least, "maximum": most})


def above_zero(most: float) -> Schema:
    """A number above zero."""
    return or_null({"type": "number", "exclusiveMinimum": 0, "maximum": most})


def several(name: str, *, least: int = 1) -> Schema:
    """A list of a definition; one of them may stand alone."""
    listed = {"type": "array", "items": reference_to(name), "minItems": least}
    return {"anyOf": [reference_to(name), listed]}


def _step(keys: dict[str, Schema], needed: tuple[str, ...]) -> Schema:
    """One kind of step, with the keys that all kinds have."""
    name = {"type": "string", "pattern": f"^{STEP_NAME.pattern}$"}
    common = {
        "name": described("Its name, once in the runbook.", name),
        "description": described("What it is for.", {"type": "string"}),
        "retries": described(
            "`safe`: failures are repeated within the retry budget; `never`: not at all.",
            {"enum": ["safe", "never"]},
        ),
    }
    return closed({**common, **keys}, required=("name", *needed))


def _call(place: str) -> dict[str, Schema]:
    """The keys of one call of AWS."""
    return {
        "call": described(
            "Service and operation: `dynamodb:Query`.",
            {"type": "string", "pattern": "^[^:]+:[^:]+$"},
        ),
        "params": described(
            "Its parameters, as AWS names them.", mapping(reference_to(f"value{place}"))
        ),
        "pages": described("Pages that are read at most.", whole(MOST_PAGES)),
        "items": described("Items that are read at most.", whole(MOST_ITEMS)),
        "region": described("Sends it to another region.", or_null(TEXT)),
    }


def _check(place: str) -> Schema:
    """What has to hold for the run to go on."""
    texts = {
        "equals": "Holds for this value.",
        "not_equals": "Holds for any other value.",
        "at_most": "Holds up to this number.",
        "at_least": "Holds from this number on.",
        "exists": "Holds where there is a value.",
        "absent": "Holds where there is none.",
    }
    schema = closed(
        {
            "of": described("The value that is looked at.", reference_to(f"reference{place}")),
            "metric": described("The metric of CloudWatch that is looked at.", _metric(place)),
            "message": described("Told where it does not hold.", {"type": "string"}),
            **{name: described(texts[name], _compared(name, place)) for name in COMPARISONS},
        }
    )
    return described(
        "Ends the run unless it holds.",
        {
            **schema,
            "allOf": [_one_of(("of", "metric")), _one_of(COMPARISONS)],
        },
    )


def _one_of(names: tuple[str, ...]) -> Schema:
    """Exactly one of some keys."""
    return {"oneOf": [{"required": [name]} for name in names]}


def _compared(name: str, place: str) -> Schema:
    """What a comparison takes."""
    if name in WITHOUT_VALUE:
        return {"const": True}
    kinds = "number" if name in ORDERED else ["string", "number", "boolean"]
    return {"anyOf": [{"type": kinds}, reference_to(f"reference{place}")]}


def _metric(place: str) -> Schema:
    """A metric of CloudWatch."""
    window: dict[str, Any] = whole(LONGEST_WINDOW_S, least=PERIOD_S)
    dimension = {"anyOf": [TEXT, reference_to(f"reference{place}")]}
    return closed(
        {
            "namespace": described("`AWS/DynamoDB`.", TEXT),
            "name": described("`ReadThrottleEvents`.", TEXT),
            "dimensions": described("Values by name of the dimension.", mapping(dimension)),
            "statistic": described("Of the window; left out, the sum.", {"enum": [*STATISTICS]}),
            "window_s": described(
                "Seconds that it covers, up to now.", {**window, "multipleOf": PERIOD_S}
            ),
        },
        required=("namespace", "name"),
    )


def _pause() -> Schema:
    """Waits."""
    length = above_zero(LONGEST_PAUSE_S)
    both = closed(
        {
            "seconds": described("How long.", length),
            "message": described("Shown to who runs it.", {"type": "string"}),
        }
    )
    return described(
        "Waits so many seconds, or for who runs it, who is shown the text.",
        {"anyOf": [length, {"type": "string"}, both]},
    )


def _loop() -> dict[str, Schema]:
    """The keys of a loop."""
    over = {
        "anyOf": [
            closed({name: _target(name)}, required=(name,)) for name in ("$result", "$param")
        ]
    }
    bounds = closed(
        {
            "over": described("A result's list, or a list parameter.", over),
            "at_most": described("Items that it goes over at most.", whole(MOST_LOOPS)),
        },
        required=("over", "at_most"),
    )
    return {
        "loop": described("Runs its steps for each item.", bounds),
        "step": described("The steps of the loop: calls and checks.", several("step_in_loop")),
    }


def _python() -> dict[str, Schema]:
    """The keys of a step in Python."""
    target = {"type": "string", "pattern": f"^{TARGET.pattern}$"}
    return {
        "python": described(
            "`module:function` of a file beside the runbook; `:function` of a Python runbook.",
            target,
        ),
        "calls": described(
            "All calls that the function may make.", several("call_of_python", least=0)
        ),
    }


def _approval() -> Schema:
    """Stops until somebody else has approved."""
    message = described("Shown to who approves.", {"type": "string"})
    return described(
        "Stops until somebody else has approved to go on.", approval_of_run(message=message)
    )


def _value(place: str) -> Schema:
    """A value of a request: of AWS's own form, or a reference where a whole value stands.

    Stricter than the reader in one place: what looks like a reference has to be one also within
    members of free form (`is_document_type` of botocore), into which the reader does not look.
    """
    inner = reference_to(f"value{place}")
    every = {key for keys in _KEYS_BY_PLACE.values() for key in keys}
    looks_like_one = {
        "type": "object",
        "maxProperties": 1,
        "anyOf": [{"required": [key]} for key in sorted(every)],
    }
    return {
        "if": looks_like_one,
        "then": reference_to(f"reference{place}"),
        "else": {"items": inner, "additionalProperties": inner},
    }


def _reference(keys: tuple[str, ...]) -> Schema:
    """A value from elsewhere."""
    schema = closed({key: _target(key) for key in keys})
    return {**schema, "minProperties": 1, "maxProperties": 1}


def _target(key: str) -> Schema:
    """What a reference names."""
    if key == "$any":
        kind = {"enum": [*ANY_TYPES]}
        text = "Any value of a type, which the function chooses."
        return described(text, {"anyOf": [kind, _alone(kind)]})
    if key == "$param":
        name = {"type": "string", "pattern": f"^{PARAMETER_NAME.pattern}$"}
        return described("A parameter, by its name.", {"anyOf": [name, _alone(name)]})
    listed = {"type": "array", "items": TEXT, "minItems": 1}
    if key == "$item":
        path = {"type": "string", "pattern": r"^(?:\.|[^.]+(?:\.[^.]+)*)$"}
        text = "An attribute of the loop's item; `.` is the item itself."
        return described(text, {"anyOf": [path, listed]})
    path = {"type": "string", "pattern": r"^[^.]+(?:\.[^.]+)*$"}
    text = "What an earlier step gave: `find.Items.0.order_id`."
    return described(text, {"anyOf": [path, listed]})


def _alone(schema: Schema) -> Schema:
    """A list of one."""
    return {"type": "array", "items": schema, "minItems": 1, "maxItems": 1}
