"""The permissions of a runbook before it is bound: places of parameters stand as `<name>`.

Every parameter gets a value that says its own name, the runbook is compiled as for a run, and the
values are read back as names. So the outline cannot say something else than what a run gets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from dynaguard.policy.model import TableSchema
from dynaguard.runbooks.calls import StepCall, calls_of
from dynaguard.runbooks.compiling import RunPlace, compile_statements
from dynaguard.runbooks.model import Parameter, ParameterType, Runbook
from dynaguard.runbooks.secrets import Secret

Line = tuple[str, str, str]
_PLACE: Final = RunPlace("aws", "REGION", "ACCOUNT")
_MARK: Final = "dgParam{}x"
_FIRST_NUMBER: Final = 871_000_000_000
"""Numbers stand for themselves from here on: nobody's limit or key is one of them."""


def permissions_outline(runbook: Runbook) -> tuple[tuple[str, str, str], ...]:
    """Actions, resource and conditions of each statement, as a reader takes them."""
    names = {_text(_value(each, at)): each.name for at, each in enumerate(runbook.parameters)}
    names.pop(str(True), None)  # a boolean names no resource and no key
    values = {each.name: _value(each, at) for at, each in enumerate(runbook.parameters)}
    known = replace(runbook, tables={**runbook.tables, **_shared_schemas(runbook)})
    calls = tuple(calls_of(runbook))
    try:
        statements, _ = compile_statements(known, calls, values, _PLACE)
        lines = [line for each in statements for line in _lines(each)]
    except ValueError:
        lines = [line for call in calls for line in _of_call(known, call, values)]
    return tuple((_named(a, names), _named(b, names), _named(c, names)) for a, b, c in lines)


def _of_call(runbook: Runbook, call: StepCall, values: Mapping[str, Any]) -> list[Line]:
    """The lines of one call; of one that a parameter's name makes no sense in, that it is so."""
    try:
        statements, _ = compile_statements(runbook, (call,), values, _PLACE)
    except ValueError:
        operation = f"{call.template.service}:{call.template.operation}"
        return [(f"what `{operation}` needs", "told by its parameters", "")]
    return [line for each in statements for line in _lines(each)]


def _lines(statement: Mapping[str, Any]) -> Iterator[Line]:
    """A line for each resource of a statement."""
    actions = ", ".join(f"`{each}`" for each in _listed(statement["Action"]))
    for resource in _listed(statement["Resource"]):
        yield actions, f"`{resource}`", _condition(statement.get("Condition", {}))


def _shared_schemas(runbook: Runbook) -> dict[str, TableSchema]:
    """The key schema that all choices of a parameter share, by the mark of the parameter."""
    found = {}
    for at, parameter in enumerate(runbook.parameters):
        schemas = [runbook.tables.get(choice) for choice in parameter.choices]
        first = schemas[0] if schemas else None
        if first is not None and all(each == first for each in schemas):
            found[_MARK.format(at)] = first
    return found


def _value(parameter: Parameter, at: int) -> Any:
    """A value that says the name of its parameter."""
    kind = parameter.elements or parameter.type
    value: Any = _MARK.format(at)
    if kind is ParameterType.NUMBER:
        value = _FIRST_NUMBER + at
    elif kind is ParameterType.BOOLEAN:
        value = True
    elif kind is ParameterType.SECRET:
        value = Secret(value)
    return (value,) if parameter.type is ParameterType.LIST else value


def _text(value: Any) -> str:
    """A value as a statement has it; of a list its element."""
    return str(value[0] if isinstance(value, tuple) else value)


def _named(text: str, names: Mapping[str, str]) -> str:
    """A text with the values read back as names."""
    for mark, name in names.items():
        text = text.replace(mark, f"<{name}>")
    return text


def _condition(condition: Mapping[str, Mapping[str, Any]]) -> str:
    """The conditions as `key is value`."""
    parts = [
        f"`{key}` is {' or '.join(f'`{value}`' for value in _listed(values))}"
        for keys in condition.values()
        for key, values in keys.items()
    ]
    return "; ".join(parts)


def _listed(values: Any) -> list[str]:
    """One value or several as a list."""
    return values if isinstance(values, list) else [values]
