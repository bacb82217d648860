"""`python -m benchmarks.retry`: runs cells one after the other, a JSON line each, then tables."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import botocore

from benchmarks.retry.cell import run_cell
from benchmarks.retry.control import ServerProcess
from benchmarks.retry.load import Sample
from benchmarks.retry.measures import summarise
from benchmarks.retry.policies import POLICIES
from benchmarks.retry.report import print_tables
from benchmarks.retry.scenarios import SCENARIOS, Scenario


@dataclass(slots=True)
class _Invocation:
    """What one invocation has found so far.

    Attributes:
        server: The stand-in.
        out: Where the rows go too; None: nowhere.
        rows: Every row.
        baselines: What the service saw alone, by policy, over all runs.
    """

    server: ServerProcess
    out: Path | None
    rows: list[dict[str, Any]] = field(default_factory=list)
    baselines: dict[str, list[Sample]] = field(default_factory=dict)

    def run(self, scenario: Scenario, policy: str, seed: int) -> None:
        """Runs one cell and keeps its row."""
        observation = run_cell(self.server, scenario, policy, seed)
        baseline = self.baselines.setdefault(policy, [])
        if scenario.name == "baseline":
            baseline.extend(observation.samples)
        row = summarise(observation, baseline)
        row |= {"python": platform.python_version(), "botocore": botocore.__version__}
        line = json.dumps(row)
        print(line, flush=True)
        self.rows.append(row)
        if self.out is not None:
            with self.out.open("a", encoding="utf-8") as file:
                file.write(line + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what the command line asks for; exits 1 where a cell did not come to its end."""
    options = _parse(arguments)
    failed = 0
    with ServerProcess() as server:
        invocation = _Invocation(server, options.out)
        for scenario, policy, seed in _cells(options):
            try:
                invocation.run(scenario, policy, seed)
            except (TimeoutError, EOFError, ConnectionError) as error:
                failed += 1
                print(f"{scenario.name} {policy} {seed}: {error!r}", file=sys.stderr, flush=True)
    print_tables(invocation.rows)
    return 1 if failed else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retry", description=__doc__)
    parser.add_argument("--policy", action="append", choices=POLICIES, help="default: all")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="default: all")
    parser.add_argument("--runs", type=int, default=1, help="runs of every cell, each seeded anew")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first run")
    parser.add_argument("--items", type=int, help="items of jobs, for a quick look")
    parser.add_argument("--out", type=Path, help="JSONL file to append to")
    return parser.parse_args(arguments)


def _cells(options: argparse.Namespace) -> Iterator[tuple[Scenario, str, int]]:
    """The cells in order: policies side by side, so that all share the machine's moods.

    The service alone comes first, wherever something will be compared to it.
    """
    asked = options.scenario or list(SCENARIOS)
    if any(SCENARIOS[name].interactive_per_s for name in asked):
        asked = ["baseline", *asked]
    for seed in range(options.seed, options.seed + options.runs):
        for name in dict.fromkeys(asked):
            scenario = SCENARIOS[name]
            if options.items and scenario.items is not None:
                scenario = replace(scenario, items=options.items)
            for policy in options.policy or POLICIES:
                yield scenario, policy, seed


if __name__ == "__main__":
    sys.exit(main())
