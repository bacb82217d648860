"""Secrets of other services are masked in answers and messages, for whom the policy says."""

from __future__ import annotations

import base64
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

import dynaguard
from dynaguard.masking.strategies import REDACTED

SECRETS = {"services": ["*"], "except": ["kms"], "only": {"Group": "agents"}}


@pytest.fixture
def guarded(policy: Any) -> dict[str, Any]:
    """A policy that governs DynamoDB alone and hides the secrets of others from agents."""
    found: dict[str, Any] = policy(mask=[SECRETS])
    return found


def as_agent() -> Any:
    """The scope of an agent."""
    return dynaguard.acting_as("helper", groups=("agents",))


@pytest.mark.smoke
def test_parameters_and_secrets_are_masked(make_client: Any, wire: Any, guarded: Any) -> None:
    """Strings stay strings, everything that is not marked stays as it is."""
    ssm, secrets = make_client("ssm"), make_client("secretsmanager")
    dynaguard.install(guarded)
    wire.answer({"Parameters": [{"Name": "/db", "Type": "SecureString", "Value": "CANARY"}]})
    with as_agent():
        parameters = ssm.get_parameters(Names=["/db"], WithDecryption=True)["Parameters"]
    wire.answers.clear()
    wire.answer({"Name": "db", "SecretString": "CANARY", "SecretBinary": "Q0FOQVJZ"})
    with as_agent():
        secret = secrets.get_secret_value(SecretId="db")

    assert parameters == [{"Name": "/db", "Type": "SecureString", "Value": REDACTED}]
    assert secret["Name"] == "db"
    assert secret["SecretString"] == REDACTED
    assert secret["SecretBinary"] == REDACTED.encode()


def test_others_see_what_aws_sent(make_client: Any, wire: Any, guarded: Any) -> None:
    """Only the identities that the policy names, and not the services that it leaves out."""
    ssm, kms = make_client("ssm"), make_client("kms")
    dynaguard.install(guarded, identity="arn:aws:iam::111122223333:user/ops")
    wire.answer({"Parameter": {"Name": "/db", "Value": "plain"}})
    assert ssm.get_parameter(Name="/db")["Parameter"]["Value"] == "plain"
    wire.answers.clear()
    wire.answer({"KeyId": "k", "Plaintext": base64.b64encode(b"plain").decode()})

    with as_agent():
        assert kms.decrypt(CiphertextBlob=b"x")["Plaintext"] == b"plain"


def test_who_is_not_known_is_masked(make_client: Any, wire: Any, guarded: Any) -> None:
    """An identity of which not every name is known may be one that the policy means."""
    ssm = make_client("ssm")
    wire.answer({"Parameter": {"Name": "/db", "Value": "CANARY"}})
    dynaguard.install(guarded)

    assert ssm.get_parameter(Name="/db")["Parameter"]["Value"] == REDACTED


STS = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>CANARYKEY</SecretAccessKey>
<SessionToken>CANARYTOKEN</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
<AssumedRoleUser><AssumedRoleId>A:b</AssumedRoleId>
<Arn>arn:aws:sts::111122223333:assumed-role/r/s</Arn></AssumedRoleUser>
</AssumeRoleResult></AssumeRoleResponse>"""


def test_credentials_that_code_asks_for_are_masked(
    make_client: Any, wire: Any, guarded: Any
) -> None:
    """The secret key and the session token, which AWS's model does not mark."""
    sts = make_client("sts")
    wire.answer(STS)
    dynaguard.install(guarded)

    with as_agent():
        found = sts.assume_role(
            RoleArn="arn:aws:iam::111122223333:role/r", RoleSessionName="session"
        )

    credentials = found["Credentials"]
    assert credentials["AccessKeyId"] == "ASIAEXAMPLE"
    assert credentials["SecretAccessKey"] == credentials["SessionToken"] == REDACTED
    assert credentials["Expiration"].year == 2099


@pytest.mark.parametrize("is_direct", [True, False])
def test_botocore_s_own_credential_providers_are_never_masked(
    make_client: Any, wire: Any, guarded: Any, is_direct: bool
) -> None:
    """Whether they fetch inside of a call or by `get_frozen_credentials()`."""
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

    def make_sts(*_: Any, **__: Any) -> Any:
        return make_client("sts")

    source = botocore.session.Session().get_credentials()
    fetcher = AssumeRoleCredentialFetcher(make_sts, source, "arn:aws:iam::111122223333:role/r")
    credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    client = make_client("ssm")
    client._request_signer._credentials = credentials
    wire.answer(STS)
    wire.answer({"Parameter": {"Value": "CANARY"}})
    dynaguard.install(guarded)

    with as_agent():
        if is_direct:
            frozen = credentials.get_frozen_credentials()
            assert frozen.secret_key == "CANARYKEY"
            assert frozen.token == "CANARYTOKEN"
        value = client.get_parameter(Name="/db")["Parameter"]["Value"]

    assert value == REDACTED
    assert credentials.get_frozen_credentials().token == "CANARYTOKEN"


def test_messages_do_not_repeat_secrets(make_client: Any, wire: Any, guarded: Any) -> None:
    """Neither what the request holds nor what looks like a secret (S4.28)."""
    ssm = make_client("ssm")
    wire.answer(
        {
            "__type": "ValidationException",
            "message": "Value 'CANARY' is not valid, db at ops:hunter2@db.example.org, "
            "key AKIAIOSFODNN7EXAMPLE",
        },
        400,
    )
    dynaguard.install(guarded)

    with as_agent(), pytest.raises(ClientError) as caught:
        ssm.put_parameter(Name="/db", Value="CANARY", Type="SecureString")

    shown = f"{caught.value} {caught.value.response}"
    assert "is not valid" in shown
    for hidden in ("CANARY", "hunter2", "AKIAIOSFODNN7EXAMPLE"):
        assert hidden not in shown


def test_a_masked_secret_is_not_written_back(make_client: Any, wire: Any, guarded: Any) -> None:
    """Copying a parameter would store the mask; the refusal names the parameter."""
    ssm = make_client("ssm")
    wire.answer({"Parameter": {"Value": "CANARY"}})
    dynaguard.install(guarded)
    with as_agent():
        value = ssm.get_parameter(Name="/db")["Parameter"]["Value"]

        with pytest.raises(dynaguard.MaskedWriteRefused, match="parameter `Value`"):
            ssm.put_parameter(Name="/copy", Value=value, Type="String")

    assert len(wire.sent) == 1


def test_masked_text_may_go_elsewhere(make_client: Any, wire: Any, guarded: Any) -> None:
    """A report of masked values in a message is no write-back."""
    sqs = make_client("sqs")
    dynaguard.install(guarded)

    with as_agent():
        sqs.send_message(QueueUrl="https://sqs/q", MessageBody=f"seen: {REDACTED}")

    assert len(wire.sent) == 1


def test_masks_of_secrets_are_counted_by_member(
    make_client: Any, wire: Any, guarded: Any, tmp_path: Any
) -> None:
    """In the audit record, without the value."""
    from dynaguard.audit.log import read_records

    ssm = make_client("ssm")
    wire.answer(
        {"Parameters": [{"Name": "a", "Value": "CANARY"}, {"Name": "b", "Value": "CANARY"}]}
    )
    dynaguard.install(guarded, audit=tmp_path / "audit.jsonl")

    with as_agent():
        ssm.get_parameters(Names=["a", "b"])

    (record,) = read_records(tmp_path / "audit.jsonl")
    assert record["outcome"]["masked"] == [
        {
            "table": None,
            "attribute": "Parameters[].Value",
            "strategy": "redact",
            "detector": None,
            "count": 2,
        }
    ]
    assert "CANARY" not in (tmp_path / "audit.jsonl").read_text()


def test_messages_lose_the_secrets_of_lists_and_maps(
    make_client: Any, wire: Any, guarded: Any
) -> None:
    """Of the request, as deep as they stand."""
    client = make_client("lambda")
    wire.answer(
        {
            "Type": "User",
            "message": "bad CANARY1 for CANARY2",
            "Environment": {"Error": {"Message": "CANARY3"}},
        },
        400,
    )
    dynaguard.install(guarded)

    with as_agent(), pytest.raises(ClientError) as caught:
        client.update_function_configuration(
            FunctionName="f", Environment={"Variables": {"A": "CANARY1", "B": "CANARY2"}}
        )

    assert "CANARY" not in f"{caught.value} {caught.value.response['Error']}"
