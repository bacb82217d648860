"""Verifies audit files: every record is there, unchanged and in its place.

What can be found: a line that was changed, removed, repeated, moved or added, for each writer up
to its last line; with the last line itself, up to its last checkpoint. What was cut off after a
writer's last checkpoint, or a writer that was removed as a whole, shows only against the heads
that an earlier verification left. Somebody who writes the whole file anew leaves a good chain:
signed checkpoints show that, as far as the key is kept away from him.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from dynaguard.audit.chain import checkpoint_message, digest_of
from dynaguard.audit.reading import Line


class ChecksSignatures(Protocol):
    """Checks the signatures of checkpoints; see `signing.Verifier`."""

    key_id: str

    def is_valid(self, message: bytes, signature: object) -> bool:
        """Whether a signature was made with the key for that message."""
        ...


@dataclass(frozen=True, slots=True)
class Head:
    """How far a writer had come: the number and the hash of its last line."""

    sequence: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was written.

    Attributes:
        place: File and line where it shows.
        writer_id: Whose chain.
        problem: What it is.
    """

    place: str
    writer_id: str
    problem: str


@dataclass(slots=True)
class WriterState:
    """What is known of one writer so far.

    Attributes:
        sequence, digest: Of its last line.
        before: The `previous_sha256` of its last line.
        lost: Records lost, as its last line says.
        records: Records that are here.
        vouched: The number of its last good checkpoint; 0 before any.
        is_final: Whether that was its last one.
        gaps: Missing records by place, not yet explained by losses.
        explained: Losses that explained a gap already.
        place: Of its last line.
        service, pid: Of the process.
    """

    service: str | None
    pid: int
    sequence: int = 0
    digest: str | None = None
    before: str | None = None
    lost: int = 0
    records: int = 0
    vouched: int = 0
    is_final: bool = False
    gaps: list[tuple[str, int]] = field(default_factory=list)
    explained: int = 0
    place: str = ""


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

    def heads(self) -> dict[str, Head]:
        """How far each writer came, for the next verification."""
        return {
            writer_id: Head(state.sequence, state.digest or "")
            for writer_id, state in self.states.items()
        }


def verify(
    lines: Iterable[Line],
    *,
    verifier: ChecksSignatures | None = None,
    heads: Mapping[str, Head] | None = None,
    is_part: bool = False,
) -> Verification:
    """Verifies lines, given in the order of their files.

    Args:
        lines: As `read_lines` gives them.
        verifier: Checks signatures, and wants every checkpoint signed; None: they are not looked
            at.
        heads: What an earlier verification found; all of it must still be there.
        is_part: Whether writers may begin anywhere, since earlier files are elsewhere.

    Cost: linear; a few hundred bytes of memory per writer.
    """
    checking = _Checking(verifier, heads or {}, is_part=is_part)
    for line in lines:
        checking.take(line)
    checking.end()
    return checking.found


class _Checking:
    """One verification under way."""

    def __init__(
        self, verifier: ChecksSignatures | None, heads: Mapping[str, Head], *, is_part: bool
    ) -> None:
        self.found = Verification()
        self._verifier, self._heads, self._is_part = verifier, heads, is_part

    def take(self, line: Line) -> None:
        """One line."""
        found, record = self.found, line.record
        found.torn += line.is_torn
        if line.problem is not None:
            found.foreign.append(line.place)
        if record is None:
            return
        place = _place_in_chain(record)
        if place is None:
            found.unchained += 1
            return
        self._link(line, place)
        if record["phase"] == "checkpoint":
            self._checkpoint(line, record, place)

    def end(self) -> None:
        """What can be told only at the end."""
        for writer_id, state in self.found.states.items():
            self._missing(writer_id, state)
        for writer_id, head in self._heads.items():
            ended = self.found.states.get(writer_id)
            if ended is None or ended.sequence < head.sequence:
                last = ended.sequence if ended else 0
                where = ended.place if ended else "all files"
                problem = f"cut off: {head.sequence} records were here, {last} are"
                self.found.faults.append(Fault(where, writer_id, problem))

    def _missing(self, writer_id: str, state: WriterState) -> None:
        """Gaps that the writer's own losses do not explain."""
        missing = sum(count for _, count in state.gaps)
        if missing > state.lost - state.explained:
            for place, count in state.gaps:
                problem = f"{_records(count)} before it {_is_or_are(count)} missing"
                self.found.faults.append(Fault(place, writer_id, problem))

    def _link(self, line: Line, place: _Place) -> None:
        """Whether a line follows its writer's last one."""
        state = self.found.states.get(place.writer_id)
        if state is None:
            state = WriterState(place.service, place.pid)
            self.found.states[place.writer_id] = state
            problem = self._begin(state, place)
        else:
            problem = _follow(state, place, line.place)
        if problem is not None:
            self.found.faults.append(Fault(line.place, place.writer_id, problem))
        if place.sequence <= state.sequence:
            return
        state.sequence, state.lost, state.place = place.sequence, place.lost, line.place
        state.digest, state.before = digest_of(line.raw), place.previous
        state.records += line.record is not None and line.record["phase"] != "checkpoint"
        head = self._heads.get(place.writer_id)
        if head is not None and head.sequence == place.sequence and head.sha256 != state.digest:
            problem = "is not what it was when the heads were kept"
            self.found.faults.append(Fault(line.place, place.writer_id, problem))

    def _begin(self, state: WriterState, place: _Place) -> str | None:
        """Whether a writer's first line is its first."""
        before = place.sequence - 1
        if place.previous is None and before <= place.lost:
            state.explained = before
            return None
        if self._is_part:
            state.explained = place.lost
            return None
        return f"{_records(before)} of its writer before it {_is_or_are(before)} missing"

    def _checkpoint(self, line: Line, record: Mapping[str, Any], place: _Place) -> None:
        """Whether a checkpoint vouches for what is before it."""
        self.found.checkpoints += 1
        state, stated = self.found.states[place.writer_id], record["checkpoint"]
        problem = self._signature_problem(record, place)
        if problem is not None:
            self.found.faults.append(Fault(line.place, place.writer_id, problem))
        elif place.sequence == state.sequence:
            state.vouched, state.is_final = place.sequence, bool(stated["is_final"])

    def _signature_problem(self, record: Mapping[str, Any], place: _Place) -> str | None:
        """What is wrong with a checkpoint's signature."""
        verifier, stated = self._verifier, record["checkpoint"]
        if verifier is None:
            return None
        if stated["signature"] is None:
            return "this checkpoint is not signed"
        if stated["key_id"] != verifier.key_id:
            return f"this checkpoint is signed with the key {stated['key_id']}"
        covered = {
            "time": record["time"],
            "sequence": place.sequence,
            "previous_sha256": place.previous,
            "lost": place.lost,
        }
        is_final = bool(stated["is_final"])
        message = checkpoint_message(place.writer_id, covered, is_final=is_final)
        if verifier.is_valid(message, stated["signature"]):
            return None
        return "the signature of this checkpoint is wrong"


@dataclass(frozen=True, slots=True)
class _Place:
    """A line's place in its chain, as it states it."""

    writer_id: str
    service: str | None
    pid: int
    sequence: int
    previous: str | None
    lost: int


def _place_in_chain(record: Mapping[str, Any]) -> _Place | None:
    """The place that a record states; None for one of version 1."""
    writer = record.get("writer")
    if not isinstance(writer, Mapping) or not isinstance(writer.get("id"), str):
        return None
    sequence, lost = writer.get("sequence"), writer.get("lost")
    if not isinstance(sequence, int) or not isinstance(lost, int):
        return None
    return _Place(
        writer["id"],
        writer.get("service"),
        writer.get("pid", 0),
        sequence,
        writer.get("previous_sha256"),
        lost,
    )


def _follow(state: WriterState, place: _Place, where: str) -> str | None:
    """Whether a line follows the last one of its writer; None: it does, or lines are missing."""
    if place.sequence <= state.sequence:
        return f"record {place.sequence} stands here again, or in the wrong order"
    gap, newly_lost = place.sequence - state.sequence - 1, place.lost - state.lost
    if place.previous == state.digest:
        state.explained += gap
        return None if gap <= newly_lost else f"its number skips {_records(gap)}"
    if place.previous == state.before and gap + 1 <= newly_lost:
        state.explained += gap + 1  # the last line was written, though its writer could not tell
        return None
    if not gap:
        return "the record before it was changed"
    state.gaps.append((where, gap))
    return None


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count} records"


def _is_or_are(count: int) -> str:
    return "is" if count == 1 else "are"
