"""What waits to be measured does not outlive the guard whose calls it tells of."""

from __future__ import annotations

from typing import Any

import dynaguard
from dynaguard.telemetry.handover import HANDOVER
from tests.telemetry.test_telemetry_handover import Instrument, measured


def test_uninstall_gives_the_measurements_that_wait(client: Any, policy: Any) -> None:
    """No reader may come for them any more."""
    instrument = Instrument()
    dynaguard.install(policy())
    client.get_item(TableName="orders", Key={"pk": {"S": "1"}})
    HANDOVER.put(measured((instrument.count, 1)))

    dynaguard.uninstall()

    assert instrument.sum() == 1
    assert not HANDOVER._waiting
