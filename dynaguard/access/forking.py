"""What must not go on while the process forks: open SQLite files, clients being made."""

from __future__ import annotations

import functools
import os
import weakref
from typing import Protocol


class Pausable(Protocol):
    """What must not go on while the process forks."""

    def before_fork(self) -> bool:
        """Ends what goes on and keeps everybody out; whether that was possible."""
        ...

    def after_fork(self, *, is_child: bool, was_paused: bool) -> None:
        """Lets everybody in again."""
        ...


_pausables: weakref.WeakSet[Pausable] = weakref.WeakSet()
_paused: list[tuple[Pausable, bool]] = []
"""Those of the fork that happens now; Python lets one thread fork at a time."""


def pause_for_forks(pausable: Pausable) -> None:
    """Has it paused for every fork, as long as it lives."""
    _watch_forks()
    _pausables.add(pausable)


@functools.cache
def _watch_forks() -> None:
    """Asks to be told of forks, once per process."""
    if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
        os.register_at_fork(
            before=_before,
            after_in_parent=functools.partial(_after, is_child=False),
            after_in_child=functools.partial(_after, is_child=True),
        )


def _before() -> None:
    """Just before a fork, in the thread that forks."""
    _paused.extend((pausable, pausable.before_fork()) for pausable in list(_pausables))


def _after(*, is_child: bool) -> None:
    """Just after it, in both processes."""
    for pausable, was_paused in _paused:
        pausable.after_fork(is_child=is_child, was_paused=was_paused)
    _paused.clear()
