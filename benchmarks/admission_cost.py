"""CPU of the admission step, over that of a whole bare call, when nothing is throttled."""

from __future__ import annotations

import time
from typing import Final

from benchmarks.pairing import Ratio, cpu_per_call_us, paired_ratio
from benchmarks.stub import GET_ITEM, make_client
from dynaguard.attempts import Attempts
from dynaguard.budgets.budget import RetryBudgets
from dynaguard.budgets.late import LateBudgets
from dynaguard.call import NO_CREDENTIALS, Call, Principal
from dynaguard.passage import Passage
from dynaguard.scope import Priority, Scope

_PAIRS: Final = 60
_COUNT: Final = 40
BAR: Final = 0.01


def run() -> dict[str, Ratio]:
    """Ratio by class: `admit` of a first try, and the learning of its success."""
    client = make_client()
    found = {}
    for priority in (Priority.INTERACTIVE, Priority.BATCH):
        attempts = Attempts(LateBudgets((), lambda: RetryBudgets(())))
        scope = Scope(job="nightly", priority=priority)
        call = Call(
            "dynamodb", "GetItem", GET_ITEM, "us-east-1", "aws", None, NO_CREDENTIALS, scope, "c"
        )
        principal = Principal(name="etl", account_id="111122223333")

        def admit(
            attempts: Attempts = attempts, call: Call = call, principal: Principal = principal
        ) -> None:
            attempts.admit(Passage(call, principal, time.monotonic()))

        ratio = paired_ratio(
            lambda: cpu_per_call_us(lambda: client.get_item(**GET_ITEM), _COUNT),
            lambda admit=admit: cpu_per_call_us(admit, _COUNT * 10),  # type: ignore[misc]
            _PAIRS,
        )
        found[priority.value] = ratio
    return found
