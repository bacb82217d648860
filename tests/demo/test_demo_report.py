"""The report for people: every figure of the result, on lines that fit a terminal."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from dynaguard.demo.report import print_report
from dynaguard.demo.results import DemoResult
from tests.demo.demo_results import GOOD


def render(result: DemoResult) -> str:
    """The report as it stands in a file."""
    out = Console(file=io.StringIO(), width=80, highlight=False, soft_wrap=True)
    print_report(result, out)
    text: str = out.file.getvalue()  # type: ignore[attr-defined]
    return text


@pytest.mark.parametrize(
    "shown",
    [
        "http://127.0.0.1:40123 (moto 5.2.5, started in 0.2 s)",
        "3,000 items in 2 tables, loaded in 1.5 s",
        "6 statements, 3 masks, 1 retry budget",
        "nightly-rollup, run demo-1, environment prod",
        "0 plain e-mail addresses, 0 plain card numbers",
        "masked!dg1:***@example.org",
        "Scan prod-orders  NoScans     43    0",
        "`Scan prod-orders` raised PolicyDenied, a ClientError",
        "dynamodb:Scan on [a] table was refused",
        "10 totals of 1,200 orders (14 queries, 1.0 s), written by 4 threads",
        "200 items/s after a burst of 100",
        "1 granted, 0 refused, 19.0 of 20 tokens left. On record: 4 of 4 requests",
        "X-Dynaguard-Correlation-Id: INC-4711 (signed)",
        '"name": "DynamoDB.Query"',
        '"operation": "Query"',
        "20: Query 15, BatchWriteItem 4, Scan 1",
        "NoScans 1",
        "19 sent, 2 throttled in whole or in part, 6.0 s waited, all threads together",
        "/var/demo folder/audit.jsonl (20 records)",
        "Everything went as the policy says.",
        "--from-audit '/var/demo folder/audit.jsonl'",
    ],
)
def test_shows(shown: str) -> None:
    """What was measured, as it was measured."""
    assert shown in render(GOOD)


def test_json_is_broken_where_it_is_long() -> None:
    """What fits stays on one line; all of it is still JSON."""
    span = {
        "short": {"a": [1, 2]},
        "long": ["x" * 30, "y" * 30, {"z": "z" * 60}],
        "longer than a line": "w" * 200,
        "empty": {},
    }
    text = render(replace(GOOD, evidence=replace(GOOD.evidence, span=span)))

    begin, end = text.index("{", text.index("span")), text.index("audit record")
    assert json.loads(text[begin:end]) == span
    lines = [line.strip() for line in text[begin:end].splitlines()]
    assert '"short": {"a": [1, 2]},' in lines
    assert f'"{"x" * 30}",' in lines


def test_writes_stand_side_by_side() -> None:
    """One line for boto3 alone, one with dynaguard; what was not measured is a dash."""
    lines = [line.split() for line in render(GOOD).splitlines()]

    assert "boto3 alone 1,500 1,400 300 - 2.5 s 10 of 10".split() in lines
    assert "with dynaguard 4 1 3 6.0 s 2.4 s 10 of 10".split() in lines


def test_findings_take_the_place_of_the_good_news() -> None:
    """Each on a line of its own."""
    text = render(replace(GOOD, unmet=("one is wrong", "another too")))

    assert "Not as expected: one is wrong" in text
    assert "Not as expected: another too" in text
    assert "Everything went" not in text


def refused_by_nothing() -> DemoResult:
    """A run in which the Scan went through."""
    refusal = replace(GOOD.refusals[0], statement=None, line=0, error="", message="")
    return replace(GOOD, refusals=(refusal,))


def failed_writes() -> DemoResult:
    """A run in which both writes gave up."""
    return replace(
        GOOD,
        batch_writes=tuple(replace(write, error="Slow") for write in GOOD.batch_writes),
    )


def on_another_endpoint() -> DemoResult:
    """A run elsewhere, its tables kept."""
    return replace(
        GOOD,
        loaded=replace(GOOD.loaded, is_embedded=False),
        kept_tables=("dynaguard-demo-prod-orders",),
    )


@pytest.mark.parametrize(
    ("result", "shown", "absent"),
    [
        (refused_by_nothing(), "Scan prod-orders  nothing", "PolicyDenied"),
        (failed_writes(), "boto3 alone: gave up with Slow", "moto 5.3"),
        (failed_writes(), "dynaguard: gave up with Slow", "moto 5.3"),
        (on_another_endpoint(), "kept table: dynaguard-demo-prod-orders", "moto"),
        (
            replace(GOOD, masked_read=replace(GOOD.masked_read, items=0, rows=())),
            "0 items",
            "example.org",
        ),
    ],
)
def test_shows_what_went_otherwise(result: Any, shown: str, absent: str) -> None:
    """Failed steps and other endpoints are told as they were."""
    text = render(result)

    assert shown in text
    assert absent not in text
