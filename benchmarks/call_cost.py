"""CPU of a guarded call over a bare one, HTTP stubbed, and what each step takes of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import dynaguard
from benchmarks.pairing import Ratio, cpu_per_call_us, paired_ratio
from benchmarks.stub import GET_ITEM, QUERY, make_client
from dynaguard.hooks.lifecycle import current

CALLS_PER_SAMPLE: Final = 40
PAIRS: Final = 120
_ARN: Final = "arn:aws:dynamodb:*:*:table/"


def policy_document(statements: int, *, masks: bool) -> dict[str, Any]:
    """A policy of that many statements, of which few can match the measured calls."""
    others = [
        {
            "Sid": f"S{index}",
            "Effect": "Allow",
            "Action": ["dynamodb:Query", "dynamodb:GetItem"],
            "Resource": [_ARN + (f"svc{index}-orders" if index % 3 else f"svc{index}-*")],
        }
        for index in range(statements - 3)
    ]
    mine = [
        {
            "Sid": "Mine",
            "Effect": "Allow",
            "Action": ["dynamodb:Query", "dynamodb:GetItem", "dynamodb:PutItem"],
            "Resource": [_ARN + "orders"],
        },
        {
            "Sid": "NoScan",
            "Effect": "Deny",
            "Action": ["dynamodb:Scan", "dynamodb:DeleteTable"],
            "Resource": ["*"],
        },
        {
            "Sid": "Region",
            "Effect": "Deny",
            "Action": ["dynamodb:*"],
            "Resource": ["*"],
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}},
        },
    ]
    document: dict[str, Any] = {
        "version": 1,
        "default": "deny",
        "govern": ["dynamodb"],
        "groups": {"bench": ["arn:aws:iam::*:user/*"]},
        "statement": others + mine,
        "budget": [{"job": "bench", "tables": ["orders"], "retry_ratio": 0.1}],
    }
    if masks:
        document["mask"] = [
            {"tables": ["orders"], "attributes": ["email", "addr.zip"], "with": "partial"}
        ]
    return document


def _expression_policy() -> dict[str, Any]:
    """A policy whose one statement asks for keys that stand in expressions."""
    document = policy_document(1000, masks=False)
    document["tables"] = {"orders": {"key": ["pk", "sk"]}}
    for statement in document["statement"]:
        if statement["Sid"] == "Mine":
            statement["Condition"] = {
                "ForAllValues:StringEquals": {
                    "dynamodb:LeadingKeys": ["user#1"],
                    "dynamodb:Attributes": ["pk", "sk", "email", "n"],
                }
            }
    return document


Variant = Callable[[Path], tuple[Mapping[str, Any] | None, dict[str, Any]]]

# Each step is added to the one before, so the differences are the steps' shares.
VARIANTS: Final[dict[str, Variant]] = {
    "no policy (stamp and budget)": lambda _: (None, {}),
    "wrappers, events, identity, analysis": lambda _: (None, {"stamp": False, "budget": False}),
    "+ decision (1,000 statements)": lambda _: (
        policy_document(1000, masks=False),
        {"stamp": False, "budget": False},
    ),
    "the same, asking for expression-level keys": lambda _: (
        _expression_policy(),
        {"stamp": False, "budget": False},
    ),
    "+ budget": lambda _: (policy_document(1000, masks=False), {"stamp": False}),
    "+ stamp": lambda _: (policy_document(1000, masks=False), {}),
    "+ masks (two attributes)": lambda _: (policy_document(1000, masks=True), {}),
    "everything: + audit to a file": lambda folder: (
        policy_document(1000, masks=True),
        {"audit": str(folder / "audit.jsonl")},
    ),
}


@contextmanager
def _warm_installation(variant: Variant) -> Iterator[Any]:
    """Installs the variant; its patches can then be taken off and put back, the guard warm."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        policy, arguments = variant(folder)
        dynaguard.install(policy, **arguments)
        stack.callback(dynaguard.uninstall)
        stack.enter_context(dynaguard.job("bench", run_id="1"))
        yield current()[1]


def measure(name: str, operation: str) -> Ratio:
    """The ratio of one variant's CPU to a bare call's."""
    client = make_client()
    call = (
        (lambda: client.get_item(**GET_ITEM))
        if operation == "GetItem"
        else (lambda: client.query(**QUERY))
    )
    count = CALLS_PER_SAMPLE if operation == "GetItem" else CALLS_PER_SAMPLE // 2
    with _warm_installation(VARIANTS[name]) as installation:

        def guarded() -> float:
            installation.apply()
            try:
                call()  # registers the handlers, outside of the measurement
                return cpu_per_call_us(call, count)
            finally:
                installation.remove()

        installation.remove()
        try:
            return paired_ratio(lambda: cpu_per_call_us(call, count), guarded, PAIRS)
        finally:
            installation.apply()


def run() -> dict[str, dict[str, Ratio]]:
    """All variants of both operations."""
    return {
        operation: {name: measure(name, operation) for name in VARIANTS}
        for operation in ("GetItem", "Query(25)")
    }
