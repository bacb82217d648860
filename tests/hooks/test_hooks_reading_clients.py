"""Reading fast through clients of every sort: what the caller gets is what botocore gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import boto3
import botocore
import botocore.session
import pytest
from botocore.parsers import BaseJSONParser, ResponseParserFactory

import dynaguard
from dynaguard.hooks import fast_parsing

needs_event = pytest.mark.skipif(
    tuple(map(int, botocore.__version__.split(".")[:2])) < (1, 36),
    reason="this botocore has no `before-parse`",
)
KEY = {"order_id": {"S": "A-1"}}
ITEM = {**KEY, "photo": {"B": "AAE="}, "total": {"N": "12.50"}, "tags": {"SS": ["a", "b"]}}
ANSWER = {
    "ConsumedCapacity": {"TableName": "orders", "CapacityUnits": 0.5, "Unheard": {"Of": 1}},
    "Unheard": 1,
    "Item": ITEM,
}
QUERY: Mapping[str, Any] = {
    "TableName": "orders",
    "KeyConditionExpression": "order_id = :o",
    "ExpressionAttributeValues": {":o": {"S": "A-1"}},
}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """What was taken of each answer that was looked at."""
    found: list[str | None] = []
    real = fast_parsing.take_items

    def watched(operation: str, response: Any, result: Any) -> str | None:
        found.append(real(operation, response, result))
        return found[-1]

    monkeypatch.setattr(fast_parsing, "take_items", watched)
    return found


def get_item(client: Any) -> str:
    """The answer as ordered text, metadata included but for what counts requests."""
    answer = client.get_item(TableName="orders", Key=KEY)
    metadata = answer["ResponseMetadata"]
    metadata.pop("RequestId")
    metadata["HTTPHeaders"].pop("x-amzn-requestid")
    return repr(answer)


@needs_event
@pytest.mark.parametrize(
    "config",
    [
        {},
        {"parameter_validation": False},
        {"retries": {"mode": "legacy"}},
        {"retries": {"mode": "standard", "total_max_attempts": 1}},
        {"retries": {"mode": "adaptive"}},
        {"disable_request_compression": True},
        {"user_agent_extra": "extra"},
        {"inject_host_prefix": False},
        {"ignore_configured_endpoint_urls": True},
        {"response_checksum_validation": "when_required"},
        {"account_id_endpoint_mode": "disabled"},
    ],
    ids=lambda config: next(iter(config), "default"),
)
def test_a_client_of_any_configuration_gets_the_same(
    make_client: Callable[..., Any], wire: Any, taken: list[str | None], config: dict[str, Any]
) -> None:
    """Members, their order, metadata."""
    wire.answer(ANSWER)
    client = make_client(**config)
    bare = get_item(client)

    dynaguard.install()
    guarded = get_item(client)

    assert guarded == bare
    assert taken[-1] == "Item"


@needs_event
def test_a_resource_gets_the_same(wire: Any, taken: list[str | None]) -> None:
    """Decimals, sets and binary values of boto3's own making."""
    resource = boto3.resource("dynamodb", region_name="eu-west-1")
    resource.meta.client._endpoint.http_session = wire
    wire.answer({"Items": [ITEM, {}], "Count": 2, "ScannedCount": 2, "LastEvaluatedKey": KEY})
    query: dict[str, Any] = {
        "KeyConditionExpression": "order_id = :o",
        "ExpressionAttributeValues": {":o": "A-1"},
    }
    bare = resource.Table("orders").query(**query)

    dynaguard.install()
    guarded = resource.Table("orders").query(**query)

    assert guarded["Items"] == bare["Items"]
    assert guarded["LastEvaluatedKey"] == bare["LastEvaluatedKey"]
    assert list(guarded) == list(bare)
    assert taken[-1] == "Items"


@needs_event
def test_answers_of_moto_are_the_same(taken: list[str | None]) -> None:
    """An emulator in the same process answers at `before-send`."""
    moto = pytest.importorskip("moto")
    with moto.mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        client.create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        client.put_item(TableName="orders", Item={**ITEM, "photo": {"B": b"\0\1"}})
        bare = client.query(**QUERY)

        dynaguard.install()
        guarded = client.query(**QUERY)

    assert repr(guarded["Items"]) == repr(bare["Items"])
    assert list(guarded) == list(bare)
    assert taken[-1] == "Items"


# --- who reads otherwise ------------------------------------------------------------------------


class _OwnFactory(ResponseParserFactory):
    """A program's own way to parsers."""


def _with_own_reader(session: Any) -> None:
    factory = session.get_component("response_parser_factory")
    factory.set_parser_defaults(blob_parser=lambda text: f"<{text}>")


def _with_own_factory(session: Any) -> None:
    session.register_component("response_parser_factory", _OwnFactory())


@needs_event
@pytest.mark.parametrize("change", [_with_own_reader, _with_own_factory])
def test_a_session_with_a_parser_of_its_own_keeps_it(
    wire: Any, taken: list[str | None], change: Callable[[Any], None]
) -> None:
    """As the AWS CLI reads binary values its own way."""
    session = botocore.session.Session()
    change(session)
    client = session.create_client("dynamodb", region_name="eu-west-1")
    client._endpoint.http_session = wire
    wire.answer(ANSWER)
    bare = get_item(client)

    dynaguard.install()

    assert get_item(client) == bare
    assert taken == []


def _measured(found: Any, values: tuple[Any, ...]) -> Any:
    return {**found, "Length": len(values[0]["body"])}


def _enriched(found: Any, _: Any) -> Any:
    return {**found, "added": {"S": "x"}} if isinstance(found, dict) else found


def _with_end(found: Any, _: Any) -> Any:
    return found + b"!"


@pytest.fixture(
    params=[
        ("parse", _measured),
        ("_handle_map", _enriched),
        ("_handle_structure", _enriched),
        ("_handle_blob", _with_end),
    ],
    ids=lambda param: param[0],
)
def other_botocore(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A botocore whose parser does one thing otherwise than ours."""
    name, change = request.param
    real = getattr(BaseJSONParser, name)
    monkeypatch.setattr(
        BaseJSONParser, name, lambda parser, *values: change(real(parser, *values), values)
    )


@needs_event
@pytest.mark.usefixtures("other_botocore")
def test_a_botocore_that_reads_otherwise_reads_alone(
    client: Any, wire: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The self-test at the first call notices; `status()` and one warning say so."""
    wire.answer(ANSWER)
    bare = get_item(client)

    dynaguard.install()
    guarded = [get_item(client), get_item(client)]

    assert guarded == [bare, bare]
    assert dynaguard.status().fast_parse == "off: this botocore reads answers otherwise"
    assert len([each for each in caplog.records if "fast_parse" in each.getMessage()]) == 1


@needs_event
def test_a_botocore_that_agrees_is_not_asked_again(
    client: Any, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The self-test runs once for an operation."""
    asked: list[str] = []
    real = fast_parsing.agrees_with

    def watched(model: Any) -> bool:
        asked.append(model.name)
        return real(model)

    monkeypatch.setattr(fast_parsing, "agrees_with", watched)
    wire.answer(ANSWER)
    dynaguard.install()

    for _ in range(3):
        get_item(client)

    assert asked == ["GetItem"]
    assert dynaguard.status().fast_parse == "on"
