"""`dataclass` for frozen values, whose methods are made when a value is first used.

The standard library's makes six methods for each class from text, at import: 0.4 ms a class, which
was half of what importing dynaguard cost (3.11; 3.13 takes as long). Here a class gets its fields
and slots at import, its `__init__` with its first instance, and what compares and hashes when it
is first compared or hashed; all by the standard library, and as fast. To everybody else it is a
dataclass: `fields`, `replace`, `asdict` and type checkers see no difference.

Not for classes whose signature is documented, nor for ones that inherit fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
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
_MISSING: Final = dataclasses.MISSING


def _value(cls: type[Any]) -> type[Any]:
    """The class as a value."""
    made: type[Any] = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    if any(not each.init and each.default is not _MISSING for each in dataclasses.fields(made)):
        raise TypeError(f"`{cls.__name__}` has a default for what is never given, set it instead")

    def first_init(self: Any, *args: Any, **options: Any) -> None:
        made.__init__ = init = _twin(made, frozen=True, eq=False).__init__
        init(self, *args, **options)

    def first_equals(self: Any, other: object) -> Any:
        return _compare(made).__eq__(self, other)

    def first_hash(self: Any) -> int:
        return int(_compare(made).__hash__(self))

    methods = {
        **_METHODS,
        "__init__": first_init,
        "__eq__": first_equals,
        "__hash__": first_hash,
    }
    for name, method in methods.items():
        # What the class says itself counts, as in a dataclass; what it inherits does not.
        if cls.__dict__.get(name) is None:
            setattr(made, name, method)
    return made


def _compare(made: type[Any]) -> Any:
    """Gives a class what compares and hashes by its fields, unless it says so itself."""
    twin = _twin(made, init=False, unsafe_hash=True)
    for name in ("__eq__", "__hash__"):
        if getattr(made, name).__name__.startswith("first_"):
            setattr(made, name, getattr(twin, name))
    return twin


def _twin(made: type[Any], **options: bool) -> Any:
    """A plain dataclass with the same fields, whose methods fit."""
    fields = dataclasses.fields(made)
    body: dict[str, Any] = {field.name: field for field in fields}
    body["__annotations__"] = {field.name: field.type for field in fields}
    body["__module__"] = made.__module__
    # Without one a dataclass is given its signature as text, which takes longer than its methods.
    body["__doc__"] = made.__doc__ or made.__name__
    if hasattr(made, "__post_init__"):
        body["__post_init__"] = made.__post_init__
    return dataclasses.dataclass(repr=False, **options)(type(made.__name__, (), body))


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
