"""Writes chained lines to a sink, with a checkpoint from time to time.

Every writer has a chain of its own: a process, and what its forked children become. A record that
a signal handler writes while its own thread is writing one goes to a second chain, since the first
has not got its line yet.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from dynaguard.audit.chain import Chain, checkpoint_message, new_writer_id
from dynaguard.audit.endings import at_the_end, watch_this_process
from dynaguard.audit.record import checkpoint_text, format_time
from dynaguard.audit.sinks import AuditSink, UnsureError
from dynaguard.forks import renew_after_fork

CHECKPOINT_RECORDS: Final = 1_000
CHECKPOINT_NS: Final = 60 * 10**9
"""A checkpoint begins every chain, and follows after so many records, or after so long."""
CLOSE_WAIT_S: Final = 1.0


class Signs(Protocol):
    """Signs checkpoints; see `signing.Signer`."""

    key_id: str

    def sign(self, message: bytes) -> str:
        """The signature of a message, in base64."""
        ...


@dataclass(slots=True)
class _Line:
    """A chain, and where its last checkpoint stands.

    Attributes:
        chain: The chain.
        checked_sequence: Number of the last checkpoint; 0 before any.
        checked_ns: Its time.
        written_ns: Time of the last record.
    """

    chain: Chain
    checked_sequence: int = 0
    checked_ns: int = 0
    written_ns: int = 0

    def is_due(self, time_ns: int) -> bool:
        """Whether a checkpoint should follow a record."""
        count = self.chain.sequence - self.checked_sequence
        return (
            not self.checked_sequence
            or count >= CHECKPOINT_RECORDS
            or time_ns - self.checked_ns >= CHECKPOINT_NS
        )


class ChainedWriter:
    """The writers of one process, one after the other in one sink. Thread-safe.

    Args:
        sink: Where lines go.
        service: Name of the service, or None.
        version: dynaguard's version.
        signer: Signs checkpoints; None: they are hashes alone.
        new_id: Makes the id of a writer.
        is_ended: Whether the last checkpoint is written at the end of the process (unless it is
            killed); False where somebody else sees to that.
    """

    def __init__(
        self,
        sink: AuditSink,
        *,
        service: str | None,
        version: str,
        signer: Signs | None = None,
        new_id: Callable[[], str] = new_writer_id,
        is_ended: bool = True,
    ) -> None:
        self._sink = sink
        self._service, self._version = service, version
        self._signer, self._new_id = signer, new_id
        self.renew()
        renew_after_fork(self)
        if is_ended:
            at_the_end(self, ChainedWriter.close)

    def renew(self) -> None:
        """Becomes another writer: a forked child goes on with neither lock nor chain."""
        # Reentrant: a signal handler may make a call while its own thread writes a line.
        self.lock = threading.RLock()
        self._depth, self._is_watched = 0, False
        self._lines = [_Line(self._new_chain())]

    @property
    def writer_id(self) -> str:
        """The id of the process's own writer."""
        return self._lines[0].chain.writer_id

    def write(self, text: str, time_ns: int) -> None:
        """Writes a record.

        Args:
            text: As `Chain.link` takes it.
            time_ns: When, in nanoseconds since the epoch.

        Raises:
            OSError: It is not, or not surely, written; it counts as lost.
        """
        if not self._is_watched:
            self._is_watched = True
            watch_this_process()
        with self.lock:
            depth, self._depth = self._depth, self._depth + 1
            try:
                line = self._line_at(depth)
                if not line.chain.sequence:
                    # the first line: nobody without the key can make up a writer
                    line.written_ns = time_ns
                    self._checkpoint(line, is_final=False)
                self._append(line.chain, text)
                line.written_ns = time_ns
                if line.is_due(time_ns):
                    self._checkpoint(line, is_final=False)
            finally:
                self._depth = depth

    def lose(self, count: int = 1) -> None:
        """Notes records that never became lines."""
        with self.lock:
            self._lines[0].chain.lost += count

    def checkpoint(self) -> None:
        """Vouches for what is there, if there is anything new."""
        with self.lock:
            for line in self._lines:
                if line.chain.sequence > line.checked_sequence:
                    self._checkpoint(line, is_final=False)

    def restart(self, lost_count: int) -> None:
        """Goes on as another writer, after lines of which nobody knows whether they arrived."""
        with self.lock:
            lost = self._lines[0].chain.lost + lost_count
            self._lines = [_Line(self._new_chain(lost))]

    def close(self) -> None:
        """Ends every chain that has a record since its last checkpoint, and closes the sink."""
        if not self.lock.acquire(timeout=CLOSE_WAIT_S):
            return  # somebody waits for a sink that does not take anything
        try:
            for line in self._lines:
                if line.chain.sequence > line.checked_sequence:
                    self._checkpoint(line, is_final=True)
            self._sink.close()
        finally:
            self.lock.release()

    def _append(self, chain: Chain, text: str) -> None:
        """One line, and its place in the chain."""
        line = chain.link(text)
        digest = chain.attempt(line)
        try:
            self._sink.write(line)
        except UnsureError:
            chain.lost += 1
            raise
        except OSError:
            chain.withdraw()
            chain.lost += 1
            raise
        chain.arrive(digest)

    def _checkpoint(self, line: _Line, *, is_final: bool) -> None:
        """A line that vouches for all before it; without room for it the next one will do."""
        chain, signer = line.chain, self._signer
        time = format_time(line.written_ns)
        text = checkpoint_text(time=time, is_final=is_final, key_id=None, signature=None)
        if signer is not None:
            writer = json.loads(chain.link(text))["writer"]
            message = checkpoint_message(writer, time=time, is_final=is_final)
            text = checkpoint_text(
                time=time,
                is_final=is_final,
                key_id=signer.key_id,
                signature=signer.sign(message),
            )
        lost = chain.lost
        try:
            self._append(chain, text)
        except OSError:
            chain.lost = lost  # it is no record
            return
        line.checked_sequence, line.checked_ns = chain.sequence, line.written_ns

    def _line_at(self, depth: int) -> _Line:
        """The chain of that many lines under way in this thread."""
        if depth == len(self._lines):
            self._lines.append(_Line(self._new_chain()))
        line = self._lines[depth]
        if line.chain.is_worn:
            line = self._lines[depth] = _Line(self._new_chain(line.chain.lost))
        return line

    def _new_chain(self, lost: int = 0) -> Chain:
        return Chain(
            service=self._service,
            version=self._version,
            pid=os.getpid(),
            writer_id=self._new_id(),
            lost=lost,
        )
