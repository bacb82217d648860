"""Error texts, exceptions and logs: masked values are in none of them."""

from __future__ import annotations

import importlib.util
import logging
import pkgutil
import traceback
from pathlib import Path
from typing import Any

import boto3
import botocore
import pytest
from botocore.exceptions import ClientError, ParamValidationError

import dynaguard

MASKED = [{"tables": ["orders"], "attributes": ["email", "profile.ssn", "age"]}]
KEY = {"pk": {"S": "1"}}
SECRET = "CANARY@example.org"
ITEM = {"pk": {"S": "1"}, "email": {"S": SECRET}, "age": {"N": "4711"}}


@pytest.fixture
def guarded(policy: Any) -> Any:
    """The default policy with masks, installed."""
    everything = {
        "Effect": "Allow",
        "Action": "dynamodb:*",
        "Resource": "arn:aws:dynamodb:*:*:table/*",
    }
    return dynaguard.install(policy(everything, mask=MASKED))


def texts_of(err: BaseException) -> str:
    """All that an exception shows: text, repr, answer and traceback."""
    lines = [line for line in traceback.format_exception(err) if not line.startswith("  File")]
    return f"{err} {err!r} {getattr(err, 'response', '')} {''.join(lines)}"


def error(message: str, **more: Any) -> dict[str, Any]:
    """An error answer."""
    return {"__type": "x#ValidationException", "message": message, **more}


@pytest.mark.parametrize(
    ("call", "params", "message"),
    [
        ("put_item", {"Item": ITEM}, f"Type mismatch for {SECRET} and 4711 in item"),
        (
            "update_item",
            {
                "Key": KEY,
                "UpdateExpression": "SET email = :e",
                "ExpressionAttributeValues": {":e": {"S": SECRET}},
            },
            f"Invalid value: {SECRET}, 4711.",
        ),
        (
            "update_item",
            {"Key": KEY, "AttributeUpdates": {"email": {"Value": {"S": SECRET}}}},
            f"'{SECRET}' is not allowed",
        ),
    ],
)
def test_aws_s_messages_lose_masked_values(
    client: Any, wire: Any, guarded: Any, call: str, params: Any, message: str
) -> None:
    """Of the request, at masked attributes or at none that is known."""
    params = {**params, "TableName": "orders"}
    if "Item" not in params:
        message = message.replace(", 4711", "")
    wire.answer(error(message), 400)

    with pytest.raises(ClientError) as caught:
        getattr(client, call)(**params)

    shown = texts_of(caught.value)
    assert "CANARY" not in shown
    assert "4711" not in shown
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_values_that_no_mask_names_stay_in_messages(client: Any, wire: Any, guarded: Any) -> None:
    """A message is for finding the fault."""
    message = "The provided key element pk=1 does not match the schema"
    wire.answer(error(message), 400)

    with pytest.raises(ClientError) as caught:
        client.put_item(TableName="orders", Item=ITEM)

    assert caught.value.response["Error"]["Message"] == message


def test_the_item_of_an_error_and_its_message_are_masked(
    client: Any, wire: Any, guarded: Any
) -> None:
    """What AWS quotes of the item that is in the table, not in the request."""
    wire.answer(
        {
            "__type": "x#ConditionalCheckFailedException",
            "message": f"The conditional request failed for {SECRET}",
            "Item": ITEM,
        },
        400,
    )

    with pytest.raises(ClientError) as caught:
        client.put_item(TableName="orders", Item=KEY)

    assert "CANARY" not in texts_of(caught.value)


def test_reasons_of_a_transaction_are_masked(client: Any, wire: Any, guarded: Any) -> None:
    """Items and messages alike."""
    wire.answer(
        {
            "__type": "x#TransactionCanceledException",
            "Message": f"cancelled: [ValidationError, {SECRET}]",
            "CancellationReasons": [
                {"Code": "None"},
                {"Code": "ConditionalCheckFailed", "Message": f"no {SECRET}", "Item": ITEM},
            ],
        },
        400,
    )

    with pytest.raises(ClientError) as caught:
        client.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "orders", "Item": KEY}},
                {"Put": {"TableName": "orders", "Item": KEY}},
            ]
        )

    assert "CANARY" not in texts_of(caught.value)
    assert caught.value.response["CancellationReasons"][1]["Code"] == "ConditionalCheckFailed"


def test_errors_of_single_statements_are_masked(client: Any, wire: Any, guarded: Any) -> None:
    """PartiQL batches answer 200 with an error for each statement that failed."""
    failed = {"Code": "DuplicateItem", "Message": f"Duplicate {SECRET} 'it''s'", "Item": ITEM}
    wire.answer({"Responses": [{"Error": failed, "TableName": "orders"}, {"TableName": "orders"}]})
    statement = f"INSERT INTO \"orders\" VALUE {{'pk': '1', 'email': '{SECRET}'}}"

    found = client.batch_execute_statement(Statements=[{"Statement": statement}])

    assert "CANARY" not in repr(found)
    assert found["Responses"][0]["Error"]["Code"] == "DuplicateItem"


@pytest.mark.parametrize(
    "params",
    [
        {"Item": {"email": SECRET}},
        {"Item": {"email": {"S": [SECRET]}}},
        {"Item": {"profile": {"M": {"ssn": {"S": {"deep": SECRET}}}}}},
        {"Item": ITEM, "ReturnValues": {"odd": SECRET}},
        {"Item": {"pk": {"S": "1"}, "tags": {"SS": SECRET}}},
    ],
)
def test_validation_errors_do_not_print_values(
    client: Any, wire: Any, guarded: Any, params: Any
) -> None:
    """The parameter is named, the value's type too, the value is not."""
    with pytest.raises(ParamValidationError) as caught:
        client.put_item(TableName="orders", **params)

    shown = texts_of(caught.value)
    assert "CANARY" not in shown
    assert "for parameter" in shown
    assert "value: <hidden>, type: <class" in shown
    assert wire.sent == []


def test_other_validation_errors_read_as_botocore_writes_them(client: Any, guarded: Any) -> None:
    """Missing and unknown parameters hold no values."""
    with pytest.raises(ParamValidationError) as caught:
        client.put_item(Item=ITEM, Odd="x")

    assert 'Missing required parameter in input: "TableName"' in str(caught.value)
    assert 'Unknown parameter in input: "Odd", must be one of' in str(caught.value)


def test_without_masks_a_validation_error_is_botocore_s_own(client: Any, policy: Any) -> None:
    """Nothing is rewritten that nobody asked to hide."""
    dynaguard.install(policy())

    with pytest.raises(ParamValidationError, match="value: plain, type: <class 'str'>"):
        client.put_item(TableName="orders", Item={"email": "plain"})


class Unserialisable:
    """A value that boto3 cannot take; its text holds a secret."""

    def __repr__(self) -> str:
        return SECRET


def test_errors_of_the_serialiser_do_not_print_values(guarded: Any) -> None:
    """boto3's TypeError quotes what it cannot serialise."""
    table = boto3.resource("dynamodb", region_name="eu-west-1").Table("orders")

    with pytest.raises(TypeError, match="Unsupported type") as caught:
        table.put_item(Item={"pk": "1", "email": Unserialisable()})

    assert "CANARY" not in texts_of(caught.value)


def test_an_answer_that_cannot_be_parsed_is_not_quoted(
    make_client: Any, wire: Any, policy: Any
) -> None:
    """botocore's parser puts the whole answer into its error."""
    dynaguard.install(policy(mask=[{"services": ["sts"]}]))
    sts = make_client("sts", retries={"max_attempts": 0})
    wire.answer("<GetSessionTokenResponse><SecretAccessKey>CANARY", 200)

    with pytest.raises(Exception, match="withheld") as caught:
        sts.get_session_token()

    assert "CANARY" not in str(caught.value)


# --- logs ---------------------------------------------------------------------------------------


@pytest.fixture
def debug(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that is logged, as `boto3.set_stream_logger('')` shows it."""
    caplog.set_level(logging.DEBUG, logger="")
    return caplog


def test_the_debug_log_holds_no_masked_value(
    client: Any, wire: Any, guarded: Any, debug: pytest.LogCaptureFixture
) -> None:
    """Neither request nor answer; the rest of the log is there."""
    wire.answer({"Item": ITEM})
    client.get_item(TableName="orders", Key=KEY)
    client.put_item(TableName="orders", Item=ITEM)

    assert "CANARY" not in debug.text
    assert "4711" not in debug.text
    assert "Making request for OperationModel(name=GetItem) with params" in debug.text
    assert "<dict withheld by dynaguard>" in debug.text
    assert "<bytes withheld by dynaguard>" in debug.text
    assert "x-amzn-requestid" in debug.text.lower()


def test_a_resource_s_log_holds_no_masked_value(
    wire: Any, guarded: Any, debug: pytest.LogCaptureFixture
) -> None:
    """It logs parameters before its client's call begins."""
    resource = boto3.resource("dynamodb", region_name="eu-west-1")
    resource.meta.client._endpoint.http_session = wire
    table = resource.Table("orders")
    wire.answer({"Item": ITEM})

    table.get_item(Key={"pk": "1"})
    table.put_item(Item={"pk": "1", "email": SECRET})

    assert "CANARY" not in debug.text
    assert "Calling dynamodb:put_item with" in debug.text


def test_calls_without_masks_are_logged_in_full(
    client: Any, wire: Any, guarded: Any, debug: pytest.LogCaptureFixture
) -> None:
    """Another table, which no mask names."""
    wire.answer({"Item": {"pk": {"S": "visible"}}})

    client.get_item(TableName="public", Key=KEY)

    assert "visible" in debug.text


def test_the_log_is_botocore_s_own_again_after_uninstall(
    client: Any, wire: Any, guarded: Any, debug: pytest.LogCaptureFixture
) -> None:
    """No filter stays."""
    dynaguard.uninstall()
    wire.answer({"Item": ITEM})

    client.get_item(TableName="orders", Key=KEY)

    assert "CANARY" in debug.text
    assert logging.getLogger("botocore.parsers").filters == []


CONFIGURATION_LOGGERS = set(
    "args compat configprovider credentials endpoint_provider loaders monitoring plugin regions "
    "session tokens useragent".split()
)


def test_every_logger_of_botocore_is_filtered_or_known_to_see_no_data(guarded: Any) -> None:
    """A module that is new to botocore, and logs, is noticed here."""
    logging_modules = set()
    for module in pkgutil.walk_packages(botocore.__path__, "botocore."):
        name = module.name.removeprefix("botocore.")
        if not {"vendored", "docs", "crt"} & set(name.split(".")):
            found = importlib.util.find_spec(module.name)
            origin = found.origin if found else None
            if origin and "logging.getLogger" in Path(origin).read_text(encoding="utf-8"):
                logging_modules.add(name)

    filtered = {name for name in logging_modules if logging.getLogger(f"botocore.{name}").filters}

    assert "parsers" in filtered
    assert logging_modules - filtered <= CONFIGURATION_LOGGERS
