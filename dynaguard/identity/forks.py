"""Objects with locks that have to be made anew in a forked child.

A lock that another thread held at the moment of the fork is never opened in the child, which does
not have that thread.
"""

from __future__ import annotations

import functools
import os
import weakref
from typing import Protocol


class Renewable(Protocol):
    """What can drop its locks, and whatever its threads were doing."""

    def renew(self) -> None:
        """Is called in the child, where no other thread runs."""
        ...


_renewables: weakref.WeakSet[Renewable] = weakref.WeakSet()


def renew_after_fork(renewable: Renewable) -> None:
    """Has it renewed in every child that this process forks, as long as it lives."""
    _watch_forks()
    _renewables.add(renewable)


@functools.cache
def _watch_forks() -> None:
    """Asks to be told of forks, once per process."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_renew_all)


def _renew_all() -> None:
    """In the child."""
    for renewable in list(_renewables):
        renewable.renew()
