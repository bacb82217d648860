"""The id of the trace that a call belongs to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import trace

from dynaguard.propagation.traces import trace_finder, w3c_trace_id, xray_trace_id

TRACE_ID = "5759e988bd862e3fe1be46a994272793"
XRAY = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
W3C = f"00-{'a' * 32}-b7ad6b7169203331-01"
ROOTS = [f"Root=1-{digit * 8}-{digit * 24}" for digit in "123"]


@contextmanager
def span_of(trace_id: int) -> Iterator[None]:
    """A remote parent with that trace id is current."""
    context = trace.SpanContext(trace_id, 1, is_remote=True)
    token = otel_context.attach(trace.set_span_in_context(trace.NonRecordingSpan(context)))
    try:
        yield
    finally:
        otel_context.detach(token)


@pytest.mark.parametrize(
    ("text", "trace_id"),
    [
        (W3C, "a" * 32),
        (f" {W3C}\n", "a" * 32),
        (W3C.replace("00-", "cc-", 1) + "-what-later-versions-add", "a" * 32),
        (None, ""),
        ("", ""),
        ("nonsense", ""),
        (W3C.upper(), ""),
        (W3C.replace("00-", "ff-", 1), ""),
        (W3C.replace("a" * 32, "0" * 32), ""),
        (W3C.replace("b7ad6b7169203331", "0" * 16), ""),
        (W3C[:-3], ""),
    ],
)
def test_a_traceparent_tells_its_trace_unless_it_is_invalid(
    text: str | None, trace_id: str
) -> None:
    """As W3C Trace Context has it: lower case, not all zeros, not version ff."""
    assert w3c_trace_id(text) == trace_id


@pytest.mark.parametrize(
    ("text", "trace_id"),
    [
        (XRAY, TRACE_ID),
        ("Self=1-1-1; Root=1-5759e988-bd862e3fe1be46a994272793", TRACE_ID),
        (None, ""),
        ("", ""),
        ("Root=", ""),
        ("Root=2-5759e988-bd862e3fe1be46a994272793", ""),
        ("Root=1-5759e988-bd862e3fe1be46a99427279", ""),
        ("Parent=1-5759e988-bd862e3fe1be46a994272793", ""),
    ],
)
def test_x_ray_s_header_tells_its_trace_in_the_form_of_w3c(
    text: str | None, trace_id: str
) -> None:
    """One trace has one id, whoever tells it."""
    assert xray_trace_id(text) == trace_id


@given(st.text(max_size=80))
def test_no_text_breaks_the_readers(text: str) -> None:
    """Variables may hold anything; only an id of 32 digits, or nothing, comes out."""
    for found in (w3c_trace_id(text), xray_trace_id(text)):
        assert found == "" or (len(found) == 32 and int(found, 16))


def test_the_current_span_comes_before_variables() -> None:
    """Span, then X-Ray, then TRACEPARENT."""
    find = trace_finder({"_X_AMZN_TRACE_ID": XRAY, "TRACEPARENT": W3C})

    with span_of(0xABC):
        inside = find()

    assert inside == f"{0xABC:032x}"
    assert find() == TRACE_ID
    assert trace_finder({"TRACEPARENT": W3C})() == "a" * 32
    assert trace_finder({})() == ""


def test_an_invalid_span_tells_nothing() -> None:
    """A context of zeros is none."""
    with span_of(0):
        assert trace_finder({"TRACEPARENT": W3C})() == "a" * 32


def test_a_span_of_others_that_fails_breaks_nothing() -> None:
    """The call gets an id of its own."""

    class Broken(trace.NonRecordingSpan):
        def get_span_context(self) -> Any:
            raise RuntimeError("peer")

    token = otel_context.attach(
        trace.set_span_in_context(Broken(trace.SpanContext(1, 1, is_remote=True)))
    )
    try:
        assert trace_finder({})() == ""
    finally:
        otel_context.detach(token)


def test_outside_of_lambda_the_environment_is_read_once() -> None:
    """What changes there afterwards has no effect."""
    environ = {"_X_AMZN_TRACE_ID": ROOTS[0]}
    find = trace_finder(environ)

    environ["_X_AMZN_TRACE_ID"] = ROOTS[1]

    assert find() == "1" * 32


@pytest.mark.parametrize("is_real", [True, False], ids=["os.environ", "a mapping"])
def test_in_lambda_each_invocation_has_its_own_trace(
    monkeypatch: pytest.MonkeyPatch, *, is_real: bool
) -> None:
    """Lambda's runtime sets the variable anew, and takes it away where nothing is traced."""
    environ: Any = os.environ if is_real else {}
    monkeypatch.setitem(environ, "AWS_LAMBDA_FUNCTION_NAME", "nightly")
    monkeypatch.setitem(environ, "TRACEPARENT", W3C)
    find = trace_finder(environ)

    seen = [find()]
    for root in (ROOTS[0], ROOTS[0], ROOTS[1], "nonsense"):
        monkeypatch.setitem(environ, "_X_AMZN_TRACE_ID", root)
        seen.append(find())
    monkeypatch.delitem(environ, "_X_AMZN_TRACE_ID")
    seen.append(find())

    assert seen == ["a" * 32, "1" * 32, "1" * 32, "2" * 32, "a" * 32, "a" * 32]
