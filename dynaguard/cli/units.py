"""Capacity units over the last seconds of an audit stream, by who consumed them and of what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_Key = tuple[str, str | None, str | None, str, str | None]


@dataclass(frozen=True, slots=True)
class UnitsRow:
    """One line of `dynaguard top --by units`.

    Attributes:
        identity: Label of the identity.
        job: Name of the job, or None.
        runbook: Name of the runbook, or None.
        table: Table name.
        index: Index name, or None.
        read_units_per_s: Read capacity units, per second.
        write_units_per_s: Write capacity units, per second.
    """

    identity: str
    job: str | None
    runbook: str | None
    table: str
    index: str | None
    read_units_per_s: float
    write_units_per_s: float


def rows_of(records: Iterable[Mapping[str, Any]], seconds: float) -> list[UnitsRow]:
    """One row per identity, job, runbook, table and index, the largest first.

    Args:
        records: Records of calls that ended; those that report no capacity count nothing.
        seconds: How long a time they are of.
    """
    units: dict[_Key, list[float]] = {}
    for record in records:
        for each in record["outcome"].get("consumed_capacity") or ():
            key = (
                record["identity"]["name"],
                record.get("job"),
                record.get("runbook"),
                each["table"],
                each.get("index"),
            )
            sums = units.setdefault(key, [0.0, 0.0])
            sums[0] += each["read_units"]
            sums[1] += each["write_units"]
    rows = [
        UnitsRow(*key, reads / seconds, writes / seconds) for key, (reads, writes) in units.items()
    ]
    return sorted(rows, key=lambda row: -(row.read_units_per_s + row.write_units_per_s))
