"""What `install()` decides, and when: nothing refused is ever sent."""

from __future__ import annotations

import concurrent.futures
import pickle
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ParamValidationError, WaiterError
from botocore.stub import Stubber

import dynaguard
from dynaguard import PolicyDenied

KEY = {"pk": {"S": "1"}}


@pytest.mark.smoke
def test_allowed_call_is_sent(client: Any, wire: Any, policy: Any) -> None:
    """A call that a statement allows goes out and comes back unchanged."""
    wire.answer({"Item": {"pk": {"S": "1"}}})
    dynaguard.install(policy())

    answer = client.get_item(TableName="orders", Key=KEY)

    assert answer["Item"] == {"pk": {"S": "1"}}
    assert len(wire.sent) == 1


@pytest.mark.smoke
def test_denied_call_opens_no_socket(client: Any, wire: Any, policy: Any) -> None:
    """A call that nothing allows raises before anything is sent."""
    dynaguard.install(policy())

    with pytest.raises(PolicyDenied):
        client.scan(TableName="orders")

    assert wire.sent == []


def test_denial_is_a_client_error_with_complete_metadata(client: Any, policy: Any) -> None:
    """Code that catches `ClientError` and indexes its response keeps working."""
    dynaguard.install(policy())

    with pytest.raises(ClientError) as caught:
        client.delete_table(TableName="orders")

    response = caught.value.response
    assert response["Error"]["Code"] == "AccessDeniedException"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["ResponseMetadata"]["RetryAttempts"] == 0
    assert caught.value.operation_name == "DeleteTable"


def test_denial_names_statement_identity_resource_and_the_way_out(
    client: Any, policy: Any
) -> None:
    """The message is enough to mend the policy."""
    no_scans = {
        "Sid": "NoScans",
        "Effect": "Deny",
        "Action": "dynamodb:Scan",
        "Resource": "*",
    }
    dynaguard.install(policy(no_scans), identity="etl-nightly")

    with pytest.raises(PolicyDenied) as caught:
        client.scan(TableName="orders")

    denial = caught.value
    assert denial.statement is not None
    assert denial.statement.sid == "NoScans"
    assert denial.operation == "Scan"
    assert denial.identity == "etl-nightly"
    assert denial.resource is not None
    assert denial.resource.endswith("table/orders")
    for part in ("dynamodb:Scan", "NoScans", "etl-nightly", "table/orders"):
        assert part in str(denial)
    assert denial.how_to_allow


def test_denial_pickles_with_its_decision(client: Any, policy: Any) -> None:
    """Process pools hand denials on whole."""
    dynaguard.install(policy())

    with pytest.raises(PolicyDenied) as caught:
        client.scan(TableName="orders")
    copy = pickle.loads(pickle.dumps(caught.value))

    assert type(copy) is PolicyDenied
    assert copy.decision == caught.value.decision
    assert str(copy) == str(caught.value)


def test_item_values_are_not_in_the_denial(client: Any, policy: Any) -> None:
    """A refusal carries names, never values."""
    dynaguard.install(policy())

    with pytest.raises(PolicyDenied) as caught:
        client.update_item(
            TableName="orders",
            Key={"pk": {"S": "CANARY-KEY"}},
            UpdateExpression="SET a = :v",
            ExpressionAttributeValues={":v": {"S": "CANARY-VALUE"}},
        )

    shown = str(caught.value) + repr(caught.value) + repr(caught.value.decision)
    assert "CANARY" not in shown


def test_covers_clients_made_after_install(
    make_client: Callable[..., Any], wire: Any, policy: Any
) -> None:
    """A new client is guarded from its first call."""
    dynaguard.install(policy())
    client = make_client()

    with pytest.raises(PolicyDenied):
        client.scan(TableName="orders")


def test_covers_bound_methods_kept_from_before(client: Any, policy: Any) -> None:
    """A method that was looked up before `install()` is guarded too."""
    scan = client.scan
    dynaguard.install(policy())

    with pytest.raises(PolicyDenied):
        scan(TableName="orders")


def test_covers_paginators(client: Any, wire: Any, policy: Any) -> None:
    """Each page is a call; the paginator was made before `install()`."""
    paginator = client.get_paginator("scan")
    dynaguard.install(policy())

    with pytest.raises(PolicyDenied):
        list(paginator.paginate(TableName="orders"))
    assert wire.sent == []


def test_covers_waiters(client: Any, wire: Any, policy: Any) -> None:
    """A waiter's polling is a call."""
    waiter = client.get_waiter("table_exists")
    dynaguard.install(policy())

    with pytest.raises(WaiterError, match="was refused"):
        waiter.wait(TableName="orders", WaiterConfig={"Delay": 0, "MaxAttempts": 1})
    assert wire.sent == []


@pytest.mark.parametrize("made", ["before", "after"])
def test_covers_resources_and_tables(wire: Any, policy: Any, made: str) -> None:
    """A `Table` object, made before or after, is guarded with what it finally sends."""

    def table() -> Any:
        resource = boto3.resource("dynamodb", region_name="eu-west-1")
        resource.meta.client._endpoint.http_session = wire
        return resource.Table("orders")

    orders = table() if made == "before" else None
    dynaguard.install(policy())
    orders = orders or table()
    wire.answer({"Item": {"pk": {"S": "1"}, "n": {"N": "5"}}})

    assert orders.get_item(Key={"pk": "1"})["Item"]["n"] == 5
    with pytest.raises(PolicyDenied):
        orders.delete()
    assert len(wire.sent) == 1


def test_covers_presigned_urls(client: Any, policy: Any) -> None:
    """A URL for a refused call is not made; one for an allowed call is, without a stamp."""
    dynaguard.install(policy())

    with pytest.raises(PolicyDenied):
        client.generate_presigned_url("scan", Params={"TableName": "orders"})
    url = client.generate_presigned_url("get_item", Params={"TableName": "orders", "Key": KEY})

    assert "dynaguard" not in url.lower()


def test_covers_every_thread(client: Any, policy: Any) -> None:
    """Calls of worker threads are decided like those of the main one."""
    dynaguard.install(policy())

    def scan(_: int) -> bool:
        with pytest.raises(PolicyDenied):
            client.scan(TableName="orders")
        return True

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(scan, range(16)))


def test_a_stubbed_client_is_guarded_too(client: Any, policy: Any) -> None:
    """botocore's Stubber answers at `before-call`; the decision comes before that."""
    dynaguard.install(policy())

    with Stubber(client) as stubber:
        stubber.add_response("scan", {"Items": []})
        with pytest.raises(PolicyDenied):
            client.scan(TableName="orders")


def test_invalid_parameters_stay_botocores_own_error(client: Any, policy: Any) -> None:
    """What botocore refuses itself is not turned into a denial."""
    dynaguard.install(policy())

    with pytest.raises(ParamValidationError):
        client.get_item(TableName="orders")


def test_another_region_is_refused(
    make_client: Callable[..., Any], wire: Any, policy: Any
) -> None:
    """A required region holds by the client's region."""
    statement = {
        "Sid": "Home",
        "Effect": "Allow",
        "Action": "dynamodb:GetItem",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}},
    }
    dynaguard.install(policy(statement))

    make_client(region="eu-west-1").get_item(TableName="orders", Key=KEY)
    with pytest.raises(PolicyDenied):
        make_client(region="us-east-1").get_item(TableName="orders", Key=KEY)

    assert len(wire.sent) == 1


def test_an_arn_as_table_name_is_judged_by_its_own_region_and_account(
    client: Any, wire: Any, policy: Any
) -> None:
    """The resource is the ARN that was passed, not one rebuilt from the client."""
    statement = {
        "Sid": "OneAccount",
        "Effect": "Allow",
        "Action": "dynamodb:GetItem",
        "Resource": "arn:aws:dynamodb:eu-west-1:111122223333:table/orders",
    }
    dynaguard.install(policy(statement), account_id="111122223333")

    client.get_item(TableName="orders", Key=KEY)
    with pytest.raises(PolicyDenied):
        client.get_item(TableName="arn:aws:dynamodb:eu-west-1:999999999999:table/orders", Key=KEY)


def test_staging_cannot_read_production(client: Any, policy: Any, monkeypatch: Any) -> None:
    """Table names carry the environment; the document's variable holds callers to theirs."""
    monkeypatch.setenv("STAGE", "staging")
    statement = {
        "Sid": "OwnStage",
        "Effect": "Allow",
        "Action": "dynamodb:*",
        "Resource": "arn:aws:dynamodb:*:*:table/${stage}-*",
    }
    document = policy(statement, variables={"stage": {"env": "STAGE", "default": "dev"}})
    dynaguard.install(document)

    client.get_item(TableName="staging-orders", Key=KEY)
    with pytest.raises(PolicyDenied):
        client.get_item(TableName="prod-orders", Key=KEY)


def test_observe_mode_lets_calls_through(client: Any, wire: Any, policy: Any) -> None:
    """In `observe` nothing is refused."""
    guard = dynaguard.install(policy(), mode="observe")

    client.scan(TableName="orders")

    assert len(wire.sent) == 1
    assert guard.counters.denials == 1


def test_off_patches_nothing(client: Any, wire: Any, policy: Any) -> None:
    """In mode `off` botocore is untouched."""
    before = type(client).__mro__[1].__dict__["_make_api_call"]

    dynaguard.install(policy(), mode="off")
    client.scan(TableName="orders")

    assert type(client).__mro__[1].__dict__["_make_api_call"] is before
    assert dynaguard.status().covers == "nothing"


def test_without_a_policy_nothing_is_denied(client: Any, wire: Any) -> None:
    """`install()` alone stamps, budgets and observes."""
    dynaguard.install()

    client.scan(TableName="orders")

    assert len(wire.sent) == 1


def test_other_services_pass_unless_governed(
    make_client: Callable[..., Any], wire: Any, policy: Any
) -> None:
    """`govern` lists the services under the policy."""
    dynaguard.install(policy())

    make_client("ssm").get_parameter(Name="/a/b")

    assert len(wire.sent) == 1


def test_other_services_are_decided_when_governed(
    make_client: Callable[..., Any], wire: Any, policy: Any
) -> None:
    """SSM and S3 go through the same pipeline; S3's denial has S3's code."""
    statement = {
        "Sid": "OneParameter",
        "Effect": "Allow",
        "Action": "ssm:GetParameter",
        "Resource": "arn:aws:ssm:*:*:parameter/app/*",
    }
    dynaguard.install(policy(statement, govern=["ssm", "s3"]))
    ssm = make_client("ssm")
    s3 = make_client("s3")

    ssm.get_parameter(Name="/app/x")
    with pytest.raises(PolicyDenied):
        ssm.get_parameter(Name="/other/x")
    with pytest.raises(ClientError) as caught:
        s3.delete_object(Bucket="prod-data", Key="k")

    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    assert len(wire.sent) == 1


def test_a_failing_guard_denies_by_default(client: Any, wire: Any, policy: Any) -> None:
    """A bug in a room refuses the call under its own class, and sends nothing."""
    guard = dynaguard.install(policy())

    class Broken:
        def resolve(self, *_: object) -> None:
            raise RuntimeError("CANARY")

    object.__setattr__(guard.rooms, "resolver", Broken())
    with pytest.raises(dynaguard.GuardFailure) as caught:
        client.get_item(TableName="orders", Key=KEY)

    assert wire.sent == []
    assert "CANARY" not in str(caught.value)
    assert guard.counters.failures == 1


def test_a_failing_guard_can_be_told_to_let_calls_through(
    client: Any, wire: Any, policy: Any
) -> None:
    """With `on_error="allow"` the call goes on, with a warning and a count."""
    guard = dynaguard.install(policy(), on_error="allow")

    class Broken:
        def resolve(self, *_: object) -> None:
            raise RuntimeError

    object.__setattr__(guard.rooms, "resolver", Broken())
    with pytest.warns(dynaguard.DynaguardWarning, match="lets it through"):
        client.get_item(TableName="orders", Key=KEY)

    assert len(wire.sent) == 1


def test_a_failing_guard_lets_no_call_of_a_task_through(
    client: Any, wire: Any, policy: Any
) -> None:
    """Whatever `on_error` says: what a boundary holds is held."""
    guard = dynaguard.install(policy(), on_error="allow")

    class Broken:
        def resolve(self, *_: object) -> None:
            raise RuntimeError

    object.__setattr__(guard.rooms, "resolver", Broken())
    with dynaguard.acting_as("helper", expires_in=60), pytest.raises(dynaguard.GuardFailure):
        client.get_item(TableName="orders", Key=KEY)

    assert wire.sent == []
