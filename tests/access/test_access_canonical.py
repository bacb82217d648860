"""One text for one value: equal values agree, different ones never do."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.access.canonical import canonical_json, sha256_of

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.text("$ab", max_size=3)
    | st.binary(max_size=2)
    | st.decimals(-2, 2, places=1, allow_nan=False)
    | st.dates(datetime.date(2026, 1, 1), datetime.date(2026, 1, 3))
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("a", "$a", "$$a", "$bytes", "$number", "$date")), inner, max_size=3
        )
    ),
    max_leaves=6,
)


def _identity(value: Any) -> Any:
    """A value that tells apart what Python's `==` does not: `True` from `1`, types of leaves."""
    if isinstance(value, dict):
        return "map", tuple(sorted((key, _identity(each)) for key, each in value.items()))
    if isinstance(value, list):
        return "list", tuple(_identity(each) for each in value)
    return type(value).__name__, str(value)


@given(_VALUES, _VALUES)
def test_texts_are_equal_where_values_are(first: Any, second: Any) -> None:
    """No value takes on the text of another one, however its keys are spelt."""
    is_same = _identity(first) == _identity(second)

    assert (canonical_json(first) == canonical_json(second)) == is_same


@given(st.dictionaries(st.text(max_size=3), st.integers(), max_size=5))
def test_the_order_of_keys_does_not_count(value: dict[str, int]) -> None:
    """Two mappings of the same entries have one text."""
    backwards = dict(reversed(value.items()))

    assert canonical_json(backwards) == canonical_json(value)


def test_sets_have_no_order() -> None:
    """A set of texts or bytes is written sorted."""
    assert canonical_json({"b", "a", "c"}) == '["a","b","c"]'
    assert canonical_json({b"\x02", b"\x01"}) == '[{"$bytes":"AQ=="},{"$bytes":"Ag=="}]'


def test_a_hash_is_that_of_the_text() -> None:
    """SHA-256 over the UTF-8 text, in hexadecimal."""
    import hashlib

    assert sha256_of({"a": "ä"}) == hashlib.sha256('{"a":"ä"}'.encode()).hexdigest()


def test_what_has_no_text_is_refused_without_its_value() -> None:
    """The error names the type alone."""
    with pytest.raises(TypeError, match="type complex has no canonical text") as caught:
        canonical_json({"a": [complex(4711)]})

    assert "4711" not in str(caught.value)


def test_numbers_that_json_does_not_have_are_refused() -> None:
    """Infinity is no JSON, so it is not hashed as if it were."""
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("inf"))


def test_decimals_keep_their_digits() -> None:
    """A number of an item is exact; `1` and `1.0` are different texts."""
    assert canonical_json(Decimal("1.10")) == '{"$number":"1.10"}'
