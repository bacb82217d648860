"""Memory: what 10,000 statements take, and that no cache grows with the tables and jobs it meets.

Each figure comes from a process of its own. Growth is counted twice, in objects that the garbage
collector knows of, which is exact, and in resident memory, which is what the machine sees.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import dynaguard
from benchmarks.pairing import Ratio, is_quick, spread
from benchmarks.policies import policy_document
from benchmarks.results import Figure, Outcome, figure_of
from benchmarks.stub import make_client
from dynaguard.call import NO_CREDENTIALS, Call
from dynaguard.passage import Passage
from dynaguard.scope import EMPTY_SCOPE

STATEMENTS: Final = 10_000
TABLES: Final = 100_000
DECISIONS: Final = 1_000_000
CALLS: Final = 100_000
REPEATS: Final = 3
POLICY_BAR_MB: Final = 3.0
GROWTH_BAR_MB: Final = 2.0
OBJECTS_BAR: Final = 0.25
"""For each further decision or call: a cache that is dropped whole when full counts for some."""
_MB: Final = 1024 * 1024
_PAGE_BYTES: Final = 4096


def resident_bytes() -> int:
    """Of this process, now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES


def of_policy() -> dict[str, float]:
    """Megabytes that Python allocates for a policy by `install()` and keeps, before first use."""
    document = _large_policy()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    with dynaguard.install(document):
        gc.collect()
        return {"allocated": (tracemalloc.get_traced_memory()[0] - before) / _MB}


def of_residence() -> dict[str, float]:
    """Megabytes that the process is larger for it; loading leaves free room behind."""
    document = _large_policy()
    before = resident_bytes()
    with dynaguard.install(document):
        gc.collect()
        return {"resident, with what loading left behind": (resident_bytes() - before) / _MB}


def _large_policy() -> dict[str, Any]:
    """A document; modules that an installation needs are loaded, constants made."""
    with dynaguard.install(policy_document(10, masks=False)):
        pass
    document = policy_document(STATEMENTS, masks=False)
    gc.collect()
    return document


def _open_policy() -> dict[str, Any]:
    """A thousand statements, and one that allows whatever table a call names."""
    document = policy_document(1_000, masks=True)
    document["statement"].append({"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"})
    document["mask"][0]["tables"] = ["*"]
    document["budget"] = [{"job": "*", "tables": ["*"], "retry_ratio": 0.1}]
    return document


def of_decisions(tables: int, count: int) -> dict[str, float]:
    """Growth over decisions about many tables, after each table was met once."""
    guard = dynaguard.install(_open_policy())
    principal = guard.rooms.resolver.resolve(NO_CREDENTIALS, EMPTY_SCOPE)
    authorise = guard.authorising.authorise

    def decide(index: int) -> None:
        params = {"TableName": f"svc{index % 1000}-{index % tables}", "Key": {"pk": {"S": "a"}}}
        call = Call(
            "dynamodb",
            "GetItem",
            params,
            "us-east-1",
            "aws",
            None,
            NO_CREDENTIALS,
            EMPTY_SCOPE,
            "c",
            service_prefix="dynamodb",
        )
        authorise(Passage(call, principal, 0.0))

    return _growth("decisions", decide, tables, count)


def of_calls(tables: int, count: int) -> dict[str, float]:
    """The same of whole guarded calls, each with a job, a run and a correlation id of its own."""
    dynaguard.install(_open_policy(), audit="/dev/null")
    client = make_client()

    def call(index: int) -> None:
        key = {"pk": {"S": f"user#{index}"}}
        with (
            dynaguard.job(f"job-{index}", run_id=str(index)),
            dynaguard.correlation(f"trace-{index}"),
        ):
            client.get_item(TableName=f"svc{index % 1000}-{index % tables}", Key=key)

    return _growth("guarded calls", call, tables, count)


def _growth(what: str, use: Callable[[int], None], tables: int, count: int) -> dict[str, float]:
    """Objects and memory, from when a fifth of the tables was met to after all of `count`."""
    settled = tables // 5
    for index in range(settled):
        use(index)
    gc.collect()
    objects, resident = len(gc.get_objects()), resident_bytes()
    for index in range(settled, count):
        use(index)
    gc.collect()
    return {
        f"{what}: objects more": (len(gc.get_objects()) - objects) / (count - settled),
        f"{what}: resident MB more": (resident_bytes() - resident) / _MB,
    }


# --- processes -----------------------------------------------------------------------------------


_PROBES: Final[dict[str, Callable[[int, int], dict[str, float]]]] = {
    "policy": lambda _tables, _count: of_policy(),
    "residence": lambda _tables, _count: of_residence(),
    "decisions": of_decisions,
    "calls": of_calls,
}


def main() -> None:
    """A child process: takes one probe, prints it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory_cost", description=__doc__)
    parser.add_argument("probe", choices=_PROBES)
    parser.add_argument("--tables", type=int, default=TABLES)
    parser.add_argument("--count", type=int, default=TABLES)
    options = parser.parse_args()
    print(json.dumps(_PROBES[options.probe](options.tables, options.count)))


def run() -> Outcome:
    """Memory of a policy, and growth over decisions and calls."""
    figures: list[Figure] = []
    for probe, most_mb in (("policy", POLICY_BAR_MB), ("residence", None)):
        for name, ratio in _repeat(probe, 0, 0, REPEATS).items():
            figures.append(figure_of("10,000 statements", name, ratio, unit="MB", bar=most_mb))
    growing = (
        () if is_quick() else (("decisions", DECISIONS), ("calls", CALLS))
    )  # caches must fill
    for probe, count in growing:
        for name, ratio in _repeat(probe, TABLES, count, 1).items():
            is_objects = name.endswith("objects more")
            bar = OBJECTS_BAR if is_objects else GROWTH_BAR_MB
            unit = "objects each" if is_objects else "MB"
            figures.append(figure_of("growth", name, ratio, unit=unit, bar=bar))
    settings = {"statements": STATEMENTS, "tables": TABLES, **dict(growing)}
    return Outcome(tuple(figures), settings)


def _repeat(probe: str, tables: int, count: int, repeats: int) -> dict[str, Ratio]:
    """A probe in processes of their own."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.memory_cost", probe]
    command += ["--tables", str(tables), "--count", str(count)]
    found: dict[str, list[float]] = {}
    for _ in range(repeats):
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        for name, value in json.loads(done.stdout.splitlines()[-1]).items():
            found.setdefault(name, []).append(value)
    return {name: spread(values) for name, values in found.items()}


if __name__ == "__main__":
    main()
