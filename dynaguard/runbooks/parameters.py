"""Checks and converts the values that a run is given for its parameters.

All problems are told at once, none of them with a value: values may be secret, and what is told
ends in logs.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from dynaguard.aws.arns import is_arn
from dynaguard.errors import ConfigurationError
from dynaguard.policy.collecting import hint
from dynaguard.policy.literals import parse_instant, parse_number
from dynaguard.runbooks.filling import numeral
from dynaguard.runbooks.model import Parameter, ParameterType, Runbook
from dynaguard.runbooks.patterns import MAX_LENGTH, compile_pattern
from dynaguard.runbooks.secrets import Secret

RESERVED: Final = "dynaguardUnknownValue0"
"""Stands for what is not known while statements are compiled: where it stands, they say `*`."""
MAX_ELEMENTS: Final = 1000
"""Most elements of a list that says no `maximum`."""


class _WrongValue(ValueError):
    """What is wrong with a value, as the end of a sentence that names its parameter."""


def bound_values(runbook: Runbook, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of all parameters, checked, of their types, defaults filled in.

    Args:
        runbook: The runbook.
        given: Values by name: text, as a command line has it, or values of Python.

    Returns:
        By name in the runbook's order; left out are those that have no value and need none.
        `string`, `enum`, `arn` and `date` (ISO 8601) are text, a `number` is a `Decimal`, a
        `boolean` a bool, a `secret` a `Secret`, a `list` a tuple.

    Raises:
        ConfigurationError: Everything that is wrong, a line each; names, never values.
    """
    names = [parameter.name for parameter in runbook.parameters]
    problems = [
        f"runbook `{runbook.name}` has no parameter `{name}`{hint(name, names)}"
        for name in given
        if name not in names
    ]
    values = {}
    for parameter in runbook.parameters:
        name = parameter.name
        value = given.get(name, parameter.default)
        if value is None:
            if parameter.is_required:
                problems.append(f"parameter `{name}` is missing{_about(parameter)}")
            continue
        try:
            values[name] = converted(parameter, value)
        except ValueError as err:
            problems.append(f"parameter `{name}` {err}")
    if problems:
        raise ConfigurationError("\n".join(problems))
    return values


def converted(parameter: Parameter, value: Any) -> Any:
    """One value, checked, of its parameter's type.

    Raises:
        ValueError: What is wrong with it, as the end of a sentence that names the parameter.
    """
    if parameter.type is ParameterType.LIST:
        return _list(parameter, value)
    return _READERS[parameter.type](parameter, value)


def _about(parameter: Parameter) -> str:
    """What a parameter means, behind its name."""
    return f" ({parameter.description})" if parameter.description else ""


def _text(value: Any) -> str:
    """Any text of bounded length that UTF-8 can write."""
    if isinstance(value, Secret):
        value = value.reveal()
    if not isinstance(value, str):
        raise _WrongValue(f"must be text, this is of type {type(value).__name__}")
    if not 0 < len(value) <= MAX_LENGTH:
        raise _WrongValue(f"has {len(value)} characters, must have 1 to {MAX_LENGTH}")
    if any("\ud800" <= char <= "\udfff" or "\ufdd0" <= char <= "\ufdef" for char in value):
        raise _WrongValue("holds characters that no text can hold")
    if RESERVED in value:
        raise _WrongValue("holds a word that is reserved")
    return value


def _string(parameter: Parameter, value: Any) -> str:
    """Text that its pattern matches; without a pattern, without control characters."""
    text = _text(value)
    if parameter.pattern is not None:
        if not compile_pattern(parameter.pattern).fullmatch(text):
            raise _WrongValue(f"does not match its pattern `{parameter.pattern}`")
    elif any(unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") for char in text):
        raise _WrongValue("holds control characters, which only a `pattern` can allow")
    return text


def _secret(parameter: Parameter, value: Any) -> Secret:
    return Secret(_string(parameter, value))


def _enum(parameter: Parameter, value: Any) -> str:
    """One of the choices."""
    if isinstance(value, str) and value in parameter.choices:
        return value
    listed = ", ".join(f"`{choice}`" for choice in parameter.choices)
    near = hint(value, parameter.choices) if isinstance(value, str) else ""
    raise _WrongValue(f"must be one of {listed}{near}")


def _number(parameter: Parameter, value: Any) -> Decimal:
    """A number of DynamoDB's range, exact, within the bounds."""
    number = None
    if isinstance(value, str):
        number = parse_number(value)
    elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        number = parse_number(str(value))
    if number is None:
        raise _WrongValue("must be a number, such as `10` or `0.5`")
    numeral(number)
    _check_bounds(number, parameter.minimum, parameter.maximum, Decimal)
    return number


def _boolean(_parameter: Parameter, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise _WrongValue("must be `true` or `false`")


def _date(parameter: Parameter, value: Any) -> str:
    """A day, or an instant with its zone, as ISO 8601 text."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise _WrongValue("is an instant without a zone, write `2026-12-01T08:30:00Z`")
        value = value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    elif isinstance(value, date):
        value = value.isoformat()
    is_form = isinstance(value, str) and len(value) >= len("2026-12-01") and "-" in value[1:]
    if not is_form or parse_instant(value) is None:
        raise _WrongValue("must be a date such as `2026-12-01` or `2026-12-01T08:30:00Z`")
    _check_bounds(value, parameter.minimum, parameter.maximum, parse_instant)
    return str(value)


def _arn(parameter: Parameter, value: Any) -> str:
    """An ARN of six parts, of one resource alone."""
    text = _string(parameter, value)
    if not is_arn(text):
        raise _WrongValue("must be an ARN of six parts, `arn:aws:...`")
    if any(sign in text for sign in "*?$"):
        raise _WrongValue("must be the ARN of one resource, without `*`, `?` and `$`")
    return text


def _list(parameter: Parameter, value: Any) -> tuple[Any, ...]:
    """Elements, each checked; text is JSON where it begins with `[`, else parted by commas."""
    if isinstance(value, str):
        value = _elements_of(value)
    if not isinstance(value, list | tuple):
        raise _WrongValue(f"must be a list, this is of type {type(value).__name__}")
    least = 1 if parameter.minimum is None else parameter.minimum
    most = MAX_ELEMENTS if parameter.maximum is None else parameter.maximum
    if not least <= len(value) <= most:
        raise _WrongValue(f"has {len(value)} elements, must have {least} to {most}")
    element = element_of(parameter)
    found, faults = [], []
    for at, each in enumerate(value):
        try:
            found.append(converted(element, each))
        except ValueError as err:
            faults.append(f"[{at}] {err}")
    if faults:
        raise _WrongValue("; ".join(faults))
    return tuple(found)


def _elements_of(text: str) -> Iterable[Any]:
    """`a,b` or `["a", "b"]`."""
    if not text.startswith("["):
        return [each.strip() for each in text.split(",")]
    try:
        return json.loads(text, parse_float=Decimal)  # type: ignore[no-any-return]
    except (ValueError, RecursionError):
        raise _WrongValue("begins with `[` and is no JSON list") from None


def element_of(parameter: Parameter) -> Parameter:
    """What one element of a list is held to."""
    kind = parameter.elements or ParameterType.STRING
    return Parameter(parameter.name, kind, pattern=parameter.pattern, choices=parameter.choices)


def _check_bounds(value: Any, minimum: Any, maximum: Any, measure: Callable[[Any], Any]) -> None:
    """Refuses a value outside of its bounds."""
    if minimum is not None and measure(value) < measure(str(minimum)):
        raise _WrongValue(f"must be at least {minimum}")
    if maximum is not None and measure(value) > measure(str(maximum)):
        raise _WrongValue(f"must be at most {maximum}")


_READERS: Final[Mapping[ParameterType, Callable[[Parameter, Any], Any]]] = {
    ParameterType.STRING: _string,
    ParameterType.NUMBER: _number,
    ParameterType.BOOLEAN: _boolean,
    ParameterType.ENUM: _enum,
    ParameterType.DATE: _date,
    ParameterType.ARN: _arn,
    ParameterType.SECRET: _secret,
}
