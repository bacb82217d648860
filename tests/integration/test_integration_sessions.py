"""Sessions of tasks against a server that holds calls to IAM and session policies by itself."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import dynaguard
from dynaguard import PolicyDenied, SessionError
from tests.servers import Ministack

REGION = "eu-west-1"
KEY = {"customer_id": {"S": "C-00001"}, "order_id": {"S": "O-000001"}}
EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "on_call"
ROOT = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
READING = {
    "actions": ["dynamodb:GetItem"],
    "resources": [f"arn:aws:dynamodb:{REGION}:*:table/orders"],
}


@dataclass(frozen=True)
class Account:
    """An account with a table, a role and people.

    Attributes:
        url: Of the server.
        role: ARN of the role that tasks assume.
        caller: Session of who may assume it, and nothing else.
    """

    url: str
    role: str
    caller: boto3.Session

    def client(self, service: str, **keys: str) -> Any:
        """A client of root, or of other keys; guarded if dynaguard is installed."""
        return boto3.client(service, region_name=REGION, **(keys or ROOT))

    def user(self, name: str, *statements: dict[str, Any]) -> dict[str, str]:
        """Makes a user with these permissions; gives a key."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        _put_policy(iam.put_user_policy, {"UserName": name}, *statements)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
        }


def _put_policy(put: Callable[..., Any], whose: dict[str, str], *statements: Any) -> None:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    put(**whose, PolicyName="own", PolicyDocument=json.dumps(document))


def _allow(action: str | list[str], resource: str = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


@pytest.fixture
def account(
    strict_ministack: Ministack, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Account:
    """A wide role, whom nobody but one caller may assume, who may do nothing else."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", strict_ministack.url)
    name = f"u{abs(hash(request.node.name)) % 10**9}"
    url = strict_ministack.url
    made = Account(url, "", boto3.Session())
    keys = made.user(f"caller-{name}", _allow("sts:*"))
    iam = made.client("iam")
    number = made.client("sts").get_caller_identity()["Account"]
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{number}:user/caller-{name}"},
                "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
            }
        ],
    }
    role = iam.create_role(
        RoleName=f"fixer-{name}",
        AssumeRolePolicyDocument=json.dumps(trust),
        MaxSessionDuration=43_200,
    )["Role"]["Arn"]
    _put_policy(iam.put_role_policy, {"RoleName": f"fixer-{name}"}, _allow("dynamodb:*"))
    _make_table(made.client("dynamodb"))
    return Account(url, role, boto3.Session(region_name=REGION, **keys))


def _make_table(client: Any) -> None:
    """The table with its one item, whatever tests before have left there."""
    names = ("customer_id", "order_id")
    with suppress(client.exceptions.ResourceInUseException):
        client.create_table(
            TableName="orders",
            KeySchema=[
                {"AttributeName": name, "KeyType": kind}
                for name, kind in zip(names, ("HASH", "RANGE"), strict=True)
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            BillingMode="PAY_PER_REQUEST",
        )
    for item in client.scan(TableName="orders")["Items"]:
        client.delete_item(TableName="orders", Key={name: item[name] for name in names})
    client.put_item(TableName="orders", Item=KEY)


def of_session(found: Any) -> Any:
    """A DynamoDB client with nothing but a session's keys: what code around the guard has."""
    return boto3.client(
        "dynamodb",
        region_name=REGION,
        aws_access_key_id=found.access_key_id,
        aws_secret_access_key=found.secret_access_key,
        aws_session_token=found.session_token,
    )


def test_the_server_itself_holds_a_session_to_its_task(account: Account) -> None:
    """Inside allowed, outside denied by the server, though the role may do everything there."""
    with dynaguard.task(name="fix", role=account.role, session=account.caller, **READING) as task:
        client = of_session(task.credentials())

        assert client.get_item(TableName="orders", Key=KEY)["Item"] == KEY
        for refused in (
            lambda: client.scan(TableName="orders"),
            lambda: client.put_item(TableName="orders", Item=KEY),
            lambda: client.get_item(TableName="customers", Key=KEY),
        ):
            with pytest.raises(ClientError) as caught:
                refused()
            assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
            assert not isinstance(caught.value, PolicyDenied)


def test_the_server_itself_ends_it_with_the_task(account: Account) -> None:
    """STS gives 900 seconds at least; the session policy refuses what comes after the end."""
    manager = dynaguard.task(
        name="fix", role=account.role, session=account.caller, duration_s=2, **READING
    )
    with manager as task:
        client = of_session(task.credentials())
        client.get_item(TableName="orders", Key=KEY)

    until = task.expires_at
    while datetime.now(UTC) < until:
        _ = until  # two seconds of the server's own clock are what is tested
    with pytest.raises(ClientError, match="explicit deny"):
        client.get_item(TableName="orders", Key=KEY)


@pytest.mark.parametrize("duration_s", [900, 901, 3600, 7200, 43_200])
def test_the_server_gives_the_duration_that_is_asked(account: Account, duration_s: int) -> None:
    """From 900 seconds, the example's, to the maximum."""
    manager = dynaguard.task(
        name="fix",
        role=account.role,
        session=account.caller,
        duration_s=duration_s,
        session_s=duration_s,
        **READING,
    )
    with manager as task:
        task.credentials()
        expires_at = task.botocore_session.get_credentials()._expiry_time

    left_s = (expires_at - datetime.now(UTC)).total_seconds()
    assert duration_s - 30 < left_s <= duration_s + 1


def test_the_session_is_named_for_the_task(account: Account) -> None:
    """What CloudTrail shows is the assumed role with the task's id."""
    with dynaguard.task(name="fix", role=account.role, session=account.caller) as task:
        found = task.client("sts").get_caller_identity()["Arn"]

    assert found.endswith(f"/{task.id}")


def test_a_role_that_does_not_trust_the_caller_is_told_in_clear(account: Account) -> None:
    """Which role, and what both policies have to allow."""
    keys = account.user("stranger-" + account.role[-9:], _allow("sts:*"))
    stranger = boto3.Session(region_name=REGION, **keys)

    with (
        dynaguard.task(name="fix", role=account.role, session=stranger) as task,
        pytest.raises(SessionError, match="trust policy") as caught,
    ):
        task.credentials()

    assert caught.value.code in ("AccessDenied", "AccessDeniedException")


def run_session(
    account: Account, *arguments: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """`dynaguard session` as the caller."""
    keys = account.caller.get_credentials().get_frozen_credentials()
    environ = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        **more,
    }
    return subprocess.run(
        [sys.executable, "-m", "dynaguard.cli", "session", "--role", account.role, *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


RUNBOOK = ("--runbook", str(EXAMPLE / "runbooks" / "throttled-orders.toml"))


def test_the_command_prints_variables_for_a_shell(account: Account) -> None:
    """`eval` puts a shell under the task: keys, region, and the boundary."""
    done = run_session(account, *RUNBOOK, "--incident", "INC-7")

    lines = dict(shlex.split(line)[1].split("=", 1) for line in done.stdout.splitlines() if line)
    assert done.returncode == 0, done.stderr
    assert lines["AWS_REGION"] == REGION
    assert lines["DYNAGUARD_CORRELATION_ID"] == "INC-7"
    scope = json.loads(lines["DYNAGUARD_SCOPE"])
    assert scope["boundaries"][0]["name"] == "throttled-orders"
    assert lines["AWS_SECRET_ACCESS_KEY"] not in done.stderr
    client = account.client(
        "dynamodb",
        aws_access_key_id=lines["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=lines["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=lines["AWS_SESSION_TOKEN"],
    )
    client.describe_table(TableName="orders")
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_table(TableName="orders")


def test_the_command_is_a_credential_process(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS's SDKs take a session by a profile, and hold what they get until it ends."""
    command = shlex.join(
        [
            *(sys.executable, "-m", "dynaguard.cli", "session", "--role", account.role),
            *(*RUNBOOK, "--format", "credential-process"),
        ]
    )
    config = tmp_path / "config"
    config.write_text(f"[profile task]\ncredential_process = {command}\nregion = {REGION}\n")
    keys = account.caller.get_credentials().get_frozen_credentials()
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_key)

    client = boto3.Session(profile_name="task").client("dynamodb")

    client.describe_table(TableName="orders")
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_table(TableName="orders")


PROGRAM = """
import boto3
from botocore.exceptions import ClientError
client = boto3.client("dynamodb")
print(client.describe_table(TableName="orders")["Table"]["TableName"])
try:
    client.delete_table(TableName="orders")
except ClientError as err:
    print(type(err).__name__, str(err).partition(": ")[2])
"""


def test_the_command_runs_another_under_the_task(account: Account) -> None:
    """The guard in the child enforces the same boundary, before the server is asked."""
    done = run_session(account, *RUNBOOK, "--", sys.executable, "-c", PROGRAM)

    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[0] == "orders"
    assert lines[1].startswith("PolicyDenied")
    assert "runbook `throttled-orders`" in lines[1]


def test_the_command_gives_the_exit_code_of_what_it_runs(account: Account) -> None:
    """And 127 where there is no such command."""
    ended = run_session(account, *RUNBOOK, "--", sys.executable, "-c", "raise SystemExit(7)")
    missing = run_session(account, *RUNBOOK, "--", "no-such-command")

    assert (ended.returncode, missing.returncode) == (7, 127)


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
    _put_policy(
        iam.put_user_policy,
        {"UserName": user.rpartition("/")[2]},
        _allow("sts:AssumeRole", account.role),
        _allow("ssm:GetParameter", "arn:aws:ssm:*:*:parameter/on-call/rota"),
        _allow("ssm:PutParameter", "arn:aws:ssm:*:*:parameter/on-call/sessions/*"),
        _allow("sns:Publish", topic),
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
    ada = account.user("ada", _allow("ssm:GetParameter", own))
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
