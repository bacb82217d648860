"""What approvers see of a request: operation, resources, names and counts. Never a value.

INVARIANT: a summary holds no value of a key, an item or a parameter, and nothing of a secret: a
value shows as its type and size (`<string, 12 characters>`), a collection as its count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dynaguard.access.subjects import place_of_call
from dynaguard.errors import readable_arn
from dynaguard.policy.advice import one_line

if TYPE_CHECKING:
    from dynaguard.call import Authorization, Call

MAX_RESOURCES: Final = 20
MAX_FACTS: Final = 40
_MAX_DEPTH: Final = 3
_MAX_NAME: Final = 120
# Parameters of DynamoDB that name something or choose a behaviour, so that their values are shown.
_SHOWN: Final = frozenset(
    {
        *("TableName", "IndexName", "Select", "Limit", "ScanIndexForward", "ConsistentRead"),
        *("ReturnValues", "Segment", "TotalSegments", "BillingMode", "DeletionProtectionEnabled"),
    }
)
_ATTRIBUTE_TYPES: Final[Mapping[str, str]] = {
    "S": "string",
    "N": "number",
    "B": "binary",
    "SS": "string set",
    "NS": "number set",
    "BS": "binary set",
    "BOOL": "boolean",
    "NULL": "null",
    "L": "list",
    "M": "map",
}
_KIND_BY_TYPE: Final[Mapping[str, str]] = {
    "NoneType": "<none>",
    "bool": "<boolean>",
    "int": "<number>",
    "float": "<number>",
    "Decimal": "<number>",
    "date": "<date>",
    "datetime": "<date>",
}
_SIZED: Final = frozenset({"S", "N", "B"})
_HIDDEN_SIZE: Final = frozenset({"N", "BOOL", "NULL"})


@dataclass(frozen=True, slots=True)
class Summary:
    """A request in words.

    Attributes:
        title: What is asked for, in a few words: `dynamodb DeleteTable in eu-west-1`.
        resources: Actions and the ARNs that they are on, as many as are shown.
        facts: Names and masked values or counts, in order.
    """

    title: str
    resources: tuple[tuple[str, str], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """**Shape**: title, and lists of pairs."""
        return {
            "title": self.title,
            "resources": [list(pair) for pair in self.resources],
            "facts": [list(pair) for pair in self.facts],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Summary:
        """What `as_dict` gave.

        Raises:
            TypeError: It has another shape.
        """
        return cls(str(data["title"]), _pairs(data["resources"]), _pairs(data["facts"]))


def summary_of_call(call: Call, needs: tuple[Authorization, ...]) -> Summary:
    """What approvers see of a call.

    Args:
        call: The call.
        needs: What it needs.
    """
    region = f" in {call.region}" if call.region else ""
    presigned = ", as a presigned URL" if call.is_presign else ""
    needed = [(readable_arn(need.action), readable_arn(need.resource)) for need in needs]
    resources = list(dict.fromkeys(needed))
    shown = resources[:MAX_RESOURCES]
    if len(resources) > MAX_RESOURCES:
        shown.append(("further", f"{len(resources) - MAX_RESOURCES} more"))
    is_dynamodb = call.service == "dynamodb"
    facts = list(_facts_of(call.params, "", is_dynamodb=is_dynamodb, depth=0))
    place = place_of_call(call)
    if place is not None:
        facts.insert(0, ("endpoint", place))
    if len(needed) > 1:
        facts.insert(0, ("permissions needed", str(len(needed))))
    return Summary(
        one_line(f"{call.service} {call.operation}{region}{presigned}"),
        tuple((one_line(action), one_line(resource)) for action, resource in shown),
        _cut(facts),
    )


def summary_of_values(title: str, values: Mapping[str, Any]) -> Summary:
    """What approvers see of a run: the names of its parameters, values masked."""
    facts = [(name, masked(value)) for name, value in values.items()]
    return Summary(one_line(title), (), _cut(facts))


def masked(value: Any) -> str:
    """A value as its type and size."""
    if isinstance(value, str):
        return f"<string, {len(value)} characters>"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<binary, {len(value)} bytes>"
    if isinstance(value, Mapping):
        return f"<map, {len(value)} entries>"
    if isinstance(value, list | tuple | set | frozenset):
        return f"<list, {len(value)} elements>"
    return _KIND_BY_TYPE.get(type(value).__name__, "<object>")


def _facts_of(
    params: Mapping[str, Any], prefix: str, *, is_dynamodb: bool, depth: int
) -> Iterator[tuple[str, str]]:
    """Names and masked values, nested mappings by their paths."""
    for name, value in params.items():
        path = f"{prefix}{name}"
        if is_dynamodb and depth == 0 and name in _SHOWN and isinstance(value, str | int):
            yield path, str(value)
            continue
        attribute = _attribute(value) if is_dynamodb else None
        if attribute is not None:
            yield path, attribute
        elif isinstance(value, Mapping) and value and depth < _MAX_DEPTH:
            yield from _facts_of(value, f"{path}.", is_dynamodb=is_dynamodb, depth=depth + 1)
        else:
            yield path, masked(value)


def _attribute(value: Any) -> str | None:
    """An attribute value of DynamoDB as its type and size; None where it is none."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return None
    ((mark, inner),) = value.items()
    kind = _ATTRIBUTE_TYPES.get(mark)
    if kind is None:
        return None
    if mark in _HIDDEN_SIZE or not hasattr(inner, "__len__"):
        return f"<{kind}>"
    unit = "bytes" if mark == "B" else "characters" if mark in _SIZED else "elements"
    return f"<{kind}, {len(inner)} {unit}>"


def _cut(facts: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """As many facts as are shown, each on one line."""
    shown = [(one_line(name)[:_MAX_NAME], one_line(text)[:_MAX_NAME]) for name, text in facts]
    if len(shown) > MAX_FACTS:
        shown = [*shown[:MAX_FACTS], ("further", f"{len(shown) - MAX_FACTS} more")]
    return tuple(shown)


def _pairs(values: Any) -> tuple[tuple[str, str], ...]:
    """Pairs of text."""
    if type(values) is not list or any(len(pair) != 2 for pair in values):
        raise TypeError("a summary holds something else than pairs")
    return tuple((str(name), str(text)) for name, text in values)
