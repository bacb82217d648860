"""The telemetry of a guard, made once somebody in the process uses OpenTelemetry.

Importing OpenTelemetry's API takes as long as all else that a first call imports. Where nobody has
imported it no provider can be set, so nobody takes a span or a metric. From the first call after
it was imported, the real thing is there: an SDK that is configured after `install()` counts.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol

from dynaguard.interruption import came_from_handler

if TYPE_CHECKING:
    from dynaguard.access_change import AccessChange
    from dynaguard.call import Call, Decision, Outcome, Principal
    from dynaguard.identity.findings import IdentityFinding
    from dynaguard.telemetry.findings import FindingsCounter
    from dynaguard.telemetry.span import CallSpan
    from dynaguard.telemetry.telemetry import Telemetry

API: Final = "opentelemetry"
"""The package above `trace`, `metrics` and all else of the API: there once any of them is."""
_log: Final = logging.getLogger("dynaguard.telemetry")


class Start(Protocol):
    """As `Telemetry.start`; None where nobody can take a span or a metric."""

    def __call__(self, call: Call, *, service_id: str) -> CallSpan | None:
        """The span of a call, or None."""
        ...


class LateTelemetry:
    """Stands for a guard's `Telemetry`. Thread-safe.

    Args:
        real: What it stands for, where that has to be there at once.
        modules: The modules of the process.

    Attributes:
        start: Gives the span of a call, or None while nobody can take one; the method of the real
            telemetry once that is there, so that calls cost what they cost without us.
        is_logging: Whether log records were asked for. Then the real telemetry is there at once.
    """

    __slots__ = ("_failure_count", "_modules", "_real", "is_logging", "start")

    def __init__(
        self, real: Telemetry | None = None, *, modules: Mapping[str, object] = sys.modules
    ) -> None:
        self._modules = modules
        self._failure_count = 0
        self._real = real
        self.is_logging = real is not None and real.is_logging
        self.start: Start = self._start if real is None else real.start
        self._current()

    def _start(self, call: Call, *, service_id: str) -> CallSpan | None:
        """As `Telemetry.start`. Cost: one look into a dictionary while there is nothing."""
        if API not in self._modules:
            return None
        real = self._current()
        return None if real is None else real.start(call, service_id=service_id)

    def _current(self) -> Telemetry | None:
        """What it stands for, made if that is of use by now. Never raises."""
        if self._real is None and API in self._modules:
            try:
                from dynaguard.telemetry.telemetry import Telemetry

                # Two threads may both make one: their instruments are the same to an SDK.
                self._real = Telemetry()
                self.start = self._real.start
            except Exception as err:  # noqa: BLE001 - observation never breaks a call
                self._note_failure(err)  # such as: the API is still being imported
        return self._real

    def _note_failure(self, err: Exception) -> None:
        """Counts a failure to make it; logs the first.

        Raises:
            Exception: `err` itself, where a signal handler of the application raised it.
        """
        if came_from_handler(err):
            raise err
        self._failure_count += 1
        if self._failure_count == 1:
            _log.warning(
                "OpenTelemetry cannot be used yet (%s), calls go on without it", type(err).__name__
            )

    @property
    def failure_count(self) -> int:
        """Failures caught since it was made."""
        real = self._real
        return self._failure_count + (0 if real is None else real.failure_count)

    def log(
        self, call: Call, principal: Principal, decision: Decision | None, outcome: Outcome
    ) -> None:
        """As `Telemetry.log`. Never raises."""
        if self._real is not None:
            self._real.log(call, principal, decision, outcome)

    def note_change(self, change: AccessChange) -> None:
        """As `Telemetry.note_change`. Never raises."""
        real = self._current()
        if real is not None:
            real.note_change(change)

    def end(self) -> None:
        """As `Telemetry.end`."""
        if self._real is not None:
            self._real.end()


class LateFindings:
    """Stands for a `FindingsCounter`: findings that nobody can take are not counted.

    Args:
        modules: The modules of the process.
    """

    __slots__ = ("_counter", "_modules")

    def __init__(self, *, modules: Mapping[str, object] = sys.modules) -> None:
        self._modules = modules
        self._counter: FindingsCounter | None = None

    def count(self, finding: IdentityFinding) -> None:
        """As `FindingsCounter.count`. Two threads may both make one, which counts the same."""
        if self._counter is None:
            if API not in self._modules:
                return
            from dynaguard.telemetry.findings import FindingsCounter

            self._counter = FindingsCounter()
        self._counter.count(finding)
