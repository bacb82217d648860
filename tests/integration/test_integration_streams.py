"""A write is found again in the table's stream, and by its task in the audit."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner

import dynaguard
from dynaguard.cli.commands import cli
from tests.servers import Ministack

REGION = "eu-west-1"
STATEMENT = {
    "Effect": "Allow",
    "Action": "dynamodb:PutItem",
    "Resource": "arn:aws:dynamodb:*:*:table/*",
}


@pytest.fixture
def table(ministack: Ministack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A table with a stream, guarded and recorded."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack.url)
    name = f"streamed-{time.time_ns()}"
    boto3.client("dynamodb", region_name=REGION).create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    policy = {"version": 1, "default": "allow"}
    with dynaguard.install(policy, audit=tmp_path / "audit.jsonl", identity="etl"):
        yield name


def streamed(table: str) -> str:
    """What the AWS CLI prints for the whole stream."""
    client = boto3.client("dynamodbstreams", region_name=REGION)
    arn = client.list_streams(TableName=table)["Streams"][0]["StreamArn"]
    shard = client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = client.get_shard_iterator(
        StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = client.get_records(ShardIterator=iterator)["Records"]
    return json.dumps({"Records": records}, default=str)


def rows(*arguments: str) -> list[dict[str, Any]]:
    """What the command finds."""
    options = ("--audit", "audit.jsonl", "--task-attribute", "last_task", "--output", "json")
    done = CliRunner().invoke(cli, ["audit", "streams", "stream.json", *options, *arguments])
    assert "hush" not in done.output
    assert "C-00017" not in done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)["writes"]
    return found


def test_a_write_of_a_task_is_joined_with_who_made_it(table: str) -> None:
    """Another's write, which names no task, stays without; of items nothing else is told."""
    client = boto3.client("dynamodb", region_name=REGION)
    with dynaguard.task(name="fix orders", statements=[STATEMENT], duration_s=60) as task:
        item = {"pk": {"S": "C-00017"}, "last_task": {"S": task.id}, "note": {"S": "hush"}}
        client.put_item(TableName=table, Item=item)
    client.put_item(TableName=table, Item={"pk": {"S": "C-00018"}})
    Path("stream.json").write_text(streamed(table))

    (of_task,) = rows("--task", task.id)
    of_all = rows()

    assert (of_task["change"], of_task["task"], of_task["who"]) == ("INSERT", task.id, ["etl"])
    assert [each["is_known"] for each in of_all] == [True, False]
