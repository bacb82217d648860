"""What has to happen at the end of a process.

`atexit` does not run in children of `multiprocessing` that were forked: they end by `os._exit`.
`multiprocessing` has its own list for them, which it empties right after the fork; so they are
entered when they do something for the first time.
"""

from __future__ import annotations

import atexit
import functools
import logging
import os
import sys
import weakref
from collections.abc import Callable
from typing import Any, Final, TypeVar

_T = TypeVar("_T")
_endings: weakref.WeakKeyDictionary[Any, Callable[[Any], None]] = weakref.WeakKeyDictionary()
_log: Final = logging.getLogger("dynaguard.audit")
_watched_pids: Final[set[int]] = set()


def at_the_end(thing: _T, end: Callable[[_T], None]) -> None:
    """Has `end(thing)` run when the process ends, the last given first."""
    _watch_end()
    _endings[thing] = end


def watch_this_process() -> None:
    """Sees to it that the end of a child of `multiprocessing` is not missed. Cost: one look."""
    pid = os.getpid()
    if pid in _watched_pids:
        return
    _watched_pids.clear()
    _watched_pids.add(pid)
    process = sys.modules.get("multiprocessing.process")
    util: Any = sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, end_all, exitpriority=0)


def end_all() -> None:
    """What a process does last; what fails must not keep the rest from ending."""
    for thing, end in reversed(list(_endings.items())):
        try:
            end(thing)
        except Exception as err:  # noqa: BLE001 - the process is over, nothing is left to refuse
            _log.warning("audit records were not ended (%s)", type(err).__name__)


@functools.cache
def _watch_end() -> None:
    atexit.register(end_all)
