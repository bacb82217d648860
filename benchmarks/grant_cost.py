"""CPU that grants add to the decision of a GetItem, as shares of a whole bare GetItem.

Each figure is the median over pairs of the authorising step with a store, less the same step of a
call that a statement allows without one. The store holds thousands of grants of others.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import dynaguard
from benchmarks.pairing import Ratio, count_of, cpu_per_call_us, spread
from benchmarks.stub import GET_ITEM, make_client
from dynaguard.access.granting import create_grant
from dynaguard.access.terms import GrantTerms
from dynaguard.call import NO_CREDENTIALS, UNKNOWN_PRINCIPAL, Call
from dynaguard.hooks.lifecycle import current
from dynaguard.passage import Passage
from dynaguard.scope import EMPTY_SCOPE
from dynaguard.testing import MemoryStore

PAIRS: Final = 60
GRANTS: Final = 2_000
BAR_NONE: Final = 0.005
BAR_ONE: Final = 0.03
_COUNT: Final = 40
_STEPS: Final = 400
_ORDERS: Final = "arn:aws:dynamodb:*:*:table/orders"
_CALL: Final = Call(
    "dynamodb",
    "GetItem",
    GET_ITEM,
    "us-east-1",
    "aws",
    None,
    NO_CREDENTIALS,
    EMPTY_SCOPE,
    "c",
    service_prefix="dynamodb",
)
_ALLOW: Final = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": _ORDERS}
_DENYING: Final[dict[str, Any]] = {"version": 1, "default": "deny", "govern": ["dynamodb"]}
_ALLOWING: Final[dict[str, Any]] = {**_DENYING, "statement": [_ALLOW]}
BAR_BY_CASE: Final = {
    "none applies, a statement allows": BAR_NONE,
    "one applies, no statement allows": BAR_ONE,
}


def _store(*, for_bench: bool) -> MemoryStore:
    """Grants of others, and one for this process if wanted."""
    store = MemoryStore()
    names = [f"other-{number}" for number in range(GRANTS)]
    for name in [*names, "bench"] if for_bench else names:
        terms = GrantTerms(json.dumps([_ALLOW]), name, "benchmark", 3600.0)
        create_grant(store, terms, owner="bench", now_epoch_s=time.time())
    return store


@contextmanager
def _step(policy: Mapping[str, Any], store: MemoryStore | None) -> Iterator[Callable[[], float]]:
    """The authorising step of a warm guard, measured in microseconds; patches are taken off."""
    guard = dynaguard.install(policy, identity="bench", access_store=store)
    try:
        installation = current()[1]
        assert installation is not None
        installation.remove()
        principal = guard.rooms.resolver.resolve(NO_CREDENTIALS, EMPTY_SCOPE)
        assert principal is not UNKNOWN_PRINCIPAL
        authorise = guard.authorising.authorise

        def step() -> None:
            authorise(Passage(_CALL, principal, 0.0))

        step()
        yield lambda: cpu_per_call_us(step, _STEPS)
        installation.apply()  # or there is nothing to uninstall
    finally:
        dynaguard.uninstall()


def _share(policy: Mapping[str, Any], store: MemoryStore) -> Ratio:
    """What a store adds, over a bare call."""
    client = make_client()
    shares = []
    with _step(_ALLOWING, None) as without:
        pass
    with _step(policy, store) as with_store:
        for index in range(count_of(PAIRS)):
            if index % 2:
                more_us, less_us = with_store(), without()
            else:
                less_us, more_us = without(), with_store()
            bare_us = cpu_per_call_us(lambda: client.get_item(**GET_ITEM), _COUNT)
            shares.append((more_us - less_us) / bare_us)
    return spread(shares)


def run() -> dict[str, Ratio]:
    """Each case's share of a bare GetItem's CPU."""
    return {
        "none applies, a statement allows": _share(_ALLOWING, _store(for_bench=False)),
        "one applies, no statement allows": _share(_DENYING, _store(for_bench=True)),
    }


if __name__ == "__main__":
    for name, share in run().items():
        print(f"{name:<40} {share}  bar {BAR_BY_CASE[name]}")
