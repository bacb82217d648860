"""CPU that cost and key evidence adds to a guarded GetItem, as shares of a bare one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import dynaguard
from benchmarks.pairing import Ratio, cpu_per_call_us, paired_ratio
from benchmarks.stub import GET_ITEM, ITEM, make_client
from dynaguard.hooks.lifecycle import current

CALLS_PER_SAMPLE: Final = 40
PAIRS: Final = 120
_TABLES: Final = {"orders": {"key": ["pk", "sk"]}}
_ALLOWING: Final[dict[str, Any]] = {"version": 1, "default": "allow", "tables": _TABLES}
_LIMIT: Final = {"job": "bench", "tables": ["orders"], "read_units": 1e12}
_CONSUMED: Final = {"ConsumedCapacity": {"TableName": "orders", "CapacityUnits": 0.5}}
_ASKING: Final = {"consumed_capacity", "a capacity limit", "all of it on"}
"""Variants whose answers, and those of the bare call beside them, tell consumed capacity."""

Variant = tuple[Mapping[str, Any], dict[str, Any]]

VARIANTS: Final[dict[str, Variant]] = {
    "all of it off": (_ALLOWING, {}),
    "consumed_capacity": (_ALLOWING, {"consumed_capacity": "total"}),
    "key_statistics": (_ALLOWING, {"key_statistics": True}),
    "query_warnings": (_ALLOWING, {"query_warnings": True}),
    "a capacity limit": ({**_ALLOWING, "capacity_limit": [_LIMIT]}, {}),
    "all of it on": (
        {**_ALLOWING, "capacity_limit": [_LIMIT]},
        {"consumed_capacity": "total", "key_statistics": True, "query_warnings": True},
    ),
}


@contextmanager
def _warm_installation(variant: Variant) -> Iterator[Any]:
    """Installs the variant; its patches can then be taken off and put back, the guard warm."""
    policy, arguments = variant
    dynaguard.install(policy, **arguments)
    try:
        with dynaguard.job("bench", run_id="1"):
            yield current()[1]
    finally:
        dynaguard.uninstall()


def measure(name: str) -> Ratio:
    """The ratio of one variant's CPU to a bare call's."""
    client = make_client()
    answer = {"Item": ITEM, **(_CONSUMED if name in _ASKING else {})}
    client._endpoint.http_session.body = json.dumps(answer).encode()

    def call() -> object:
        return client.get_item(**GET_ITEM)

    with _warm_installation(VARIANTS[name]) as installation:
        installation.remove()
        guarded = _guarded(installation, call)
        try:
            return paired_ratio(lambda: cpu_per_call_us(call, CALLS_PER_SAMPLE), guarded, PAIRS)
        finally:
            installation.apply()


def _guarded(installation: Any, call: Callable[[], object]) -> Callable[[], float]:
    """Takes one measurement with the patches in place."""

    def run() -> float:
        installation.apply()
        try:
            call()  # registers the handlers, outside of the measurement
            return cpu_per_call_us(call, CALLS_PER_SAMPLE)
        finally:
            installation.remove()

    return run


def run() -> dict[str, Ratio]:
    """All variants."""
    return {name: measure(name) for name in VARIANTS}


if __name__ == "__main__":
    for label, ratio in run().items():
        print(f"{label:<24} {ratio}  {ratio.extra_us:+.1f} us")
