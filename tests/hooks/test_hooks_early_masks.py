"""Items are masked while an answer is read: through clients, to the same result as after."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import botocore
import pytest
from botocore.exceptions import ClientError

import dynaguard
from dynaguard.hooks.frames import Frame, current_frame
from dynaguard.masking import MARKER, MaskPlan
from dynaguard.masking.plans import BegunPlan

needs_event = pytest.mark.skipif(
    tuple(map(int, botocore.__version__.split(".")[:2])) < (1, 36),
    reason="this botocore has no `before-parse`",
)
KEY = {"pk": {"S": "1"}}
GET_ITEM: dict[str, Any] = {"TableName": "orders", "Key": KEY}
PLAIN = "ann@example.org"
ITEM = {**KEY, "email": {"S": PLAIN}, "profile": {"M": {"ssn": {"S": "123-45-6789"}}}}
STATEMENT = "SELECT * FROM orders"
CALLS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "GetItem": (GET_ITEM, {"Item": ITEM}),
    "PutItem": (
        {"TableName": "orders", "Item": KEY},
        {"Attributes": ITEM, "ItemCollectionMetrics": {"ItemCollectionKey": KEY}},
    ),
    "UpdateItem": (GET_ITEM, {"Attributes": ITEM}),
    "DeleteItem": (GET_ITEM, {"Attributes": ITEM}),
    "Query": (
        {
            "TableName": "orders",
            "KeyConditionExpression": "pk = :p",
            "ExpressionAttributeValues": {":p": {"S": "1"}},
        },
        {"Items": [ITEM, {}, ITEM], "Count": 3, "LastEvaluatedKey": KEY},
    ),
    "Scan": ({"TableName": "orders"}, {"Items": [ITEM] * 150, "LastEvaluatedKey": KEY}),
    "ExecuteStatement": (
        {"Statement": STATEMENT},
        {"Items": [ITEM], "LastEvaluatedKey": KEY, "NextToken": "n"},
    ),
    "BatchGetItem": (
        {"RequestItems": {"orders": {"Keys": [KEY]}}},
        {"Responses": {"orders": [ITEM]}, "UnprocessedKeys": {}},
    ),
    "TransactGetItems": (
        {"TransactItems": [{"Get": GET_ITEM}]},
        {"Responses": [{"Item": ITEM}, {}]},
    ),
    "ExecuteTransaction": (
        {"TransactStatements": [{"Statement": STATEMENT}]},
        {"Responses": [{"Item": ITEM}]},
    ),
    "BatchExecuteStatement": (
        {"Statements": [{"Statement": STATEMENT}]},
        {"Responses": [{"TableName": "orders", "Item": ITEM}, {"Error": {"Message": PLAIN}}]},
    ),
}
BEGUN = {"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "ExecuteStatement"}
MASKS = {
    "two paths": {"attributes": ["email", "profile.ssn"], "with": "partial"},
    "a key": {"attributes": ["pk", "email"], "with": "hash"},
    "any depth": {"attributes": ["**.ssn", "email"]},
    "a pattern": {"attributes": ["e*", "profile.*"]},
    "a detector": {"attributes": ["**"], "detect": ["email", "us-ssn"]},
    "for others": {
        "attributes": ["email", "profile.ssn"],
        "unless": ["arn:aws:iam::*:role/other"],
    },
    "not for me": {"attributes": ["email"], "unless": ["*"]},
}


def policy(**mask: Any) -> dict[str, Any]:
    """A policy of one mask."""
    return {"version": 1, "default": "allow", "mask": [{"tables": ["orders"], **mask}]}


def snake(operation: str) -> str:
    """The method of an operation."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in operation)[1:]


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("mask", MASKS)
def test_the_answer_and_the_record_are_the_same(
    make_client: Callable[..., Any], wire: Any, tmp_path: Path, operation: str, mask: str
) -> None:
    """Whether items are read fast, and masked at once, or not: every operation, every mask."""
    params, answer = CALLS[operation]
    wire.answer(answer)
    found = []
    for fast_parse in (True, False):
        audit = tmp_path / f"{fast_parse}.jsonl"
        dynaguard.install(
            policy(**MASKS[mask]), fast_parse=fast_parse, audit=str(audit), mask_key="k" * 32
        )
        client = make_client()
        given = getattr(client, snake(operation))(**params)
        dynaguard.uninstall()
        del given["ResponseMetadata"]
        *_, line = [
            record
            for record in map(json.loads, audit.read_text().splitlines())
            if record.get("outcome")
        ]
        found.append((repr(given), line["outcome"]["masked"]))

    assert found[0] == found[1]
    assert (PLAIN in found[0][0]) is (mask == "not for me")


@needs_event
@pytest.mark.parametrize("operation", CALLS)
def test_items_are_masked_before_botocore_has_them(
    client: Any, wire: Any, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of operations with one table and one answer; the others wait for the end of the call."""
    params, answer = CALLS[operation]
    begun: list[object] = []
    real = MaskPlan.begin

    def begin(plan: MaskPlan, member: str, items: Any) -> BegunPlan | None:
        begun.append(real(plan, member, items))
        return begun[-1]  # type: ignore[return-value]

    monkeypatch.setattr(MaskPlan, "begin", begin)
    wire.answer(answer)
    dynaguard.install(policy(attributes=["email"]))

    getattr(client, snake(operation))(**params)

    assert any(begun) is (operation in BEGUN)


@needs_event
def test_a_resource_gets_masked_items(wire: Any) -> None:
    """Its own reading comes behind both steps."""
    resource = boto3.resource("dynamodb", region_name="eu-west-1")
    resource.meta.client._endpoint.http_session = wire
    wire.answer({"Items": [ITEM], "Count": 1, "LastEvaluatedKey": KEY})
    dynaguard.install(policy(attributes=["pk", "email"]))

    answer = resource.Table("orders").scan()

    assert answer["Items"][0]["email"] == f"{MARKER}redacted"
    assert answer["LastEvaluatedKey"]["pk"].startswith(f"{MARKER}cursor:")


# --- answers that are not the one that was read -------------------------------------------------


@needs_event
@pytest.mark.parametrize("event", ["needs-retry.dynamodb.GetItem", "before-parse"])
def test_items_of_another_handler_are_masked(client: Any, wire: Any, event: str) -> None:
    """Whoever puts items of their own in the place of those that were masked."""

    def replace(**given: Any) -> None:
        answer = given.get("customized_response_dict") or given["response"][1]
        answer["Item"] = {"email": {"S": PLAIN}}

    wire.answer({"Item": ITEM})
    dynaguard.install(policy(attributes=["email"]))
    client.meta.events.register_last(event, replace)

    item = client.get_item(**GET_ITEM)["Item"]

    assert item == {"email": {"S": f"{MARKER}redacted"}}


@pytest.mark.parametrize(
    "event", ["response-received.dynamodb.GetItem", "needs-retry.dynamodb.GetItem"]
)
def test_what_another_handler_adds_to_items_is_masked(client: Any, wire: Any, event: str) -> None:
    """One that decrypts or enriches items in place, before they are handed on."""

    def enrich(**given: Any) -> None:
        parsed = given.get("parsed_response") or given["response"][1]
        parsed["Item"]["email"] = {"S": PLAIN}

    wire.answer({"Item": {"pk": {"S": "1"}}})
    client.meta.events.register(event, enrich)
    dynaguard.install(policy(attributes=["email"]))

    item = client.get_item(**GET_ITEM)["Item"]

    assert item == {"pk": {"S": "1"}, "email": {"S": f"{MARKER}redacted"}}


@needs_event
def test_what_a_last_reader_adds_to_items_is_masked(client: Any, wire: Any) -> None:
    """A handler of all that is parsed comes after ours."""

    def enrich(customized_response_dict: Any, **_: Any) -> None:
        item = customized_response_dict.setdefault("Item", {})
        item["email"] = {"S": PLAIN}

    wire.answer({"Item": {"pk": {"S": "1"}}})
    client.meta.events.register_last("before-parse", enrich)
    dynaguard.install(policy(attributes=["email"]))

    item = client.get_item(**GET_ITEM)["Item"]

    assert item["email"] == {"S": f"{MARKER}redacted"}


@needs_event
def test_an_error_after_a_damaged_answer_is_masked(
    make_client: Callable[..., Any], wire: Any, waiting: Any
) -> None:
    """The failure's own item and message count, not what was masked before."""
    client = make_client(retries={"mode": "standard"})
    real = wire.send

    def send(request: Any) -> Any:
        answer = real(request)
        if len(wire.sent) == 1:
            answer.headers["x-amz-crc32"] = "1"
        return answer

    wire.send = send
    wire.answer({"Attributes": ITEM})
    wire.answer(
        {"__type": "x#ConditionalCheckFailedException", "Item": ITEM, "message": f"no {PLAIN}"},
        400,
    )
    dynaguard.install(policy(attributes=["email"]), budget=False)

    with pytest.raises(ClientError) as caught:
        client.put_item(TableName="orders", Item=KEY)

    assert len(wire.sent) == 2
    assert PLAIN not in repr(caught.value.response)
    assert caught.value.response["Item"]["pk"] == KEY["pk"]


@needs_event
def test_another_calls_answer_is_not_taken_for_ones_own(client: Any, wire: Any) -> None:
    """A call inside of a call may have no frame of its own: then nothing begins."""
    wire.answer({"Item": ITEM})
    dynaguard.install(policy(attributes=["email"]))
    client.get_item(**GET_ITEM)  # registers the handlers
    plan = object()
    frame = Frame(client, 0.0)
    frame.passage = SimpleNamespace(plan=plan)  # type: ignore[assignment]
    frame.signed = SimpleNamespace(plan=None)  # type: ignore[assignment]
    model = client.meta.service_model.operation_model("GetItem")
    result: dict[str, Any] = {}
    token = current_frame.set(frame)
    try:
        client.meta.events.emit(
            "before-parse.dynamodb.GetItem",
            operation_model=model,
            response_dict={"status_code": 200, "body": json.dumps({"Item": ITEM}).encode()},
            customized_response_dict=result,
        )
    finally:
        current_frame.reset(token)

    assert result == {"Item": ITEM}
    assert frame.passage.plan is plan


# --- masks that fail ----------------------------------------------------------------------------


@needs_event
def test_items_that_could_not_be_masked_are_withheld(
    client: Any, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the caller, and from the error's own frames; whatever `on_error` says."""

    def fail(*_: Any) -> None:
        raise RuntimeError("CANARY")

    monkeypatch.setattr("dynaguard.masking.plans.mask_items", fail)
    wire.answer({"Items": [ITEM], "Count": 1})
    guard = dynaguard.install(policy(attributes=["email"]), on_error="allow")

    with pytest.raises(dynaguard.GuardFailure, match="withheld") as caught:
        client.scan(TableName="orders")

    assert "CANARY" not in str(caught.value)
    shown = _variables_of(caught.value)
    assert shown
    assert not [text for text in shown if PLAIN in text]
    assert guard.counters.failures == 1


@needs_event
def test_without_the_later_handler_nothing_is_handed_out(client: Any, wire: Any) -> None:
    """Masked at the beginning is not masked to the end: a peer that takes it off is noticed."""
    wire.answer({"Items": [ITEM], "LastEvaluatedKey": KEY})
    dynaguard.install(policy(attributes=["pk"]))
    client.scan(TableName="orders")
    client.meta.events.unregister("after-call.*.*", unique_id="dynaguard-after-call.*.*")

    with pytest.raises(dynaguard.GuardFailure, match="withheld"):
        client.scan(TableName="orders")


def _variables_of(error: BaseException) -> list[str]:
    """The variables of an error's frames within botocore and dynaguard."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [each for each in frames if each.f_globals["__name__"].startswith(("boto", "dynag"))]
    return [repr(each.f_locals) for each in ours]
