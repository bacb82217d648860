"""A line's place in its chain, as it states it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dynaguard.audit.chain import digest_of
from dynaguard.audit.reading import Line


@dataclass(frozen=True, slots=True)
class Place:
    """One line of a writer.

    Attributes:
        where: File and number.
        digest: SHA-256 of the line.
        writer: Its `writer`, whole.
        writer_id, sequence, previous, attempted, lost: As stated in that.
        time: Its `time`.
        checkpoint: What it vouches for, if it is a checkpoint; else None.
    """

    where: str
    digest: str
    writer: Mapping[str, Any]
    writer_id: str
    sequence: int
    previous: str | None
    attempted: tuple[str, ...]
    lost: int
    time: str
    checkpoint: Mapping[str, Any] | None


def place_of(line: Line, record: Mapping[str, Any]) -> Place | None:
    """The place of a line that holds a record; None for one of version 1, which has none."""
    if record["schema_version"] < 2:
        return None
    writer = record["writer"]
    return Place(
        line.place,
        digest_of(line.raw),
        writer,
        writer["id"],
        writer["sequence"],
        writer["previous_sha256"],
        tuple(writer["attempted_sha256"]),
        writer["lost"],
        record["time"],
        record["checkpoint"] if record["phase"] == "checkpoint" else None,
    )
