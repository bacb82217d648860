"""What a verification finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dynaguard.audit.heads import Head


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was written.

    Attributes:
        place: File and line where it shows.
        writer_id: Whose chain; empty for a line of nobody.
        problem: What it is.
    """

    place: str
    writer_id: str
    problem: str


@dataclass(frozen=True, slots=True)
class WriterState:
    """What is known of one writer.

    Attributes:
        service, pid: Of the process.
        sequence, digest: Of its last line.
        lost: Records lost, as its last line says.
        records: Records that are here.
        vouched: The number of its last checkpoint; 0 without any.
        is_final: Whether it ended with that.
        place: Of its last line.
    """

    service: str | None
    pid: int
    sequence: int
    digest: str
    lost: int
    records: int
    vouched: int
    is_final: bool
    place: str


@dataclass(slots=True)
class Verification:
    """What a verification found.

    Attributes:
        states: By writer.
        faults: In order.
        checkpoints: How many there are.
        unchained: Records of version 1, which have no chain.
        torn: Lines that a crash or a full disk tore; they are among no writer's records.
        foreign: Places of lines that are no records.
    """

    states: dict[str, WriterState] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    checkpoints: int = 0
    unchained: int = 0
    torn: int = 0
    foreign: list[str] = field(default_factory=list)

    @property
    def record_count(self) -> int:
        """Records that have a chain."""
        return sum(state.records for state in self.states.values())

    @property
    def lost_count(self) -> int:
        """Records that writers say they lost."""
        return sum(state.lost for state in self.states.values())

    @property
    def open_count(self) -> int:
        """Lines after the last checkpoint of their writer."""
        return sum(state.sequence - state.vouched for state in self.states.values())

    def as_mapping(self, file_count: int) -> dict[str, Any]:
        """All of it for programs, of so many files; JSON's own types."""
        return {
            "is_as_written": not self.faults,
            "files": file_count,
            "records": self.record_count,
            "checkpoints": self.checkpoints,
            "lost": self.lost_count,
            "torn": self.torn,
            "foreign": self.foreign,
            "unchained": self.unchained,
            "faults": [
                {"place": fault.place, "writer_id": fault.writer_id, "problem": fault.problem}
                for fault in self.faults
            ],
            "writers": {
                name: {
                    "service": state.service,
                    "pid": state.pid,
                    "sequence": state.sequence,
                    "sha256": state.digest,
                    "records": state.records,
                    "lost": state.lost,
                    "vouched_for": state.vouched,
                    "is_final": state.is_final,
                }
                for name, state in self.states.items()
            },
        }

    def heads(self) -> dict[str, Head]:
        """How far each writer came, for the next verification."""
        return {
            writer_id: Head(state.sequence, state.digest, is_final=state.is_final)
            for writer_id, state in self.states.items()
        }
