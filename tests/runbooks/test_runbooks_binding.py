"""What one run may do: statements, templates, the subject of an approval."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from dynaguard.errors import ConfigurationError
from dynaguard.runbooks.binding import bind, call_params
from dynaguard.runbooks.bound import BoundRunbook
from dynaguard.runbooks.model import CallTemplate, Origin, Reference
from dynaguard.runbooks.reading import read_runbook

PLACE = {"region": "eu-west-1", "account_id": "123456789012"}
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"


@pytest.fixture
def bound(changed: Callable[..., dict[str, Any]]) -> BoundRunbook:
    """The runbook, bound to one customer."""
    return bind(read_runbook(changed()), {"customer_id": "C-17"}, **PLACE)


def test_statements_name_the_table_the_key_and_the_projection(bound: BoundRunbook) -> None:
    """A Query becomes one Allow on its table for its partition and its projected attributes."""
    assert bound.iam_statements[0] == {
        "Sid": "Find",
        "Effect": "Allow",
        "Action": "dynamodb:Query",
        "Resource": TABLE,
        "Condition": {
            "ForAllValues:StringEquals": {
                "dynamodb:LeadingKeys": ["C-17"],
                "dynamodb:Attributes": ["customer_id", "order_id"],
            },
            "StringEquals": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"},
        },
    }


def test_no_value_of_a_parameter_travels(bound: BoundRunbook) -> None:
    """The boundary of a run holds no parameter value, neither in statements nor in templates."""
    boundary = bound.boundary("task-1", expires_epoch_s=1.0)

    assert "C-17" not in json.dumps(boundary.as_dict())


def test_repr_shows_no_value(bound: BoundRunbook) -> None:
    """The repr of a bound runbook holds no parameter value."""
    assert "C-17" not in repr(bound)


def test_subject_tells_values_apart(changed: Callable[..., dict[str, Any]]) -> None:
    """Another value, or another region, is another subject; the same ones are the same."""
    runbook = read_runbook(changed())

    def subject(value: str, region: str = "eu-west-1") -> str:
        return bind(
            runbook, {"customer_id": value}, region=region, account_id="123456789012"
        ).subject_sha256

    assert subject("C-1") == subject("C-1")
    assert len({subject("C-1"), subject("C-2"), subject("C-1", "eu-west-2")}) == 3


def test_call_params_fill_every_place(bound: BoundRunbook) -> None:
    """Items of a loop fill their places as they are, parameters as attribute values."""
    drop = bound.runbook.steps[2].action.steps[0].action
    item = Reference(Origin.ITEM, ("order_id",), "key")
    assert isinstance(drop, CallTemplate)

    params = call_params(drop, bound.values, {item: {"S": "O-1"}})

    assert params == {
        "TableName": "orders",
        "Key": {"customer_id": {"S": "C-17"}, "order_id": {"S": "O-1"}},
    }


def test_all_problems_of_values_are_told_without_them(
    changed: Callable[..., dict[str, Any]],
) -> None:
    """Unknown and wrong parameters are told in one error that shows no value."""
    runbook = read_runbook(changed())

    with pytest.raises(ConfigurationError) as caught:
        bind(runbook, {"customer_id": "hunter2", "custmer_id": "x"}, **PLACE)

    assert "hunter2" not in str(caught.value)
    assert str(caught.value).splitlines() == [
        "runbook `orders-of-customer` has no parameter `custmer_id`, did you mean `customer_id`?",
        "parameter `customer_id` does not match its pattern `C-[0-9]{1,9}`",
    ]
