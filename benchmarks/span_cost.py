"""CPU of a recording span over that of OpenTelemetry's own botocore instrumentation.

Both are differences: a guarded call with an SDK less one without, over an instrumented call less a
bare one. Processor and exporter are left out: they are the same for both.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.sdk.trace import TracerProvider

import dynaguard
from benchmarks.call_cost import policy_document
from benchmarks.pairing import cpu_per_call_us
from benchmarks.stub import GET_ITEM, make_client
from dynaguard.hooks.lifecycle import current

BAR: Final = 0.6
CALLS_PER_SAMPLE: Final = 40
ROUNDS: Final = 120


@dataclass(frozen=True, slots=True)
class SpanCost:
    """What spans cost.

    Attributes:
        share: dynaguard's span over the peer's, medians of the rounds.
        low, high: Quartiles of the share by round.
        ours_us, peers_us: The medians, in microseconds per call, for orientation only.
        attribute_count: Attributes on dynaguard's span.
    """

    share: float
    low: float
    high: float
    ours_us: float
    peers_us: float
    attribute_count: int

    def __str__(self) -> str:
        """`0.41 [0.38-0.45]`."""
        return f"{self.share:.3f} [{self.low:.3f}-{self.high:.3f}]"


@contextmanager
def _recording() -> Iterator[TracerProvider]:
    """An SDK that records is the process's own."""
    before, provider = trace._TRACER_PROVIDER, TracerProvider(shutdown_on_exit=False)
    trace._TRACER_PROVIDER = provider
    try:
        yield provider
    finally:
        trace._TRACER_PROVIDER = before


def _instrumented(call: Callable[[], object]) -> float:
    """One sample with the peer's instrumentation."""
    with _recording() as provider:
        instrumentor = BotocoreInstrumentor()
        instrumentor.instrument(tracer_provider=provider)
        try:
            call()
            return cpu_per_call_us(call, CALLS_PER_SAMPLE)
        finally:
            instrumentor.uninstrument()


def _guarded(installation: Any, call: Callable[[], object], *, is_recording: bool) -> float:
    """One sample with dynaguard."""
    with ExitStack() as stack:
        if is_recording:
            stack.enter_context(_recording())
        installation.apply()
        stack.callback(installation.remove)
        call()  # registers the handlers, outside of the measurement
        return cpu_per_call_us(call, CALLS_PER_SAMPLE)


def _attribute_count(installation: Any, call: Callable[[], object]) -> int:
    """Attributes on the span of one call."""
    found: list[Any] = []
    with _recording() as provider:
        provider._active_span_processor.on_end = found.append  # type: ignore[method-assign]
        installation.apply()
        try:
            call()
        finally:
            installation.remove()
    return len(found[-1].attributes)


def run() -> SpanCost:
    """Four variants in turns, the order reversed every other round."""
    client = make_client()

    def call() -> object:
        return client.get_item(**GET_ITEM)

    with ExitStack() as stack:
        dynaguard.install(policy_document(1000, masks=True), identity="bench", runbook="bench")
        stack.callback(dynaguard.uninstall)
        stack.enter_context(dynaguard.job("bench", run_id="1", stage="load"))
        installation: Any = current()[1]
        installation.remove()
        stack.callback(installation.apply)
        count = _attribute_count(installation, call)
        variants: list[Callable[[], float]] = [
            lambda: cpu_per_call_us(call, CALLS_PER_SAMPLE),
            lambda: _instrumented(call),
            lambda: _guarded(installation, call, is_recording=False),
            lambda: _guarded(installation, call, is_recording=True),
        ]
        ours, peers = _extras(variants)
    low, _, high = statistics.quantiles(
        [own / peer for own, peer in zip(ours, peers, strict=True)], n=4
    )
    own_us, peer_us = statistics.median(ours), statistics.median(peers)
    return SpanCost(own_us / peer_us, low, high, own_us, peer_us, count)


def _extras(variants: list[Callable[[], float]]) -> tuple[list[float], list[float]]:
    """What our span and the peer's take more than a call without, by round."""
    ours, peers = [], []
    for index in range(ROUNDS):
        order = [0, 1, 2, 3] if index % 2 else [3, 2, 1, 0]
        taken = {variant: variants[variant]() for variant in order}
        peers.append(taken[1] - taken[0])
        ours.append(taken[3] - taken[2])
    return ours, peers


if __name__ == "__main__":
    cost = run()
    print(f"span over the peer's: {cost} ({cost.attribute_count} attributes)")
    print(f"{cost.ours_us:.1f} us over {cost.peers_us:.1f} us, bar {BAR}")
