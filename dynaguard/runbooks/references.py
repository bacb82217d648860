"""Reads the places of a document that are filled later: `{ "$param" = "customer_id" }`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from dynaguard.policy.collecting import Findings, hint, kind_of
from dynaguard.policy.lines import Path_
from dynaguard.runbooks.model import Origin, Parameter, ParameterType, Reference

ORIGIN_BY_KEY: Final = {
    "$param": Origin.PARAMETER,
    "$item": Origin.ITEM,
    "$result": Origin.RESULT,
    "$any": Origin.ANY,
}
ITSELF: Final = "."
"""The item of a loop as a whole."""
ANY_TYPES: Final = (
    *("any", "attribute", "binary", "boolean", "integer", "key", "list", "map", "number"),
    *("string", "timestamp"),
)
_ANY_BY_WANTS: Final[Mapping[str, tuple[str, ...]]] = {
    "attribute": ("attribute", "key", "map", "any"),
    "blob": ("binary", "string", "any"),
    "boolean": ("boolean", "any"),
    "integer": ("integer", "number", "any"),
    "key": ("key", "attribute", "map", "any"),
    "list": ("list", "any"),
    "map": ("map", "any"),
    "number": ("number", "integer", "any"),
    "numeral": ("string", "any"),
    "string": ("string", "any"),
    "timestamp": ("timestamp", "string", "integer", "number", "any"),
}
"""Types of `$any` that a value in a place can be of."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a reference may name where it stands.

    Attributes:
        parameters: The runbook's, by name.
        results: Steps before that give a result, by name: the members that it has, empty where
            these are not known.
        is_looped: Whether a loop is around.
        items: What the loop goes over, where it is a list parameter.
        takes_any: Whether `$any` may be written: in calls of a Python step.
    """

    parameters: Mapping[str, Parameter]
    results: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_looped: bool = False
    items: Parameter | None = None
    takes_any: bool = False

    def after(self, name: str, members: tuple[str, ...]) -> Known:
        """What is known once a step has given its result."""
        return replace(self, results={**self.results, name: members})


def is_reference(value: Any) -> bool:
    """Whether a value of a document is filled later."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in ORIGIN_BY_KEY


def read_reference(
    findings: Findings, value: Mapping[str, Any], path: Path_, known: Known
) -> Reference | None:
    """The reference that a value is, or None and a problem."""
    ((key, target),) = value.items()
    origin = ORIGIN_BY_KEY[key]
    steps = _steps(findings, target, (*path, key))
    if steps is None:
        return None
    check = _CHECKS[origin]
    fault = check(steps, known)
    if fault is not None:
        findings.add((*path, key), fault)
        return None
    return Reference(origin, () if steps == (ITSELF,) else steps)


def _steps(findings: Findings, target: Any, path: Path_) -> tuple[str, ...] | None:
    """`find.Items.0` or `["find", "Items", "0"]` as names."""
    if isinstance(target, list) and target and all(isinstance(e, str) and e for e in target):
        return tuple(target)
    if not isinstance(target, str) or not target:
        findings.add(path, f"must be text such as `find.Count`, this is {kind_of(target)}")
        return None
    if target == ITSELF:
        return (ITSELF,)
    steps = tuple(target.split("."))
    if not all(steps):
        findings.add(path, f"`{target}` has an empty step, write names joined by dots")
        return None
    return steps


def _parameter(steps: tuple[str, ...], known: Known) -> str | None:
    """Why a parameter cannot be meant."""
    if len(steps) > 1:
        return f"a parameter has no parts, write `{steps[0]}` alone"
    if steps[0] not in known.parameters:
        return f"unknown parameter `{steps[0]}`{hint(steps[0], known.parameters)}"
    return None


def _item(steps: tuple[str, ...], known: Known) -> str | None:
    """Why an item cannot be meant."""
    if not known.is_looped:
        return "`$item` stands within a loop only"
    if known.items is not None and steps != (ITSELF,):
        return f'the items of `{known.items.name}` have no parts, write `"{ITSELF}"`'
    return None


def _result(steps: tuple[str, ...], known: Known) -> str | None:
    """Why a result cannot be meant."""
    name, *rest = steps
    if name not in known.results:
        near = hint(name, known.results)
        return f"no step before this one gives a result `{name}`{near}"
    members = known.results[name]
    if rest and members and rest[0] not in members:
        return f"`{name}` gives no `{rest[0]}`{hint(rest[0], members)}"
    return None


def _any(steps: tuple[str, ...], known: Known) -> str | None:
    """Why any value cannot be meant."""
    if not known.takes_any:
        return "`$any` stands in the calls of a Python step only"
    if len(steps) > 1 or steps[0] not in ANY_TYPES:
        listed = ", ".join(f"`{each}`" for each in ANY_TYPES)
        return f"must be one of {listed}{hint(steps[0], ANY_TYPES)}"
    return None


_CHECKS: Final = {
    Origin.PARAMETER: _parameter,
    Origin.ITEM: _item,
    Origin.RESULT: _result,
    Origin.ANY: _any,
}


def type_of(reference: Reference, known: Known) -> ParameterType | None:
    """The type of the value, where the document tells: of parameters, and items of a list."""
    if reference.origin is Origin.PARAMETER:
        return known.parameters[reference.path[0]].type
    if reference.origin is Origin.ITEM and known.items is not None:
        return known.items.elements
    return None


def fitting_any(wants: str) -> tuple[str, ...]:
    """Types of `$any` that fit a place.

    Args:
        wants: As `Reference.wants` has it.
    """
    return _ANY_BY_WANTS["list" if wants.startswith("list:") else wants]
