"""Messages without the values that are masked."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from dynaguard.call import Principal, StatementRef
from dynaguard.masking import Masks
from dynaguard.masking.scrubbing import Scrubber, has_messages, leaf_texts, request_texts
from dynaguard.masking.strategies import REDACTED
from dynaguard.policy.model import MaskStatement


def scrub(text: str, *values: str) -> str:
    """A text without some values."""
    return Scrubber(lambda: values).scrub(text)


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("value ada is bad", ["ada"], f"value {REDACTED} is bad"),
        ("value 'ada', ada.", ["ada"], f"value '{REDACTED}', {REDACTED}."),
        ("adamant about adam", ["ada"], "adamant about adam"),
        ("id 41 in 4141", ["41"], f"id {REDACTED} in 4141"),
        ("a-b and a", ["a", "a-b"], f"{REDACTED} and {REDACTED}"),
        ("it's {x}", ["{x}", "it's"], f"{REDACTED} {REDACTED}"),
        ("two\\nlines", ["two\nlines"], REDACTED),
        ("ab cd ef", ["ab cd", "cd ef"], REDACTED),
        ("ab cd ef", ["ab", "ab cd"], f"{REDACTED} ef"),
        ("[ab][ab]", ["[ab]"], REDACTED * 2),
        ("ab abab ab", ["ab"], f"{REDACTED} abab {REDACTED}"),
        ("short", ["a value that is longer than the text"], "short"),
        ("nothing to hide", [], "nothing to hide"),
        ("nothing to hide", [""], "nothing to hide"),
        ("mail ann@example.org or AKIAIOSFODNN7EXAMPLE", [], f"mail {REDACTED} or {REDACTED}"),
        ("call 415-555-2671, order 111222333", [], "call 415-555-2671, order 111222333"),
    ],
)
def test_values_are_taken_out_where_they_stand_alone(
    text: str, values: list[str], expected: str
) -> None:
    """whole words and numbers, the longest first, and what every message must not hold."""
    assert scrub(text, *values) == expected


def test_the_values_are_asked_for_once_and_only_if_there_is_a_text() -> None:
    """an answer without a message costs nothing."""
    asked = []

    def values() -> list[str]:
        asked.append(1)
        return ["ada"]

    scrubber = Scrubber(values)
    scrubber.scrub_answer({"Error": {"Code": "X", "Message": ""}})
    assert asked == []
    scrubber.scrub_answer({"Error": {"Message": "ada"}, "message": "ada", "Reason": "ada"})
    assert asked == [1]


@pytest.mark.parametrize(
    "values",
    [
        [repr(bytes(range(256))) * 400],
        ["a" * 400_000 + str(number) for number in range(10)],
        [f"x{number}" for number in range(60_000)],
    ],
    ids=["binary", "long", "many"],
)
def test_large_requests_do_not_slow_an_error_down(values: list[str]) -> None:
    """a value costs a search, and one that no message can hold not even that."""
    started = time.process_time()

    assert scrub("x " * 200 + "x7", *values).startswith("x x ")

    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("parsed", "expected"),
    [
        ({"Error": {}}, True),
        ({"Responses": [{"Error": {}}]}, True),
        ({"Responses": [{}, 5]}, False),
        ({"Responses": {"Error": []}}, False),
        ({"Item": {}}, False),
    ],
)
def test_answers_with_messages_are_known(parsed: Any, expected: bool) -> None:
    """an error of the call, or of one of its statements."""
    assert has_messages(parsed) is expected


TREE = Masks(
    (MaskStatement(StatementRef("m"), ("*",), (("email",), ("p", "ssn"))),), key=None
).tree_for("t", Principal())


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"Item": {"email": {"S": "a"}, "pk": {"S": "b"}}}, ["a"]),
        ({"Key": {"email": {"N": "1.5"}}}, ["1.5"]),
        ({"Item": {"p": {"M": {"ssn": {"S": "a"}, "city": {"S": "b"}}}}}, ["a", "b"]),
        ({"ExpressionAttributeValues": {":e": {"SS": ["a", "b"]}}}, ["a", "b"]),
        ({"Parameters": [{"S": "a"}, {"B": b"b"}]}, ["a", "b'b'", "b"]),
        ({"KeyConditions": {"x": {"AttributeValueList": [{"S": "a"}]}}}, ["a"]),
        ({"Expected": {"email": {"Value": {"S": "a"}, "Exists": True}}}, ["a"]),
        ({"RequestItems": {"t": [{"PutRequest": {"Item": {"email": {"S": "a"}}}}]}}, ["a"]),
        ({"RequestItems": {"t": {"Keys": [{"email": {"S": "a"}}]}}}, ["a", "a"]),
        ({"TransactItems": [{"Delete": {"Key": {"email": {"S": "a"}}}}, None]}, ["a"]),
        ({"Statement": "SELECT * FROM t WHERE x='it''s' AND n = -4.5"}, ["it's", "-4.5"]),
        ({"Statements": [{"Statement": "x = 'a'", "Parameters": [{"S": "b"}]}]}, ["b", "a"]),
        ({"TableName": "orders", "Limit": 5}, []),
    ],
)
def test_the_values_of_a_request_that_a_message_must_not_repeat(
    params: Any, expected: list[str]
) -> None:
    """at masked attributes, and where no attribute is known."""
    assert sorted(set(request_texts(params, TREE))) == sorted(set(expected))


def test_every_attribute_counts_where_no_mask_is_known() -> None:
    """as a resource takes it, in Python's own types."""
    item = {"email": "a", "n": Decimal("1.5"), "set": {"b"}, "flag": True, "none": None}

    assert sorted(request_texts({"Item": item}, None)) == ["1.5", "a", "b"]


def test_a_value_that_contains_itself_has_an_end() -> None:
    """only a caller's mistake can be so."""
    endless: dict[str, Any] = {"a": {"S": "x"}}
    endless["again"] = endless

    assert set(leaf_texts(endless)) == {"x"}
