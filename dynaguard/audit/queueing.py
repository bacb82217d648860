"""A bounded queue in front of a sink that is slow: calls never wait for it."""

from __future__ import annotations

import atexit
import errno
import functools
import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

Ship = Callable[[Sequence[bytes]], int]
"""Sends lines, in order; gives how many of them were lost. What it raises loses all of them."""

MAX_LINES: Final = 10_000
BATCH_LINES: Final = 500
BATCH_BYTES: Final = 3_500_000
"""Below what Firehose takes at once: 500 records, 4 MiB."""
LINGER_S: Final = 2.0
"""How long a batch that is not full waits for more."""
CLOSE_TIMEOUT_S: Final = 5.0
_log: Final = logging.getLogger("dynaguard.audit")


class QueuedSink:
    """Takes lines at once and sends them from a thread of its own, in batches.

    Args:
        ship: Sends a batch.
        max_lines: Lines that wait at most; another one is refused.
        linger_s: How long a batch that is not full waits for more; 0: not at all.

    Effects: starts a daemon thread with the first line; at the end of the process, and at
    `close`, what waits is sent for `CLOSE_TIMEOUT_S` at most. A forked child starts empty: what
    waits is its parent's. Thread-safe.

    Attributes:
        lost_count: Lines that were taken and could not be sent.
    """

    def __init__(
        self, ship: Ship, *, max_lines: int = MAX_LINES, linger_s: float = LINGER_S
    ) -> None:
        self._ship = ship
        self._max_lines = max_lines
        self._linger_s = linger_s
        self.lost_count = 0
        self.renew()
        _watch_process()
        _sinks.add(self)

    def renew(self) -> None:
        """Forgets what waits, the thread and the lock: in a forked child they are not there."""
        self._changed = threading.Condition(threading.RLock())
        self._lines: deque[bytes] = deque()
        self._thread: threading.Thread | None = None
        self._is_closing = False
        self._sending_count = 0

    @property
    def waiting_count(self) -> int:
        """Lines that are not sent yet."""
        return len(self._lines) + self._sending_count

    def write(self, line: bytes) -> None:
        """Takes one line.

        Raises:
            OSError: The queue is full.
        """
        with self._changed:
            if len(self._lines) >= self._max_lines:
                raise OSError(errno.ENOBUFS, "the queue of audit records is full")
            self._lines.append(line)
            if self._thread is None:
                self._start()
            self._changed.notify()

    def close(self) -> None:
        """Sends what waits, for `CLOSE_TIMEOUT_S` at most; what is left then is lost."""
        with self._changed:
            thread, self._is_closing = self._thread, True
            self._changed.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSE_TIMEOUT_S)
        with self._changed:
            self.lost_count += len(self._lines)
            self._lines.clear()
            self._is_closing = False

    def _start(self) -> None:
        """Starts the thread that sends."""
        self._thread = threading.Thread(target=self._run, name="dynaguard-audit", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        """Sends batch after batch, until it is closed and nothing waits."""
        while batch := self._next_batch():
            self._send(batch)

    def _next_batch(self) -> list[bytes]:
        """Waits for lines, and a little for more of them; empty: it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._is_closing)
            if self._linger_s and not self._is_closing and self._lines:
                self._changed.wait_for(self._has_full_batch, self._linger_s)
            batch: list[bytes] = []
            size = 0
            while self._lines and len(batch) < BATCH_LINES:
                size += len(self._lines[0])
                if batch and size > BATCH_BYTES:
                    break
                batch.append(self._lines.popleft())
            self._sending_count = len(batch)
            if not batch:
                self._thread = None
            return batch

    def _has_full_batch(self) -> bool:
        return self._is_closing or len(self._lines) >= BATCH_LINES

    def _send(self, batch: Sequence[bytes]) -> None:
        """Sends one batch, and counts what is lost of it."""
        lost_count = len(batch)
        try:
            lost_count = self._ship(batch)
        except Exception as err:  # noqa: BLE001 - the thread must go on, whatever the errors are
            _log.warning("%d audit records could not be sent (%s)", len(batch), type(err).__name__)
        with self._changed:
            self._sending_count = 0
            self.lost_count += lost_count


_sinks: weakref.WeakSet[QueuedSink] = weakref.WeakSet()


def renew_sinks() -> None:
    """Empties every queue; what a forked child does first."""
    for sink in list(_sinks):
        sink.renew()


def close_sinks() -> None:
    """Sends what waits; at the end of the process."""
    for sink in list(_sinks):
        sink.close()


@functools.cache
def _watch_process() -> None:
    """Asks to be told of forks and of the end, once per process."""
    atexit.register(close_sinks)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=renew_sinks)
