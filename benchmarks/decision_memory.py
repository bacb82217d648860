"""Memory of a policy that decides about ever new tables: what it remembers is bounded."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from typing import Final

from benchmarks.decision_mix import ARN, OPERATIONS, document_of, mixed_statements
from dynaguard.call import UNKNOWN_PRINCIPAL, Authorization, ContextLookup
from dynaguard.policy.matcher import CompiledPolicy

STATEMENTS: Final = 10_000
TABLES: Final = 100_000
DECISIONS: Final = 1_000_000
BAR: Final = 1.02
"""Peak of all decisions over that of the first tenth of them."""


def run(
    statements: int = STATEMENTS, tables: int = TABLES, decisions: int = DECISIONS
) -> dict[str, float]:
    """MB that a policy takes beside its document.

    **Shape**: `loaded`; `used`, after each action's first use; `peak, first N decisions` for the
    first tenth, and `peak, N decisions` for all (memos are dropped when full, so that what is
    held goes up and down); `grown`, the second peak over the first.
    """
    document = document_of(mixed_statements(statements))
    lookup = _context()
    gc.collect()
    tracemalloc.start()
    policy = CompiledPolicy(document)
    sizes = {"loaded": _traced_mb()}
    for operation in OPERATIONS:
        policy.rule(Authorization(f"dynamodb:{operation}", ARN), UNKNOWN_PRINCIPAL, lookup)
    sizes["used"] = _traced_mb()
    tracemalloc.reset_peak()
    done = 0
    for count in (decisions // 10, decisions):
        for number in range(done, count):
            asked = Authorization(
                f"dynamodb:{OPERATIONS[number % len(OPERATIONS)]}",
                f"{ARN}dev-team{number % tables:06d}-table",
            )
            policy.rule(asked, UNKNOWN_PRINCIPAL, lookup)
        name = f"first {count:,}" if done == 0 else f"{count:,}"
        sizes[f"peak, {name} decisions"] = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.reset_peak()
        done = count
    tracemalloc.stop()
    first, last = [*sizes.values()][-2:]
    return {**sizes, "grown": last / first}


def _context() -> ContextLookup:
    """A context in which all is absent."""
    return lambda _key: ()


def _traced_mb() -> float:
    """What is allocated since tracing began, in MB."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0] / 1e6


def main() -> int:
    """Prints the sizes; exits 1 where memory grows."""
    sizes = run()
    for name, size in sizes.items():
        unit = "" if name == "grown" else " MB"
        print(f"  {name:<32} {size:7.3f}{unit}")
    is_missed = sizes["grown"] > BAR
    print(f"bar {BAR:g} {'missed' if is_missed else 'held'}")
    return int(is_missed)


if __name__ == "__main__":
    sys.exit(main())
