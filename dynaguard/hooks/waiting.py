"""How a thread waits: for its turn, or for a delay. No lock is held meanwhile."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynaguard.budgets.coordination import Coordinator
    from dynaguard.budgets.turns import Turn

_log = logging.getLogger("dynaguard")

SELDOM_S = 30.0
"""Longest wait without another look: estimates of a long queue are rough."""


def fetch_lease(turn: Turn, coordinator: Coordinator) -> bool:
    """Asks the coordinator, if it is time to; says whether it did. Never raises."""
    errand = grant = None
    try:
        errand = turn.errand()
        if errand is not None:
            grant = coordinator.ask(errand)
    except Exception as err:  # noqa: BLE001 - the process goes on by itself, and says so once
        _tell_fault(type(err).__name__)
    finally:
        if errand is not None:
            turn.settle(grant)
    return errand is not None


@lru_cache(maxsize=8)
def _tell_fault(kind: str) -> None:
    """One line of log per sort of fault."""
    _log.warning(
        "the coordinator of retry budgets cannot be reached (%s), this process goes on by itself",
        kind,
    )


def wait_for_turn(turn: Turn, *, monotonic: Callable[[], float] = time.monotonic) -> float:
    """Blocks the calling thread until the turn lets go or refuses; gives the seconds waited.

    Woken when it becomes the first of a queue; an interrupt gives the place up.
    """
    started_s = monotonic()
    first = threading.Event()
    turn.wake = first.set
    try:
        while (wait_s := turn.ask()) > 0:
            if turn.coordinator is not None and fetch_lease(turn, turn.coordinator):
                continue
            first.wait(min(wait_s, SELDOM_S))
            first.clear()
    except BaseException:
        turn.leave()
        raise
    return monotonic() - started_s
