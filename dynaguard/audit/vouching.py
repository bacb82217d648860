"""Whether checkpoints are signed, and come as often as writers make them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from dynaguard.audit.chain import MAX_ATTEMPTED, checkpoint_message
from dynaguard.audit.places import Place
from dynaguard.audit.runs import Run
from dynaguard.audit.writer import CHECKPOINT_RECORDS

_MOST_LINES: Final = CHECKPOINT_RECORDS + MAX_ATTEMPTED + 1
"""Between two checkpoints, with one that could not be written."""


class ChecksSignatures(Protocol):
    """Checks the signatures of checkpoints; see `signing.Verifier`."""

    key_id: str

    def is_valid(self, message: bytes, signature: object) -> bool:
        """Whether a signature was made with the key for that message."""
        ...


class Vouching:
    """Checks the checkpoints of writers.

    Args:
        verifiers: Of the keys that may have signed; none: nothing is checked.
    """

    def __init__(self, verifiers: Sequence[ChecksSignatures]) -> None:
        self._verifier_by_key_id = {each.key_id: each for each in verifiers}

    @property
    def is_on(self) -> bool:
        """Whether anything is checked."""
        return bool(self._verifier_by_key_id)

    def faults_of(self, runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
        """What is wrong with the checkpoints of a writer, by place; `runs` are in order."""
        if not self.is_on:
            return
        checkpoints = [place for run in runs for place in run.checkpoints]
        for place in checkpoints:
            problem = self._signature_problem(place)
            if problem is not None:
                yield place.where, problem
        if not checkpoints:
            yield runs[0].first.where, "no checkpoint vouches for its writer"
            return
        before = runs[0].first.sequence
        for place in [*checkpoints, runs[-1].last]:
            count = place.sequence - before
            if count > _MOST_LINES:
                yield place.where, f"no checkpoint vouches for the {count} lines before it"
            before = place.sequence

    def _signature_problem(self, place: Place) -> str | None:
        """What is wrong with a checkpoint's signature."""
        stated = place.checkpoint or {}
        if stated["signature"] is None:
            return "this checkpoint is not signed"
        verifier = self._verifier_by_key_id.get(str(stated["key_id"]))
        if verifier is None:
            return f"this checkpoint is signed with another key, {stated['key_id']}"
        is_final = bool(stated["is_final"])
        message = checkpoint_message(dict(place.writer), time=place.time, is_final=is_final)
        if verifier.is_valid(message, stated["signature"]):
            return None
        return "the signature of this checkpoint is wrong"
