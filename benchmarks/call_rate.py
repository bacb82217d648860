"""Guarded calls a second, of threads together, under many statements and many grants.

Rates are wall time of a whole process: what is waited for (locks, the interpreter's own) counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import dynaguard
from benchmarks.pairing import Ratio, count_of, spread
from benchmarks.policies import policy_document
from benchmarks.stub import GET_ITEM, make_client
from dynaguard.hooks.lifecycle import current

STATEMENTS: Final = (10, 10_000)
THREADS: Final = 8
ROUNDS: Final = 15
BAR: Final = 1.2
"""The most that a call may cost under many statements, over one under few."""
_CALLS_PER_THREAD: Final = 150


@dataclass(frozen=True, slots=True)
class Rate:
    """What was measured under one policy.

    Attributes:
        guarded_per_s: Calls a second under the guard, all threads together.
        share: Of the bare rate that is left.
    """

    guarded_per_s: Ratio
    share: Ratio

    def __str__(self) -> str:
        """`5,120 a second, 0.81 of the bare rate`."""
        return f"{self.guarded_per_s.median:,.0f} a second, {self.share} of the bare rate"


def run(rounds: int = ROUNDS, calls_per_thread: int = _CALLS_PER_THREAD) -> dict[int, Rate]:
    """Rates by number of statements; bare and guarded rounds take turns.

    Args:
        rounds: Rounds of each.
        calls_per_thread: Calls of each thread in a round.
    """
    return {size: _rate(size, rounds, calls_per_thread) for size in STATEMENTS}


def _rate(statements: int, rounds: int, calls_per_thread: int) -> Rate:
    """One policy."""
    dynaguard.install(policy_document(statements, masks=False))
    try:
        installation = current()[1]
        assert installation is not None
        clients = [make_client() for _ in range(THREADS)]
        bare, guarded = [], []
        _calls_per_s(clients, calls_per_thread)  # warm
        for _ in range(count_of(rounds)):
            guarded.append(_calls_per_s(clients, calls_per_thread))
            installation.remove()
            bare.append(_calls_per_s(clients, calls_per_thread))
            installation.apply()
    finally:
        dynaguard.uninstall()
    shares = [own / base for own, base in zip(guarded, bare, strict=True)]
    return Rate(spread(guarded), spread(shares))


def _calls_per_s(clients: Sequence[Any], count: int) -> float:
    """Calls a second of a thread for each client, begun together."""
    ready = threading.Barrier(len(clients) + 1)

    def work(client: Any) -> None:
        ready.wait()
        for _ in range(count):
            client.get_item(**GET_ITEM)

    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    ready.wait()
    began_s = time.perf_counter()
    for thread in threads:
        thread.join()
    return len(clients) * count / (time.perf_counter() - began_s)


if __name__ == "__main__":
    for size, rate in run().items():
        print(f"{size:>7,} statements, {THREADS} threads  {rate}")
