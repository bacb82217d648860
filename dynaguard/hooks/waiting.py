"""How a thread waits: for its turn, or for a delay. No lock is held meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from dynaguard.budgets.turns import Turn

SELDOM_S = 30.0
"""Longest wait without another look: estimates of a long queue are rough."""


def wait_for_turn(turn: Turn, *, monotonic: Callable[[], float] = time.monotonic) -> float:
    """Blocks the calling thread until the turn lets go or refuses; gives the seconds waited.

    Woken when it becomes the first of a queue; an interrupt gives the place up.
    """
    started_s = monotonic()
    first = threading.Event()
    turn.wake = first.set
    try:
        while (wait_s := turn.ask()) > 0:
            first.wait(min(wait_s, SELDOM_S))
            first.clear()
    except BaseException:
        turn.leave()
        raise
    return monotonic() - started_s
