"""Sets under detectors: every element is a text of its own, whatever it holds."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.call import Principal, StatementRef
from dynaguard.masking import Masks
from dynaguard.masking.registry import register_detector
from dynaguard.masking.strategies import REDACTED
from dynaguard.masking.walk import Sink, mask_item
from dynaguard.policy.model import MaskStatement

PATTERNS = {"badge": "^B-[0-9]{6}$", "five": "^[0-9]{5}$", "last": "[0-9]$"}


def masked(value: Any, *detectors: str) -> tuple[Any, int]:
    """A value under a mask by detectors, and how often it masked."""
    statement = MaskStatement(StatementRef("m"), ("*",), (), detectors=detectors)
    tree = Masks((statement,), key=None, patterns=PATTERNS).tree_for("t", Principal())
    assert tree is not None
    sink = Sink(plain=[])
    item: Any = mask_item({"v": value}, tree, sink)
    sink.finish()
    return item["v"], sum(sink.counts.values())


def test_an_anchored_pattern_finds_elements() -> None:
    """`^` and `$` are the ends of an element, as they are those of a string."""
    assert masked({"SS": ["B-123456", "x", "B-999999"]}, "badge") == ({"SS": [REDACTED, "x"]}, 2)
    assert masked({"NS": ["12345", "7"]}, "five") == ({"SS": [REDACTED]}, 1)
    assert masked({"NS": ["1234", "7"]}, "five") == ({"NS": ["1234", "7"]}, 0)


def test_a_detector_of_the_program_gets_one_element_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """it never sees how elements are joined."""
    seen: list[str] = []
    monkeypatch.setattr("dynaguard.masking.registry._detectors", {})

    def find(text: str) -> list[tuple[int, int]]:
        seen.append(text)
        return [(0, len(text))] if text == "alpha" else []

    register_detector("exact", find)

    assert masked({"SS": ("alpha", "beta")}, "custom:exact") == ({"SS": [REDACTED, "beta"]}, 1)
    assert seen == ["alpha", "beta"]


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        (["a\0b", "x@example.org"], ["a\0b", REDACTED]),
        (["a\0x@example.org", "b"], [REDACTED, "b"]),
        (["-----BEGIN PRIVATE KEY-----\0MIIsecret", "\0"], [REDACTED, "\0"]),
        (["mail x@example.org", "mail y@example.org"], [f"mail {REDACTED}"]),
    ],
)
def test_an_element_stays_one_element(elements: list[str], expected: list[str]) -> None:
    """one that holds NUL is neither split nor shown in part; equal ones stand once."""
    assert masked({"SS": elements}, "email", "pem")[0] == {"SS": expected}


def test_the_strictest_mask_decides_over_a_set_of_numbers() -> None:
    """it is one token, and must show no more than any element may."""
    statements = [
        MaskStatement(StatementRef(name), ("*",), (), name, detectors=(detector,))
        for name, detector in zip(("hash", "redact"), ("five", "last"), strict=True)
    ]
    for order in (statements, statements[::-1]):
        tree = Masks(tuple(order), key=b"k" * 32, patterns=PATTERNS).tree_for("t", Principal())
        assert tree is not None
        sink = Sink()
        item: Any = mask_item({"v": {"NS": ["12345", "7"]}}, tree, sink)
        sink.finish()

        assert item == {"v": {"SS": [REDACTED]}}


@pytest.mark.parametrize("span", [(0.0, 2.0), ("0", "2"), (0, 2.0), (None, 1)])
def test_places_that_are_no_numbers_hide_the_whole_text(
    span: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nothing can be cut out there, and the answer stays readable."""
    monkeypatch.setattr("dynaguard.masking.registry._detectors", {"odd": lambda text: [span]})

    assert masked({"S": "hello"}, "custom:odd") == ({"S": REDACTED}, 1)
