"""CPU of recording spans and metrics over that of OpenTelemetry's own botocore instrumentation.

Both are differences of the same round: a guarded call (everything on, audit to a file) with an SDK
less one without, over an instrumented call less a bare one. Both sides get the same sort of SDK: a
batch processor with an exporter that drops everything, and a meter with a reader.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler

import dynaguard
from benchmarks.call_cost import policy_document
from benchmarks.pairing import cpu_per_call_us
from benchmarks.stub import GET_ITEM, make_client
from dynaguard.call import NO_CREDENTIALS, UNKNOWN_PRINCIPAL, Call, Outcome, Status
from dynaguard.fitting import fitting
from dynaguard.guard import Guard
from dynaguard.hooks.installation import Installation
from dynaguard.hooks.lifecycle import current
from dynaguard.scope import EMPTY_SCOPE
from dynaguard.telemetry.handover import MAX_WAITING_CALLS
from dynaguard.telemetry.late import LateTelemetry
from dynaguard.telemetry.telemetry import Telemetry

BAR: Final = 0.6
CALLS_PER_SAMPLE: Final = MAX_WAITING_CALLS
"""As many as measurements wait for, so that every sample has one handover to the SDK."""
ROUNDS: Final = 120
BARRED: Final = "recording span and metrics"
"""The variant that the bar is for."""

_BARE: Final = "bare"
_PEER: Final = "OpenTelemetry's botocore instrumentation"
_PLAIN: Final = "guarded, no SDK"
_Sample = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Extra:
    """What one sort of telemetry adds to a guarded call.

    Attributes:
        share: Of what the peer adds to a bare call: median of the rounds.
        low, high: Quartiles of the share.
        of_bare: Of a bare call's CPU: median of the rounds.
        extra_us: Median, in microseconds per call, for orientation only.
    """

    share: float
    low: float
    high: float
    of_bare: float
    extra_us: float

    def __str__(self) -> str:
        """`0.410 [0.380-0.450]`."""
        return f"{self.share:.3f} [{self.low:.3f}-{self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class SpanCost:
    """What telemetry costs. `dataclasses.asdict()` makes plain data of it.

    Attributes:
        share, low, high: Of a recording span with metrics over the peer, as in `Extra`.
        ours_us, peers_us: The medians, in microseconds per call, for orientation only.
        attribute_count: Attributes on dynaguard's span.
        peers_attribute_count: Attributes on the peer's.
        measurement_count: What a call gives to instruments of metrics.
        peer_of_bare: What the peer adds, of a bare call's CPU.
        api_only_of_bare: What a span's start and end cost without an SDK, in a loop, of it.
        by_variant: Every sort of telemetry.
    """

    share: float
    low: float
    high: float
    ours_us: float
    peers_us: float
    attribute_count: int
    peers_attribute_count: int
    measurement_count: int
    peer_of_bare: float
    api_only_of_bare: float
    by_variant: Mapping[str, Extra]

    def __str__(self) -> str:
        """`0.410 [0.380-0.450]`."""
        return f"{self.share:.3f} [{self.low:.3f}-{self.high:.3f}]"


class _NullExporter(SpanExporter):
    """Drops everything."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002
        """What the batch processor calls."""
        return SpanExportResult.SUCCESS


class _LastSpan(SpanProcessor):
    """Keeps the span that ended last."""

    span: ReadableSpan | None = None

    def on_end(self, span: ReadableSpan) -> None:
        """What the provider calls."""
        self.span = span


def _tracing(sampler: Sampler = ALWAYS_ON) -> TracerProvider:
    """A provider with a batch processor, as applications have it."""
    provider = TracerProvider(sampler, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_NullExporter()))
    return provider


def _metering() -> MeterProvider:
    """A provider with a reader, which nobody asks while we measure."""
    return MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)


def _metered(tracing: TracerProvider | None = None) -> Telemetry:
    """Telemetry whose reader has collected once, as in any process that runs for a minute."""
    reader = InMemoryMetricReader()
    metering = MeterProvider([reader], shutdown_on_exit=False)
    telemetry = Telemetry(tracer_provider=tracing, meter_provider=metering)
    reader.collect()
    return telemetry


_TELEMETRY: Final[Mapping[str, Callable[[], Telemetry]]] = {
    "unsampled span": lambda: Telemetry(tracer_provider=_tracing(ALWAYS_OFF)),
    "metrics": _metered,
    "recording span": lambda: Telemetry(tracer_provider=_tracing()),
    BARRED: lambda: _metered(_tracing()),
}


def _with(installation: Installation, telemetry: Telemetry) -> Installation:
    """The same guard in everything but its telemetry, warm rooms included."""
    guard = installation.guard
    rooms = dataclasses.replace(guard.rooms, telemetry=LateTelemetry(telemetry))
    settings, monotonic = guard.resolved.settings, guard.monotonic
    other = Guard(
        guard.resolved,
        guard.document,
        lambda own: fitting(rooms, settings, own, monotonic=monotonic),
    )
    return Installation(other, is_global=True)


@contextmanager
def _instrumented(instrumentor: BotocoreInstrumentor, providers: dict[str, Any]) -> Iterator[None]:
    """The peer in place."""
    instrumentor.instrument(**providers)
    try:
        yield
    finally:
        instrumentor.uninstrument()


@contextmanager
def _applied(installation: Installation) -> Iterator[None]:
    """dynaguard in place."""
    installation.apply()
    try:
        yield
    finally:
        installation.remove()


@contextmanager
def _installed() -> Iterator[Installation]:
    """Everything on, its patches taken off again."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        policy, audit = policy_document(1000, masks=True), str(folder / "audit.jsonl")
        dynaguard.install(policy, identity="bench", runbook="bench", audit=audit)
        stack.callback(dynaguard.uninstall)
        stack.enter_context(dynaguard.job("bench", run_id="1", stage="load"))
        installation = current()[1]
        assert installation is not None
        installation.remove()
        stack.callback(installation.apply)
        yield installation


def run(rounds: int = ROUNDS) -> SpanCost:
    """All variants in turns, the order reversed every other round."""
    client, peer = make_client(), BotocoreInstrumentor()  # type: ignore[no-untyped-call]
    providers = {"tracer_provider": _tracing(), "meter_provider": _metering()}

    def call() -> object:
        return client.get_item(**GET_ITEM)

    def sample(place: Callable[[], Any] = ExitStack) -> _Sample:
        def take() -> float:
            with place():
                call()  # registers the handlers, outside of the measurement
                return cpu_per_call_us(call, CALLS_PER_SAMPLE)

        return take

    with _installed() as plain:
        guarded = {name: _with(plain, make()) for name, make in _TELEMETRY.items()}
        samples = {
            _BARE: sample(),
            _PEER: sample(lambda: _instrumented(peer, providers)),
            _PLAIN: sample(lambda: _applied(plain)),
            **{
                name: sample(lambda installation=installation: _applied(installation))  # type: ignore[misc]
                for name, installation in guarded.items()
            },
        }
        counts = _counts(plain, peer, call)
        return _figures(_rounds(samples, rounds), counts)


def _rounds(samples: Mapping[str, _Sample], rounds: int) -> list[dict[str, float]]:
    """What each variant took, by round."""
    names = list(samples)
    for name in names:
        samples[name]()  # warm
    return [
        {name: samples[name]() for name in (names if index % 2 else names[::-1])}
        for index in range(rounds)
    ]


def _figures(taken: list[dict[str, float]], counts: tuple[int, int, int]) -> SpanCost:
    """Shares of what the peer takes more, round by round."""
    peers = [each[_PEER] - each[_BARE] for each in taken]
    by_variant = {}
    for name in _TELEMETRY:
        extras = [each[name] - each[_PLAIN] for each in taken]
        shares = [own / peer for own, peer in zip(extras, peers, strict=True)]
        low, median, high = statistics.quantiles(shares, n=4)
        of_bare = [own / each[_BARE] for own, each in zip(extras, taken, strict=True)]
        by_variant[name] = Extra(
            median, low, high, statistics.median(of_bare), statistics.median(extras)
        )
    barred = by_variant[BARRED]
    of_bare = [peer / each[_BARE] for peer, each in zip(peers, taken, strict=True)]
    return SpanCost(
        barred.share,
        barred.low,
        barred.high,
        barred.extra_us,
        statistics.median(peers),
        *counts,
        statistics.median(of_bare),
        _api_only_us() / statistics.median(each[_BARE] for each in taken),
        by_variant,
    )


def _api_only_us() -> float:
    """A span's start and end without an SDK, in microseconds; in a loop, it is next to nothing."""
    telemetry, outcome = Telemetry(), Outcome(Status.OK)
    arguments = ("dynamodb", "GetItem", GET_ITEM, "us-east-1", "aws", None)
    call = Call(*arguments, NO_CREDENTIALS, EMPTY_SCOPE, "bench")

    def observe() -> None:
        span = telemetry.start(call, service_id="DynamoDB")
        span.finish(call, UNKNOWN_PRINCIPAL, None, outcome)

    return cpu_per_call_us(observe, 20_000)


def _counts(
    plain: Installation, peer: BotocoreInstrumentor, call: Callable[[], object]
) -> tuple[int, int, int]:
    """Attributes of our span and of the peer's, measurements of a call of ours."""
    tracing, last, reader = TracerProvider(shutdown_on_exit=False), _LastSpan(), None
    tracing.add_span_processor(last)
    with _instrumented(peer, {"tracer_provider": tracing, "meter_provider": _metering()}):
        call()
    assert last.span is not None
    peers_count = len(last.span.attributes or ())
    reader = InMemoryMetricReader()
    metering = MeterProvider([reader], shutdown_on_exit=False)
    with _applied(_with(plain, Telemetry(tracer_provider=tracing, meter_provider=metering))):
        call()
    data = reader.get_metrics_data()
    measurements = sum(
        len(metric.data.data_points)
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )
    return len(last.span.attributes or ()), peers_count, measurements


if __name__ == "__main__":
    cost = run()
    print(
        f"spans of {cost.attribute_count} attributes, the peer's of {cost.peers_attribute_count}"
    )
    print(f"{cost.measurement_count} measurements; the peer adds {cost.peer_of_bare:.3f} to bare")
    for label, extra in cost.by_variant.items():
        print(f"{label:<28} {extra}  {extra.of_bare:+.3f} of bare, {extra.extra_us:.1f} us")
    print(f"without an SDK {cost.api_only_of_bare:.4f} of bare, in a loop")
    print(f"bar of `{BARRED}`: {BAR}")
