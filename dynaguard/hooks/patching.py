"""Wraps methods of foreign classes and takes the wrappers off again, peers or not.

Wrappers are made by wrapt, so that `inspect.signature` and `inspect.getsource` of a wrapped method
stay what they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Wrapper = Callable[[Callable[..., Any], Any, tuple[Any, ...], Mapping[str, Any]], Any]


class Patch:
    """One wrapped method of one class; `apply()` and `remove()` it once each.

    Args:
        owner: The class whose own `__dict__` holds the method.
        name: The method.
        wrapper: Called as `wrapper(wrapped, instance, args, kwargs)`.
    """

    __slots__ = ("_is_active", "_ours", "_wrapper", "name", "owner")

    def __init__(self, owner: type, name: str, wrapper: Wrapper) -> None:
        self.owner = owner
        self.name = name
        self._wrapper = wrapper
        self._ours: Any = None
        self._is_active = False

    @property
    def is_in_place(self) -> bool:
        """Whether our wrapper is still in the chain of wrappers on the method."""
        return self._is_active and any(link is self._ours for link in self._chain())

    def apply(self) -> None:
        """Wraps the method as it is now, peers' wrappers included."""
        import wrapt  # it pulls in asyncio; a process that never installs must not pay for it

        # From `__dict__`, never `getattr`: a bound wrapper put back later would not be the same.
        original = self.owner.__dict__[self.name]
        self._is_active = True
        self._ours = wrapt.FunctionWrapper(original, self._call)
        setattr(self.owner, self.name, self._ours)

    def remove(self) -> None:
        """Puts back exactly what was wrapped.

        Beneath a peer's wrapper the peer is made to point past ours. A peer that hides what it
        wrapped keeps calling ours, which then only passes through.
        """
        self._is_active = False
        outermost = self.owner.__dict__[self.name]
        if outermost is self._ours:
            setattr(self.owner, self.name, self._ours.__wrapped__)
            return
        for link in self._chain():
            if getattr(link, "__wrapped__", None) is self._ours and _is_wrapt_proxy(link):
                link.__wrapped__ = self._ours.__wrapped__
                return

    def _call(
        self,
        wrapped: Callable[..., Any],
        instance: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """What wrapt calls."""
        if not self._is_active:
            return wrapped(*args, **kwargs)
        return self._wrapper(wrapped, instance, args, kwargs)

    def _chain(self) -> list[Any]:
        """The wrappers on the method, outermost first, the original last."""
        links = [self.owner.__dict__[self.name]]
        while (inner := getattr(links[-1], "__wrapped__", None)) is not None:
            links.append(inner)
        return links


def _is_wrapt_proxy(link: Any) -> bool:
    """Whether assigning `__wrapped__` changes what `link` calls."""
    import wrapt

    return isinstance(link, wrapt.FunctionWrapper)
