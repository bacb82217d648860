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


_renewables: weakref.WeakValueDictionary[int, Renewable] = weakref.WeakValueDictionary()
"""By identity: what is equal to another has locks of its own."""


def renew_after_fork(renewable: Renewable) -> None:
    """Has it renewed in every child that this process forks, as long as it lives."""
    _watch_forks()
    _renewables[id(renewable)] = renewable


@functools.cache
def _watch_forks() -> None:
    """Asks to be told of forks, once per process."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=renew_all)


def renew_all() -> None:
    """What a forked child does first."""
    for renewable in list(_renewables.values()):
        renewable.renew()
