"""What has to happen in forked children, and at the end of a process.

`atexit` does not run in children of `multiprocessing` that were forked: they end by `os._exit`.
`multiprocessing` has its own list for them, which it empties right after the fork; so they are
entered when they do something for the first time.
"""

from __future__ import annotations

import atexit
import functools
import os
import sys
import weakref
from collections.abc import Callable
from typing import Any, Final, TypeVar

_T = TypeVar("_T")
_renewals: weakref.WeakKeyDictionary[Any, Callable[[Any], None]] = weakref.WeakKeyDictionary()
_endings: weakref.WeakKeyDictionary[Any, Callable[[Any], None]] = weakref.WeakKeyDictionary()
_watched_pids: Final[set[int]] = set()


def in_each_child(thing: _T, renew: Callable[[_T], None]) -> None:
    """Has `renew(thing)` run in every child that is forked, before its own code."""
    _watch_forks()
    _renewals[thing] = renew


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


def renew_all() -> None:
    """What a forked child does first."""
    for thing, renew in list(_renewals.items()):
        renew(thing)


def end_all() -> None:
    """What a process does last; what fails must not keep the rest from ending."""
    for thing, end in reversed(list(_endings.items())):
        try:
            end(thing)
        except Exception:  # noqa: BLE001, S112 - the process is over, and nobody is left to tell
            continue


@functools.cache
def _watch_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=renew_all)


@functools.cache
def _watch_end() -> None:
    atexit.register(end_all)
