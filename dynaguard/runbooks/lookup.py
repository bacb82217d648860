"""Finds what a reference means while a run is under way: in parameters, items, earlier results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from dynaguard.runbooks.filling import filled, is_attribute_value, shaped
from dynaguard.runbooks.model import CallTemplate, Check, Loop, Origin, Reference, Step

_NOTHING: Final = object()


class Unfilled(Exception):
    """A place has no value, or one of another type. The message names the place and types."""


@dataclass(frozen=True, slots=True)
class Known:
    """What references can mean at one point of a run.

    Attributes:
        values: Parameter values by name.
        results: What each step before gave, by its name. Grows as the run goes on.
        item: The item of the innermost loop.
    """

    values: Mapping[str, Any]
    results: Mapping[str, Any]
    item: Any = _NOTHING

    def with_item(self, item: Any) -> Known:
        """The same within a loop."""
        return replace(self, item=item)

    def find(self, reference: Reference) -> Any:
        """The value of a reference.

        Raises:
            Unfilled: There is none.
        """
        name = ".".join(reference.path) or "."
        try:
            if reference.origin is Origin.PARAMETER:
                return follow(self.values, reference.path)
            if reference.origin is Origin.RESULT:
                return follow(self.results, reference.path)
            if reference.origin is Origin.ITEM and self.item is not _NOTHING:
                return follow(self.item, reference.path)
        except KeyError:
            pass
        raise Unfilled(f"`{reference.origin.value}` has no `{name}` here")

    def fill(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of a call with every place filled, in the form that AWS takes.

        Raises:
            Unfilled: A place has no value, or one that does not fit it.
        """

        def resolve(reference: Reference) -> Any:
            found = self.find(reference)
            try:
                return shaped(found, reference.wants)
            except (ArithmeticError, TypeError, ValueError) as err:
                name = ".".join(reference.path) or "."
                raise Unfilled(f"`{reference.origin.value}` `{name}`: {err}") from None

        return dict(filled(params, resolve))


def follow(value: Any, path: tuple[str, ...]) -> Any:
    """What stands at the end of a path of names and positions.

    Attribute values are entered by the way: `order.city` means `{"order": {"M": {"city": ...}}}`.

    Raises:
        KeyError: There is nothing.
    """
    for name in path:
        if is_attribute_value(value) and name not in value:
            value = next(iter(value.values()))
        if isinstance(value, Mapping):
            value = value[name]
        elif isinstance(value, list | tuple) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            raise KeyError(name)
    return value


def simple(value: Any) -> Any:
    """The value within an attribute value: text, number, boolean, list or mapping."""
    if not is_attribute_value(value):
        return value
    kind, held = next(iter(value.items()))
    if kind == "N":
        return Decimal(held)
    if kind == "NULL":
        return None
    if kind == "M":
        return {name: simple(each) for name, each in held.items()}
    if kind == "L":
        return [simple(each) for each in held]
    return [Decimal(each) for each in held] if kind == "NS" else held


def asked_results(steps: tuple[Step, ...]) -> frozenset[str]:
    """Names of steps whose answers other steps ask for."""
    return frozenset(
        reference.path[0]
        for step in steps
        for reference in _references(_written(step))
        if reference.origin is Origin.RESULT
    ) | frozenset(
        name
        for step in steps
        if isinstance(step.action, Loop)
        for name in asked_results(step.action.steps)
    )


def _written(step: Step) -> Any:
    """What of a step may hold references."""
    action = step.action
    if isinstance(action, CallTemplate):
        return action.params
    if isinstance(action, Check):
        return action.value, action.subject
    return action.items if isinstance(action, Loop) else None


def _references(value: Any) -> Iterator[Reference]:
    """Every reference in a value."""
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _references(each)
