"""From a refusal to the access that was asked for: a program, a person, the time between them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest

from tests import servers
from tests.access.approving import ACCOUNT, ETL_ARN, POLICY

ANN = f"arn:aws:sts::{ACCOUNT}:assumed-role/Leads/ann"
TABLE = "orders-of-the-day"
PROGRAM = f"""
import boto3, dynaguard
dynaguard.install()
client = boto3.client("dynamodb")
def look():
    return client.get_item(TableName="{TABLE}", Key={{"pk": {{"S": "1"}}}})["Item"]
try:
    look()
except dynaguard.PolicyDenied as refused:
    asked = refused.as_dict()["how_to_ask"]
assert asked["can_be_granted"]
approval = dynaguard.request_access(asked["statements"], reason="INC-4711", duration_s=600)
print(approval.id, flush=True)
assert approval.wait(60) == "approved"
print(look()["pk"]["S"])
try:
    client.delete_item(TableName="{TABLE}", Key={{"pk": {{"S": "1"}}}})
except dynaguard.PolicyDenied:
    print("DeleteItem was refused")
"""


@pytest.fixture
def environ(moto_server: servers.Server, tmp_path: Path) -> dict[str, str]:
    """Policy, store and endpoint of everybody; a table with one item."""
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps(POLICY), encoding="utf-8")
    client = boto3.client("dynamodb", endpoint_url=moto_server.url, region_name="eu-west-1")
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.put_item(TableName=TABLE, Item={"pk": {"S": "1"}})
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "AWS_ENDPOINT_URL": moto_server.url,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "DYNAGUARD_POLICY": str(policy),
        "DYNAGUARD_ACCESS_STORE": str(tmp_path / "access.sqlite"),
        "DYNAGUARD_ACCOUNT_ID": ACCOUNT,
    }


def approvals(environ: dict[str, str], *arguments: str) -> str:
    """`dynaguard approvals` as somebody else, in a process of its own."""
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    theirs = {name: value for name, value in environ.items() if name not in keys}
    done = subprocess.run(
        [sys.executable, "-m", "dynaguard.cli", "approvals", *arguments],
        env={**theirs, "DYNAGUARD_IDENTITY": ANN},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def test_a_refusal_becomes_access_within_a_minute(environ: dict[str, str]) -> None:
    """Refused, asked, listed, approved, used: every part but the person's own thinking."""
    began_s = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        env={**environ, "DYNAGUARD_IDENTITY": ETL_ARN},
        stdout=subprocess.PIPE,
        text=True,
    ) as asking:
        assert asking.stdout is not None
        ticket = asking.stdout.readline().strip()
        listed = approvals(environ, "list")
        approvals(environ, "approve", ticket, "--reason", "for the incident")
        rest = asking.stdout.read()
    elapsed_s = time.monotonic() - began_s

    assert ticket in listed
    assert rest.splitlines() == ["1", "DeleteItem was refused"]
    assert asking.returncode == 0
    assert elapsed_s < 60.0
    print(f"\nfrom the refusal to the use of the access: {elapsed_s:.1f} s")  # noqa: T201
