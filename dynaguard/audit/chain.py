"""The hash chain of one writer: every line names the one before it.

A line carries its writer's id, its number, the SHA-256 of the writer's line before it, and how
many records the writer lost so far. So an edited, removed or moved line no longer fits its
neighbours, and a lost record is told from a removed one.

Source: the linked time-stamping of Haber and Stornetta, *How to time-stamp a digital document*,
1991; the checkpoints are RFC 6962's signed tree heads, for a chain.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any, Final

ID_BYTES: Final = 8


def new_writer_id() -> str:
    """The id of a writer, which no other has: sixteen hexadecimal characters."""
    return secrets.token_hex(ID_BYTES)


def digest_of(line: bytes) -> str:
    """SHA-256 of a line without its newline, in hexadecimal."""
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()


class Chain:
    """Where one writer stands. Not thread-safe.

    Args:
        service: Name of the service, or None.
        version: dynaguard's version.
        pid: Process id of the writer.
        writer_id: Its id.

    Attributes:
        writer_id, pid: As given.
        sequence: The number of the last record, lost ones counted.
        lost: Records that were lost.
        previous: SHA-256 of the last line that was written, or None.
    """

    __slots__ = ("_opening", "_previous_text", "lost", "pid", "sequence", "writer_id")

    def __init__(self, *, service: str | None, version: str, pid: int, writer_id: str) -> None:
        facts = {"service": service, "pid": pid, "version": version, "id": writer_id}
        self._opening = f',"writer":{json.dumps(facts, separators=(",", ":"))[:-1]},"sequence":'
        self._previous_text = "null"
        self.writer_id, self.pid = writer_id, pid
        self.sequence = self.lost = 0

    @property
    def previous(self) -> str | None:
        """SHA-256 of the last line that was written, or None."""
        found: str | None = json.loads(self._previous_text)
        return found

    def link(self, text: str, lost_elsewhere: int = 0) -> bytes:
        """The line of the next record.

        Args:
            text: What it says, open at the end: a JSON object without `writer` and its brace.
            lost_elsewhere: Records that a sink lost after it had taken them.
        """
        return (
            f"{text}{self._opening}{self.sequence + 1}"
            f',"previous_sha256":{self._previous_text},"lost":{self.lost + lost_elsewhere}}}}}\n'
        ).encode("ascii")

    def append(self, line: bytes) -> None:
        """Notes that the line which `link` gave is written."""
        self.sequence += 1
        self._previous_text = f'"{digest_of(line)}"'

    def lose(self) -> None:
        """Notes that it is not. Its number is never used again: part of it may be in the file."""
        self.sequence += 1
        self.lost += 1


def checkpoint_message(writer_id: str, place: dict[str, Any], *, is_final: bool) -> bytes:
    """What a signature of a checkpoint covers: all that came before it, by its last hash.

    Args:
        writer_id: The writer.
        place: `time`, `sequence`, `previous_sha256` and `lost` of the checkpoint.
        is_final: Whether the writer ended with it.
    """
    covered = {
        "purpose": "dynaguard audit checkpoint",
        "writer_id": writer_id,
        "time": place["time"],
        "sequence": place["sequence"],
        "previous_sha256": place["previous_sha256"],
        "lost": place["lost"],
        "is_final": is_final,
    }
    return json.dumps(covered, sort_keys=True, separators=(",", ":")).encode()
