"""What one run may do: statements, templates, the subject of an approval."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from dynaguard.access.templates import Templates
from dynaguard.errors import ConfigurationError
from dynaguard.runbooks.binding import bind
from dynaguard.runbooks.bound import BoundRunbook
from dynaguard.runbooks.model import CallTemplate, Origin, Reference
from dynaguard.runbooks.reading import read_runbook
from tests.runbooks.filled_calls import call_params
from tests.runbooks.random_calls import make_call

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


@pytest.mark.parametrize(
    ("operation", "members", "resource"),
    [
        (
            "sqs:SendMessage",
            {"QueueUrl": {"$result": "find.Items.0.queue"}, "MessageBody": "x"},
            "arn:aws:sqs:eu-west-1:123456789012:*",
        ),
        (
            "s3:GetObject",
            {"Bucket": "b", "Key": {"$result": "find.Items.0.key"}},
            "arn:aws:s3:::b/*",
        ),
        (
            "s3:GetObject",
            {"Bucket": "b", "Key": {"$param": "customer_id"}},
            "arn:aws:s3:::b/C-17",
        ),
        (
            "dynamodb:GetItem",
            {"TableName": "orders", "Key": {"customer_id": {"$result": "find.Items.0.c"}}},
            TABLE,
        ),
    ],
)
def test_a_wildcard_stands_only_for_what_shows_later(
    changed: Callable[..., dict[str, Any]], operation: str, members: Any, resource: str
) -> None:
    """As narrow as it is known."""
    data = changed()
    data["step"] = [data["step"][0], {"name": "s", "call": operation, "params": members}]

    bound = bind(read_runbook(data), {"customer_id": "C-17"}, **PLACE)

    assert bound.iam_statements[1]["Resource"] == resource
    assert "LeadingKeys" not in str(bound.iam_statements[1])


def test_a_value_that_makes_no_sense_makes_no_wide_statement(
    changed: Callable[..., dict[str, Any]],
) -> None:
    """A queue's address that is none is refused, rather than taken for any queue."""
    step = {
        "name": "send",
        "call": "sqs:SendMessage",
        "params": {"QueueUrl": {"$param": "customer_id"}, "MessageBody": "x"},
    }

    with pytest.raises(ConfigurationError, match="do not tell what `sqs:SendMessage` is about"):
        bind(read_runbook(changed(step=[step])), {"customer_id": "C-17"}, **PLACE)


def test_a_loop_over_a_list_names_every_partition(changed: Callable[..., dict[str, Any]]) -> None:
    """Elements of a list parameter are known when the run begins."""
    data = changed(parameters={"ids": {"type": "list"}})
    inner = {
        "name": "get",
        "call": "dynamodb:GetItem",
        "params": {
            "TableName": "orders",
            "Key": {"customer_id": {"$item": "."}, "order_id": "1"},
            "ProjectionExpression": "customer_id",
        },
    }
    loop = {"over": {"$param": "ids"}, "at_most": 9}
    data["step"] = [{"name": "each", "loop": loop, "step": [inner]}]

    bound = bind(read_runbook(data), {"ids": ["C-1", "C-2"]}, **PLACE)

    (statement,) = bound.iam_statements
    leading = statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"]
    assert leading == ["C-1", "C-2"]
    (template,) = bound.templates
    assert len(template["params"]["Key"]["customer_id"]["$sha256"]) == 2


def test_a_transaction_compiles_to_the_actions_of_its_items(
    changed: Callable[..., dict[str, Any]],
) -> None:
    """`TransactWriteItems` is no action of IAM; its members are, within it alone."""
    item = {"customer_id": {"$param": "customer_id"}, "order_id": "1"}
    members = [
        {"Put": {"TableName": "orders", "Item": item}},
        {"Delete": {"TableName": "orders", "Key": item}},
    ]
    step = {
        "name": "both",
        "call": "dynamodb:TransactWriteItems",
        "params": {"TransactItems": members},
    }

    bound = bind(read_runbook(changed(step=[step])), {"customer_id": "C-17"}, **PLACE)

    (statement,) = bound.iam_statements
    assert statement["Action"] == ["dynamodb:DeleteItem", "dynamodb:PutItem"]
    condition = statement["Condition"]
    assert condition["StringEquals"] == {"dynamodb:EnclosingOperation": "TransactWriteItems"}
    assert condition["StringEqualsIfExists"] == {"dynamodb:ReturnValues": "NONE"}
    assert bound.templates[0]["free"] == ["ClientRequestToken"]


def test_a_write_that_asks_for_something_back_has_to_carry_it(
    changed: Callable[..., dict[str, Any]],
) -> None:
    """Only `NONE` may be missing from a request; `ALL_OLD` of a step stays a plain condition."""
    params = {"TableName": "orders", "Key": {"customer_id": "C-1"}, "ReturnValues": "ALL_OLD"}
    step = {"name": "drop", "call": "dynamodb:DeleteItem", "params": params}

    bound = bind(read_runbook(changed(step=[step])), {"customer_id": "C-17"}, **PLACE)

    condition = bound.iam_statements[0]["Condition"]
    assert condition["StringEquals"] == {"dynamodb:ReturnValues": "ALL_OLD"}
    assert "StringEqualsIfExists" not in condition


def test_without_region_and_account_any_matches(changed: Callable[..., dict[str, Any]]) -> None:
    """What is not known when a run begins is no part of its statements."""
    bound = bind(read_runbook(changed()), {"customer_id": "C-17"}, region=None, account_id=None)

    assert bound.iam_statements[0]["Resource"] == "arn:aws:dynamodb:*:*:table/orders"
    assert bound.templates[0]["region"] is None


def test_a_value_that_need_not_be_given_is_needed_where_a_step_uses_it(
    changed: Callable[..., dict[str, Any]],
) -> None:
    """The error names the parameter."""
    optional = {"customer_id": {"type": "string", "required": False}}

    with pytest.raises(ConfigurationError, match="`customer_id` has no value, and a step needs"):
        bind(read_runbook(changed(parameters=optional)), {}, **PLACE)


def test_a_long_list_is_held_by_the_template_alone(
    changed: Callable[..., dict[str, Any]],
) -> None:
    """A statement names up to 50 partitions."""
    data = changed(parameters={"ids": {"type": "list"}})
    key = {"customer_id": {"$item": "."}, "order_id": "1"}
    inner = {
        "name": "get",
        "call": "dynamodb:GetItem",
        "params": {"TableName": "orders", "Key": key},
    }
    loop = {"over": {"$param": "ids"}, "at_most": 99}
    data["step"] = [{"name": "each", "loop": loop, "step": [inner]}]

    bound = bind(read_runbook(data), {"ids": [f"C-{at}" for at in range(51)]}, **PLACE)

    (statement,) = bound.iam_statements
    assert "Condition" not in statement or "LeadingKeys" not in str(statement["Condition"])
    assert len(bound.templates[0]["params"]["Key"]["customer_id"]["$sha256"]) == 51


def test_a_secret_cannot_be_guessed_from_what_travels(
    changed: Callable[..., dict[str, Any]],
) -> None:
    """A boundary is in environment variables; a PIN's plain digest would be found in no time."""
    params = {"TableName": "orders", "Key": {"customer_id": {"$param": "pin"}}}
    step = [{"name": "get", "call": "dynamodb:GetItem", "params": params}]
    runbook = read_runbook(changed(step=step, parameters={"pin": {"type": "secret"}}))

    (template,) = bind(runbook, {"pin": "4711"}, **PLACE).templates

    (kind,) = template["params"]["Key"]["customer_id"]
    assert kind == "$pbkdf2"
    held = Templates(json.dumps([template]))
    for pin, is_allowed in (("4711", True), ("4712", False)):
        call = make_call("dynamodb", "GetItem", {**params, "Key": {"customer_id": {"S": pin}}})
        assert (held.mismatch(call) is None) is is_allowed
