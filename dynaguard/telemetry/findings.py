"""Counts findings about identities: long-lived keys, missing owners and the like."""

from __future__ import annotations

from opentelemetry import metrics
from opentelemetry.metrics import MeterProvider

from dynaguard.identity.findings import IdentityFinding
from dynaguard.telemetry import names


class FindingsCounter:
    """The counter of findings. Thread-safe.

    Args:
        meter_provider: Where it goes; None: the global provider, whenever that is set.
    """

    __slots__ = ("_counter",)

    def __init__(self, meter_provider: MeterProvider | None = None) -> None:
        meter = metrics.get_meter("dynaguard", meter_provider=meter_provider)
        self._counter = meter.create_counter(
            names.IDENTITY_FINDINGS_METRIC, "{finding}", "Findings about identities, each once."
        )

    def count(self, finding: IdentityFinding) -> None:
        """Adds one. Without an SDK nothing happens."""
        self._counter.add(
            1,
            {
                names.IDENTITY_FINDING: finding.code.value,
                names.IDENTITY_NAME: finding.identity,
                names.IDENTITY_KIND: finding.kind,
            },
        )
