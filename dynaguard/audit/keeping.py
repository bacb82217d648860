"""Keeps audit files: puts aside what has grown, makes what was written outlive the machine."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dynaguard.audit.record import format_time

SYNC_INTERVAL_S: Final = 1.0
_log: Final = logging.getLogger("dynaguard.audit")


def put_aside(path: Path, fd: int, time_ns: int, *, at_least: int) -> None:
    """Renames a file that has grown: `audit.jsonl` to `audit-20261121T124500123456Z-4711.jsonl`.

    The name sorts before the file's own, so that sorted names are in order of time. One process
    does it: the one that gets the file's lock. Where there are no locks nothing is done.

    Args:
        path: The file.
        fd: A descriptor of it.
        time_ns: Now, in nanoseconds since the epoch.
        at_least: Its size in bytes, if it still is to be put aside.
    """
    try:
        import fcntl
    except ImportError:  # Windows, where an open file cannot be renamed anyway
        return
    with contextlib.suppress(OSError):  # another process does it, or it is gone
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path = path.resolve()  # parts stay on the volume of a linked file
        state = os.fstat(fd)
        if state.st_size >= at_least and os.path.samestat(state, path.stat()):
            stamp = format_time(time_ns).translate(_NO_PUNCTUATION)
            path.rename(path.with_name(f"{path.stem}-{stamp}-{os.getpid()}{path.suffix}"))


_NO_PUNCTUATION: Final = str.maketrans("", "", "-:.")


class IntervalSync:
    """Calls `sync` within a second of a note, from a thread of its own. Thread-safe.

    Args:
        sync: Makes what is written outlive the machine; its `OSError` is logged once.
        interval_s: Time between two syncs.

    Effects: starts a daemon thread with the first note.
    """

    def __init__(self, sync: Callable[[], None], *, interval_s: float = SYNC_INTERVAL_S) -> None:
        self._sync, self._interval_s = sync, interval_s
        self._noted, self._ending = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._has_failed = False

    def note(self) -> None:
        """Notes that something was written. Cost: one look, while a note is there already."""
        if self._noted.is_set():
            return
        if self._thread is None:
            arguments = (self._noted, self._ending)
            thread = threading.Thread(
                target=self._run, args=arguments, name="dynaguard-fsync", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # no more threads, or the interpreter is ending: the next time
                return
            self._thread = thread
        self._noted.set()

    def stop(self) -> None:
        """Ends the thread; a later note starts another one."""
        self._ending.set()
        self._noted.set()
        self._thread, self._noted, self._ending = None, threading.Event(), threading.Event()

    def _run(self, noted: threading.Event, ending: threading.Event) -> None:
        """Syncs after each interval in which something was written."""
        while noted.wait() and not ending.wait(self._interval_s):
            noted.clear()
            self._sync_once()

    def _sync_once(self) -> None:
        """One sync; a failure is told once."""
        try:
            self._sync()
        except OSError as err:
            if not self._has_failed:
                self._has_failed = True
                _log.warning("audit records could not be synced to disk (%s)", err.strerror)
