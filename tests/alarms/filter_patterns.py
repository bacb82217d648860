"""Evaluates the filter patterns of CloudWatch Logs over JSON events, as far as alarms use them.

A selector that points to nothing, to null, to a list or to an object matches no comparison, `!=`
included. `*` is a wildcard at the beginning and at the end of a text alone.

Source: CloudWatch Logs user guide, Filter pattern syntax for metric filters.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, Final

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<selector>\$(?:\.[A-Za-z0-9_-]+|\[\d+\])+)"
    r"|(?P<operator>&&|\|\||!=|>=|<=|[=><(){}])"
    r'|"(?P<text>[^"\\]*)"|(?P<word>[A-Za-z0-9_.+-]+))'
)
_STEP: Final = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]")
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_ABSENT: Final = object()


class InvalidPatternError(ValueError):
    """Not a pattern of the subset."""


def matches(pattern: str, event: Any) -> bool:
    """Whether an event matches a pattern."""
    return _Evaluator(pattern, event).run()


def selectors(pattern: str) -> set[str]:
    """The selectors that a pattern names; only these can be dimensions and values."""
    return {
        kind_and_text[1] for kind_and_text in _tokens(pattern) if kind_and_text[0] == "selector"
    }


def select(selector: str, event: Any) -> Any:
    """What a selector points to, or None where it points to nothing."""
    found = _resolve(selector, event)
    return None if found is _ABSENT else found


def _tokens(pattern: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while pattern[at:].strip():
        found = _TOKEN.match(pattern, at)
        if found is None or found.lastgroup is None:
            raise InvalidPatternError(f"{pattern!r} at {at}")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        at = found.end()
    return tokens


def _resolve(selector: str, event: Any) -> Any:
    value = event
    for name, place in _STEP.findall(selector[1:]):
        if name and isinstance(value, dict) and name in value:
            value = value[name]
        elif place and isinstance(value, list) and int(place) < len(value):
            value = value[int(place)]
        else:
            return _ABSENT
    return value


class _Evaluator:
    """Recursive descent: `||` binds weaker than `&&`, parentheses strongest."""

    def __init__(self, pattern: str, event: Any) -> None:
        self._tokens = _tokens(pattern)
        self._event = event

    def run(self) -> bool:
        self._take("{")
        result = self._either()
        self._take("}")
        if self._tokens:
            raise InvalidPatternError(f"left over: {self._tokens}")
        return result

    def _either(self) -> bool:
        result = self._both()
        while self._peek() == "||":
            self._take("||")
            result = self._both() or result
        return result

    def _both(self) -> bool:
        result = self._one()
        while self._peek() == "&&":
            self._take("&&")
            result = self._one() and result
        return result

    def _one(self) -> bool:
        if self._peek() == "(":
            self._take("(")
            result = self._either()
            self._take(")")
            return result
        kind, selector = self._tokens.pop(0)
        if kind != "selector":
            raise InvalidPatternError(f"no selector: {selector!r}")
        sign = self._tokens.pop(0)[1]
        if sign == "IS":
            return self._is_true(selector)
        kind, wanted = self._tokens.pop(0)
        if sign not in _COMPARE:
            raise InvalidPatternError(f"no operator: {sign!r}")
        return _holds(_resolve(selector, self._event), sign, wanted, is_number=kind == "word")

    def _is_true(self, selector: str) -> bool:
        if self._tokens.pop(0)[1] != "TRUE":
            raise InvalidPatternError("only `IS TRUE` is used")
        return _resolve(selector, self._event) is True

    def _peek(self) -> str:
        return self._tokens[0][1] if self._tokens and self._tokens[0][0] == "operator" else ""

    def _take(self, text: str) -> None:
        if self._peek() != text:
            raise InvalidPatternError(f"expected {text!r}: {self._tokens[:2]}")
        self._tokens.pop(0)


def _holds(value: Any, sign: str, wanted: str, *, is_number: bool) -> bool:
    if is_number:
        is_comparable = isinstance(value, int | float) and not isinstance(value, bool)
        return is_comparable and _COMPARE[sign](value, float(wanted))
    if not isinstance(value, str) or sign not in {"=", "!="}:
        return False
    return _fits(wanted, value) is (sign == "=")


def _fits(wanted: str, value: str) -> bool:
    inner = wanted.removeprefix("*").removesuffix("*") if wanted != "*" else ""
    if wanted == "*":
        return True
    starts, ends = wanted.startswith("*"), wanted.endswith("*")
    if starts and ends:
        return inner in value
    if starts:
        return value.endswith(inner)
    return value.startswith(inner) if ends else value == wanted
