"""The lines of one writer in one file, and how the runs of several files join."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dynaguard.audit.chain import MAX_ATTEMPTED
from dynaguard.audit.heads import Head
from dynaguard.audit.places import Place
from dynaguard.audit.verification import WriterState

_TAIL: Final = MAX_ATTEMPTED + 1


class Run:
    """Lines of a writer, one after the other.

    Attributes:
        first, last: Its ends.
        records: How many of its lines are records.
        vouched: Its last checkpoint, or None.
        checkpoints: All of its checkpoints.
    """

    __slots__ = ("_tail", "checkpoints", "first", "last", "records", "vouched")

    def __init__(self, first: Place) -> None:
        self.first = self.last = first
        self.records = 0
        self.vouched: Place | None = None
        self.checkpoints: list[Place] = []
        self._tail: list[Place] = []
        self._note(first)

    def add(self, place: Place) -> None:
        """The next line, whatever is wrong with it."""
        if place.sequence > self.last.sequence:
            self.last = place
        self._note(place)

    def problem_with(self, place: Place) -> str | None:
        """Why a line does not follow the run; None: it does."""
        return _problem_between(self._tail, place)

    def _note(self, place: Place) -> None:
        self._tail = [*self._tail[-_TAIL:], place]
        if place.checkpoint is None:
            self.records += 1
        else:
            self.vouched = place
            self.checkpoints.append(place)

    @property
    def tail(self) -> list[Place]:
        """Its last lines."""
        return self._tail


def join(
    runs: list[Run], *, begins_anywhere: bool, head: Head | None
) -> tuple[WriterState, list[tuple[str, str]]]:
    """What is known of a writer, and what is wrong between its runs.

    Args:
        runs: Of all files; they are put in order.
        begins_anywhere: Whether earlier files are elsewhere.
        head: How far the writer had come before, or None.
    """
    runs.sort(key=lambda run: run.first.sequence)
    faults = []
    problem = _problem_at_start(runs[0].first, begins_anywhere=begins_anywhere, head=head)
    if problem is not None:
        faults.append((runs[0].first.where, problem))
    tail = runs[0].tail
    for run in runs[1:]:
        problem = _problem_between(tail, run.first)
        if problem is not None:
            faults.append((run.first.where, problem))
        tail = run.tail if len(run.tail) > MAX_ATTEMPTED else [*tail, *run.tail][-_TAIL:]
    last = max(runs, key=lambda run: run.last.sequence).last
    vouched = max((run.vouched for run in runs if run.vouched), key=_sequence, default=None)
    return _state(runs, last, vouched), faults


def _state(runs: Iterable[Run], last: Place, vouched: Place | None) -> WriterState:
    checkpoint = last.checkpoint
    return WriterState(
        service=last.writer.get("service"),
        pid=last.writer.get("pid", 0),
        sequence=last.sequence,
        digest=last.digest,
        lost=last.lost,
        records=sum(run.records for run in runs),
        vouched=vouched.sequence if vouched else 0,
        is_final=bool(checkpoint and checkpoint["is_final"]),
        place=last.where,
    )


def _sequence(place: Place) -> int:
    return place.sequence


def _problem_at_start(first: Place, *, begins_anywhere: bool, head: Head | None) -> str | None:
    """Whether a writer's first line here is its first."""
    before = first.sequence - 1 - len(first.attempted)
    if first.previous is None and before == 0:
        return None
    if not begins_anywhere:
        return f"{_records(before)} of its writer before it {_is_or_are(before)} missing"
    if head is None or first.sequence <= head.sequence or first.previous == head.sha256:
        return None
    return f"the lines between the head, {head.sequence}, and this one are missing"


def _problem_between(tail: list[Place], place: Place) -> str | None:
    """Whether a line follows the last ones of its writer.

    Lines of which the writer did not know whether they arrived may stand before it or not.
    """
    end = len(tail)
    while end and tail[end - 1].digest in place.attempted:
        end -= 1
    last = tail[end - 1] if end else None
    if last is None:  # every line so far was an attempt
        is_linked, number = place.previous is None, 0
    else:
        is_linked, number = place.previous == last.digest, last.sequence
    if is_linked and place.sequence == number + len(place.attempted) + 1:
        is_less = last is not None and place.lost < last.lost
        return "its count of lost records goes back" if is_less else None
    latest = tail[-1].sequence
    if place.sequence <= latest:
        return f"record {place.sequence} stands here again, or in the wrong order"
    if is_linked:
        return f"its number is {place.sequence}, {number + len(place.attempted) + 1} is due"
    gap = place.sequence - latest - 1
    if gap <= 0:
        return "the record before it was changed"
    return f"{_records(gap)} before it {_is_or_are(gap)} missing"


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count} records"


def _is_or_are(count: int) -> str:
    return "is" if count == 1 else "are"
