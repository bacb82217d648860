"""What is put on a span is what its maker's own method would have put there."""

from __future__ import annotations

from types import FunctionType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan

from dynaguard.telemetry.attribute_setter import _NOBODY, AttributeSetter
from dynaguard.telemetry.describing import Descriptions
from tests.audit.audit_cases import calls, decisions, outcomes, principals

OWN = {"own": "x", "count": 1}


def new_span(limits: SpanLimits | None = None) -> Any:
    """A span of the SDK, with something on it."""
    provider = TracerProvider(shutdown_on_exit=False, span_limits=limits)
    return provider.get_tracer("test").start_span("x", attributes={"start": True, "own": "before"})


def trusting() -> AttributeSetter:
    """A setter that has tried the SDK's spans."""
    setter = AttributeSetter()
    setter.put(new_span(), {"first": 1}, {})
    assert _NOBODY not in setter._trusted.values()
    return setter


def as_the_sdks(function: Any) -> FunctionType:
    """A function as if it stood in the SDK's module."""
    return FunctionType(
        function.__code__,
        SdkSpan.set_attributes.__globals__,
        closure=function.__closure__,
    )


def typed(span: Any) -> dict[str, Any]:
    """Attributes with their types: 1 is not True."""
    return {name: (type(value), value) for name, value in span.attributes.items()}


TRUSTING = trusting()


@given(calls, principals, st.none() | decisions, outcomes)
def test_attributes_are_those_that_the_sdk_would_keep(
    call: Any, principal: Any, decision: Any, outcome: Any
) -> None:
    """Of any call: values, types, tuples."""
    descriptions = Descriptions()
    part = descriptions.part(call, principal, decision, outcome)
    recurring = descriptions.recurring(part, call, principal, decision, outcome)
    own = descriptions.own(part, call, outcome)
    ours, theirs = new_span(), new_span()

    TRUSTING.put(ours, recurring, own)
    theirs.set_attributes(recurring | own)

    assert typed(ours) == typed(theirs)


def test_the_sdks_method_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first span shows how it keeps attributes; that span has them too."""
    asked = []
    original = SdkSpan.set_attributes

    def watched(self: SdkSpan, attributes: Any) -> None:
        asked.append(dict(attributes))
        original(self, attributes)

    monkeypatch.setattr(SdkSpan, "set_attributes", as_the_sdks(watched))
    setter = AttributeSetter()
    spans = [new_span() for _ in range(3)]

    for number, span in enumerate(spans):
        setter.put(span, {"number": number}, OWN)

    assert asked == [{"number": 0, **OWN}]
    assert [dict(span.attributes) for span in spans] == [
        {"start": True, "number": number, **OWN} for number in range(3)
    ]


@pytest.mark.parametrize(
    "limits",
    [SpanLimits(max_span_attributes=4), SpanLimits(max_span_attribute_length=2)],
    ids=["number", "length"],
)
def test_limits_of_the_sdk_hold(limits: SpanLimits) -> None:
    """What is too many or too long is dropped as the SDK drops it, and counted."""
    recurring = {"one": "long", "two": ("long", "longer"), "three": 3}
    ours, theirs = new_span(limits), new_span(limits)

    trusting().put(ours, recurring, OWN)
    theirs.set_attributes(recurring | OWN)

    assert typed(ours) == typed(theirs)
    assert ours._attributes.dropped == theirs._attributes.dropped


def test_a_method_put_over_the_sdks_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """By an agent that hears of attributes, before or after."""
    heard: list[Any] = []
    setter = trusting()
    monkeypatch.setattr(SdkSpan, "set_attributes", lambda _, attributes: heard.append(attributes))

    setter.put(new_span(), {"one": 1}, OWN)
    AttributeSetter().put(new_span(), {"two": 2}, OWN)

    assert heard == [{"one": 1, **OWN}, {"two": 2, **OWN}]


def test_a_span_of_another_maker_is_asked_each_time() -> None:
    """Whatever it does with attributes."""

    class Other:
        def __init__(self) -> None:
            self.given: list[Any] = []

        def set_attributes(self, attributes: Any) -> None:
            self.given.append(attributes)

    setter, span = trusting(), Other()

    for _ in range(2):
        setter.put(span, {"one": 1}, OWN)  # type: ignore[arg-type]

    assert span.given == [{"one": 1, **OWN}] * 2


def change_values(span: Any, attributes: Any) -> None:
    """Keeps other values than it was given."""
    for name, value in attributes.items():
        span._attributes[name] = str(value).upper()


def keep_elsewhere(span: Any, attributes: Any) -> None:
    """Keeps them where nobody looks."""
    span._others = attributes


@pytest.mark.parametrize("method", [change_values, keep_elsewhere])
def test_an_sdk_that_keeps_otherwise_is_not_trusted(
    method: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a later version may."""
    asked = []

    def set_attributes(self: SdkSpan, attributes: Any) -> None:
        asked.append(dict(attributes))
        method(self, attributes)

    monkeypatch.setattr(SdkSpan, "set_attributes", as_the_sdks(set_attributes))
    setter = AttributeSetter()

    for _ in range(2):
        setter.put(new_span(), {"one": "text"}, OWN)

    assert asked == [{"one": "text", **OWN}] * 2


def test_an_sdk_without_what_is_relied_on_is_not_trusted() -> None:
    """No lock, no limits, no attributes at all: nothing raises."""

    class Bare:
        def set_attributes(self, attributes: Any) -> None:
            pass

    Bare.set_attributes = as_the_sdks(Bare.set_attributes)  # type: ignore[assignment,method-assign]
    setter = AttributeSetter()

    for _ in range(2):
        setter.put(Bare(), {"one": 1}, OWN)  # type: ignore[arg-type]

    assert setter._trusted == {Bare: _NOBODY}


def test_an_ended_span_is_left_alone() -> None:
    """It has been exported."""
    span = new_span()
    span.end()

    trusting().put(span, {"late": 1}, OWN)

    assert "late" not in span.attributes


def test_spans_share_nothing() -> None:
    """What is put on one later is on no other, and not in what recurs."""
    setter, recurring = trusting(), {"one": 1}
    spans = [new_span() for _ in range(2)]
    for span in spans:
        setter.put(span, recurring, OWN)

    spans[0].set_attribute("one", 2)
    ended: list[ReadableSpan] = []
    for span in spans:
        span.end()
        ended.append(span)

    assert recurring == {"one": 1}
    assert [dict(each.attributes or {})["one"] for each in ended] == [2, 1]
