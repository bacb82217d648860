"""Operation templates: which parameters the calls of a runbook may have, down to each value.

Statements of IAM name actions, resources and a few keys; a template names the whole request. What
is bound when a run begins is compared as it is; what only shows while it runs (an item of a loop)
is compared by its type.

**Shape** of the text: a list of
`{"step": name, "service": ..., "operation": ..., "params": {...}, "is_paged": bool}`. Within
`params` the mapping `{"$any": TYPE}` stands for any value of a type (`string`, `number`, `binary`,
`boolean`, `list`, `map`, `any`); bytes are `{"$bytes": BASE64}`.

INVARIANT: a mismatch names parameters, never their values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from dynaguard.access.canonical import canonical_json

if TYPE_CHECKING:
    from dynaguard.call import Call

_ANY: Final = "$any"
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "number": (int, float, Decimal),
    "binary": (bytes, bytearray, memoryview),
    "boolean": (bool,),
    "list": (list, tuple),
    "map": (Mapping,),
    "any": (object,),
}
_FREE: Final = frozenset({"ReturnConsumedCapacity", "ReturnItemCollectionMetrics"})
"""Members that change nothing but what the answer tells of its cost."""


class Templates:
    """The templates of a boundary, ready to hold calls against. Immutable.

    Args:
        text: JSON, of the shape that the module's docstring gives.
    """

    __slots__ = ("_by_operation",)

    def __init__(self, text: str) -> None:
        self._by_operation: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for template in json.loads(text):
            place = template["service"], template["operation"]
            self._by_operation.setdefault(place, []).append(template)

    def mismatch(self, call: Call) -> str | None:
        """Why no template allows a call, in one clause; None where one does.

        Cost: one walk over the parameters for each template of the operation.
        """
        templates = self._by_operation.get((call.service, call.operation))
        if templates is None:
            return f"no step of it calls `{call.operation}`"
        found = [_difference(template, call.params) for template in templates]
        if None in found:
            return None
        step = templates[0]["step"]
        return f"`{found[0]}` of `{call.operation}` is not as step `{step}` has it"


def _difference(template: Mapping[str, Any], params: Mapping[str, Any]) -> str | None:
    """The first parameter that differs, or None."""
    wanted: Mapping[str, Any] = template["params"]
    ignored = set(_FREE)
    if template.get("is_paged"):
        ignored.add("ExclusiveStartKey")
    for name in (*wanted, *(name for name in params if name not in wanted)):
        if name in ignored:
            continue
        if name not in wanted or name not in params:
            return name
        if not _is_same(wanted[name], params[name]):
            return name
    return None


def _is_same(wanted: Any, value: Any) -> bool:
    """Whether a value is what a template has in its place."""
    if isinstance(wanted, Mapping):
        if wanted.keys() == {_ANY}:
            return isinstance(value, _TYPES[wanted[_ANY]])
        if not isinstance(value, Mapping):
            return canonical_json(value) == canonical_json(wanted)
        return wanted.keys() == value.keys() and all(
            _is_same(wanted[name], value[name]) for name in wanted
        )
    if isinstance(wanted, list):
        return (
            isinstance(value, list | tuple)
            and len(wanted) == len(value)
            and all(_is_same(*pair) for pair in zip(wanted, value, strict=True))
        )
    return type(wanted) is type(value) and bool(wanted == value)
