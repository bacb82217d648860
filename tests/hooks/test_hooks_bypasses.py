"""Ways around the guard that ordinary code takes, knowingly or not: each is closed or recorded.

Bodies, targets and hosts that change after the decision are in `test_hooks_sealing.py`; clients,
resources, presigned URLs and threads in `test_hooks_deciding.py`; peers in
`test_hooks_coexistence.py`; masks that do not run in `test_hooks_masking.py`.
"""

from __future__ import annotations

import copy
import pickle
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.credentials import Credentials

import dynaguard
from dynaguard import PolicyDenied, TamperedRequest

KEY = {"pk": {"S": "1"}}


def test_parameters_changed_before_the_endpoint_is_resolved_are_decided(
    client: Any, wire: Any, policy: Any
) -> None:
    """A handler that runs after every other one on parameters still runs before the decision."""
    dynaguard.install(policy())
    client.meta.events.register_last(
        "before-endpoint-resolution.dynamodb",
        lambda params, **_: params.update(TableName="secrets"),
    )

    with pytest.raises(PolicyDenied, match="table/secrets"):
        client.get_item(TableName="orders", Key=KEY)
    assert wire.sent == []


def test_a_handler_that_answers_first_does_not_hide_the_call(
    client: Any, policy: Any, tmp_path: Any
) -> None:
    """It was decided before, and is recorded as what came of it."""
    audit = tmp_path / "audit.jsonl"
    dynaguard.install(policy(), audit=audit)
    answer = AWSResponse("http://x", 200, HeadersDict(), None)
    parsed = {"Item": {}, "ResponseMetadata": {"HTTPStatusCode": 200}}
    client.meta.events.register_first("before-call.*.*", lambda **_: (answer, parsed))

    client.get_item(TableName="orders", Key=KEY)
    with pytest.raises(PolicyDenied):
        client.scan(TableName="orders")

    text = audit.read_text()
    assert text.count('"status":"ok"') == 1
    assert text.count('"status":"denied"') == 1


def test_handlers_that_are_taken_off_decide_nothing(client: Any, wire: Any, policy: Any) -> None:
    """The decision hangs on the wrappers."""
    guard = dynaguard.install(policy())
    client.get_item(TableName="orders", Key=KEY)
    for event in ("before-call.*.*", "after-call.*.*"):
        client.meta.events.unregister(event, unique_id=f"dynaguard-{event}")

    with pytest.raises(PolicyDenied):
        client.scan(TableName="orders")
    assert len(wire.sent) == 1
    assert guard.counters.denials == 1


@pytest.mark.parametrize("event", ["before-call", "before-sign"])
def test_another_identity_does_not_sign_what_was_decided(
    client: Any, wire: Any, policy: Any, event: str
) -> None:
    """Credentials put into the request's context sign before the client's own."""
    dynaguard.install(policy())
    other = Credentials("AKIAOTHER", "secret")

    def swap(**kwargs: Any) -> None:
        context = kwargs["context"] if "context" in kwargs else kwargs["request"].context
        context.setdefault("signing", {})["request_credentials"] = other

    client.meta.events.register_first(event, swap)

    with pytest.raises(TamperedRequest, match="credentials"):
        client.get_item(TableName="orders", Key=KEY)
    assert wire.sent == []


def test_another_identity_presigns_nothing(client: Any, policy: Any) -> None:
    """A URL is a call that somebody else makes later."""
    dynaguard.install(policy())
    other = Credentials("AKIAOTHER", "secret")

    def swap(request: Any, **_: Any) -> None:
        request.context.setdefault("signing", {})["request_credentials"] = other

    client.meta.events.register_first("before-sign", swap)

    with pytest.raises(TamperedRequest, match="credentials"):
        client.generate_presigned_url("get_item", {"TableName": "orders", "Key": KEY})


@pytest.mark.parametrize(
    ("method", "operation"),
    [("DELETE", "get_object"), ("PUT", "get_object"), ("GET", "put_object")],
)
def test_no_url_is_presigned_with_another_method_than_decided(
    make_client: Any, policy: Any, method: str, operation: str
) -> None:
    """Where the method says the operation, a URL for one would do another."""
    allowed = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*"}
    guard = dynaguard.install(policy(allowed, govern=["s3"]))

    with pytest.raises(TamperedRequest, match="HTTP method changed"):
        make_client("s3").generate_presigned_url(
            operation, {"Bucket": "b", "Key": "k"}, HttpMethod=method
        )
    assert guard.counters.denials == 1


@pytest.mark.parametrize(
    ("service", "operation", "params", "method"),
    [
        ("s3", "get_object", {"Bucket": "b", "Key": "k"}, "GET"),
        ("s3", "get_object", {"Bucket": "b", "Key": "k"}, "HEAD"),
        ("sts", "get_caller_identity", {}, "GET"),
    ],
)
def test_urls_with_a_method_of_the_same_operation_are_presigned(
    make_client: Any, policy: Any, service: str, operation: str, params: Any, method: str
) -> None:
    """HEAD reads as GET does; other protocols name the operation in the query."""
    allowed = {"Effect": "Allow", "Action": ["s3:GetObject", "sts:*"], "Resource": "*"}
    dynaguard.install(policy(allowed, govern=["s3", "sts"]))

    assert make_client(service).generate_presigned_url(operation, params, HttpMethod=method)


def test_a_signer_that_is_asked_with_all_its_arguments_is_guarded(
    client: Any, wire: Any, policy: Any
) -> None:
    """By position, a name to sign for among them, or none."""
    from botocore.awsrequest import AWSRequest

    dynaguard.install(policy())
    request = AWSRequest("POST", "https://dynamodb.eu-west-1.amazonaws.com/", data=b"{}")
    request.context = {}

    for name in (None, "dynamodb"):
        with pytest.raises(PolicyDenied):
            client._request_signer.sign("Scan", request, "eu-west-1", "standard", None, name)


def test_a_copied_emitter_is_guarded(client: Any, wire: Any, policy: Any) -> None:
    """Copies share nothing with the original but our wrappers."""
    dynaguard.install(policy())
    client.meta._events = client._endpoint._event_emitter = copy.copy(client.meta.events)

    with pytest.raises(PolicyDenied):
        client.scan(TableName="orders")
    assert wire.sent == []


def test_a_client_of_another_session_with_the_same_answers_is_guarded(
    make_client: Any, wire: Any, policy: Any
) -> None:
    """Every session, whenever it was made."""
    dynaguard.install(policy())
    second = make_client()
    assert isinstance(botocore.session.get_session(), botocore.session.Session)

    with pytest.raises(PolicyDenied):
        second.scan(TableName="orders")
    assert wire.sent == []


def test_every_attempt_is_checked_again(client: Any, wire: Any, policy: Any) -> None:
    """The request is used again by a retry, and could have changed meanwhile."""
    wire.throttle()
    dynaguard.install(policy())

    def swap(request: Any, **_: Any) -> None:
        if len(wire.sent) == 1:
            request.data = b'{"TableName": "secrets", "Key": {"pk": {"S": "1"}}}'

    client.meta.events.register_last("before-sign", swap)

    with pytest.raises(TamperedRequest):
        client.get_item(TableName="orders", Key=KEY)
    assert len(wire.sent) == 1


def test_the_account_in_a_table_arn_counts_whatever_the_endpoint(
    client: Any, wire: Any, policy: Any
) -> None:
    """botocore may send it to that account's own endpoint."""
    own = {
        "Sid": "Own",
        "Effect": "Allow",
        "Action": "dynamodb:GetItem",
        "Resource": "arn:aws:dynamodb:*:111122223333:table/orders",
    }
    dynaguard.install(policy(own))
    arn = "arn:aws:dynamodb:eu-west-1:{}:table/orders"

    client.get_item(TableName=arn.format("111122223333"), Key=KEY)
    with pytest.raises(PolicyDenied):
        client.get_item(TableName=arn.format("444455556666"), Key=KEY)
    assert len(wire.sent) == 1


@pytest.mark.parametrize("endpoint_url", ["http://localhost:8000", "https://elsewhere.example"])
def test_an_endpoint_of_ones_own_changes_no_decision(
    wire: Any, policy: Any, endpoint_url: str
) -> None:
    """Nor whether it is encrypted, but what `aws:SecureTransport` says."""
    client = botocore.session.Session().create_client("dynamodb", endpoint_url=endpoint_url)
    client._endpoint.http_session = wire
    plain = {
        "Sid": "NoPlainText",
        "Effect": "Deny",
        "Action": "dynamodb:*",
        "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    anything = {"Sid": "All", "Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}
    dynaguard.install(policy(anything, plain))

    if endpoint_url.startswith("https"):
        client.get_item(TableName="orders", Key=KEY)
    else:
        with pytest.raises(PolicyDenied, match="NoPlainText"):
            client.get_item(TableName="orders", Key=KEY)
    assert len(wire.sent) == endpoint_url.startswith("https")


class _TwoFaced(dict[str, Any]):
    """Parameters that name another table each time they are read."""

    def __init__(self, *names: str) -> None:
        super().__init__(TableName=names[0], Key=KEY)
        self._names = list(names)

    def get(self, key: str, default: Any = None) -> Any:
        if key == "TableName" and len(self._names) > 1:
            return self._names.pop(0)
        return super().get(key, default)


def test_parameters_that_lie_are_not_believed_twice(client: Any, wire: Any, policy: Any) -> None:
    """What is sent was serialised before the decision, and botocore copies what it is given."""
    dynaguard.install(policy())

    with pytest.raises(PolicyDenied):
        client.get_item(**_TwoFaced("secrets", "orders", "orders"))
    assert wire.sent == []


def test_refusals_can_be_handed_on(client: Any, policy: Any) -> None:
    """Copied, pickled, raised again: the decision comes along."""
    dynaguard.install(policy())
    with pytest.raises(PolicyDenied) as caught:
        client.scan(TableName="orders")

    for other in (copy.copy(caught.value), pickle.loads(pickle.dumps(caught.value))):
        assert other.decision == caught.value.decision
        assert str(other) == str(caught.value)
