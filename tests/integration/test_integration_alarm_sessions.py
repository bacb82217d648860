"""An alarm gives the engineer on call a session, by the function of the examples."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import dynaguard
from tests.integration.account import REGION, Account, account, allowing, put_policy

__all__ = ["account"]  # the fixture


EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "on_call"


@pytest.fixture
def lambda_function(account: Account, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example's module, with the environment of its function."""
    spec = importlib.util.spec_from_file_location("on_call_handler", EXAMPLE / "handler.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    topic = account.client("sns").create_topic(Name="on-call")["TopicArn"]
    iam, keys = account.client("iam"), account.caller.get_credentials()
    user = boto3.client("sts", region_name=REGION, **_keys_of(keys)).get_caller_identity()["Arn"]
    put_policy(
        iam.put_user_policy,
        {"UserName": user.rpartition("/")[2]},
        allowing("sts:AssumeRole", account.role),
        allowing("ssm:GetParameter", "arn:aws:ssm:*:*:parameter/on-call/rota"),
        allowing("ssm:PutParameter", "arn:aws:ssm:*:*:parameter/on-call/sessions/*"),
        allowing("sns:Publish", topic),
    )
    account.client("ssm").put_parameter(
        Name="/on-call/rota", Value="ada", Type="String", Overwrite=True
    )
    for name, value in _keys_of(keys).items():
        monkeypatch.setenv(name.upper(), value)
    monkeypatch.setenv("ROLE_ARN", account.role)
    monkeypatch.setenv("TOPIC_ARN", topic)
    boto3.DEFAULT_SESSION = None
    return module


def _keys_of(credentials: Any) -> dict[str, str]:
    return {
        "aws_access_key_id": credentials.access_key,
        "aws_secret_access_key": credentials.secret_key,
    }


def alarm(id: str, state: str = "ALARM", name: str = "orders-throttled") -> dict[str, Any]:
    """EventBridge's event, as CloudWatch sends it."""
    return {
        "version": "0",
        "id": id,
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "region": REGION,
        "detail": {"alarmName": name, "state": {"value": state, "reason": "Threshold Crossed"}},
    }


def test_an_alarm_gives_the_engineer_on_call_a_session(
    account: Account, lambda_function: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the event to the engineer's calls: the runbook's allowed, others denied by the server.

    The message holds the link and how to take the session, and no secret.
    """
    messages: list[str] = []
    tell = lambda_function._tell
    monkeypatch.setattr(
        lambda_function, "_tell", lambda who, text: (messages.append(text), tell(who, text))
    )

    found = lambda_function.handler(alarm("e2e-1"))

    dynaguard.uninstall()
    assert found["outcome"] == "provided"
    own = "arn:aws:ssm:*:*:parameter/on-call/sessions/ada/*"
    ada = account.user("ada", allowing("ssm:GetParameter", own))
    name = "/on-call/sessions/ada/alarm-e2e-1"
    taken = account.client("ssm", **ada).get_parameter(Name=name, WithDecryption=True)
    session = json.loads(taken["Parameter"]["Value"])
    client = account.client(
        "dynamodb",
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    client.describe_table(TableName="orders")
    with pytest.raises(ClientError, match="AccessDenied"):
        client.scan(TableName="orders")
    with pytest.raises(ClientError, match="AccessDenied"):
        account.client("dynamodb", **ada).describe_table(TableName="orders")
    (text,) = messages
    assert "https://wiki.example.org/runbooks/throttled-orders" in text
    assert name in text
    assert f"CloudTrail names it {found['task']}" in text
    assert session["SecretAccessKey"] not in text
    assert session["SessionToken"] not in text
    assert session["SecretAccessKey"] not in json.dumps(found)


def test_an_event_that_is_delivered_twice_provides_once(
    account: Account, lambda_function: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EventBridge delivers at least once; one message is sent."""
    messages: list[str] = []
    monkeypatch.setattr(lambda_function, "_tell", lambda who, text: messages.append(text))

    outcomes = [lambda_function.handler(alarm("e2e-2"))["outcome"] for _ in range(2)]

    assert outcomes == ["provided", "provided before"]
    assert len(messages) == 1


@pytest.mark.parametrize(
    "event",
    [alarm("e2e-3", state="OK"), alarm("e2e-4", name="another"), {"id": "e2e-5"}],
    ids=["over", "another alarm", "no alarm"],
)
def test_other_events_provide_nothing(lambda_function: ModuleType, event: dict[str, Any]) -> None:
    """Neither a session nor a message."""
    assert lambda_function.handler(event) == {"outcome": "nothing to do"}
