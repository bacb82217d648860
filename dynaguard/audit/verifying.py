"""Verifies audit files: every record is there, unchanged and in its place.

What can be found: a line that was changed, removed, repeated, moved or added, for each writer up
to its last line; with the last line itself, up to its last checkpoint. What was cut off after a
writer's last checkpoint, or a writer that was removed as a whole, shows only against the heads
that an earlier verification left. Somebody who writes the whole file anew leaves a good chain:
signed checkpoints show that, as far as the key is kept away from him.

Within a file the lines of a writer must be in order. Files may come in any order: a writer's
lines in them are runs, which are joined by their numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dynaguard.audit.heads import Head, missing_heads
from dynaguard.audit.places import Place, place_of
from dynaguard.audit.reading import Line
from dynaguard.audit.runs import Run, join
from dynaguard.audit.verification import Fault, Verification, WriterState
from dynaguard.audit.vouching import ChecksSignatures, Vouching

__all__ = ["Fault", "Head", "Verification", "WriterState", "verify"]


def verify(
    files: Iterable[Iterable[Line]],
    *,
    verifiers: Iterable[ChecksSignatures] = (),
    heads: Mapping[str, Head] | None = None,
    is_part: bool = False,
    is_unordered: bool = False,
    is_mixed: bool = False,
) -> Verification:
    """Verifies files.

    Args:
        files: The lines of each, as `read_lines` gives them.
        verifiers: Check signatures; one of them must accept every checkpoint, and checkpoints
            must come as often as writers make them. None: signatures are not looked at.
        heads: What an earlier verification found; all of it must still be there.
        is_part: Whether earlier files are elsewhere: writers begin anywhere, or right after
            their head where one is given.
        is_unordered: Whether whatever delivered the lines kept no order (Firehose).
        is_mixed: Whether lines of others stand between the records.

    Cost: linear; a few hundred bytes of memory per writer and file.
    """
    checking = _Checking(
        Vouching(tuple(verifiers)), heads or {}, is_unordered=is_unordered, is_mixed=is_mixed
    )
    for lines in files:
        checking.read(lines)
    checking.finish(is_part=is_part)
    return checking.found


class _Checking:
    """One verification under way."""

    def __init__(
        self,
        vouching: Vouching,
        heads: Mapping[str, Head],
        *,
        is_unordered: bool,
        is_mixed: bool,
    ) -> None:
        self.found = Verification()
        self._vouching, self._heads = vouching, heads
        self._is_unordered, self._is_mixed = is_unordered, is_mixed
        self._is_strict = vouching.is_on or bool(heads)
        self._runs: dict[str, list[Run]] = {}
        self._seen_heads: set[str] = set()

    def read(self, lines: Iterable[Line]) -> None:
        """One file."""
        open_runs: dict[str, Run] = {}
        for line in lines:
            self._take(line, open_runs)

    def finish(self, *, is_part: bool) -> None:
        """Joins what the files hold of each writer."""
        for writer_id, runs in self._runs.items():
            head = self._heads.get(writer_id)
            state, faults = join(runs, begins_anywhere=is_part, head=head)
            self.found.states[writer_id] = state
            self._faults(writer_id, faults)
            self._faults(writer_id, self._vouching.faults_of(runs))
        for fault in missing_heads(self._heads, self._seen_heads, self.found, is_part=is_part):
            self.found.faults.append(fault)

    def _faults(self, writer_id: str, faults: Iterable[tuple[str, str]]) -> None:
        for where, problem in faults:
            self.found.faults.append(Fault(where, writer_id, problem))

    def _take(self, line: Line, open_runs: dict[str, Run]) -> None:
        """One line."""
        found, record = self.found, line.record
        found.torn += line.is_torn
        if line.problem is not None:
            found.foreign.append(line.place)
            if not self._is_mixed:
                found.faults.append(Fault(line.place, "", line.problem))
        if record is None:
            return
        place = place_of(line, record)
        if place is None:
            found.unchained += 1
            if self._is_strict:
                problem = "a record of version 1, which nothing vouches for"
                found.faults.append(Fault(line.place, "", problem))
            return
        self._chain(place, open_runs)

    def _chain(self, place: Place, open_runs: dict[str, Run]) -> None:
        """A line with a place in a chain."""
        self.found.checkpoints += place.checkpoint is not None
        head = self._heads.get(place.writer_id)
        if head is not None and head.sequence == place.sequence and head.sha256 == place.digest:
            self._seen_heads.add(place.writer_id)
        run = open_runs.get(place.writer_id)
        problem = None if run is None else run.problem_with(place)
        if run is None or (problem is not None and self._is_unordered):
            run = open_runs[place.writer_id] = Run(place)
            self._runs.setdefault(place.writer_id, []).append(run)
            return
        if problem is not None:
            self._faults(place.writer_id, [(place.where, problem)])
        run.add(place)
