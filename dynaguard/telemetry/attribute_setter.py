"""Puts attributes on spans: on those of the SDK in one step, where that is surely the same.

The SDK checks and copies each value on its own, half a microsecond each between two calls: for a
whole span an eighth of what OpenTelemetry's botocore instrumentation costs. Our values need no
check: they are texts, numbers, switches and tuples of texts, and never None. So they go straight
to where the SDK keeps them, under its own lock, once it was seen to keep there exactly what it was
given. This is the one place that reaches into the SDK; nothing is imported for it.

The SDK's own way is taken for the first span of each class, for spans with limits that could be
met, for spans of other makers, and where somebody has put a method of his own over the class's.
"""

# ruff: noqa: SLF001 - the one module that knows where the SDK keeps attributes

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from dynaguard.telemetry.attributes import Attributes

_SDK_MODULE: Final = "opentelemetry.sdk.trace"


class AttributeSetter:
    """Sets attributes of spans that record. Thread-safe: two threads may try one class twice."""

    __slots__ = ("_trusted",)

    def __init__(self) -> None:
        # By class, its `set_attributes` as it was when it was tried; None: not to be trusted.
        self._trusted: dict[type, Any] = {}

    def put(self, span: Span, recurring: Attributes, own: Attributes) -> None:
        """Does what `span.set_attributes(recurring | own)` does. May raise.

        Cost: two updates of a dictionary, for a span of the SDK.
        """
        kind = type(span)
        method = kind.set_attributes
        if self._trusted.get(kind, self) is method:
            inner: Any = span  # what follows is the SDK's own, step by step, but for the checks
            kept = inner._attributes
            values, most = kept._dict, kept.maxlen
            has_room = most is None or len(values) + len(recurring) + len(own) <= most
            if has_room and kept.max_value_len is None:
                with inner._lock:
                    if inner._end_time is None:
                        with kept._lock:
                            values.update(recurring)
                            values.update(own)
                        return
        elif kind not in self._trusted and method.__module__ == _SDK_MODULE:
            is_same = _is_as_expected(span, recurring | own)
            self._trusted[kind] = method if is_same else None
            return
        span.set_attributes(recurring | own)


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
