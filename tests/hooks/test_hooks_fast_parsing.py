"""Reading items fast gives what botocore gives: same values, same order, same errors."""

from __future__ import annotations

import base64
import json
import logging
import signal
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import botocore
import botocore.session
import pytest
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

import dynaguard
from dynaguard.hooks import fast_parsing
from dynaguard.hooks.fast_parsing import OPERATIONS, FastParsing, agrees_with, take_items

_HAS_EVENT = tuple(map(int, botocore.__version__.split(".")[:2])) >= (1, 36)
_NAMES = st.sampled_from(("a", "b", "S", "N", "B", "M", "L", "Item", "TableName", "ä"))
_TEXTS = st.text(max_size=5)
_BASE64 = st.binary(max_size=5).map(lambda data: base64.b64encode(data).decode())
_ODD = st.sampled_from(
    (None, {}, [], 1, 1.5, True, "x", {"S": None}, {"S": 1}, {"X": "y"}, {"S": "a", "N": "1"})
) | st.sampled_from(
    ({"B": "no base64!"}, {"B": None}, {"SS": "x"}, {"SS": [None]}, {"BS": [1]}, {"NULL": "x"})
)


def _values(odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Attribute values in JSON; `odd` gives what no service should answer."""
    leaves = (
        st.builds(lambda text: {"S": text}, _TEXTS)
        | st.builds(lambda number: {"N": str(number)}, st.integers())
        | st.builds(lambda text: {"B": text}, _BASE64)
        | st.builds(lambda texts: {"SS": texts}, st.lists(_TEXTS, max_size=2))
        | st.builds(lambda texts: {"NS": texts}, st.lists(st.just("1"), max_size=2))
        | st.builds(lambda texts: {"BS": texts}, st.lists(_BASE64, max_size=2))
        | st.builds(lambda truth: {"BOOL": truth}, st.booleans())
        | st.just({"NULL": True})
        | odd
    )
    return st.recursive(
        leaves,
        lambda inner: (
            st.builds(lambda each: {"L": each}, st.lists(inner, max_size=3))
            | st.builds(lambda each: {"M": each}, st.dictionaries(_NAMES, inner, max_size=3))
        ),
        max_leaves=8,
    )


def _answers(odd: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Answers with members of every item operation, in any order, some unheard of."""
    items = st.dictionaries(_NAMES, _values(odd), max_size=4) | odd
    lists = st.lists(items, max_size=3) | odd
    entries = st.fixed_dictionaries(
        {}, optional={"Item": items, "TableName": _TEXTS | odd, "Error": st.just({"Code": "X"})}
    )
    responses = st.dictionaries(_NAMES, lists, max_size=2) | st.lists(entries | odd, max_size=3)
    members = {
        "Item": items,
        "Items": lists,
        "Attributes": items,
        "Responses": responses,
        "LastEvaluatedKey": items,
        "Count": st.integers(0, 5),
        "ScannedCount": st.integers(0, 10**20),
        "NextToken": _TEXTS,
        "UnheardOf": odd | _TEXTS,
    }
    return st.fixed_dictionaries({}, optional=members).flatmap(
        lambda answer: st.permutations(list(answer.items())).map(dict)
    )


@cache
def _model() -> Any:
    return botocore.session.Session().get_service_model("dynamodb")


def _parsed(operation: str, body: bytes, *, is_fast: bool, status: int = 200) -> Any:
    """What botocore makes of a body: the result as ordered text, or the kind of its error."""
    response = {"headers": {}, "status_code": status, "body": body, "context": {}}
    result: dict[str, Any] = {}
    if is_fast:
        take_items(operation, response, result)
    try:
        parsed = create_parser("json").parse(
            response, _model().operation_model(operation).output_shape
        )
    except Exception as err:  # noqa: BLE001 - whatever botocore raises, it has to be the same
        return type(err)
    parsed.update(result)
    return repr(parsed)  # repr tells the order of keys, and bytes from text


@pytest.mark.smoke
@given(st.sampled_from(sorted(OPERATIONS)), _answers(st.nothing()))
def test_ordinary_answers_read_the_same(operation: str, answer: dict[str, Any]) -> None:
    """Every type of value, at any depth, in any order of members."""
    body = json.dumps(answer).encode()

    assert _parsed(operation, body, is_fast=True) == _parsed(operation, body, is_fast=False)


@given(st.sampled_from(sorted(OPERATIONS)), _answers(_ODD))
def test_odd_answers_read_the_same(operation: str, answer: dict[str, Any]) -> None:
    """Nulls, unknown members, wrong types, broken base64: botocore's own reading counts."""
    body = json.dumps(answer).encode()

    assert _parsed(operation, body, is_fast=True) == _parsed(operation, body, is_fast=False)


@given(st.sampled_from(sorted(OPERATIONS)), st.binary(max_size=20))
def test_bodies_that_are_no_json_read_the_same(operation: str, body: bytes) -> None:
    """Empty, cut off, in another encoding."""
    assert _parsed(operation, body, is_fast=True) == _parsed(operation, body, is_fast=False)


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_an_error_answer_is_left_alone(operation: str) -> None:
    """Whatever it holds."""
    response = {"status_code": 400, "body": b'{"Item":{"a":{"S":"b"}}}'}

    assert not take_items(operation, response, {})
    assert response["body"] == b'{"Item":{"a":{"S":"b"}}}'


def test_the_result_of_another_handler_counts() -> None:
    """Who merges something of their own knows better."""
    response = {"status_code": 200, "body": b'{"Item":{}}'}

    assert not take_items("GetItem", response, {"Item": "theirs"})


def test_deep_nesting_is_left_to_botocore() -> None:
    """What would exhaust the stack is not taken over."""
    body = b'{"Item":{"a":' + b'{"L":[' * 5000 + b'{"S":"x"}' + b"]}" * 5000 + b"}}"
    response = {"status_code": 200, "body": body}

    assert not take_items("GetItem", response, {})


def test_a_time_limit_of_the_application_is_no_odd_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a signal handler raises while an answer is read reaches the application."""

    class TimeLimitError(ValueError):
        pass

    def limit(*_: object) -> None:
        raise TimeLimitError

    def decode(text: str) -> tuple[Any, int]:
        signal.raise_signal(signal.SIGUSR1)
        return {}, len(text)

    monkeypatch.setattr("dynaguard.hooks.item_taking._decode_json", decode)
    before = signal.signal(signal.SIGUSR1, limit)
    try:
        with pytest.raises(TimeLimitError):
            take_items("GetItem", {"status_code": 200, "body": b'{"Item":{}}'}, {})
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.smoke
@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_the_installed_botocore_agrees(operation: str) -> None:
    """The sample answer reads the same, so the fast path is in use."""
    assert agrees_with(_model().operation_model(operation))


def test_a_botocore_that_reads_otherwise_switches_it_off(
    client: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Visibly: a warning once, and the state says so."""

    class Parser:
        def parse(self, response: Mapping[str, Any], _shape: Any) -> dict[str, Any]:
            return {"Items": [], "length": len(response["body"])}

    monkeypatch.setattr(fast_parsing, "create_parser", lambda _: Parser())
    fast = FastParsing(is_on=True)
    response = {"status_code": 200, "body": b'{"Items":[]}'}

    with caplog.at_level(logging.WARNING, "dynaguard"):
        for _ in range(2):
            fast.take(client, _model().operation_model("Query"), response, {})

    assert response["body"] == b'{"Items":[]}'
    assert fast.state == "off: this botocore reads answers otherwise"
    assert [each.getMessage().partition(",")[0] for each in caplog.records] == [
        f"botocore {botocore.__version__} reads the answer of Query otherwise than dynaguard"
    ]


def test_a_parser_that_fails_is_a_parser_that_disagrees(monkeypatch: pytest.MonkeyPatch) -> None:
    """The self-test never raises."""

    def fail(_: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(fast_parsing, "create_parser", fail)

    assert not agrees_with(_model().operation_model("Query"))


# --- through clients ----------------------------------------------------------------------------

ITEM = {"order_id": {"S": "A-1"}, "photo": {"B": "AAE="}, "cards": {"L": [{"S": "4111"}]}}
QUERY: Mapping[str, Any] = {
    "TableName": "orders",
    "KeyConditionExpression": "order_id = :o",
    "ExpressionAttributeValues": {":o": {"S": "A-1"}},
}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Operations whose items were taken over."""
    found: set[str] = set()
    real = fast_parsing.take_items

    def watched(operation: str, response: Any, result: Any) -> str | None:
        member = real(operation, response, result)
        found.update([operation] if member is not None else [])
        return member

    monkeypatch.setattr(fast_parsing, "take_items", watched)
    return found


needs_event = pytest.mark.skipif(not _HAS_EVENT, reason="this botocore has no `before-parse`")


@needs_event
@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_a_guarded_client_reads_fast(
    make_client: Callable[..., Any], wire: Any, taken: set[str], mode: str
) -> None:
    """In every retry mode, to the same result as an unguarded one."""
    client = make_client(retries={"mode": mode})
    wire.answer({"Items": [ITEM], "Count": 1, "ScannedCount": 1})
    stock = client.query(**QUERY)

    with dynaguard.install():
        taken.clear()
        fast = client.query(**QUERY)

    assert taken == {"Query"}
    for answer in (stock, fast):
        answer.pop("ResponseMetadata")
    assert repr(fast) == repr(stock)


@pytest.mark.smoke
def test_the_setting_switches_it_off(client: Any, wire: Any, taken: set[str]) -> None:
    """Then botocore reads everything, and `status()` says so."""
    wire.answer({"Items": [ITEM], "Count": 1, "ScannedCount": 1})
    dynaguard.install(fast_parse=False)

    answer = client.query(**QUERY)

    assert answer["Items"][0]["photo"] == {"B": b"\x00\x01"}
    assert (taken, dynaguard.status().fast_parse) == (set(), "off")


def test_a_debug_log_of_botocore_shows_the_whole_answer(
    client: Any, wire: Any, taken: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Who looks for a fault sees what came."""
    wire.answer({"Item": ITEM})
    dynaguard.install()

    with caplog.at_level(logging.DEBUG, "botocore.parsers"):
        client.get_item(TableName="orders", Key={"order_id": {"S": "A-1"}})

    assert "A-1" in caplog.text
    assert taken == set()


def test_a_detached_client_is_left_alone(client: Any, wire: Any, taken: set[str]) -> None:
    """Its answers are botocore's."""
    wire.answer({"Item": ITEM})
    dynaguard.install()
    client.get_item(TableName="orders", Key={"order_id": {"S": "A-1"}})
    taken.clear()
    dynaguard.detach(client)

    client.get_item(TableName="orders", Key={"order_id": {"S": "A-1"}})

    assert taken == set()


@needs_event
def test_masks_see_the_items(client: Any, wire: Any, taken: set[str]) -> None:
    """What was read fast is masked as ever."""
    wire.answer({"Item": ITEM})
    mask = {"tables": ["orders"], "attributes": ["cards[*]", "photo"], "with": "redact"}
    dynaguard.install({"version": 1, "default": "allow", "mask": [mask]})

    item = client.get_item(TableName="orders", Key={"order_id": {"S": "A-1"}})["Item"]

    assert taken == {"GetItem"}
    assert "4111" not in repr(item)
    assert item["order_id"] == {"S": "A-1"}


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_a_wrong_checksum_is_still_noticed(
    make_client: Callable[..., Any], wire: Any, waiting: Any, mode: str
) -> None:
    """botocore's check of `x-amz-crc32` sees the whole body, at every call of a client."""
    client = make_client(retries={"mode": mode, "total_max_attempts": 2})
    good, real = {"Item": ITEM}, wire.send
    body = json.dumps(good).encode()
    sums = iter((zlib.crc32(body), zlib.crc32(b"other"), zlib.crc32(body)))

    def send(request: Any) -> Any:
        answer = real(request)
        answer.headers["x-amz-crc32"] = str(next(sums))
        return answer

    wire.send = send
    wire.answer(good)
    dynaguard.install(budget=False)
    client.get_item(TableName="orders", Key={"order_id": {"S": "A-1"}})

    answer = client.get_item(TableName="orders", Key={"order_id": {"S": "A-1"}})

    assert answer["Item"]["order_id"] == {"S": "A-1"}
    assert len(wire.sent) == 3


@needs_event
def test_a_handler_of_the_application_sees_the_whole_body(
    client: Any, wire: Any, taken: set[str]
) -> None:
    """It comes before ours, and what it makes of the body counts."""
    seen: list[bytes] = []

    def spy(response_dict: dict[str, Any], **_: Any) -> None:
        seen.append(response_dict["body"])
        response_dict["body"] = b'{"Item":{"theirs":{"S":"x"}}}'

    wire.answer({"Item": ITEM})
    dynaguard.install()
    client.meta.events.register("before-parse.dynamodb.GetItem", spy)

    answer = client.get_item(TableName="orders", Key={"order_id": {"S": "A-1"}})

    assert json.loads(seen[0]) == {"Item": ITEM}
    assert answer["Item"] == {"theirs": {"S": "x"}}
    assert taken == {"GetItem"}
