"""A bounded queue in front of a sink that is slow: calls never wait for it."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from dynaguard.audit.endings import at_the_end
from dynaguard.audit.writer import ChainedWriter
from dynaguard.forks import renew_after_fork

MAX_RECORDS: Final = 10_000
BATCH_RECORDS: Final = 500
BATCH_CHARACTERS: Final = 600_000
"""Below what Firehose takes as one record, with the chain added: 1,000 KiB."""
LINGER_S: Final = 2.0
"""How long a batch that is not full waits for more."""
CLOSE_TIMEOUT_S: Final = 5.0
DIRECT_WAIT_S: Final = 0.01
"""How long a record that may go directly waits for its turn before it is queued."""
CHECKPOINT_CHARACTERS: Final = 400
"""What a checkpoint takes at most, before the chain is added."""
_log: Final = logging.getLogger("dynaguard.audit")

_Record = tuple[str, int]


class QueuedWriter:
    """Takes records at once, and writes them from a thread of its own, in batches.

    They are chained when they are written, so that what is lost leaves no gap in a chain. A batch
    that failed may have arrived or not: the next one is another writer's.

    Args:
        writer: Writes them.
        flush: Sends what was written; None: it is sent already.
        takes: Whether the sink takes so many characters without waiting: then they are written
            in the caller's thread. None: never.
        max_records: Records that wait at most; another one is refused.
        linger_s: How long a batch that is not full waits for more; 0: not at all.

    Effects: starts a daemon thread with the first record that waits; at the end of the process,
    and at `close`, what waits is sent for `CLOSE_TIMEOUT_S` at most. A forked child starts empty:
    what waits is its parent's. Thread-safe.

    Attributes:
        lost_count: Records that were taken and could not be written.
    """

    def __init__(
        self,
        writer: ChainedWriter,
        *,
        flush: Callable[[], None] | None = None,
        takes: Callable[[int], bool] | None = None,
        max_records: int = MAX_RECORDS,
        linger_s: float = LINGER_S,
    ) -> None:
        self._writer, self._flush, self._takes = writer, flush, takes
        self._max_records, self._linger_s = max_records, linger_s
        self.renew()
        renew_after_fork(self)
        at_the_end(self, QueuedWriter.close)

    def renew(self) -> None:
        """Forgets what waits, the thread and the lock: in a forked child they are not there."""
        self._changed = threading.Condition(threading.RLock())
        self._records: deque[_Record] = deque()
        self._thread: threading.Thread | None = None
        self._is_closing = False
        self._sending_count = self.lost_count = 0

    @property
    def writer_id(self) -> str:
        """The id of the process's own writer."""
        return self._writer.writer_id

    @property
    def waiting_count(self) -> int:
        """Records that are not written yet."""
        return len(self._records) + self._sending_count

    def write(self, text: str, time_ns: int) -> None:
        """Takes a record; arguments as `ChainedWriter.write`'s.

        Raises:
            OSError: The queue is full, or it was written directly and that failed.
        """
        if not self.waiting_count and self._writes_directly(text, time_ns):
            return
        with self._changed:
            if len(self._records) >= self._max_records:
                self._writer.lose()
                raise OSError(errno.ENOBUFS, "the queue of audit records is full")
            self._records.append((text, time_ns))
            self._start()
            self._changed.notify()

    def lose(self) -> None:
        """Notes a record that never became a line."""
        self._writer.lose()

    def close(self, timeout_s: float | None = None) -> None:
        """Sends what waits; what is left at the end of the time is lost, and counted.

        Args:
            timeout_s: For so long; None: `CLOSE_TIMEOUT_S`.
        """
        until_s = time.monotonic() + (CLOSE_TIMEOUT_S if timeout_s is None else timeout_s)
        with self._changed:
            thread, self._is_closing = self._thread, True
            self._changed.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(0.0, until_s - time.monotonic()))
        with self._changed:
            left_count = self.waiting_count
            self._records.clear()
            self._is_closing = False
        if left_count:
            self.lost_count += left_count
            _log.warning("%d audit records were lost at the end: too slow to write", left_count)
            return  # whoever holds the sink up would hold the end up, too
        if self._takes is not None and not self._takes(CHECKPOINT_CHARACTERS):
            return
        try:
            self._writer.close()
        except Exception as err:  # noqa: BLE001 - the last checkpoint is all that is lost
            _log.warning("the last audit checkpoint was not written (%s)", type(err).__name__)

    def _writes_directly(self, text: str, time_ns: int) -> bool:
        """Whether the record was written in this thread, since the sink does not wait."""
        if self._takes is None or not self._takes(len(text)):
            return False
        lock = self._writer.lock
        if not lock.acquire(timeout=DIRECT_WAIT_S):
            return False
        try:
            self._writer.write(text, time_ns)
        finally:
            lock.release()
        return True

    def _start(self) -> None:
        """Starts the thread that writes; where there can be none, the record is lost."""
        if self._thread is not None:
            return
        thread = threading.Thread(target=self._run, name="dynaguard-audit", daemon=True)
        try:
            thread.start()
        except RuntimeError as err:  # no more threads, or the interpreter is ending
            self._records.pop()
            self._writer.lose()
            raise OSError(errno.EAGAIN, "no thread could be started") from err
        self._thread = thread

    def _run(self) -> None:
        """Sends batch after batch, until it is closed and nothing waits."""
        while batch := self._next_batch():
            self._send(batch)

    def _next_batch(self) -> list[_Record]:
        """Waits for records, and a little for more of them; empty: it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._records or self._is_closing)
            if self._linger_s and not self._is_closing and self._records:
                self._changed.wait_for(self._has_full_batch, self._linger_s)
            batch: list[_Record] = []
            size = 0
            while self._records and len(batch) < BATCH_RECORDS:
                size += len(self._records[0][0])
                if batch and size > BATCH_CHARACTERS:
                    break
                batch.append(self._records.popleft())
            self._sending_count = len(batch)
            if not batch:
                self._thread = None
            return batch

    def _has_full_batch(self) -> bool:
        return self._is_closing or len(self._records) >= BATCH_RECORDS

    def _send(self, batch: Sequence[_Record]) -> None:
        """Writes one batch, and counts what is lost of it."""
        lost_count = len(batch)
        try:
            lost_count = self._write_all(batch)
            if self._flush is not None:
                self._writer.checkpoint()
                self._flush()
        except Exception as err:  # noqa: BLE001 - the thread must go on, whatever the errors are
            lost_count = len(batch)
            self._writer.restart(lost_count)
            _log.warning("%d audit records could not be sent (%s)", lost_count, type(err).__name__)
        with self._changed:
            self._sending_count = 0
            self.lost_count += lost_count

    def _write_all(self, batch: Sequence[_Record]) -> int:
        """Writes records; gives how many of them were lost."""
        lost_count = 0
        for text, time_ns in batch:
            try:
                self._writer.write(text, time_ns)
            except OSError:
                lost_count += 1
        return lost_count
