"""Whoever has put something over the SDK's method, or over a span, is not gone around."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import wrapt
from opentelemetry.sdk.trace import Span as SdkSpan

from dynaguard.telemetry.attribute_setter import _NOBODY, AttributeSetter
from tests.telemetry.test_telemetry_attribute_setter import OWN, new_span, trusting

PUBLIC = {"key": "public"}
SECRET = {"key": "secret"}


def scrubbed(attributes: Any) -> dict[str, Any]:
    """Attributes without the one value that is secret."""
    return {name: "***" if value == "secret" else value for name, value in attributes.items()}


def scrubbing(original: Callable[..., None]) -> Callable[..., None]:
    """A method of a peer that hides values, as peers wrap methods."""

    @functools.wraps(original)
    def set_attributes(self: Any, attributes: Any) -> None:
        original(self, scrubbed(attributes))

    return set_attributes


def in_module(original: Callable[..., None]) -> Callable[..., None]:
    """The same, which only says that it is the SDK's."""
    method = scrubbing(original)
    del method.__wrapped__  # type: ignore[attr-defined]
    return method


def marked(original: Callable[..., None]) -> Callable[..., None]:
    """The same, of the kind that `wrapt` makes."""
    wrapped: Callable[..., None] = wrapt.FunctionWrapper(
        original, lambda method, _, args, __: method(scrubbed(args[0]))
    )
    return wrapped


@pytest.mark.parametrize("peer", [scrubbing, in_module, marked])
def test_a_method_that_a_peer_wrapped_is_called_each_time(
    peer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the first span shows no difference."""
    late, early = AttributeSetter(), trusting()
    monkeypatch.setattr(SdkSpan, "set_attributes", peer(SdkSpan.set_attributes))
    late.put(new_span(), PUBLIC, {})

    for setter in (late, early):
        span = new_span()
        setter.put(span, SECRET, {})
        assert span.attributes["key"] == "***"


def test_a_method_on_the_span_itself_is_called() -> None:
    """On the first span of its class, and on a later one."""
    for setter in (AttributeSetter(), trusting()):
        span, given = new_span(), []  # type: ignore[var-annotated]
        span.set_attributes = given.append

        setter.put(span, SECRET, OWN)

        assert given == [{**SECRET, **OWN}]
        assert "key" not in span.attributes


def test_a_span_with_a_method_of_its_own_says_nothing_of_its_class() -> None:
    """The next span of the class is tried."""
    setter, span = AttributeSetter(), new_span()
    span.set_attributes = lambda _: None
    setter.put(span, SECRET, {})

    setter.put(new_span(), SECRET, {})

    assert list(setter._trusted) == [type(span)]
    assert _NOBODY not in setter._trusted.values()


def test_a_proxy_of_a_span_has_the_attributes() -> None:
    """Its class has no such method; the span behind it does."""
    for setter in (AttributeSetter(), trusting()):
        for _ in range(2):
            span = new_span()
            setter.put(wrapt.ObjectProxy(span), SECRET, OWN)

            assert {**SECRET, **OWN}.items() <= dict(span.attributes).items()


def test_attributes_that_are_kept_by_another_class_go_the_sdks_way() -> None:
    """A peer may have put its own in the place of the SDK's."""
    setter, span = trusting(), new_span()

    class Kept(type(span._attributes)):  # type: ignore[misc]
        """Hears of what is set by the SDK."""

        def _set_items(self, attributes: Any) -> None:
            super()._set_items(dict.fromkeys(attributes, "***"))

        def __setitem__(self, name: str, value: Any) -> None:
            super().__setitem__(name, "***")

    span._attributes = Kept(immutable=False)

    setter.put(span, SECRET, {})

    assert dict(span.attributes) == {"key": "***"}
