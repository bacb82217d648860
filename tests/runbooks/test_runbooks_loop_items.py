"""Items of loops fill places by their type: whatever they hold, they stay data."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.runbooks.answers import merged, target_of
from dynaguard.runbooks.journal import decoded, encoded
from dynaguard.runbooks.lookup import Known, Unfilled, follow, simple
from dynaguard.runbooks.model import Origin, Reference

TEXTS = st.text(max_size=30)
NUMBERS = st.integers(-(10**20), 10**20).map(str)
VALUES = st.recursive(
    TEXTS.map(lambda text: {"S": text})
    | NUMBERS.map(lambda text: {"N": text})
    | st.booleans().map(lambda value: {"BOOL": value})
    | st.binary(max_size=9).map(lambda value: {"B": value}),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: {"L": each})
        | st.dictionaries(TEXTS, inner, max_size=3).map(lambda each: {"M": each})
    ),
    max_leaves=6,
)
EXPRESSION = "SET #a = :v"


def params(path: str, wants: str) -> dict[str, Any]:
    """Parameters with one open place."""
    return {
        "TableName": "orders",
        "UpdateExpression": EXPRESSION,
        "ExpressionAttributeValues": {":v": Reference(Origin.ITEM, (path,), wants)},
    }


@given(VALUES)
def test_an_attribute_value_stands_in_its_place_as_it_was(value: dict[str, Any]) -> None:
    """And changes nothing else of the call."""
    filled = Known({}, {}, {"a": value}).fill(params("a", "attribute"))

    assert filled["ExpressionAttributeValues"] == {":v": value}
    assert filled["UpdateExpression"] == EXPRESSION
    assert filled.keys() == params("a", "attribute").keys()


@given(VALUES)
def test_a_key_place_takes_keys_alone(value: dict[str, Any]) -> None:
    """Text, numbers and bytes; anything else ends the run, told by its type."""
    known = Known({}, {}, {"a": value})

    if next(iter(value)) in {"S", "N", "B"}:
        filled = known.fill(params("a", "key"))
        assert filled["ExpressionAttributeValues"] == {":v": value}
    else:
        with pytest.raises(Unfilled, match="`item` `a`: the value is of type"):
            known.fill(params("a", "key"))


@given(VALUES, TEXTS)
def test_what_is_not_there_is_not_filled(value: dict[str, Any], name: str) -> None:
    """Rather than with nothing."""
    with pytest.raises(Unfilled, match="`item` has no"):
        Known({}, {}, {"a": value}).fill(params(f"b{name}", "attribute"))


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_every_attribute_of_an_item_is_found_by_its_name(item: dict[str, Any]) -> None:
    """Whatever the name is."""
    assert all(follow(item, (name,)) == value for name, value in item.items())


@given(st.lists(st.lists(VALUES, max_size=4), min_size=1, max_size=5))
def test_pages_joined_hold_every_item_in_order(pages: list[list[Any]]) -> None:
    """With the counts added up, and without a cursor unless the last page has one."""
    answers = [
        {"Items": items, "Count": len(items), "LastEvaluatedKey": {"k": {"S": "x"}}}
        for items in pages
    ]
    del answers[-1]["LastEvaluatedKey"]

    found = merged(answers, frozenset({"Count"}))

    everything = [item for items in pages for item in items]
    assert found == {"Items": everything, "Count": len(everything)}


@given(VALUES)
def test_a_kept_result_comes_back_as_it_was(value: dict[str, Any]) -> None:
    """Through the journal's JSON."""
    assert decoded(encoded(value)) == value


@given(VALUES, VALUES, VALUES)
def test_a_write_is_known_by_where_it_goes(key: Any, one: Any, other: Any) -> None:
    """Not by what it writes there; another key is another write."""

    def update(where: Any, value: Any) -> Any:
        request = {"TableName": "t", "Key": {"k": where}, "ExpressionAttributeValues": value}
        return target_of(request, {})

    def put(where: Any, value: Any) -> Any:
        return target_of({"TableName": "t", "Item": {"k": where, "v": value}}, {"t": ("k",)})

    for write in (update, put):
        assert write(key, one) == write(key, other)
        assert (write(one, key) == write(other, key)) == (one == other)


def test_an_item_whose_attribute_is_called_like_a_type_is_an_item() -> None:
    """Whoever writes items names their attributes."""
    held = {"N": {"N": "5"}}

    assert simple(held) == held
    assert follow(held, ("N",)) == {"N": "5"}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("number", [{"N": "1e999999"}, float("inf"), float("nan"), {"N": "x"}])
def test_a_number_that_no_place_can_hold_ends_the_run_at_once(number: Any) -> None:
    """By an error of the run's own, without minutes of reckoning."""
    known = Known({}, {}, item=number)
    for wants in ("integer", "number", "numeral"):
        with pytest.raises(Unfilled):
            known.fill({"Limit": Reference(Origin.ITEM, (), wants)})
