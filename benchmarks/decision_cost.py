"""Cost of a decision against the number of statements that cannot match."""

from __future__ import annotations

import time
from typing import Any, Final

from benchmarks.call_cost import policy_document
from benchmarks.pairing import Ratio, paired_ratio
from dynaguard.call import UNKNOWN_PRINCIPAL, Authorization
from dynaguard.policy.loading import load_policy
from dynaguard.policy.matcher import CompiledPolicy

SIZES: Final = (10, 100, 1_000, 10_000)
_CALLS: Final = 4_000
_NEED: Final = Authorization(
    "dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:111122223333:table/orders"
)


def _lookup(key: str) -> tuple[str, ...]:
    """The one condition key that the policy reads."""
    return ("us-east-1",) if key == "aws:requestedregion" else ()


def run() -> dict[int, Ratio]:
    """Ratio of a warm decision at each size to one at the smallest."""
    policies = {
        size: CompiledPolicy(load_policy(policy_document(size, masks=False), environ={}))
        for size in SIZES
    }
    smallest = policies[SIZES[0]]
    return {
        size: paired_ratio(lambda: _cpu_us(smallest), lambda p=policy: _cpu_us(p), 60)
        for size, policy in policies.items()
    }


def _cpu_us(policy: Any) -> float:
    """CPU of one warm decision in microseconds."""
    started_s = time.process_time()
    for _ in range(_CALLS):
        policy.rule(_NEED, UNKNOWN_PRINCIPAL, _lookup)
    return (time.process_time() - started_s) / _CALLS * 1e6
