"""Writes chained lines to a sink, with a checkpoint from time to time.

Every writer has a chain of its own: a process, and what its forked children become. A record that
a signal handler writes while its own thread is writing one goes to a second chain, since the first
has not got its line yet.
"""

from __future__ import annotations

import atexit
import functools
import os
import threading
import weakref
from collections.abc import Callable
from typing import Final, Protocol

from dynaguard.audit.chain import Chain, checkpoint_message, new_writer_id
from dynaguard.audit.record import checkpoint_text, format_time
from dynaguard.audit.sinks import AuditSink

CHECKPOINT_RECORDS: Final = 1_000
CHECKPOINT_NS: Final = 60 * 10**9
"""A checkpoint follows after so many records, or with the first record after so long."""


class Signs(Protocol):
    """Signs checkpoints; see `signing.Signer`."""

    key_id: str

    def sign(self, message: bytes) -> str:
        """The signature of a message, in base64."""
        ...


class ChainedWriter:
    """The writers of one process, one after the other in one sink. Thread-safe.

    Args:
        sink: Where lines go.
        service: Name of the service, or None.
        version: dynaguard's version.
        signer: Signs checkpoints; None: they are hashes alone.
        new_id: Makes the id of a writer.
    """

    def __init__(
        self,
        sink: AuditSink,
        *,
        service: str | None,
        version: str,
        signer: Signs | None = None,
        new_id: Callable[[], str] = new_writer_id,
    ) -> None:
        self._sink = sink
        self._service, self._version = service, version
        self._signer, self._new_id = signer, new_id
        self._time_ns = 0
        self.renew()
        _watch_process()
        _writers.add(self)

    def renew(self) -> None:
        """Becomes another writer: a forked child goes on with neither lock nor chain."""
        # Reentrant: a signal handler may make a call while its own thread writes a line.
        self._lock = threading.RLock()
        self._depth = 0
        self._chains = [self._new_chain()]
        self._checked = [(0, 0)]

    @property
    def writer_id(self) -> str:
        """The id of the process's own writer."""
        return self._chains[0].writer_id

    def write(self, text: str, time_ns: int) -> None:
        """Writes a record.

        Args:
            text: As `Chain.link` takes it.
            time_ns: When, in nanoseconds since the epoch.

        Raises:
            OSError: It is not, or not wholly, written; it counts as lost.
        """
        with self._lock:
            depth, self._depth = self._depth, self._depth + 1
            try:
                chain = self._chain_at(depth)
                self._append(chain, text)
                self._time_ns = time_ns
                sequence, checked_ns = self._checked[depth]
                if not checked_ns:
                    self._checked[depth] = (sequence, time_ns)
                elif (
                    chain.sequence - sequence >= CHECKPOINT_RECORDS
                    or time_ns - checked_ns >= CHECKPOINT_NS
                ):
                    self._checkpoint(depth, is_final=False)
            finally:
                self._depth = depth

    def lose(self) -> None:
        """Notes a record that never became a line."""
        with self._lock:
            self._chains[0].lose()

    def close(self) -> None:
        """Ends every chain that has a record since its last checkpoint, and closes the sink."""
        with self._lock:
            for depth, chain in enumerate(self._chains):
                if chain.sequence > self._checked[depth][0]:
                    self._checkpoint(depth, is_final=True)
            self._sink.close()

    def _append(self, chain: Chain, text: str) -> None:
        """One line, and its place in the chain."""
        sink = self._sink
        line = chain.link(text, sink.lost_count)
        try:
            sink.write(line)
        except BaseException:
            chain.lose()
            raise
        chain.append(line)

    def _checkpoint(self, depth: int, *, is_final: bool) -> None:
        """A line that vouches for all before it; without room for it the next one will do."""
        chain = self._chains[depth]
        time = format_time(self._time_ns)
        place = {
            "time": time,
            "sequence": chain.sequence + 1,
            "previous_sha256": chain.previous,
            "lost": chain.lost + self._sink.lost_count,
        }
        signer = self._signer
        message = checkpoint_message(chain.writer_id, place, is_final=is_final)
        text = checkpoint_text(
            time=time,
            is_final=is_final,
            key_id=signer.key_id if signer else None,
            signature=signer.sign(message) if signer else None,
        )
        try:
            self._append(chain, text)
        except OSError:
            return
        self._checked[depth] = (chain.sequence, self._time_ns)

    def _chain_at(self, depth: int) -> Chain:
        """The chain of that many lines under way in this thread."""
        if depth == len(self._chains):
            self._chains.append(self._new_chain())
            self._checked.append((0, 0))
        return self._chains[depth]

    def _new_chain(self) -> Chain:
        return Chain(
            service=self._service,
            version=self._version,
            pid=os.getpid(),
            writer_id=self._new_id(),
        )


_writers: weakref.WeakSet[ChainedWriter] = weakref.WeakSet()


def renew_writers() -> None:
    """Makes every writer another one; what a forked child does first."""
    for writer in list(_writers):
        writer.renew()


def close_writers() -> None:
    """Writes the last checkpoint of every writer; at the end of the process."""
    for writer in list(_writers):
        writer.close()


@functools.cache
def _watch_process() -> None:
    """Asks to be told of forks and of the end, once per process."""
    atexit.register(close_writers)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=renew_writers)
