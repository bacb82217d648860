"""How long a task lives: until its time is up, or until it is ended before that.

A boundary is a plain value that others carry to threads and keep: it cannot know that its task
ended early. So this process remembers which tasks have ended, by id, until their time would have
been up anyway. INVARIANT: a task that has ended never lives again; its id is not taken twice.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from dynaguard.errors import ConfigurationError
from dynaguard.forks import renew_after_fork

if TYPE_CHECKING:
    from dynaguard.access.clock import StrictClock
    from dynaguard.boundary import Boundary
    from dynaguard.scope import Scope

_MAX_REMEMBERED: Final = 10_000
"""Tasks that are remembered before those whose time is up are forgotten."""


class _Lives:
    """The tasks of this process. Thread-safe; a forked child has those of its parent."""

    def __init__(self) -> None:
        self.end_by_task: dict[str, float] = {}
        self._open: set[str] = set()
        self._lock = threading.Lock()
        renew_after_fork(self)

    def renew(self) -> None:
        """In a forked child: a lock that nobody holds."""
        self._lock = threading.Lock()

    def begin(self, task: str) -> bool:
        """Takes an id; False where it was taken before."""
        with self._lock:
            if task in self._open or task in self.end_by_task:
                return False
            self._open.add(task)
            return True

    def end(self, task: str, end_s: float, now_s: float) -> None:
        """Notes an end, and forgets those whose time would be up anyway where there are many."""
        with self._lock:
            self._open.discard(task)
            if len(self.end_by_task) >= _MAX_REMEMBERED:
                over = [each for each, until_s in self.end_by_task.items() if until_s <= now_s]
                for each in over:
                    del self.end_by_task[each]
            self.end_by_task[task] = end_s


_lives: Final = _Lives()


def has_ended(task: str) -> bool:
    """Whether a task of this process was ended before its time. One look-up, no lock."""
    return task in _lives.end_by_task


class TaskLife:
    """The life of one task. Thread-safe.

    Args:
        boundary: Its boundary, with an end.
        clock: Tells when the end has come.

    Raises:
        ConfigurationError: A task of that id is open in this process, or was.
    """

    __slots__ = ("_clock", "boundary")

    def __init__(self, boundary: Boundary, clock: StrictClock) -> None:
        self.boundary = boundary
        self._clock = clock
        if not _lives.begin(boundary.task):
            raise ConfigurationError(
                f"task id `{boundary.task}` was used before in this process, each run needs "
                "an id of its own (what several runs belong to is their `incident`)"
            )

    @property
    def ends_epoch_s(self) -> float:
        """When its time is up, in seconds since the epoch."""
        return self.boundary.expires_epoch_s or 0.0

    def now(self) -> datetime:
        """Now, as ends are compared with it."""
        return datetime.fromtimestamp(self._clock.for_end_s(), UTC)

    @property
    def left_s(self) -> float:
        """Seconds until its time is up; 0 or less when it is over."""
        return (
            0.0 if has_ended(self.boundary.task) else self.ends_epoch_s - self._clock.for_end_s()
        )

    @property
    def is_over(self) -> bool:
        """Whether it was ended, or its time is up."""
        return self.left_s <= 0

    def end(self) -> None:
        """Ends it; a second time changes nothing."""
        _lives.end(self.boundary.task, self.ends_epoch_s, self._clock.for_end_s())


def bound_scope(scope: Scope, task: Scope) -> Scope:
    """The scope of a call by a task's session, wherever it is made.

    Args:
        scope: Of the code that makes the call. Where it is the task's, or one within it, it
            stays; a thread that inherited nothing gets the task's.
        task: The scope of the task.

    Returns:
        A scope with every boundary of both. Who acts in `scope` goes on acting.
    """
    if all(boundary in scope.boundaries for boundary in task.boundaries):
        return scope
    own = tuple(each for each in scope.boundaries if each not in task.boundaries)
    acting = scope if scope.acting_name is not None else task
    return replace(
        task,
        correlation_id=task.correlation_id or scope.correlation_id,
        boundaries=(*task.boundaries, *own),
        acting_name=acting.acting_name,
        acting_kind=acting.acting_kind,
        acting_groups=acting.acting_groups,
    )
