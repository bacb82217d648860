"""Checks the parameters of a call against AWS's own model, references included.

What stands where a value may stand is either a value of the model's type or a reference whose
value will be of it. What names the resource, or is text in a language, takes no free value.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from dynaguard.policy.collecting import Findings, hint, kind_of
from dynaguard.policy.lines import Path_
from dynaguard.runbooks.filling import LIST, numeral, shaped
from dynaguard.runbooks.model import Origin, ParameterType, Reference
from dynaguard.runbooks.references import Known, fitting_any, is_reference, read_reference, type_of

_NAMES_A_RESOURCE: Final = frozenset(
    "TableName IndexName Bucket GlobalTableName SourceTableName TargetTableName TableArn "
    "SourceTableArn ResourceArn BackupArn StreamArn ExportArn ImportArn".split()
)
_EXPRESSIONS: Final = frozenset(
    "KeyConditionExpression FilterExpression ProjectionExpression UpdateExpression "
    "ConditionExpression SearchConditionExpression Statement".split()
)
"""Text in a language of DynamoDB's: values of parameters have places of their own beside it."""
_CODE: Final = frozenset(
    "QueryString queryString filterPattern Expression Sql PolicyDocument Policy".split()
)
"""Text in a language of other services."""
_NAMES: Final = "ExpressionAttributeNames"
_ATTRIBUTE: Final = "AttributeValue"
_NUMERAL: Final = "NumberAttributeValue"
_TABLE_SHAPES: Final = frozenset({"TableArn", "TableName"})
_BYTES: Final = "$bytes"
_MOST_SHOWN: Final = 8
_INTERPOLATION: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_-]*)\}")
_WANTS_BY_TYPE: Final = {
    "string": "string",
    "integer": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "boolean": "boolean",
    "blob": "blob",
    "timestamp": "timestamp",
    "map": "map",
    "structure": "map",
}
_TEXTS: Final = frozenset(
    {
        ParameterType.STRING,
        ParameterType.ENUM,
        ParameterType.DATE,
        ParameterType.ARN,
        ParameterType.SECRET,
    }
)
_TYPES_BY_WANTS: Final[Mapping[str, frozenset[ParameterType]]] = {
    "string": _TEXTS,
    "blob": _TEXTS,
    "integer": frozenset({ParameterType.NUMBER}),
    "number": frozenset({ParameterType.NUMBER}),
    "numeral": frozenset({ParameterType.NUMBER}),
    "boolean": frozenset({ParameterType.BOOLEAN}),
    "timestamp": frozenset({ParameterType.DATE}),
    "attribute": frozenset(ParameterType),
    "key": frozenset(ParameterType) - {ParameterType.BOOLEAN, ParameterType.LIST},
    "map": frozenset(),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands.

    Attributes:
        path: In the document.
        member: Name of the innermost member of the model around it.
        is_key: Whether it belongs to a key of an item.
    """

    path: Path_
    member: str = ""
    is_key: bool = False

    def at(self, step: str | int, *, is_member: bool = False) -> Place:
        """A place within this one."""
        member = str(step) if is_member else self.member
        return replace(self, path=(*self.path, step), member=member)


class ParamsChecker:
    """Checks the parameters of one call.

    Args:
        findings: Takes the problems.
        known: What references may name.
    """

    def __init__(self, findings: Findings, known: Known) -> None:
        self._findings = findings
        self._known = known

    def check(self, value: Any, shape: Any, place: Place) -> Any:
        """The value with its references read; None and a problem where it does not fit."""
        if is_reference(value):
            return self._reference(value, shape, place)
        if shape.name == _ATTRIBUTE:
            return self._attribute(value, shape, place)
        kind = shape.type_name
        if kind == "structure":
            return self._structure(value, shape, place)
        if kind == "map":
            return self._map(value, shape, place)
        if kind == "list":
            return self._list(value, shape, place)
        return self._scalar(value, shape, place)

    # --- what is filled later -----------------------------------------------------------------

    def _reference(self, value: Mapping[str, Any], shape: Any, place: Place) -> Any:
        """A reference, where its place takes one of its kind."""
        found = read_reference(self._findings, value, place.path, self._known)
        if found is None or not self._is_taken(found, place):
            return None
        what = _held_names(shape)
        if what is not None:
            self._add(
                place, f"{what} within, write it out and let values alone come from elsewhere"
            )
            return None
        wants = _wants(shape, is_key=place.is_key)
        fitting = fitting_any(wants) if found.origin is Origin.ANY else None
        if fitting is not None and found.path[0] not in fitting:
            listed = ", ".join(f"`{each}`" for each in fitting)
            never = f"`{found.path[0]}` never is {_readable(wants)}"
            self._add(place, f"{never}, write one of {listed}")
            return None
        kind = type_of(found, self._known)
        if kind is not None and not self._fits(found, wants, kind):
            self._add(place, f"takes {_readable(wants)}, `{found.path[0]}` is a {kind}")
            return None
        return replace(found, wants=wants)

    def _fits(self, reference: Reference, wants: str, kind: ParameterType) -> bool:
        """Whether a parameter's type has the form that is wanted."""
        if not wants.startswith(LIST):
            return kind in _TYPES_BY_WANTS[wants]
        if kind is not ParameterType.LIST or reference.origin is not Origin.PARAMETER:
            return False
        elements = self._known.parameters[reference.path[0]].elements
        return elements in _TYPES_BY_WANTS.get(wants.removeprefix(LIST), frozenset())

    def _is_taken(self, reference: Reference, place: Place) -> bool:
        """Whether a place takes references; notes why not."""
        is_choice = type_of(reference, self._known) is ParameterType.ENUM
        if place.member in _EXPRESSIONS:
            self._add(
                place,
                "takes no value from elsewhere, write `:name` in the expression and the value in "
                "`ExpressionAttributeValues` (`Parameters` of a PartiQL statement)",
            )
        elif place.member == _NAMES and not is_choice:
            self._add(place, "names attributes: only a parameter of type `enum` may stand here")
        elif place.member in _NAMES_A_RESOURCE and not is_choice:
            self._add(
                place,
                "names the resource: only a parameter of type `enum` may stand here, so that the "
                "runbook tells what it can reach",
            )
        elif place.member in _CODE and not is_choice:
            self._add(place, "is text in a language: only a parameter of type `enum` may stand")
        else:
            return True
        return False

    # --- values -------------------------------------------------------------------------------

    def _attribute(self, value: Any, shape: Any, place: Place) -> Any:
        """A value in DynamoDB JSON, or a plain one, which becomes it by its type."""
        if not isinstance(value, Mapping):
            if isinstance(value, str | bool | int | float | list):
                return self._plain_attribute(value, place)
            self._add(place, f"is {kind_of(value)}, no attribute value")
            return None
        if len(value) != 1:
            listed = ", ".join(shape.members)
            self._add(place, f"must have one key, the type: {listed}")
            return None
        return self._structure(value, shape, place)

    def _plain_attribute(self, value: Any, place: Place) -> Any:
        """`"paid"` as `{"S": "paid"}`."""
        if isinstance(value, list):
            self._add(place, 'is a list, write its type: `{ L = [...] }` or `{ SS = ["a"] }`')
            return None
        try:
            return shaped(value, "attribute")
        except ValueError as err:
            self._add(place, str(err))
            return None

    def _structure(self, value: Any, shape: Any, place: Place) -> Any:
        """Members by name."""
        if not isinstance(value, Mapping):
            self._add(place, f"must be a table, this is {kind_of(value)}")
            return None
        if getattr(shape, "is_document_type", False):
            return dict(value)
        found = {}
        for name, each in value.items():
            inner = place.at(name, is_member=True)
            if name in shape.members:
                found[name] = self.check(each, shape.members[name], inner)
                continue
            near = hint(name, shape.members)
            few = len(shape.members) <= _MOST_SHOWN and not near
            listed = f", there are {', '.join(shape.members)}" if few else ""
            self._add(inner, f"`{name}` is no parameter here{near}{listed}")
        for name in shape.required_members:
            if name not in value:
                self._add(place, f"`{name}` is missing")
        return found

    def _map(self, value: Any, shape: Any, place: Place) -> Any:
        """Values by free names; a name that begins with `$` is written with `$$`."""
        if not isinstance(value, Mapping):
            self._add(place, f"must be a table, this is {kind_of(value)}")
            return None
        inner_place = replace(place, is_key=shape.name == "Key")
        found = {}
        for name, each in value.items():
            inner = inner_place.at(name)
            if name.startswith("$") and not name.startswith("$$"):
                self._add(inner, f"begins with `$`, write `${name}` for the name `{name}`")
            plain = name[1:] if name.startswith("$$") else name
            found[plain] = self.check(each, shape.value, inner)
        return found

    def _list(self, value: Any, shape: Any, place: Place) -> Any:
        """Elements in order."""
        if not isinstance(value, list):
            self._add(place, f"must be a list, this is {kind_of(value)}")
            return None
        return [self.check(each, shape.member, place.at(at)) for at, each in enumerate(value)]

    def _scalar(self, value: Any, shape: Any, place: Place) -> Any:
        """A value that has no parts."""
        wants = _wants(shape)
        read = _SCALARS.get(wants)
        found = value if read is None else read(value)
        if found is None:
            self._add(place, f"must be {_readable(wants)}, this is {kind_of(value)}")
            return None
        if isinstance(found, str):
            self._check_text(found, shape, place)
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if wants == "integer" and not (least or found) <= found <= (most or found):
            self._add(place, f"must be from {least or 'any'} to {most or 'any'}")
        return found

    def _check_text(self, text: str, shape: Any, place: Place) -> None:
        """Notes near misses of the model's own words, and text that hopes to be filled in."""
        words = getattr(shape, "enum", None) or ()
        if words and text not in words and hint(text, words):
            self._add(place, f"`{text}` is no value here{hint(text, words)}")
        for name in _INTERPOLATION.findall(text):
            if name in self._known.parameters:
                self._add(
                    place,
                    f"`${{{name}}}` is not filled in: text is never put together; let "
                    f'`{{ "$param" = "{name}" }}` be a whole value',
                )

    def _add(self, place: Place, message: str) -> None:
        """Notes a problem."""
        self._findings.add(place.path, message)


def _held_names(shape: Any, seen: frozenset[str] = frozenset()) -> str | None:
    """What a part of a request holds that no free value may fill; None where it holds none."""
    if shape.name == _ATTRIBUTE or shape.name in seen:
        return None
    kind = shape.type_name
    inner: tuple[Any, ...] = ()
    if kind == "list":
        inner = (shape.member,)
    elif kind == "map":
        if shape.key.name in _TABLE_SHAPES:
            return "names tables"
        inner = (shape.value,)
    elif kind == "structure":
        if not _NAMES_A_RESOURCE.isdisjoint(shape.members):
            return "names tables"
        if not (_EXPRESSIONS | {_NAMES}).isdisjoint(shape.members):
            return "holds expressions"
        inner = tuple(shape.members.values())
    found = (_held_names(each, seen | {shape.name}) for each in inner)
    return next((each for each in found if each is not None), None)


def _wants(shape: Any, *, is_key: bool = False) -> str:
    """The form of a value that a place takes, as `Reference.wants` has it."""
    if shape.name == _ATTRIBUTE:
        return "key" if is_key else "attribute"
    if shape.name == _NUMERAL:
        return "numeral"
    if shape.type_name == "list":
        return LIST + _wants(shape.member)
    return _WANTS_BY_TYPE.get(shape.type_name, "string")


def _readable(wants: str) -> str:
    """The form in words."""
    words = {
        "attribute": "an attribute value",
        "blob": 'text, or `{ "$bytes" = "BASE64" }`',
        "boolean": "a boolean",
        "integer": "a whole number",
        "key": "a value of a key attribute",
        "map": "a table",
        "number": "a number",
        "numeral": "a number",
        "string": "text",
        "timestamp": "a date or ISO 8601 text",
    }
    return words.get(wants, "a list")


def _numeral(value: Any) -> str | None:
    """A number, or the text of one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return value if isinstance(value, str) else numeral(value)
    except ValueError:
        return None


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else None


def _blob(value: Any) -> bytes | None:
    """Text as UTF-8, or `{ "$bytes" = "BASE64" }`."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, Mapping) and value.keys() == {_BYTES}:
        try:
            return base64.b64decode(value[_BYTES], validate=True)
        except (binascii.Error, TypeError, ValueError):
            return None
    return None


def _timestamp(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None


_SCALARS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "string": lambda value: value if isinstance(value, str) else None,
    "numeral": _numeral,
    "integer": _integer,
    "number": _number,
    "boolean": lambda value: value if isinstance(value, bool) else None,
    "blob": _blob,
    "timestamp": _timestamp,
}
