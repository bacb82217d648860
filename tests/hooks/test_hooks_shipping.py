"""Batches of records arrive in S3 and Firehose, by calls that are not guarded."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from moto import mock_aws

import dynaguard
from dynaguard.audit.reading import read_lines
from dynaguard.audit.verifying import verify
from dynaguard.hooks.shipping import ship_to

LINES = [b'{"n":1}\n', b'{"n":2}\n']
REGION = "eu-west-1"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An AWS account in this process."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    with mock_aws():
        yield


def make_client(service: str) -> Any:
    """A client of the test's own."""
    return botocore.session.Session().create_client(service, region_name=REGION)


@pytest.fixture
def s3(aws: None) -> Any:
    """S3, with a bucket."""
    client = make_client("s3")
    client.create_bucket(
        Bucket="audit-logs", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    return client


def objects(s3: Any) -> dict[str, bytes]:
    """What is in the bucket, by key in order."""
    listed = s3.list_objects_v2(Bucket="audit-logs").get("Contents", [])
    return {
        each["Key"]: s3.get_object(Bucket="audit-logs", Key=each["Key"])["Body"].read()
        for each in listed
    }


def test_a_batch_is_a_packed_object_of_its_day(s3: Any) -> None:
    """In the layout that query engines partition by; sorted keys are in order of time."""
    ship = ship_to("s3://audit-logs/team/orders/")
    ship(LINES)
    ship(LINES[:1])

    found = objects(s3)
    assert [gzip.decompress(body) for body in found.values()] == [b"".join(LINES), LINES[0]]
    assert all(key.startswith("team/orders/date=20") for key in found)
    assert all(key.endswith(".jsonl.gz") for key in found)


def test_records_of_guarded_calls_arrive_and_verify(s3: Any, tmp_path: Path) -> None:
    """The calls that send them are not on record themselves."""
    policy = {"version": 1, "default": "deny", "govern": ["s3", "sqs"]}
    with dynaguard.install(policy, audit="s3://audit-logs"):
        for _ in range(3):
            with pytest.raises(dynaguard.PolicyDenied):
                make_client("sqs").list_queues()

    paths = []
    for number, body in enumerate(objects(s3).values()):
        paths.append(tmp_path / f"{number}.jsonl.gz")
        paths[-1].write_bytes(body)
    found = verify(map(read_lines, paths))
    assert (found.faults, found.record_count) == ([], 3)


def test_firehose_gets_whole_lines(aws: None, s3: Any) -> None:
    """In a real stream, which moto writes to a bucket."""
    client = make_client("firehose")
    client.create_delivery_stream(
        DeliveryStreamName="audit",
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::123456789012:role/firehose",
            "BucketARN": "arn:aws:s3:::audit-logs",
        },
    )

    ship_to("firehose://audit")(LINES)

    (body,) = objects(s3).values()
    assert [json.loads(line) for line in body.splitlines()] == [{"n": 1}, {"n": 2}]


def test_the_client_is_made_once_per_process(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forked child makes its own."""
    sender: Any = ship_to("s3://audit-logs")
    first = sender.client()

    assert sender.client() is first
    monkeypatch.setattr("dynaguard.hooks.shipping.os.getpid", lambda: -1)
    assert sender.client() is not first
