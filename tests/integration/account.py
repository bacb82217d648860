"""An account with roles, a table and a server that holds calls to IAM: for tests of sessions."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from tests.servers import Ministack

REGION = "eu-west-1"
KEY = {"customer_id": {"S": "C-00001"}, "order_id": {"S": "O-000001"}}
ROOT = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


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
        put_policy(iam.put_user_policy, {"UserName": name}, *statements)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
        }


def put_policy(put: Callable[..., Any], whose: dict[str, str], *statements: Any) -> None:
    """Gives a user or a role a policy of its own."""
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    put(**whose, PolicyName="own", PolicyDocument=json.dumps(document))


def allowing(action: str | list[str], resource: str = "*") -> dict[str, Any]:
    """One Allow."""
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
    keys = made.user(f"caller-{name}", allowing("sts:*"))
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
    put_policy(iam.put_role_policy, {"RoleName": f"fixer-{name}"}, allowing("dynamodb:*"))
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
