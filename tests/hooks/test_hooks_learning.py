"""What passes by teaches: key schemas from answers, pages from paginators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import dynaguard
from dynaguard.errors import PolicyDenied

KEY = {"pk": {"S": "me"}, "sk": {"S": "1"}}
DESCRIBED = {
    "Table": {
        "TableName": "orders",
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    }
}
OWN_ITEMS = {
    "Sid": "OwnItems",
    "Effect": "Allow",
    "Action": ["dynamodb:GetItem", "dynamodb:Query"],
    "Resource": "*",
    "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["me"]}},
}
DESCRIBES = {
    "Sid": "Describes",
    "Effect": "Allow",
    "Action": "dynamodb:DescribeTable",
    "Resource": "*",
}
FIRST_PAGES = {
    "Sid": "FirstPages",
    "Effect": "Allow",
    "Action": "dynamodb:Scan",
    "Resource": "*",
    "Condition": {"NumericLessThanEquals": {"dynaguard:PageNumber": "2"}},
}


@pytest.mark.smoke
def test_a_description_in_passing_tells_the_key_schema(
    client: Any, wire: Any, policy: Callable[..., Any]
) -> None:
    """Until then the partition key is unknown, which denies."""
    dynaguard.install(policy(OWN_ITEMS, DESCRIBES))
    with pytest.raises(PolicyDenied, match="LeadingKeys"):
        client.get_item(TableName="orders", Key=KEY)
    wire.answer(DESCRIBED)
    wire.answer({})

    client.describe_table(TableName="orders")
    client.get_item(TableName="orders", Key=KEY)

    with pytest.raises(PolicyDenied):
        client.get_item(TableName="orders", Key={**KEY, "pk": {"S": "you"}})


def test_a_failed_description_teaches_nothing(
    client: Any, wire: Any, policy: Callable[..., Any]
) -> None:
    """Nor does a table that is not there."""
    dynaguard.install(policy(OWN_ITEMS, DESCRIBES))
    wire.answer({"__type": "ResourceNotFoundException", "message": "no"}, 400)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_table(TableName="orders")

    with pytest.raises(PolicyDenied):
        client.get_item(TableName="orders", Key=KEY)


def test_a_key_schema_is_looked_up_on_request(
    client: Any, wire: Any, policy: Callable[..., Any]
) -> None:
    """Once, by the client that needs it, unguarded itself."""
    dynaguard.install(policy(OWN_ITEMS), key_schema_lookup="describe-table")
    wire.answer(DESCRIBED)
    wire.answer({})

    client.get_item(TableName="orders", Key=KEY)
    client.get_item(TableName="orders", Key=KEY)

    targets = [wire.headers(index)["x-amz-target"].partition(".")[2] for index in range(3)]
    assert targets == ["DescribeTable", "GetItem", "GetItem"]


def test_a_look_up_that_fails_denies(client: Any, wire: Any, policy: Callable[..., Any]) -> None:
    """And does not break the process; the next call does not ask again."""
    dynaguard.install(policy(OWN_ITEMS), key_schema_lookup="describe-table")
    wire.answer({"__type": "AccessDeniedException", "message": "no"}, 400)

    for _ in range(2):
        with pytest.raises(PolicyDenied):
            client.get_item(TableName="orders", Key=KEY)

    assert len(wire.sent) == 1


def test_without_the_setting_nothing_is_looked_up(
    client: Any, wire: Any, policy: Callable[..., Any]
) -> None:
    """The default makes no call of its own."""
    dynaguard.install(policy(OWN_ITEMS))

    with pytest.raises(PolicyDenied):
        client.get_item(TableName="orders", Key=KEY)

    assert wire.sent == []


def test_pages_of_a_paginator_are_counted(
    client: Any, wire: Any, policy: Callable[..., Any]
) -> None:
    """From 1, in every run through them; the page that is too many is refused."""
    dynaguard.install(policy(FIRST_PAGES))
    for number in range(6):
        last_key = {"pk": {"S": str(number)}}
        wire.answer({"Items": [], "Count": 0, "LastEvaluatedKey": last_key})
    pages = client.get_paginator("scan").paginate(TableName="orders")

    for _ in range(2):
        run = iter(pages)
        assert len([next(run), next(run)]) == 2
        with pytest.raises(PolicyDenied):
            next(run)


def test_calls_between_pages_are_on_no_page(
    client: Any, wire: Any, policy: Callable[..., Any]
) -> None:
    """A call that the caller makes meanwhile is not one of the paginator's."""
    dynaguard.install(policy(FIRST_PAGES))
    wire.answer({"Items": [], "Count": 0})

    for _page in client.get_paginator("scan").paginate(TableName="orders"):
        with pytest.raises(PolicyDenied):
            client.scan(TableName="orders")


def test_pages_come_as_ever(client: Any, wire: Any) -> None:
    """Results, tokens and the end are the paginator's own; so it is after uninstall."""
    wire.answer({"Items": [{"pk": {"S": "1"}}], "Count": 1, "LastEvaluatedKey": KEY})
    wire.answer({"Items": [{"pk": {"S": "2"}}], "Count": 1})
    dynaguard.install()
    pages = client.get_paginator("scan").paginate(TableName="orders")

    found = [item["pk"]["S"] for page in pages for item in page["Items"]]
    dynaguard.uninstall()

    assert found == ["1", "2"]
    assert [item["pk"]["S"] for page in pages for item in page["Items"]] == ["2"]
