"""The hash chain of one writer: every line names the one before it.

A line carries its writer's id, its number, and the SHA-256 of the writer's line before it. So an
edited, removed, added or moved line no longer fits its neighbours. A record that could not be
written leaves no gap: the next one follows the last that was. Where the writer cannot know whether
a line arrived (a disk full in the middle of it, an exception out of a signal handler), the next
line names that attempt, and it may be there or not.

Source: the linked time-stamping of Haber and Stornetta, *How to time-stamp a digital document*,
1991; the checkpoints are RFC 6962's signed tree heads, for a chain.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any, Final

ID_BYTES: Final = 8
MAX_ATTEMPTED: Final = 8
"""Lines in a row of which nobody knows whether they arrived; then another writer begins."""


def new_writer_id() -> str:
    """The id of a writer, which no other has: sixteen hexadecimal characters."""
    return secrets.token_hex(ID_BYTES)


def digest_of(line: bytes) -> str:
    """SHA-256 of a line without its newline, in hexadecimal."""
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()


Standing = tuple[int, str | None, tuple[str, ...]]
"""Where a chain stands: the number of the last line that arrived, its SHA-256 (None before any),
and the SHA-256 of the lines after it of which nobody knows. Replaced as a whole, so that an
interruption leaves it consistent."""


class Chain:
    """One writer. Not thread-safe.

    Args:
        service: Name of the service, or None.
        version: dynaguard's version.
        pid: Process id of the writer.
        writer_id: Its id.
        lost: Records that were lost before it began.

    Attributes:
        writer_id, pid, lost: As given; `lost` counts on.
    """

    __slots__ = ("_opening", "_standing", "lost", "pid", "writer_id")

    def __init__(
        self, *, service: str | None, version: str, pid: int, writer_id: str, lost: int = 0
    ) -> None:
        facts = {"service": service, "pid": pid, "version": version, "id": writer_id}
        self._opening = f',"writer":{json.dumps(facts, separators=(",", ":"))[:-1]},"sequence":'
        self.writer_id, self.pid, self.lost = writer_id, pid, lost
        self._standing: Standing = (0, None, ())

    @property
    def sequence(self) -> int:
        """The number of the last line that arrived."""
        return self._standing[0]

    @property
    def is_worn(self) -> bool:
        """Whether so many lines may be there or not that another writer should go on."""
        return len(self._standing[2]) >= MAX_ATTEMPTED

    def link(self, text: str) -> bytes:
        """The line of the next record.

        Args:
            text: What it says, open at the end: a JSON object without `writer` and its brace.
        """
        sequence, previous, attempted = self._standing
        previous_text = "null" if previous is None else f'"{previous}"'
        attempted_text = json.dumps(attempted, separators=(",", ":")) if attempted else "[]"
        number = sequence + len(attempted) + 1
        return (
            f'{text}{self._opening}{number},"previous_sha256":{previous_text}'
            f',"attempted_sha256":{attempted_text},"lost":{self.lost}}}}}\n'
        ).encode("ascii")

    def attempt(self, line: bytes) -> str:
        """Notes that a line is about to be written; gives its digest."""
        digest = digest_of(line)
        sequence, previous, attempted = self._standing
        self._standing = (sequence, previous, (*attempted, digest))
        return digest

    def arrive(self, digest: str) -> None:
        """Notes that the line attempted last arrived."""
        sequence, _, attempted = self._standing
        self._standing = (sequence + len(attempted), digest, ())

    def withdraw(self) -> None:
        """Notes that it surely did not: its number is used again."""
        sequence, previous, attempted = self._standing
        self._standing = (sequence, previous, attempted[:-1])


def checkpoint_message(writer: dict[str, Any], *, time: str, is_final: bool) -> bytes:
    """What a signature of a checkpoint covers: all that came before it, by its last hash.

    Args:
        writer: The checkpoint's `writer`, whole.
        time: Its `time`.
        is_final: Whether the writer ended with it.
    """
    covered = {
        "purpose": "dynaguard audit checkpoint",
        "writer": writer,
        "time": time,
        "is_final": is_final,
    }
    return json.dumps(covered, sort_keys=True, separators=(",", ":")).encode()
