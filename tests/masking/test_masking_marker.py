"""The search for masked values in requests."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.masking import MARKER, find_marker

M = MARKER + "***secret"
TYPED = {"S": M}
PLAIN = {"S": "plain"}

FOUND = [
    ({"Item": {"pk": PLAIN, "email": TYPED}}, "email"),
    ({"Item": {"email": {"S": f"mailto:{M}?subject=x"}}}, "email"),
    ({"Item": {"profile": {"M": {"age": {"N": "1"}, "ssn": TYPED}}}}, "profile.ssn"),
    ({"Item": {"cards": {"L": [PLAIN, {"M": {"number": TYPED}}]}}}, "cards[1].number"),
    ({"Item": {"tags": {"SS": ["a", M]}}}, "tags"),
    ({"Item": {"blob": {"B": M.encode()}}}, "blob"),
    ({"Item": {"blob": {"B": bytearray(M.encode())}}}, "blob"),
    ({"Item": {"blobs": {"BS": [b"a", M.encode()]}}}, "blobs"),
    ({"Item": {"email": {"S": M.upper()}}}, "email"),
    ({"Item": {"email": {"S": f"Hello! {M.title()}"}}}, "email"),
    ({"Item": {"blob": {"B": M.upper().encode()}}}, "blob"),
    ({"Item": {M.upper(): PLAIN}}, "Item"),
    ({"Item": {M: PLAIN}}, "Item"),
    ({"Item": {"profile": {"M": {M: PLAIN}}}}, "profile"),
    ({"Item": {"odd": M}}, "odd"),
    ({"Item": M}, "Item"),
    ({"Key": {"pk": TYPED}}, "pk"),
    ({"ExclusiveStartKey": {"pk": TYPED}}, "pk"),
    ({"ExpressionAttributeValues": {":a": PLAIN, ":email": TYPED}}, ":email"),
    ({"AttributeUpdates": {"email": {"Value": TYPED, "Action": "PUT"}}}, "email"),
    ({"AttributeUpdates": {"p": {"Value": {"M": {"ssn": TYPED}}}}}, "p.ssn"),
    ({"Expected": {"email": {"Value": TYPED}}}, "email"),
    (
        {"Expected": {"p": {"AttributeValueList": [PLAIN, {"L": [TYPED]}]}}},
        "p[0]",
    ),
    ({"KeyConditions": {"pk": {"AttributeValueList": [TYPED]}}}, "pk"),
    ({"RequestItems": {"Item": [{"PutRequest": {"Item": {"email": TYPED}}}]}}, "email"),
    ({"RequestItems": {"t": [{"DeleteRequest": {"Key": {"pk": TYPED}}}]}}, "pk"),
    ({"RequestItems": {"t": {"Keys": [{"pk": PLAIN}, {"pk": TYPED}]}}}, "pk"),
    ({"TransactItems": [{"Put": {"Item": {"email": TYPED}}}]}, "email"),
    ({"TransactItems": [{"Update": {"Key": {"pk": TYPED}}}]}, "pk"),
    ({"TransactItems": [{"Delete": {"ExpressionAttributeValues": {":v": TYPED}}}]}, ":v"),
    ({"TransactItems": [{"ConditionCheck": {"Key": {"pk": PLAIN, "sk": TYPED}}}]}, "sk"),
    ({"RequestItems": {M: []}}, "RequestItems"),
    ({"RequestItems": {"t": M}}, "RequestItems"),
    ({"Parameters": [PLAIN, TYPED]}, "Parameters[1]"),
    ({"Parameters": [{"M": {"ssn": TYPED}}]}, "Parameters[0].ssn"),
    ({"Statements": [{"Statement": "x"}, {"Parameters": [TYPED]}]}, "Parameters[0]"),
    ({"TransactStatements": ({"Parameters": (TYPED,)},)}, "Parameters[0]"),
    ({"Statement": f"INSERT INTO t VALUE {{'email': '{M}'}}"}, "Statement"),
    ({"Statements": [{"Statement": f"... '{M}'"}]}, "Statement"),
]


@pytest.mark.parametrize(("params", "path"), FOUND)
def test_a_masked_value_is_found_and_named(params: dict[str, Any], path: str) -> None:
    """names the attribute, wherever in a request the value stands."""
    found = find_marker({"TableName": "t", **params})

    assert found == path
    assert MARKER not in found


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"Item": {"a": {"S": "masked"}, "n": {"N": "5"}, "t": {"BOOL": True}}},
        {"Item": {"a": {"S": "masked! DG1:"}, "b": {"B": b"dg1:!"}}},
        {"Item": {"b": {"B": b"masked!dg"}, "none": {"NULL": True}, "odd": None}},
        {"Item": {1: 2}, "Limit": 5},
    ],
)
def test_other_requests_pass(params: dict[str, Any]) -> None:
    """finds nothing where no value carries the marker."""
    assert find_marker(params) is None


def test_a_request_that_contains_itself_fails_as_in_botocore() -> None:
    """raises RecursionError instead of searching for ever."""
    endless: dict[str, Any] = {}
    endless["M"] = {"a": endless}

    with pytest.raises(RecursionError):
        find_marker({"Item": {"a": endless}})


VALUES = st.recursive(
    st.sampled_from([PLAIN, {"N": "1"}, {"SS": ["a", "b"]}, {"B": b"x"}, {"NULL": True}]),
    lambda inner: st.one_of(
        st.builds(lambda members: {"M": members}, st.dictionaries(st.sampled_from("abc"), inner)),
        st.builds(lambda elements: {"L": elements}, st.lists(inner, max_size=3)),
    ),
    max_leaves=8,
)


@given(item=st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1), data=st.data())
def test_a_value_planted_anywhere_is_found(item: dict[str, Any], data: st.DataObject) -> None:
    """finds a marker at any depth, and nothing before it is planted."""
    assert find_marker({"Item": item}) is None

    name = data.draw(st.sampled_from(sorted(item)))
    item[name] = {"L": [item[name], {"M": {"x": TYPED}}]}

    assert find_marker({"Item": item}) == f"{name}[1].x"
