"""Checks `[parameters]`: what a run is told, each value held to a type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from dynaguard.policy.collecting import Findings, kind_of
from dynaguard.policy.lines import Path_
from dynaguard.policy.literals import parse_instant
from dynaguard.runbooks.model import Parameter, ParameterType
from dynaguard.runbooks.parameters import converted
from dynaguard.runbooks.patterns import PatternError, compile_pattern

TYPES: Final = tuple(each.value for each in ParameterType)
PARAMETER_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_COMMON: Final = ("type", "description", "default", "required")
_TEXTS: Final = (ParameterType.STRING, ParameterType.SECRET, ParameterType.ARN)
BOUNDED: Final = (ParameterType.NUMBER, ParameterType.DATE, ParameterType.LIST)


def check_parameters(findings: Findings, value: Any) -> tuple[Parameter, ...]:
    """`[parameters]`: in document order."""
    found = []
    for name, entry in findings.table(value, ("parameters",)).items():
        path: Path_ = ("parameters", name)
        if not PARAMETER_NAME.fullmatch(name):
            findings.add(path, f"`{name}` is no name, use letters, digits, `-` and `_`")
        table = findings.table(entry, path)
        if "type" not in table:
            findings.add(path, f"`type` is missing, it is one of {', '.join(TYPES)}")
            continue
        kind = findings.choice(table["type"], (*path, "type"), TYPES)
        if kind is not None:
            found.append(_parameter(findings, name, ParameterType(kind), table))
    return tuple(found)


def _parameter(
    findings: Findings, name: str, kind: ParameterType, table: Mapping[str, Any]
) -> Parameter:
    """One entry."""
    path: Path_ = ("parameters", name)
    inner = _elements(findings, table, path) if kind is ParameterType.LIST else kind
    findings.check_keys(table, path, parameter_keys(kind, inner))
    minimum, maximum = _bounds(findings, table, path, kind)
    is_required = table.get("required", "default" not in table)
    if not isinstance(is_required, bool):
        findings.add((*path, "required"), f"must be true or false, this is {kind_of(is_required)}")
    if is_required is True and "default" in table:
        findings.add((*path, "required"), "has a `default`, remove one of them")
    parameter = Parameter(
        name=name,
        type=kind,
        description=_text(findings, table, path),
        pattern=_pattern(findings, table, path),
        minimum=minimum,
        maximum=maximum,
        choices=_choices(findings, table, path, inner),
        elements=inner if kind is ParameterType.LIST else None,
        default=table.get("default"),
        is_required=is_required is True,
    )
    _check_default(findings, parameter, path)
    return parameter


def parameter_keys(kind: ParameterType, inner: ParameterType) -> tuple[str, ...]:
    """The keys that an entry may have."""
    keys: tuple[str, ...] = _COMMON
    keys += ("elements",) if kind is ParameterType.LIST else ()
    keys += ("minimum", "maximum") if kind in BOUNDED else ()
    keys += ("pattern",) if inner in _TEXTS else ()
    return keys + (("choices",) if inner is ParameterType.ENUM else ())


def _elements(findings: Findings, table: Mapping[str, Any], path: Path_) -> ParameterType:
    """The type of a list's elements."""
    choices = tuple(each for each in TYPES if each != ParameterType.LIST)
    kind = findings.choice(table.get("elements", "string"), (*path, "elements"), choices)
    return ParameterType(kind or "string")


def _text(findings: Findings, table: Mapping[str, Any], path: Path_) -> str:
    """The description."""
    text = table.get("description", "")
    if not isinstance(text, str):
        findings.add((*path, "description"), f"must be text, this is {kind_of(text)}")
        return ""
    return text


def _pattern(findings: Findings, table: Mapping[str, Any], path: Path_) -> str | None:
    """The pattern, where it is one that can be used."""
    pattern = table.get("pattern")
    if pattern is None:
        return None
    if not isinstance(pattern, str) or not pattern:
        findings.add((*path, "pattern"), f"must be a regular expression, is {kind_of(pattern)}")
        return None
    try:
        compile_pattern(pattern)
    except PatternError as err:
        findings.add((*path, "pattern"), f"is no pattern that can be used: {err}")
        return None
    return pattern


def _choices(
    findings: Findings, table: Mapping[str, Any], path: Path_, inner: ParameterType
) -> tuple[str, ...]:
    """The choices of an enum."""
    if inner is not ParameterType.ENUM:
        return ()
    if "choices" not in table:
        findings.add(path, '`choices` is missing, write for example `choices = ["dev", "prod"]`')
        return ()
    return findings.texts(table["choices"], (*path, "choices"))


def _bounds(
    findings: Findings, table: Mapping[str, Any], path: Path_, kind: ParameterType
) -> tuple[Any, Any]:
    """`minimum` and `maximum`, of the type's own form."""
    if kind not in BOUNDED:
        return None, None
    found = []
    for name in ("minimum", "maximum"):
        bound = table.get(name)
        bound = bound.isoformat() if isinstance(bound, date) else bound
        if bound is not None and not _is_bound(bound, kind):
            form = "an ISO 8601 date" if kind is ParameterType.DATE else "a number"
            findings.add((*path, name), f"must be {form}, this is {kind_of(bound)}")
            bound = None
        found.append(bound)
    return found[0], found[1]


def _is_bound(bound: Any, kind: ParameterType) -> bool:
    """Whether a bound is of its type's form."""
    if kind is ParameterType.DATE:
        return isinstance(bound, str) and parse_instant(bound) is not None
    if isinstance(bound, bool) or not isinstance(bound, int | float):
        return False
    return kind is ParameterType.NUMBER or (isinstance(bound, int) and bound >= 0)


def _check_default(findings: Findings, parameter: Parameter, path: Path_) -> None:
    """Notes a default that the parameter itself would refuse, and one that would be shown."""
    if parameter.default is None:
        return
    if ParameterType.SECRET in (parameter.type, parameter.elements):
        findings.add((*path, "default"), "a secret stands in no document, remove the default")
        return
    try:
        converted(parameter, parameter.default)
    except ValueError as err:
        findings.add((*path, "default"), str(err))
