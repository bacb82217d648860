"""Fast and stock reading side by side: bodies from the service's model, spoiled in every place."""

from __future__ import annotations

import json
from functools import cache
from random import Random
from typing import Any

import botocore.session
import pytest
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.hooks.item_taking import MAX_DEPTH, OPERATIONS, take_items
from tests.hooks.answer_bodies import answer, body, every_spoiled, spoiled

ORDERED = sorted(OPERATIONS)
RANDOMS = st.randoms(use_true_random=False)
STATUSES = st.sampled_from((200, 200, 200, 201, 204, 299, 300, 301, 400, 500))
DYNAMODB_DEPTH = 32
"""Source: DynamoDB Developer Guide, Quotas: nested attributes up to 32 levels deep."""


@cache
def shape_of(operation: str) -> Any:
    """What an operation answers, by the installed botocore."""
    service = botocore.session.Session().get_service_model("dynamodb")
    return service.operation_model(operation).output_shape


def read(operation: str, data: bytes, *, is_fast: bool, status: int = 200) -> tuple[Any, Any]:
    """The answer as ordered text, or the error, and the member that was taken."""
    headers = {"x-amzn-requestid": "R", "X-Other": "y"}
    response = {"headers": headers, "status_code": status, "body": data, "context": {}}
    result: dict[str, Any] = {}
    member = take_items(operation, response, result) if is_fast else None
    try:
        parsed = create_parser("json").parse(response, shape_of(operation))
    except Exception as err:  # noqa: BLE001 - whatever botocore raises, it has to be the same
        return (type(err), str(err)), member
    return repr({**parsed, **result}), member


def reads_alike(operation: str, data: bytes, status: int = 200) -> bool:
    """Whether both ways give the same, to the order of members and the words of an error."""
    fast, _ = read(operation, data, is_fast=True, status=status)
    return bool(fast == read(operation, data, is_fast=False, status=status)[0])


@pytest.mark.smoke
@pytest.mark.parametrize("operation", ORDERED)
@given(random=RANDOMS)
def test_sound_answers_read_the_same(operation: str, random: Random) -> None:
    """Members of every sort, of items and of what stands beside them."""
    data = json.dumps(answer(shape_of(operation), random)).encode()

    assert reads_alike(operation, data)


@pytest.mark.parametrize("operation", ORDERED)
@given(random=RANDOMS, status=STATUSES, times=st.integers(1, 3))
def test_spoiled_answers_read_the_same(
    operation: str, random: Random, status: int, times: int
) -> None:
    """Nulls, members unheard of and wrong types in every place, of successes and errors."""
    value = answer(shape_of(operation), random)
    for _ in range(times):
        value = spoiled(value, random)

    assert reads_alike(operation, body(value, random), status)


SMALL_ITEM = {
    "s": {"S": "x"},
    "n": {"N": "1"},
    "b": {"B": "AA=="},
    "sets": {"L": [{"SS": ["x"]}, {"NS": ["1"]}, {"BS": ["AA=="]}]},
    "m": {"M": {"s": {"S": "x"}, "n": {"NULL": True}, "t": {"BOOL": False}}},
}
RESPONSES = {
    "BatchGetItem": {"t": [SMALL_ITEM]},
    "BatchExecuteStatement": [{"TableName": "t", "Item": SMALL_ITEM}],
}


@pytest.mark.parametrize("operation", ORDERED)
def test_every_odd_value_in_every_place_reads_the_same(operation: str) -> None:
    """One by one: in the place of each part of an answer, beside it, and without it."""
    sound = {
        "Item": SMALL_ITEM,
        "Items": [SMALL_ITEM],
        "Attributes": SMALL_ITEM,
        "Responses": RESPONSES.get(operation, [{"Item": SMALL_ITEM}]),
        "Count": 1,
    }
    members = shape_of(operation).members
    bodies = [
        json.dumps(each).encode()
        for each in every_spoiled({name: sound[name] for name in sound if name in members})
    ]

    assert [data for data in bodies if not reads_alike(operation, data)] == []
    assert any(read(operation, data, is_fast=True)[1] for data in bodies)


BODIES = [
    b"",
    b"{}",
    b"null",
    b"[]",
    b'"Items"',
    b"\xef\xbb\xbf{}",
    b'\xef\xbb\xbf{"Item":{},"Items":[],"Attributes":{},"Responses":[]}',
    b' {"Item":{},"Items":[],"Attributes":{},"Responses":[]} \r\n',
    b'{"Item":{"a":{"S":"b"}},"Item":{"c":{"S":"d"}}}',
    b'{"Item":{"a":{"S":"b"}},"Item":null}',
    b'{"Item":{"a":{"S":"b","S":"c"}}}',
    b'{"Item":{"a":{"S":"b"},"a":{"N":"1"}}}',
    b'{"Items":[{"a":{"S":"b"}},null]}',
    b'{"Items":[],"Count":NaN}',
    b'{"Items":[],"Count":-Infinity,"ScannedCount":1e999}',
    b'{"Items":[],"Count":' + b"9" * 4000 + b"}",
    b'{"Items":[],"Count":' + b"9" * 5000 + b"}",
    b'{"Items":[],"Count":-0,"ScannedCount":-0.0}',
    b'{"Items":[],"ConsumedCapacity":{"TableName":"t","CapacityUnits":0.30000000000000004}}',
    rb'{"Item":{"\u0061":{"S":"\ud83d\ude00\ud800\u0000"}}}',
    b'{"Item":{"a":{"S":"\x00"}}}',
    b'{"Item":{"a":{"S":"\xff"}}}',
    '{"Item":{"a":{"S":"\ud800"}}}'.encode("utf-8", "surrogatepass"),
    '{"Item":{"a":{"S":"ä"}}}'.encode("utf-16"),
    b"{'Item':{}}",
    b'{"Item":{},}',
    b'{"Responses":{"t":[{"a":{"B":"AA=="}},{}],"u":[]},"UnprocessedKeys":{"t":null}}',
    b'{"Responses":[{"Item":{"a":{"B":"AA=="}},"TableName":"t"},{"Item":null},{}]}',
]


@pytest.mark.parametrize("operation", ORDERED)
@pytest.mark.parametrize("data", BODIES, ids=range(len(BODIES)))
def test_bodies_at_the_edge_read_the_same(operation: str, data: bytes) -> None:
    """Marks of byte order, members twice, numbers that JSON has not, half pairs."""
    assert reads_alike(operation, data)


@pytest.mark.parametrize("kind", ["L", "M"])
@pytest.mark.parametrize("depth", [1, DYNAMODB_DEPTH, MAX_DEPTH, MAX_DEPTH + 1, 400, 900, 20_000])
def test_nested_values_read_the_same(kind: str, depth: int) -> None:
    """As deep as DynamoDB allows, and deeper, where botocore may fail."""
    begin, end = {"L": (b'{"L":[', b"]}"), "M": (b'{"M":{"m":', b"}}")}[kind]
    data = b'{"Item":{"a":' + begin * depth + b'{"S":"x"}' + end * depth + b"}}"

    assert reads_alike("GetItem", data)
    assert (read("GetItem", data, is_fast=True)[1] == "Item") is (depth <= MAX_DEPTH)


@pytest.mark.parametrize("operation", ORDERED)
def test_every_operation_is_taken(operation: str) -> None:
    """None of the comparisons above compares stock reading with itself."""
    taken = set()
    for seed in range(60):
        data = json.dumps(answer(shape_of(operation), Random(seed))).encode()
        taken.add(read(operation, data, is_fast=True)[1])

    assert len(taken - {None}) == 1
