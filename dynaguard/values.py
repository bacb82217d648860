"""`dataclass` for frozen values, whose methods are made when a value is first used.

The standard library's makes six methods for each class from text, at import: 0.4 ms a class, which
was half of what importing dynaguard cost (3.11; 3.13 takes as long). Here a class gets its fields
and slots at import, and its `__init__` with its first instance; comparing, hashing, printing and
pickling read the fields. To everybody else it is a dataclass: `fields`, `replace`, `asdict` and
type checkers see no difference.

Not for classes whose signature is documented, nor for ones that inherit fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: bool, slots: bool) -> Callable[[type], type]:
        """As `dataclasses.dataclass(frozen=True, slots=True)`, the only form that is known."""
        if not (frozen and slots):
            raise TypeError("a value is frozen and has slots")
        return _value


__all__ = ["dataclass"]


def _value(cls: type[Any]) -> type[Any]:
    """The class as a value."""
    made: type[Any] = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    compared = [field.name for field in dataclasses.fields(made) if field.compare]
    key: Callable[[Any], Any] = attrgetter(*compared) if compared else _nothing

    def equals(self: Any, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return key(self) == key(other)

    def first_init(self: Any, *args: Any, **options: Any) -> None:
        made.__init__ = init = _init_of(made)
        init(self, *args, **options)

    methods = {
        **_METHODS,
        "__eq__": equals,
        "__hash__": lambda self: hash(key(self)),
        "__init__": first_init,
    }
    for name, method in methods.items():
        # What the class says itself counts, as in a dataclass; what it inherits does not.
        if cls.__dict__.get(name) is None:
            setattr(made, name, method)
    return made


def _nothing(_value: Any) -> tuple[()]:
    """The key of values that have nothing to compare."""
    return ()


def _init_of(made: type[Any]) -> Callable[..., None]:
    """The `__init__` of a frozen dataclass with these fields."""
    fields = dataclasses.fields(made)
    body: dict[str, Any] = {field.name: field for field in fields}
    body["__annotations__"] = {field.name: field.type for field in fields}
    body["__module__"] = made.__module__
    if hasattr(made, "__post_init__"):
        body["__post_init__"] = made.__post_init__
    twin = type(made.__name__, (), body)
    init: Callable[..., None] = dataclasses.dataclass(frozen=True, repr=False, eq=False)(
        twin
    ).__init__  # type: ignore[misc]
    return init


def _repr(self: Any) -> str:
    """As a dataclass prints itself."""
    shown = ", ".join(
        f"{field.name}={getattr(self, field.name)!r}"
        for field in dataclasses.fields(self)
        if field.repr
    )
    return f"{type(self).__qualname__}({shown})"


def _setattr(_self: Any, name: str, _value: Any) -> NoReturn:
    """Refuses: a value does not change."""
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(_self: Any, name: str) -> NoReturn:
    """Refuses: a value does not change."""
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    """The fields, for copies and pickles."""
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    """Takes the fields in; a value is not built by its `__init__` here."""
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_METHODS: Final[Mapping[str, Callable[..., Any]]] = {
    "__repr__": _repr,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}
"""The same for every value."""
