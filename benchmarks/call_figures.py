"""What samples of whole calls say: ratios to bare calls, shares of steps, the price of a span."""

from __future__ import annotations

import statistics
from typing import Final

from benchmarks.call_cost import (
    BARE,
    BARE_AGAIN,
    DATADOG,
    EVERYTHING,
    NO_POLICY,
    NOT_SAVING,
    OTEL_API,
    OTEL_SDK,
    WITH_SPAN,
    WITH_SPAN_ALONE,
    X_RAY,
    Measured,
    measure,
)
from benchmarks.pairing import Ratio, spread
from benchmarks.results import Figure, Outcome, figure_of
from benchmarks.stub import OPERATIONS

FAST: Final = "dynaguard"
SLOW: Final = "dynaguard, fast parse off"
TRACERS: Final = "OpenTelemetry"
SLOW_PARSE: Final = "everything, fast parse off"
SHARES: Final = "share of a bare GetItem"
RECORDING: Final = "added by recording, over what OpenTelemetry adds"
RECORDED: Final = {"span and metrics": WITH_SPAN, "span alone": WITH_SPAN_ALONE}
PEERS: Final = (OTEL_API, OTEL_SDK, DATADOG, X_RAY)
BARS: Final = {
    ("GetItem", NO_POLICY): 1.05,
    ("GetItem", EVERYTHING): 1.00,
    ("PutItem", EVERYTHING): 1.06,
    ("Query(25)", EVERYTHING): 0.55,
    ("GetItem", SLOW_PARSE): 1.12,
    ("Query(25)", SLOW_PARSE): 1.06,
}
RECORDING_BAR: Final = 0.6
_WRAPPERS: Final = "wrappers, events, identity, analysis"
_DECISION: Final = "+ decision (1,000 statements)"
_MASKS: Final = "+ masks (two attributes)"
STEPS: Final = (
    # What is shown, layers with it, as many without it, the most that it may take (design).
    (_WRAPPERS, (NOT_SAVING,), (BARE,), 0.055),
    ("decision, 1,000 statements", (_DECISION,), (_WRAPPERS,), 0.01),
    ("budget", ("+ budget",), (_DECISION,), 0.01),
    ("stamp", ("+ stamp",), ("+ budget",), 0.01),
    ("masks, two attributes", (_MASKS,), ("+ stamp",), 0.005),
    ("audit, to a file", (EVERYTHING,), (_MASKS,), 0.03),
    ("all of these", (EVERYTHING, NOT_SAVING), (_WRAPPERS, BARE), 0.12),
    ("given back: what botocore repeats", (_WRAPPERS,), (NOT_SAVING,), None),
    ("all, less what is given back", (EVERYTHING,), (BARE,), None),
)
"""Measured with fast parse off: what it gives back would hide what steps take."""


def run() -> Outcome:
    """Whole calls of every operation, dynaguard and the peers that are installed."""
    measured = measure()
    figures: list[Figure] = []
    for operation in OPERATIONS:
        figures += _of_operation(measured, operation.name)
    figures += _shares(measured)
    if TRACERS in measured.samples:
        figures += [
            _recording(measured, operation.name, what)
            for operation in OPERATIONS
            for what in RECORDED
        ]
    return Outcome(tuple(figures), measured.settings, measured.left_out)


def _of_operation(measured: Measured, operation: str) -> list[Figure]:
    """The control, dynaguard step by step, then the peers."""
    rows = [(BARE_AGAIN, _control(measured, operation))]
    rows += [
        (layer, measured.ratio(FAST, layer, operation))
        for layer, samples in measured.samples[FAST].items()
        if layer not in {BARE, BARE_AGAIN, NOT_SAVING} and operation in samples
    ]
    rows.append((SLOW_PARSE, measured.ratio(SLOW, EVERYTHING, operation)))
    rows += [
        (layer, measured.ratio(family, layer, operation))
        for family, layers in measured.samples.items()
        for layer in layers
        if layer in {*PEERS, WITH_SPAN, WITH_SPAN_ALONE}
    ]
    return [
        figure_of(operation, name, ratio, bar=BARS.get((operation, name))) for name, ratio in rows
    ]


def _control(measured: Measured, operation: str) -> Ratio:
    """Bare calls over bare calls: what the machine makes of equal things."""
    found = measured.samples[FAST]
    pairs = zip(found[BARE_AGAIN][operation], found[BARE][operation], strict=True)
    return spread([one / other for one, other in pairs])


def _shares(measured: Measured) -> list[Figure]:
    """Each step's share of a bare GetItem."""
    return [
        figure_of(
            SHARES,
            name,
            measured.change(SLOW, "GetItem", more, less),
            unit="share",
            bar=bar,
        )
        for name, more, less, bar in STEPS
    ]


def _recording(measured: Measured, operation: str, what: str) -> Figure:
    """What recording adds to a guarded call, over what the peer adds to a bare one."""
    found = measured.samples[TRACERS]
    bare = measured.bare(TRACERS, operation)
    rounds = zip(found[RECORDED[what]][operation], found[EVERYTHING][operation], strict=True)
    own = [more - less for more, less in rounds]
    peers = [us - base for us, base in zip(found[OTEL_SDK][operation], bare, strict=True)]
    ratio = spread([one / other for one, other in zip(own, peers, strict=True)])
    # A single round divides by a small difference; the share is that of the medians.
    share = statistics.median(own) / statistics.median(peers)
    return figure_of(
        RECORDING,
        f"{what}, {operation}",
        Ratio(share, ratio.low, ratio.high, ratio.extra_us, ratio.pairs),
        bar=RECORDING_BAR if (what, operation) == ("span and metrics", "GetItem") else None,
    )
