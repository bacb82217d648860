"""Names of DynamoDB's own metrics. They are counted per table and index, of all callers together.

Source: DynamoDB developer guide, DynamoDB metrics and dimensions; CloudWatch throttling metrics.
"""

from __future__ import annotations

from typing import Final, Literal

Side = Literal["Read", "Write"]

NAMESPACE: Final = "AWS/DynamoDB"
TABLE: Final = "TableName"
INDEX: Final = "GlobalSecondaryIndexName"
SIDES: Final[tuple[Side, ...]] = ("Read", "Write")


def throttles(side: Side) -> str:
    """Throttled items, index entries included, whatever the cause."""
    return f"{side}ThrottleEvents"


def throttle_causes(side: Side) -> tuple[str, ...]:
    """The same events by cause: a hot key first, then too little capacity of three sorts."""
    return (
        f"{side}KeyRangeThroughputThrottleEvents",
        f"{side}ProvisionedThroughputThrottleEvents",
        f"{side}MaxOnDemandThroughputThrottleEvents",
        f"{side}AccountLimitThrottleEvents",
    )


def consumed_units(side: Side) -> str:
    """Capacity units."""
    return f"Consumed{side}CapacityUnits"


def dimensions(table: str, index: str | None) -> tuple[tuple[str, str], ...]:
    """Those of a table, or of one of its global indexes."""
    return ((TABLE, table),) if index is None else ((TABLE, table), (INDEX, index))
