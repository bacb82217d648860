"""Masks on the way back, through clients and resources."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import dynaguard
from dynaguard.masking import MARKER

KEY = {"pk": {"S": "1"}}
ITEM = {"pk": {"S": "1"}, "email": {"S": "ann@example.org"}, "age": {"N": "41"}}


@pytest.fixture
def masked(policy: Any) -> dict[str, Any]:
    """The default policy, with two attributes masked."""
    return policy(mask=[{"tables": ["orders"], "attributes": ["email", "age"]}])


@pytest.mark.smoke
def test_a_client_receives_masked_values(client: Any, wire: Any, masked: Any) -> None:
    """Named attributes are masked, the others bit-identical."""
    wire.answer({"Item": ITEM})
    dynaguard.install(masked)

    item = client.get_item(TableName="orders", Key=KEY)["Item"]

    assert item["pk"] == {"S": "1"}
    assert item["email"]["S"].startswith(MARKER)
    assert item["age"]["S"].startswith(MARKER)


def test_a_resource_receives_values_that_it_can_deserialise(wire: Any, masked: Any) -> None:
    """A masked number is text, never NaN."""
    resource = boto3.resource("dynamodb", region_name="eu-west-1")
    resource.meta.client._endpoint.http_session = wire
    wire.answer({"Item": ITEM})
    dynaguard.install(masked)

    item = resource.Table("orders").get_item(Key={"pk": "1"})["Item"]

    assert item["age"].startswith(MARKER)


def test_the_item_of_a_failed_condition_is_masked(client: Any, wire: Any, masked: Any) -> None:
    """`ALL_OLD` on a failed condition carries the item in the error."""
    wire.answer(
        {"__type": "x#ConditionalCheckFailedException", "message": "no", "Item": ITEM}, 400
    )
    dynaguard.install(masked)

    with pytest.raises(ClientError) as caught:
        client.put_item(TableName="orders", Item=KEY)

    assert "ann@" not in json.dumps(caught.value.response["Item"])


def test_a_masked_value_cannot_be_written_back(client: Any, wire: Any, masked: Any) -> None:
    """Read, modify, write would store the mask; it is refused and the attribute named."""
    wire.answer({"Item": ITEM})
    dynaguard.install(masked)
    item = client.get_item(TableName="orders", Key=KEY)["Item"]

    with pytest.raises(dynaguard.MaskedWriteRefused, match="email"):
        client.put_item(TableName="orders", Item=item)

    assert len(wire.sent) == 1


def test_pagination_goes_on_over_masked_keys(client: Any, wire: Any, policy: Any) -> None:
    """`LastEvaluatedKey` stays what AWS sent, and so does what the paginator sends back."""
    wire.answer({"Items": [ITEM], "LastEvaluatedKey": KEY})
    wire.answer({"Items": [ITEM]})
    dynaguard.install(policy(mask=[{"tables": ["orders"], "attributes": ["pk"]}]))

    pages = list(
        client.get_paginator("query").paginate(
            TableName="orders",
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": "1"}},
        )
    )

    assert json.loads(wire.sent[1].body)["ExclusiveStartKey"] == KEY
    assert [page["Items"][0]["pk"]["S"].startswith(MARKER) for page in pages] == [True, True]


def test_an_answer_whose_mask_did_not_run_is_withheld(client: Any, wire: Any, masked: Any) -> None:
    """A handler taken off by a peer does not let plain values through."""
    wire.answer({"Item": ITEM})
    dynaguard.install(masked)
    client.get_item(TableName="orders", Key=KEY)
    client.meta.events.unregister("after-call.*.*", unique_id="dynaguard-after-call.*.*")

    with pytest.raises(dynaguard.GuardFailure, match="withheld"):
        client.get_item(TableName="orders", Key=KEY)


def test_masks_can_be_switched_off(client: Any, wire: Any, masked: Any) -> None:
    """With `mask=False` answers are untouched."""
    wire.answer({"Item": ITEM})
    dynaguard.install(masked, mask=False)

    assert client.get_item(TableName="orders", Key=KEY)["Item"] == ITEM


@pytest.mark.parametrize("on_error", ["deny", "allow"])
@pytest.mark.parametrize("fast_parse", [True, False])
def test_an_answer_whose_mask_fails_is_withheld(
    client: Any,
    wire: Any,
    masked: Any,
    on_error: Any,
    fast_parse: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bug in the masks never lets half masked values through."""

    def fail(*_: Any) -> None:
        raise RuntimeError("CANARY")

    wire.answer({"Item": ITEM})
    guard = dynaguard.install(masked, on_error=on_error, fast_parse=fast_parse)
    monkeypatch.setattr("dynaguard.masking.plans.mask_item", fail)

    with pytest.raises(dynaguard.GuardFailure, match="withheld") as caught:
        client.get_item(TableName="orders", Key=KEY)

    assert "CANARY" not in str(caught.value)
    assert guard.counters.failures == 1
