"""Loading 10,000 statements: from a document, from a bundle, and by cedarpy; and what it keeps.

"Loading" a bundle is everything up to a policy that can be asked: reading the file, its digest,
the header, `CompiledPolicy`. What the first decision costs then is a figure of its own.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import random
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from dynaguard.call import UNKNOWN_PRINCIPAL, Authorization
from dynaguard.policy.bundle_reading import load_bundle
from dynaguard.policy.bundle_writing import bundle_bytes
from dynaguard.policy.loading import load_policy
from dynaguard.policy.matcher import CompiledPolicy

STATEMENTS: Final = 10_000
REPEATS: Final = 15
_MB: Final = 1e6
_OPERATIONS: Final = (
    *("GetItem", "PutItem", "UpdateItem", "DeleteItem"),
    *("Query", "Scan", "BatchGetItem", "BatchWriteItem"),
)
_NEED: Final = Authorization(
    "dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:111122223333:table/prod-team00007-tbl000007"
)


def document_of(size: int) -> dict[str, Any]:
    """A policy as large ones are: mostly single tables, some prefixes, infixes and conditions."""
    chance = random.Random(1)  # the same policy every time
    return {
        "version": 1,
        "default": "deny",
        "statement": [_statement(number, chance) for number in range(size)],
    }


def _statement(number: int, chance: random.Random) -> dict[str, Any]:
    """One statement; one to four operations, so that each concerns about a third of them."""
    kind = chance.random()
    operations = chance.sample(_OPERATIONS, chance.randint(1, 4))
    table = f"prod-team{number % 250:05d}-tbl{number:06d}"
    found: dict[str, Any] = {
        "Sid": f"S{number}",
        "Effect": "Deny" if 0.82 <= kind < 0.9 else "Allow",
        "Action": [f"dynamodb:{operation}" for operation in operations],
    }
    if 0.6 <= kind < 0.72:
        table = f"{table[:-6]}*"
    elif 0.72 <= kind < 0.77:
        table = f"*-pii-{number:05d}-*"
    elif 0.77 <= kind < 0.82:
        found["Action"] = ["dynamodb:*Item" if number % 2 else "dynamodb:Get*"]
    found["Resource"] = f"arn:aws:dynamodb:*:*:table/{table}"
    if kind >= 0.9:
        found["Condition"] = {"StringEquals": {"aws:RequestedRegion": ["us-east-1"]}}
    return found


def cedar_of(source: dict[str, Any]) -> str:
    """The same policy in Cedar."""
    policies = []
    for statement in source["statement"]:
        effect = "permit" if statement["Effect"] == "Allow" else "forbid"
        actions = ", ".join(f"Action::{json.dumps(each)}" for each in statement["Action"])
        pattern = json.dumps(statement["Resource"].rpartition("/")[2])
        conditions = [f"resource.name like {pattern}"]
        if "Condition" in statement:
            conditions.append('context.region == "us-east-1"')
        policies.append(
            f"@id({json.dumps(statement['Sid'])}) {effect} (principal, action in [{actions}], "
            f"resource) when {{ {' && '.join(conditions)} }};"
        )
    return "\n".join(policies)


def leaf(values: Sequence[float], bar: float | None = None) -> dict[str, float]:
    """Median, quartiles and count of values; and the bar."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    found = {"median": median, "low": low, "high": high, "pairs": len(values)}
    return found if bar is None else {**found, "bar": bar}


def run(repeats: int = REPEATS) -> dict[str, Any]:
    """CPU in milliseconds and memory in megabytes by way of loading, and their ratios."""
    source = document_of(STATEMENTS)
    document = load_policy(source, environ={})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.dgb"
        path.write_bytes(bundle_bytes(document))
        return _measure(source, path, repeats)


def _measure(source: dict[str, Any], path: Path, repeats: int) -> dict[str, Any]:
    """As `run`, in turns."""
    ways: dict[str, Callable[[], object]] = {
        "bundle": lambda: CompiledPolicy(load_bundle(path, environ={})),
        "document": lambda: CompiledPolicy(load_policy(source, environ={})),
    }
    if importlib.util.find_spec("cedarpy") is not None:
        text = cedar_of(source)
        ways["cedarpy"] = lambda: _parse_cedar(text)
    spent_ms: dict[str, list[float]] = {way: [] for way in ways}
    first_ms, ratios = [], []
    for way in ways.values():
        way()
    for _ in range(repeats):
        for way, load in ways.items():
            spent_ms[way].append(_cpu_ms(load))
        policy = CompiledPolicy(load_bundle(path, environ={}))
        first_ms.append(_cpu_ms(lambda p=policy: p.rule(_NEED, UNKNOWN_PRINCIPAL, lambda _: ())))
        if "cedarpy" in ways:
            ratios.append(spent_ms["bundle"][-1] / spent_ms["cedarpy"][-1])
    found: dict[str, Any] = {
        "load_ms": {way: leaf(values) for way, values in spent_ms.items()},
        "first decision": {"after loading a bundle_ms": leaf(first_ms, 5.0)},
        "memory": {"bundle, before first use_mb": _kept_mb(ways["bundle"], 3.0)},
    }
    found["memory"]["document_mb"] = _kept_mb(ways["document"])
    if ratios:
        found["load"] = {"bundle over cedarpy's parse": leaf(ratios, 1 / 50)}
    return found


def _parse_cedar(text: str) -> object:
    """cedarpy's parse into a policy set, as a service does it once."""
    import cedarpy

    return cedarpy.PolicySet.from_str(text)


def _cpu_ms(call: Callable[[], object]) -> float:
    """CPU of one call, in milliseconds, without what others left to collect."""
    gc.collect()
    started_s = time.process_time()
    kept = call()
    ended_s = time.process_time()
    del kept
    return (ended_s - started_s) * 1e3


def _kept_mb(load: Callable[[], object], bar: float | None = None) -> dict[str, float]:
    """Memory that the loaded policy takes, in megabytes; the peak while loading is in it."""
    gc.collect()
    tracemalloc.start()
    kept = load()
    gc.collect()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    found = {"median": peak / _MB}
    return found if bar is None else {**found, "bar": bar}


def main() -> None:
    """Prints the figures."""
    print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    main()
