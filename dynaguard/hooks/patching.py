"""Wraps methods of foreign classes, or functions of modules, and takes the wrappers off again.

A wrapper is a closure with `__wrapped__`, so `inspect.signature` and `inspect.getsource` of a
wrapped method stay what they were, and a peer that takes off "whatever wrapt wrapper is outermost"
leaves ours alone. It costs a fifth of a wrapt wrapper per call (see docs/architecture.md).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

Wrapper = Callable[[Callable[..., Any], "Patch"], Callable[..., Any]]
"""Makes what stands in place of a method, from the method (which takes its instance first).

Called once per `apply()`. What it makes calls the method and does nothing else once the patch is
not `is_active` any more. It takes the method's parameters by their own names, those that it does
not read as `*more, **options`: one Python call per wrapped call, and no packing of arguments.
"""


class Patch:
    """One wrapped method of one class; `apply()` and `remove()` it once each.

    Args:
        owner: The class whose own `__dict__` holds the method, or the module of a function.
        name: The method.
        wrapper: Makes what stands in its place.

    Attributes:
        is_active: Whether it is applied.
    """

    __slots__ = ("_original", "_ours", "_wrapper", "is_active", "name", "owner")

    def __init__(self, owner: type | ModuleType, name: str, wrapper: Wrapper) -> None:
        self.owner = owner
        self.name = name
        self._wrapper = wrapper
        self._original: Any = None
        self._ours: Any = None
        self.is_active = False

    @property
    def is_in_place(self) -> bool:
        """Whether our wrapper is still in the chain of wrappers on the method."""
        return self.is_active and any(link is self._ours for link in self._chain())

    def apply(self) -> None:
        """Wraps the method as it is now, peers' wrappers included."""
        # From `__dict__`, never `getattr`: a bound wrapper put back later would not be the same.
        original = self.owner.__dict__[self.name]
        # A peer's wrapt wrapper is a descriptor (that claims to be a function, so ask its type):
        # binding it is what hands it the instance.
        is_plain = type(original) is FunctionType or isinstance(self.owner, ModuleType)
        call = original if is_plain else _bound_call(original, self.owner)
        ours = functools.wraps(original)(self._wrapper(call, self))
        self._original, self._ours = original, ours
        self.is_active = True
        setattr(self.owner, self.name, ours)

    def remove(self) -> None:
        """Puts back exactly what was wrapped.

        Beneath a peer's wrapt wrapper the peer is made to point past ours. A peer that hides
        what it wrapped keeps calling ours, which then only passes through.
        """
        self.is_active = False
        if self.owner.__dict__[self.name] is self._ours:
            setattr(self.owner, self.name, self._original)
            return
        for link in self._chain():
            # A plain function's `__wrapped__` is a label; a wrapt proxy's is what it calls.
            is_proxy = type(link) is not FunctionType
            if is_proxy and getattr(link, "__wrapped__", None) is self._ours:
                link.__wrapped__ = self._original
                return

    def _chain(self) -> list[Any]:
        """The wrappers on the method, outermost first, the original last."""
        links = [self.owner.__dict__[self.name]]
        while (inner := getattr(links[-1], "__wrapped__", None)) is not None:
            links.append(inner)
        return links


def _bound_call(original: Any, owner: Any) -> Callable[..., Any]:
    """A function that binds a descriptor to its first argument and calls it."""

    def call(instance: Any, /, *args: Any, **kwargs: Any) -> Any:
        return original.__get__(instance, owner)(*args, **kwargs)

    return call
