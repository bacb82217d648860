"""CPU of whole calls over bare ones, answers from memory: dynaguard step by step, and its peers.

Layers that can live together are a family: one process, in which all of them take turns on one
client, in rounds. A round gives each layer's ratio to the bare samples of the same round. Each
family is measured in several processes, one after the other and families in turns: a process's
hash seed and memory layout alone can make some hundredths.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import dynaguard
from benchmarks.layers import (
    ENVIRONMENT,
    Bare,
    Datadog,
    Guarded,
    Layer,
    OpenTelemetry,
    Recording,
    XRay,
)
from benchmarks.pairing import Ratio, cpu_per_call_us, is_quick, spread
from benchmarks.policies import expression_policy, policy_document
from benchmarks.results import CONTROL
from benchmarks.stub import OPERATIONS, Operation, make_client
from dynaguard.telemetry.handover import MAX_WAITING_CALLS

PROCESSES: Final = 5
ROUNDS: Final = 16
BARE: Final = "bare"
BARE_AGAIN: Final = CONTROL
NO_POLICY: Final = "no policy (stamp and budget)"
NOT_SAVING: Final = "wrappers, with all that botocore computes anew"
EVERYTHING: Final = "everything: + audit to a file"

Samples = dict[str, dict[str, list[float]]]
"""Microseconds per call of each round, by layer and operation."""


Build = Callable[[ExitStack], dict[str, Layer]]


@dataclass(frozen=True, slots=True)
class Family:
    """Layers that are measured in one process.

    Attributes:
        build: Makes the layers, without the bare ones.
        modules: What has to be installed, else the family is left out.
        calls_per_sample: Of every operation; None: as each operation has it.
    """

    build: Build
    modules: tuple[str, ...] = ()
    calls_per_sample: int | None = None


def _arguments(stack: ExitStack, **settings: Any) -> dict[str, Any]:
    """Arguments of `install()`, with an audit file that is gone afterwards."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    return {**settings, "audit": str(Path(folder, "audit.jsonl"))}


def _everything(stack: ExitStack, **settings: Any) -> Guarded:
    """dynaguard with every step in use."""
    return Guarded(policy_document(1000, masks=True), _arguments(stack, **settings), stack)


def _steps(stack: ExitStack, **settings: Any) -> dict[str, Layer]:
    """Each step is added to the one before, so the differences are the steps' shares."""
    stack.enter_context(dynaguard.job("bench", run_id="1"))
    plain, masked = policy_document(1000, masks=False), policy_document(1000, masks=True)
    neither = {**settings, "stamp": False, "budget": False}
    return {
        NO_POLICY: Guarded(None, settings, stack),
        NOT_SAVING: Guarded(None, neither, stack, is_saving=False),
        "wrappers, events, identity, analysis": Guarded(None, neither, stack),
        "+ decision (1,000 statements)": Guarded(plain, neither, stack),
        "the same, asking for expression-level keys": Guarded(expression_policy(), neither, stack),
        "+ budget": Guarded(plain, {**settings, "stamp": False}, stack),
        "+ stamp": Guarded(plain, settings, stack),
        "+ masks (two attributes)": Guarded(masked, settings, stack),
        EVERYTHING: _everything(stack, **settings),
    }


def _opentelemetry(stack: ExitStack) -> dict[str, Layer]:
    """OpenTelemetry's instrumentation, and dynaguard with and without the same SDK."""
    stack.enter_context(dynaguard.job("bench", run_id="1"))
    return {
        OTEL_API: OpenTelemetry(),
        OTEL_SDK: Recording(OpenTelemetry, stack),
        EVERYTHING: _everything(stack),
        WITH_SPAN_ALONE: Recording(lambda: _everything(stack), stack, is_metering=False),
        WITH_SPAN: Recording(lambda: _everything(stack), stack),
    }


OTEL_API: Final = "OpenTelemetry, API only"
OTEL_SDK: Final = "OpenTelemetry, SDK"
WITH_SPAN_ALONE: Final = "everything, and a recording span"
WITH_SPAN: Final = "everything, and a recording span and metrics"
DATADOG: Final = "ddtrace"
X_RAY: Final = "aws-xray-sdk"
FAMILIES: Final[dict[str, Family]] = {
    "dynaguard": Family(_steps),
    "dynaguard, fast parse off": Family(partial(_steps, fast_parse=False)),
    "OpenTelemetry": Family(
        _opentelemetry,
        ("opentelemetry.instrumentation.botocore", "opentelemetry.sdk"),
        # Measurements go to the SDK together: so each sample has one handover.
        MAX_WAITING_CALLS,
    ),
    DATADOG: Family(lambda _: {DATADOG: Datadog()}, ("ddtrace",)),
    X_RAY: Family(lambda _: {X_RAY: XRay()}, ("aws_xray_sdk",)),
}


# --- one process ---------------------------------------------------------------------------------


def take_rounds(family: Family, rounds: int, seed: int) -> Samples:
    """Every layer and operation of a family, once a round, in an order of the round's own."""
    with ExitStack() as stack:
        bare = Bare()
        layers = {BARE: bare, BARE_AGAIN: bare, **family.build(stack)}
        client = make_client()
        samples: Samples = {name: {} for name in layers}
        for operation in OPERATIONS:
            for name in _fit(layers, operation):
                _sample(layers[name], operation, client, 1)
                samples[name][operation.name] = []
        # What was set up lives as long as the process; collections shall not go through it.
        gc.collect()
        gc.freeze()
        order = random.Random(seed)
        for _ in range(rounds):
            for operation in OPERATIONS:
                calls = family.calls_per_sample or operation.calls_per_sample
                fit = _fit(layers, operation)
                for name in order.sample(fit, len(fit)):
                    taken_us = _sample(layers[name], operation, client, calls)
                    samples[name][operation.name].append(taken_us)
        return samples


def _fit(layers: Iterable[str], operation: Operation) -> list[str]:
    """The layers that an operation is measured with."""
    return [name for name in layers if (name, operation.name) not in _UNFIT]


def _sample(layer: Layer, operation: Operation, client: Any, calls: int) -> float:
    """CPU microseconds of one call. The first few calls register handlers and warm caches."""
    call = operation.of(client)
    layer.on()
    try:
        for _ in range(_WARM_CALLS):
            call()
        return cpu_per_call_us(call, calls)
    finally:
        layer.off()


_WARM_CALLS: Final = 4
_UNFIT: Final = {(NO_POLICY, "BatchWriteItem(25)")}
"""Without a policy that tells what the table takes, the job looks for its rate and waits."""


def main(arguments: Iterable[str] | None = None) -> None:
    """A child process: takes rounds of one family, prints them as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.call_cost", description=__doc__)
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(None if arguments is None else list(arguments))
    print(json.dumps(take_rounds(FAMILIES[options.family], options.rounds, options.seed)))


# --- all of them ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Measured:
    """Samples of every family that is installed.

    Attributes:
        samples: By family.
        left_out: Families that are not, and why.
        settings: Processes and rounds.
    """

    samples: Mapping[str, Samples]
    left_out: Mapping[str, str]
    settings: Mapping[str, int]

    def ratio(self, family: str, layer: str, operation: str) -> Ratio:
        """A layer's CPU over the bare call's."""
        bare, own = self.bare(family, operation), self.samples[family][layer][operation]
        pairs = list(zip(own, bare, strict=True))
        return spread([us / base for us, base in pairs], [us - base for us, base in pairs])

    def change(
        self, family: str, operation: str, more: Iterable[str], less: Iterable[str]
    ) -> Ratio:
        """What some layers take more than as many others, over the bare call."""
        found, bare = self.samples[family], self.bare(family, operation)
        taken = zip(*(found[layer][operation] for layer in more), strict=True)
        spared = zip(*(found[layer][operation] for layer in less), strict=True)
        rounds = zip(taken, spared, bare, strict=True)
        return spread([(sum(own) - sum(others)) / base for own, others, base in rounds])

    def bare(self, family: str, operation: str) -> list[float]:
        """Of each round the mean of its two bare samples."""
        found = self.samples[family]
        pairs = zip(found[BARE][operation], found[BARE_AGAIN][operation], strict=True)
        return [(one + other) / 2 for one, other in pairs]


def measure() -> Measured:
    """Rounds of all families, each process after the other."""
    processes, rounds = (2, 6) if is_quick() else (PROCESSES, ROUNDS)
    left_out = {
        name: f"{missing[0]} is not installed"
        for name, family in FAMILIES.items()
        if (missing := [module for module in family.modules if not _is_installed(module)])
    }
    samples: dict[str, Samples] = {}
    for seed in range(processes):
        for name in FAMILIES:
            if name not in left_out:
                _merge(samples.setdefault(name, {}), _child(name, rounds, seed))
    return Measured(samples, left_out, {"processes": processes, "rounds of each": rounds})


def _child(family: str, rounds: int, seed: int) -> Samples:
    """Rounds that a process of their own took."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.call_cost", family]
    done = subprocess.run(
        [*command, "--rounds", str(rounds), "--seed", str(seed)],
        env={**os.environ, **ENVIRONMENT, "PYTHONHASHSEED": str(seed)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: Samples = json.loads(done.stdout.splitlines()[-1])
    return found


def _merge(into: Samples, more: Samples) -> None:
    """Appends rounds to rounds."""
    for layer, by_operation in more.items():
        for operation, values in by_operation.items():
            into.setdefault(layer, {}).setdefault(operation, []).extend(values)


def _is_installed(module: str) -> bool:
    """Whether a module could be imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


if __name__ == "__main__":
    main()
