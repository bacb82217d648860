"""CPU of reading what a call needs, over that of a whole bare call; both in loops of their own."""

from __future__ import annotations

from typing import Final

from benchmarks.pairing import Ratio, cpu_per_call_us, paired_ratio
from benchmarks.stub import GET_ITEM, QUERY, make_client
from dynaguard.aws.analysis import authorizations
from dynaguard.call import NO_CREDENTIALS, Call
from dynaguard.scope import EMPTY_SCOPE

_PAIRS: Final = 60
_COUNT: Final = 40
BAR: Final = 0.02


def run() -> dict[str, Ratio]:
    """Ratio by operation, for a policy that asks for nothing in expressions."""
    client = make_client()
    send = {"GetItem": client.get_item, "Query": client.query}
    params = {"GetItem": GET_ITEM, "Query": QUERY}
    found = {}
    for operation, given in params.items():
        call = Call(
            "dynamodb",
            operation,
            given,
            "us-east-1",
            "aws",
            None,
            NO_CREDENTIALS,
            EMPTY_SCOPE,
            "c",
            service_prefix="dynamodb",
        )
        ratio = paired_ratio(
            lambda operation=operation, given=given: cpu_per_call_us(  # type: ignore[misc]
                lambda: send[operation](**given), _COUNT
            ),
            lambda call=call: cpu_per_call_us(  # type: ignore[misc]
                lambda: authorizations(call, "111122223333"), _COUNT * 10
            ),
            _PAIRS,
        )
        found[operation] = ratio
    return found
