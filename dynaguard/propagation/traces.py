"""Finds the id of the trace that the running code belongs to, for calls that no scope names.

In this order: the current OpenTelemetry span, AWS X-Ray's trace as `_X_AMZN_TRACE_ID` tells it,
the W3C trace context in `TRACEPARENT`. All give 32 hexadecimal digits, so that a trace has one id
whichever of them told it: X-Ray's `1-5759e988-bd862e3fe1be46a994272793` is
`5759e988bd862e3fe1be46a994272793` in OpenTelemetry too.

Source: W3C Trace Context level 1, section 3.2; AWS X-Ray developer guide, "Tracing header";
OpenTelemetry specification, "Environment Variables as Context Propagation Carriers".
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Final

from dynaguard.scope import FindTrace

XRAY_VARIABLE: Final = "_X_AMZN_TRACE_ID"
W3C_VARIABLE: Final = "TRACEPARENT"
_LAMBDA_VARIABLE: Final = "AWS_LAMBDA_FUNCTION_NAME"
_W3C: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-.+")
_XRAY_ROOT: Final = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})")


def trace_finder(environ: Mapping[str, str]) -> FindTrace:
    """What finds the trace of a call from now on.

    Args:
        environ: The environment. It is read here; in AWS Lambda the one variable that changes with
            every invocation is looked at again at each call.

    Cost: one look at the current span. In Lambda one look into the dictionary behind `os.environ`
    more, less than half of what `os.environ.get` takes.
    """
    inherited = xray_trace_id(environ.get(XRAY_VARIABLE)) or w3c_trace_id(
        environ.get(W3C_VARIABLE)
    )
    if not environ.get(_LAMBDA_VARIABLE):
        return lambda: _current_trace_id() or inherited
    of_invocation = _invocation_reader(environ)
    parent = w3c_trace_id(environ.get(W3C_VARIABLE))
    return lambda: _current_trace_id() or of_invocation() or parent


def w3c_trace_id(text: str | None) -> str:
    """The trace id in a `traceparent`; empty where it is none, or an invalid one."""
    found = _W3C.fullmatch(text.strip()) if text else None
    return found[1] if found else ""


def xray_trace_id(text: str | None) -> str:
    """The trace id in X-Ray's tracing header, `Root=1-...;Parent=...;Sampled=1`, else empty."""
    for part in (text or "").split(";"):
        name, _, value = part.strip().partition("=")
        found = _XRAY_ROOT.fullmatch(value) if name == "Root" else None
        if found:
            return found[1] + found[2]
    return ""


def _current_trace_id() -> str:
    """The trace of OpenTelemetry's current span, a remote parent included; else empty."""
    # Where nobody imported it there is no span, and importing it takes a while.
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return ""
    try:
        span = trace.get_current_span()
        trace_id = 0 if span is trace.INVALID_SPAN else span.get_span_context().trace_id
    except Exception:  # noqa: BLE001 - another library's span: the call gets an id of its own
        return ""
    return f"{trace_id:032x}" if trace_id else ""


def _invocation_reader(environ: Mapping[str, str]) -> FindTrace:
    """Gives the trace of Lambda's current invocation; parses a value only when it is another."""
    raw_value = _raw_reader(environ)
    last: tuple[object, str] = (None, "")

    def trace_of_invocation() -> str:
        nonlocal last
        raw = raw_value()
        known, trace_id = last
        if raw is not known:
            trace_id = xray_trace_id(
                raw if raw is None or isinstance(raw, str) else os.fsdecode(raw)
            )
            last = (raw, trace_id)  # one assignment: another thread sees the old pair or the new
        return trace_id

    return trace_of_invocation


def _raw_reader(environ: Mapping[str, str]) -> Callable[[], str | bytes | None]:
    """Looks `_X_AMZN_TRACE_ID` up, in the dictionary behind `os.environ` where there is one.

    `os.environ` encodes the name and decodes the value at each look-up.
    """
    data, encode = getattr(environ, "_data", None), getattr(environ, "encodekey", None)
    if not isinstance(data, dict) or encode is None:
        return lambda: environ.get(XRAY_VARIABLE)
    key = encode(XRAY_VARIABLE)
    return lambda: data.get(key)
