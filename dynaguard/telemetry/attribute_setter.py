"""Puts attributes on spans: on those of the SDK in one step, where that is surely the same.

The SDK checks and copies each value on its own, half a microsecond each between two calls: for a
whole span an eighth of what OpenTelemetry's botocore instrumentation costs. Our values need no
check: they are texts, numbers, switches and tuples of texts, and never None. So they go straight
to where the SDK keeps them, under its own lock, once it was seen to keep there exactly what it was
given. This is the one place that reaches into the SDK; nothing is imported for it.

The span's own method is called for the first span of each class, for spans with limits that could
be met, for spans of other makers and proxies, and where somebody has put a method of his own over
the class's or the span's.
"""

# ruff: noqa: SLF001 - the one module that knows where the SDK keeps attributes

from __future__ import annotations

from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from dynaguard.telemetry.attributes import Attributes

_SDK_MODULE: Final = "opentelemetry.sdk.trace"
_NOBODY: Final[tuple[object, Any]] = (object(), None)
"""What is no class's method."""


class AttributeSetter:
    """Sets attributes of spans that record. Thread-safe: two threads may try one class twice."""

    __slots__ = ("_trusted",)

    def __init__(self) -> None:
        # By class, its `set_attributes` as it was when it was tried, and the class of what keeps
        # the attributes; `_NOBODY`: not to be trusted.
        self._trusted: dict[type, tuple[object, Any]] = {}

    def put(self, span: Span, recurring: Attributes, own: Attributes) -> None:
        """Does what `span.set_attributes(recurring | own)` does. May raise.

        Cost: two updates of a dictionary, for a span of the SDK.
        """
        kind = type(span)
        # As a call would find it, in one look: what was put over the class's or on the span itself
        # is another function, what a proxy hands on is another span's. Peers' wrappers may have
        # these names too, so that nothing but a plain method is asked for them.
        bound: Any = span.set_attributes
        is_plain = type(bound) is MethodType and bound.__self__ is span
        method = bound.__func__ if is_plain else None
        trusted_method, kept_by = self._trusted.get(kind, _NOBODY)
        if method is trusted_method:
            inner: Any = span  # what follows is the SDK's own, step by step, but for the checks
            kept = inner._attributes
            if type(kept) is kept_by and kept.max_value_len is None:
                values, most = kept._dict, kept.maxlen
                has_room = most is None or len(values) + len(recurring) + len(own) <= most
                with inner._lock:
                    if has_room and inner._end_time is None:
                        with kept._lock:
                            values.update(recurring)
                            values.update(own)
                        return
        elif kind not in self._trusted and _is_sdks(method):
            is_same = _is_as_expected(span, recurring | own)
            kept = getattr(span, "_attributes", None)
            self._trusted[kind] = (method, type(kept)) if is_same else _NOBODY
            return
        bound(recurring | own)


def _is_sdks(method: object) -> bool:
    """Whether a method is the SDK's own function; a peer's wrapper may copy its module's name."""
    return (
        type(method) is FunctionType
        and method.__globals__.get("__name__") == _SDK_MODULE
        and not hasattr(method, "__wrapped__")
    )


def _is_as_expected(span: Any, attributes: Attributes) -> bool:
    """Sets the attributes the SDK's way, and tells whether ours would have given the same."""
    kept = getattr(span, "_attributes", None)
    values = getattr(kept, "_dict", None)
    before = dict(values) if isinstance(values, dict) else {}
    span.set_attributes(attributes)
    expected = before | attributes
    return (
        isinstance(values, dict)
        and span._attributes is kept
        and kept._dict is values
        and _typed(values) == _typed(expected) == _typed(span.attributes)
        and hasattr(kept, "maxlen")
        and hasattr(kept, "max_value_len")
        and getattr(span, "_end_time", span) is None
        and all(hasattr(getattr(each, "_lock", None), "__enter__") for each in (span, kept))
    )


def _typed(attributes: Any) -> dict[str, tuple[type, object]]:
    """Values with their types: 1 is not True."""
    return {name: (type(value), value) for name, value in attributes.items()}
