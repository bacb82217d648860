"""What was decided is what is sent; nothing undecided is signed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.client import BaseClient

import dynaguard
from dynaguard import PolicyDenied, TamperedRequest

KEY = {"pk": {"S": "1"}}


@pytest.mark.parametrize("event", ["before-call", "before-sign", "before-send"])
def test_a_body_changed_after_the_decision_is_not_sent(
    client: Any, wire: Any, policy: Any, event: str
) -> None:
    """A later handler that swaps the body is caught on the last step before the wire."""
    dynaguard.install(policy())

    def swap(**kwargs: Any) -> None:
        body = b'{"TableName": "secrets", "Key": {"pk": {"S": "1"}}}'
        if "params" in kwargs:
            kwargs["params"]["body"] = body
        elif event == "before-sign":
            kwargs["request"].data = body
        else:
            kwargs["request"].body = body

    client.meta.events.register_last(event, swap)

    with pytest.raises(TamperedRequest, match="body"):
        client.get_item(TableName="orders", Key=KEY)
    assert wire.sent == []


def test_an_operation_swapped_after_the_decision_is_not_sent(
    client: Any, wire: Any, policy: Any
) -> None:
    """The `X-Amz-Target` header names the operation and is sealed too."""
    dynaguard.install(policy())
    client.meta.events.register_last(
        "before-sign",
        lambda request, **_: request.headers.replace_header(
            "X-Amz-Target", "DynamoDB_20120810.DeleteTable"
        ),
    )

    with pytest.raises(TamperedRequest, match="operation"):
        client.get_item(TableName="orders", Key=KEY)
    assert wire.sent == []


def test_a_host_changed_after_the_decision_is_not_reached(
    client: Any, wire: Any, policy: Any
) -> None:
    """Another host is another region, or nobody's AWS."""
    dynaguard.install(policy())

    def redirect(request: Any, **_: Any) -> None:
        request.url = "https://dynamodb.us-east-1.amazonaws.com/"

    client.meta.events.register_last("before-send", redirect)

    with pytest.raises(TamperedRequest, match="host"):
        client.get_item(TableName="orders", Key=KEY)
    assert wire.sent == []


def test_a_request_made_at_the_endpoint_is_decided_from_its_body(
    client: Any, wire: Any, policy: Any
) -> None:
    """`client._endpoint` goes around every client method, not around signing."""
    guard = dynaguard.install(policy())
    model = client.meta.service_model.operation_model("Scan")
    request = {
        "url_path": "/",
        "query_string": "",
        "method": "POST",
        "headers": {"X-Amz-Target": "DynamoDB_20120810.Scan"},
        "body": b'{"TableName": "orders"}',
        "url": "https://dynamodb.eu-west-1.amazonaws.com/",
        "context": {"client_config": client.meta.config, "has_streaming_input": False},
    }

    with pytest.raises(PolicyDenied):
        client._endpoint.make_request(model, request)

    assert wire.sent == []
    assert guard.counters.undecided_caught == 1


def test_the_event_decides_when_the_deciding_wrapper_was_undone(
    client: Any, wire: Any, policy: Any
) -> None:
    """Event and wrapper back each other up, and the status counts what only one caught."""
    original = BaseClient.__dict__["_convert_to_request_dict"]
    dynaguard.install(policy())
    BaseClient._convert_to_request_dict = original  # type: ignore[method-assign]
    client.get_item(TableName="orders", Key=KEY)

    with pytest.raises(PolicyDenied):
        client.scan(TableName="orders")

    status = dynaguard.status()
    assert len(wire.sent) == 1
    assert status.undecided_caught == 2
    assert status.patch_points["BaseClient._convert_to_request_dict"] == "undone by a peer"


def test_tokens_signed_directly_are_refused_for_governed_services(
    make_client: Any, policy: Any
) -> None:
    """A database token is signed without any call; a policy that governs it must allow it."""
    dynaguard.install(policy(govern=["dynamodb", "rds-db"]))
    rds = make_client("rds")

    with pytest.raises(PolicyDenied):
        rds.generate_db_auth_token("db.example.com", 3306, "admin")


def test_tokens_signed_directly_pass_for_other_services(make_client: Any, policy: Any) -> None:
    """What the policy does not govern is signed as before."""
    dynaguard.install(policy())
    rds = make_client("rds")

    assert "X-Amz-Signature" in rds.generate_db_auth_token("db.example.com", 3306, "admin")


@pytest.mark.parametrize("event", ["before-sign", "before-send"])
@pytest.mark.parametrize("is_detached", [False, True])
def test_a_url_presigned_in_between_does_not_open_the_seal(
    client: Any, make_client: Any, wire: Any, policy: Any, event: str, is_detached: bool
) -> None:
    """A handler that presigns a harmless URL, of whichever client, and swaps the body."""
    dynaguard.install(policy())
    other = make_client()
    if is_detached:
        dynaguard.detach(other)

    def swap(request: Any, **_: Any) -> None:
        if "Authorization" in request.headers or event == "before-sign":
            client.meta.events.unregister(event, swap)
            params = {"TableName": "orders", "Key": KEY}
            other.generate_presigned_url("get_item", Params=params)
            body = b'{"TableName": "secrets", "Key": {"pk": {"S": "1"}}}'
            setattr(request, "data" if event == "before-sign" else "body", body)

    client.meta.events.register_last(event, swap)

    with pytest.raises(TamperedRequest, match="body"):
        client.get_item(TableName="orders", Key=KEY)
    assert wire.sent == []


def test_a_url_presigned_in_between_leaves_the_stamp_alone(client: Any, wire: Any) -> None:
    """Header and User-Agent of a request bear one id."""
    dynaguard.install()

    def presign(**_: Any) -> None:
        client.generate_presigned_url("get_item", Params={"TableName": "orders", "Key": KEY})

    client.meta.events.register("before-send.dynamodb.GetItem", presign)
    client.get_item(TableName="orders", Key=KEY)

    headers = wire.headers()
    assert headers["x-dynaguard-correlation-id"] in headers["user-agent"]


def test_a_request_is_held_to_its_own_decision_alone(client: Any, wire: Any, policy: Any) -> None:
    """One that was signed before the guard came is not held to the one before it.

    A call that is under way while the guard is installed may pass some wrappers and not others.
    """
    guard = dynaguard.install(policy())
    with _outer_wrapper_undone():
        client.get_item(TableName="orders", Key=KEY)
    request = wire.sent[-1]
    request.body = b'{"TableName": "orders", "Key": {"pk": {"S": "2"}}}'

    client._endpoint._send(request)

    assert guard.counters.denials == 0
    assert len(wire.sent) == 2


@contextlib.contextmanager
def _outer_wrapper_undone() -> Iterator[None]:
    """Within it botocore's own `_make_api_call` is in place, as before `install()`."""
    ours = BaseClient.__dict__["_make_api_call"]
    BaseClient._make_api_call = ours.__wrapped__
    try:
        yield
    finally:
        BaseClient._make_api_call = ours
