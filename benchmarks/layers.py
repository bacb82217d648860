"""What lies over botocore while it is on: nothing, dynaguard, or a peer; put on and off in turns.

All layers of one family live in one process and work on the same client, so that a machine that
is slow for a while is slow for all of them. Each keeps its caches while it is off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final, Protocol

import dynaguard
from dynaguard.hooks import lifecycle
from dynaguard.hooks.points import TIME_SAVING_POINTS


class Layer(Protocol):
    """Something that acts on calls while it is on."""

    def on(self) -> None:
        """Puts it in place."""

    def off(self) -> None:
        """Takes it off again; botocore is as before."""


class Bare:
    """Nothing: botocore alone."""

    def on(self) -> None:
        """Nothing to do."""

    def off(self) -> None:
        """Nothing to do."""


class Guarded:
    """dynaguard, installed once; what turns on and off are its patches.

    Args:
        policy: As for `install()`.
        arguments: Further arguments of it.
        stack: Uninstalls at its end.
        is_saving: Whether it keeps what botocore would compute anew, as it does by itself.
    """

    def __init__(
        self,
        policy: Mapping[str, Any] | None,
        arguments: Mapping[str, Any],
        stack: ExitStack,
        *,
        is_saving: bool = True,
    ) -> None:
        self._is_saving = is_saving
        # A process has one installation; each of ours believes that it is the one.
        self._state = lifecycle._state = lifecycle._State()
        dynaguard.install(policy, **arguments)
        found = lifecycle.current()[1]
        assert found is not None
        self._installation = found
        self._installation.remove()
        stack.callback(self._uninstall)

    def on(self) -> None:
        """Patches botocore."""
        lifecycle._state = self._state
        self._installation.apply()
        if not self._is_saving:
            for point in TIME_SAVING_POINTS:
                if patch := self._installation.patches.pop(point, None):
                    patch.remove()

    def off(self) -> None:
        """Restores botocore."""
        self._installation.remove()

    def _uninstall(self) -> None:
        """For good."""
        self.on()
        dynaguard.uninstall()


class Recording:
    """A layer while which an OpenTelemetry SDK is the process's own; off, there is none.

    Spans go to a batch processor whose exporter keeps nothing, metrics to a reader in memory.

    Args:
        make: Makes the layer, with the SDK in place.
        stack: Ends the SDK's thread.
        is_metering: Whether metrics are recorded too, not spans alone.
    """

    def __init__(
        self, make: Callable[[], Layer], stack: ExitStack, *, is_metering: bool = True
    ) -> None:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import (
            BatchSpanProcessor,
            SpanExporter,
            SpanExportResult,
        )

        class Nowhere(SpanExporter):
            def export(self, spans: Any) -> SpanExportResult:  # noqa: ARG002 - nothing is kept
                return SpanExportResult.SUCCESS

        self._tracers = TracerProvider(shutdown_on_exit=False)
        self._tracers.add_span_processor(BatchSpanProcessor(Nowhere()))
        self._meters = self._reader = None
        if is_metering:
            self._reader = InMemoryMetricReader()
            self._meters = MeterProvider([self._reader], shutdown_on_exit=False)
        stack.callback(self._tracers.shutdown)
        self._enter()
        self._layer = make()
        self._leave()

    def _enter(self) -> None:
        """The SDK is the process's own."""
        from opentelemetry import trace
        from opentelemetry.metrics import _internal

        trace._TRACER_PROVIDER = self._tracers
        _internal._METER_PROVIDER = self._meters

    def _leave(self) -> None:
        """There is none."""
        from opentelemetry import trace
        from opentelemetry.metrics import _internal

        trace._TRACER_PROVIDER = None
        _internal._METER_PROVIDER = None

    def on(self) -> None:
        """SDK and layer."""
        self._enter()
        self._layer.on()

    def off(self) -> None:
        """Neither. The reader collects once, as in any process that runs for a minute."""
        if self._reader is not None:
            self._reader.collect()
            self._reader = None
        self._layer.off()
        self._leave()


class OpenTelemetry:
    """OpenTelemetry's own instrumentation of botocore."""

    def __init__(self) -> None:
        from opentelemetry.instrumentation.botocore import BotocoreInstrumentor

        self._instrumentor = BotocoreInstrumentor()

    def on(self) -> None:
        """Instruments; tracers come from whatever SDK is in place."""
        self._instrumentor.instrument()

    def off(self) -> None:
        """Takes it off."""
        self._instrumentor.uninstrument()


class Datadog:
    """ddtrace's integration of botocore; spans are built and finished traces dropped."""

    def __init__(self) -> None:
        from ddtrace.contrib.internal.botocore import patch
        from ddtrace.trace import TraceFilter, tracer

        class Drop(TraceFilter):
            def process_trace(self, trace: Any) -> None:  # noqa: ARG002 - dropped unseen
                return None

        tracer.configure(trace_processors=[Drop()])
        self._patching = patch

    def on(self) -> None:
        """Patches."""
        self._patching.patch()

    def off(self) -> None:
        """Takes it off."""
        self._patching.unpatch()


class XRay:
    """AWS X-Ray's SDK; every call is sampled, and what would be sent is dropped.

    It cannot be taken off; its two wrappers are put in and out of place here.
    """

    def __init__(self) -> None:
        from aws_xray_sdk.core import patch, xray_recorder
        from botocore.client import BaseClient
        from botocore.endpoint import Endpoint

        class Nowhere:
            def send_entity(self, entity: Any) -> None:
                """Sends nothing."""

            def set_daemon_address(self, address: Any) -> None:
                """Sends nothing."""

        points = ((BaseClient, "_make_api_call"), (Endpoint, "prepare_request"))
        before = [getattr(owner, name) for owner, name in points]
        xray_recorder.configure(
            service="bench", sampling=False, context_missing="IGNORE_ERROR", emitter=Nowhere()
        )
        patch(["botocore"])
        self._recorder = xray_recorder
        wrapped = [owner.__dict__[name] for owner, name in points]
        self._originals = list(zip(points, before, strict=True))
        self._wrappers = list(zip(points, wrapped, strict=True))
        self._put(self._originals)

    def _put(self, methods: list[tuple[tuple[type, str], Any]]) -> None:
        """Puts methods where they belong."""
        for (owner, name), method in methods:
            setattr(owner, name, method)

    def on(self) -> None:
        """Wrappers, and a segment that subsegments belong to."""
        self._put(self._wrappers)
        self._recorder.begin_segment("bench")

    def off(self) -> None:
        """The segment ends, the wrappers go."""
        self._recorder.end_segment()
        self._recorder.clear_trace_entities()
        self._put(self._originals)


ENVIRONMENT: Final = {
    "AWS_XRAY_SDK_ENABLED": "true",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "DD_TRACE_STARTUP_LOGS": "false",
    "DD_CRASHTRACKING_ENABLED": "false",
}
"""Of a process that measures: peers do not talk to agents that are not there."""
