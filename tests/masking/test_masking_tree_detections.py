"""Detections in the walk over items: what is found is masked, by the strictest that finds it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from dynaguard.masking import MARKER
from dynaguard.masking.strategies import REDACTED
from dynaguard.masking.tree import compile_tree
from dynaguard.masking.walk import Sink, mask_item
from tests.masking.naive_masker import ANY_DEPTH, path, run


def test_a_stricter_detection_masks_the_whole_value_that_a_path_would_show_in_part() -> None:
    """redacts a note that holds a card, where another mask keeps the last characters."""
    item = {"n": {"S": "card 4111111111111111"}, "m": {"S": "no card at all"}}
    keep = [path((name,), "partial", n) for n, name in enumerate("nm")]

    counts = run([item], *keep, path((ANY_DEPTH,), "redact", 9, ("payment-card",)))

    assert item == {"n": {"S": REDACTED}, "m": {"S": MARKER + "*** all"}}
    assert counts == {"**": 1, "m": 1}


def test_hits_that_overlap_are_masked_as_one_by_the_strictest() -> None:
    """leaves no digit between two hits."""
    item = {"n": {"S": "a 4111111111111111 b"}}
    by_pattern = path(("n",), "partial", 0, ("digits",))

    run([item], by_pattern, path(("n",), "redact", 1, ("payment-card",)))

    assert item == {"n": {"S": f"a {REDACTED} b"}}


def test_a_text_with_the_separator_is_masked_whole_when_something_is_found() -> None:
    """takes a value with a NUL for one that may end elsewhere."""
    item = {"n": {"S": "-----BEGIN PRIVATE KEY-----\n\0more\n-----END PRIVATE KEY-----"}}

    run([item], path(("n",), "redact", 0, ("pem",)))

    assert item == {"n": {"S": REDACTED}}


def test_overlapping_hits_of_one_strategy_count_as_the_longer() -> None:
    """an IBAN, not the digits in it."""
    item = {"n": {"S": "DE89370400440532013000"}}
    sink = Sink()
    paths = [
        path(("n",), "redact", 0, ("digits",)),
        path(("n",), "redact", 1, ("iban",)),
    ]

    mask_item(item, compile_tree(paths), sink)
    sink.finish()

    assert item == {"n": {"S": REDACTED}}
    assert sink.counts == {("n", "redact", "iban"): 1}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"N": "4711"}, {"S": REDACTED}),
        ({"NS": ["1", "4711"]}, {"SS": [REDACTED]}),
        ({"SS": ["a", "is 4711"]}, {"SS": ["a", f"is {REDACTED}"]}),
        ({"B": b"4711"}, {"B": b"4711"}),
        ({"S": 4711}, {"S": REDACTED}),
        ({"SS": [4711]}, {"S": REDACTED}),
        ({"SS": "4711"}, {"S": REDACTED}),
        ({"X": "4711"}, {"S": REDACTED}),
        ({"NULL": True}, {"NULL": True}),
    ],
)
def test_values_of_every_type_are_looked_into(value: Any, expected: Any) -> None:
    """numbers and number sets are masked whole, what is not understood is withheld."""
    items = [{"a": copy.deepcopy(value)}, {"a": {"S": "x"}}]

    run(items, path((ANY_DEPTH,), "redact", 0, ("digits",)))

    assert items == [{"a": expected}, {"a": {"S": "x"}}]


@pytest.mark.parametrize("odd", [{"S": 5}, {"SS": [5]}, {"SS": 5}])
def test_an_odd_value_under_a_mask_and_a_detection_is_withheld(odd: Any) -> None:
    """there is no text to look into."""
    item = {"a": copy.deepcopy(odd)}

    run([item], path(("a",), "partial"), path(("a",), "redact", 1, ("digits",)))

    assert item == {"a": {"S": REDACTED}}
