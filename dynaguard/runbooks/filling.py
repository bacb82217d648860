"""Puts values into the places that a call's template leaves open.

A value fills a whole place, in the form that AWS takes there. Text is never put together, so no
value becomes a part of an expression, a name or a pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from dynaguard.aws.dynamodb.values import canonical_number
from dynaguard.runbooks.model import Reference
from dynaguard.runbooks.secrets import Secret

LIST: Final = "list:"
_ATTRIBUTE_TYPES: Final = frozenset("S N B BOOL NULL SS NS BS L M".split())
_KEY_TYPES: Final = frozenset("SNB")


def filled(value: Any, resolve: Callable[[Reference], Any]) -> Any:
    """The parameters with every reference replaced.

    Args:
        value: Parameters of a `CallTemplate`, or a part of them.
        resolve: Gives the value of a reference, in the form that its place wants (`shaped`).
    """
    if isinstance(value, Reference):
        return resolve(value)
    if isinstance(value, Mapping):
        return {name: filled(each, resolve) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [filled(each, resolve) for each in value]
    return value


def has_references(value: Any) -> bool:
    """Whether a part of some parameters is filled later."""
    if isinstance(value, Mapping):
        return any(map(has_references, value.values()))
    if isinstance(value, list | tuple):
        return any(map(has_references, value))
    return isinstance(value, Reference)


def shaped(value: Any, wants: str) -> Any:
    """A value in the form that a place wants.

    Args:
        value: A parameter's value (text, `Decimal`, boolean, `Secret`, tuple), or what an answer
            holds: a value in DynamoDB JSON goes into a place for one as it is, and into any other
            place as what it holds.
        wants: As `Reference.wants` has it.

    Raises:
        ValueError: The value has no such form. The message names types alone.
    """
    if wants.startswith(LIST):
        inner = wants.removeprefix(LIST)
        return [shaped(each, inner) for each in _elements(value)]
    if wants in ("attribute", "key"):
        return _attribute(value, _KEY_TYPES if wants == "key" else _ATTRIBUTE_TYPES)
    return _plain(value, wants)


def is_attribute_value(value: Any) -> bool:
    """Whether a value is in DynamoDB JSON: a mapping from one of its types to what it holds.

    An item whose one attribute is called `N` is none: what it holds is no text.
    """
    if not (isinstance(value, Mapping) and len(value) == 1):
        return False
    ((kind, held),) = value.items()
    return kind in _ATTRIBUTE_TYPES and not (isinstance(held, Mapping) and kind != "M")


def numeral(number: Decimal | float) -> str:
    """A number as DynamoDB writes it: decimal digits without superfluous zeros.

    Raises:
        ValueError: It is none that DynamoDB can hold.
    """
    text = canonical_number(str(number))
    if text is None:
        raise ValueError("the number is outside of what DynamoDB can hold")
    return text


def _elements(value: Any) -> Any:
    """The elements of a list, in DynamoDB JSON too."""
    if is_attribute_value(value):
        value = next(iter(value.values()))
    if not isinstance(value, list | tuple):
        raise _unfit(value, "a list")
    return value


def _attribute(value: Any, types: frozenset[str]) -> Any:
    """A value in DynamoDB JSON."""
    made = value if is_attribute_value(value) else _made_attribute(value)
    if next(iter(made)) not in types:
        raise _unfit(value, "a value of a key attribute")
    return made


def _made_attribute(value: Any) -> dict[str, Any]:
    """A plain value in DynamoDB JSON, by its type."""
    if isinstance(value, Secret):
        return {"S": value.reveal()}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float | Decimal):
        return {"N": numeral(value)}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, list | tuple):
        return {"L": [_attribute(each, _ATTRIBUTE_TYPES) for each in value]}
    raise _unfit(value, "an attribute value")


def _plain(value: Any, wants: str) -> Any:
    """A value for a place that is no attribute's."""
    if is_attribute_value(value) and wants != "map":
        kind, value = next(iter(value.items()))
        value = Decimal(value) if kind == "N" else value
    if isinstance(value, Secret):
        value = value.reveal()
    convert = _CONVERTERS.get(wants)
    return value if convert is None else convert(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _unfit(value, "text")
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _unfit(value, "a whole number")
    numeral(value)  # to make an int of a greater one could take minutes
    if value != int(value):
        raise ValueError("the value is no whole number")
    return int(value)


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _unfit(value, "a number")
    numeral(value)
    return int(value) if value == int(value) else float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _unfit(value, "a boolean")
    return value


def _blob(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, bytes):
        raise _unfit(value, "text or bytes")
    return value


def _numeral(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _unfit(value, "a number")
    return numeral(value)


_CONVERTERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "string": _text,
    "numeral": _numeral,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "blob": _blob,
}


def _unfit(value: Any, wanted: str) -> ValueError:
    """An error that names types, never values."""
    return ValueError(f"the value is of type {type(value).__name__}, {wanted} is wanted")
