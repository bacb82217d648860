"""Has SQLite files closed before each fork of the process; see `sqlite_store.py`."""

from __future__ import annotations

import functools
import os
import weakref
from typing import Protocol


class Closable(Protocol):
    """What must not be open while the process forks."""

    def before_fork(self) -> bool:
        """Closes it and keeps everybody out; whether that was possible."""
        ...

    def after_fork(self, *, is_child: bool, was_closed: bool) -> None:
        """Lets everybody in again."""
        ...


_closables: weakref.WeakSet[Closable] = weakref.WeakSet()
_closed: list[tuple[Closable, bool]] = []
"""Those of the fork that happens now; Python lets one thread fork at a time."""


def close_before_forks(closable: Closable) -> None:
    """Has it closed before every fork, as long as it lives."""
    _watch_forks()
    _closables.add(closable)


@functools.cache
def _watch_forks() -> None:
    """Asks to be told of forks, once per process."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before,
            after_in_parent=functools.partial(_after, is_child=False),
            after_in_child=functools.partial(_after, is_child=True),
        )


def _before() -> None:
    """Just before a fork, in the thread that forks."""
    _closed.extend((closable, closable.before_fork()) for closable in list(_closables))


def _after(*, is_child: bool) -> None:
    """Just after it, in both processes."""
    for closable, was_closed in _closed:
        closable.after_fork(is_child=is_child, was_closed=was_closed)
    _closed.clear()
