"""Services with a module of their own: the IAM action and the ARN that a call needs."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.aws.analysis import authorizations, service_prefix
from dynaguard.call import NO_CREDENTIALS, UNKNOWN_CHAR, UNKNOWN_RUN, Call
from dynaguard.scope import EMPTY_SCOPE

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
SECRET = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:db-{UNKNOWN_CHAR * 6}"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/k1"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:t"
QUEUE_URL = f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/jobs"
QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:jobs"
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f"
PARAMETER = f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/"


def needs(service: str, operation: str, params: dict[str, Any]) -> list[tuple[str, str]]:
    """Action and resource of everything that a call needs."""
    call = Call(
        service=service,
        operation=operation,
        params=params,
        region="eu-west-1",
        partition="aws",
        endpoint_url=None,
        credentials=NO_CREDENTIALS,
        scope=EMPTY_SCOPE,
        correlation_id="c",
        service_prefix=service_prefix(service),
    )
    return [(need.action, need.resource) for need in authorizations(call, ACCOUNT)]


CASES: list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = [
    ("ssm", "GetParameter", {"Name": "/a/b:3"}, [("ssm:GetParameter", f"{PARAMETER}a/b")]),
    (
        "ssm",
        "GetParameters",
        {"Names": ["a", "b"]},
        [("ssm:GetParameters", f"{PARAMETER}a"), ("ssm:GetParameters", f"{PARAMETER}b")],
    ),
    ("ssm", "GetParametersByPath", {"Path": "/a"}, [("ssm:GetParametersByPath", f"{PARAMETER}a")]),
    ("ssm", "GetParameter", {"Name": f"{PARAMETER}a"}, [("ssm:GetParameter", f"{PARAMETER}a")]),
    ("ssm", "DescribeParameters", {}, [("ssm:DescribeParameters", "*")]),
    (
        "secretsmanager",
        "GetSecretValue",
        {"SecretId": "db"},
        [("secretsmanager:GetSecretValue", SECRET)],
    ),
    (
        "secretsmanager",
        "BatchGetSecretValue",
        {"SecretIdList": ["db"]},
        [("secretsmanager:BatchGetSecretValue", "*"), ("secretsmanager:GetSecretValue", SECRET)],
    ),
    ("secretsmanager", "ListSecrets", {}, [("secretsmanager:ListSecrets", "*")]),
    (
        "secretsmanager",
        "CreateSecret",
        {"Name": "db", "Tags": [{"Key": "a", "Value": "b"}]},
        [("secretsmanager:CreateSecret", SECRET), ("secretsmanager:TagResource", SECRET)],
    ),
    ("sts", "GetCallerIdentity", {}, []),
    (
        "sts",
        "AssumeRole",
        {"RoleArn": ROLE, "Tags": [{}], "SourceIdentity": "x"},
        [("sts:AssumeRole", ROLE), ("sts:TagSession", ROLE), ("sts:SetSourceIdentity", ROLE)],
    ),
    ("kms", "Decrypt", {"KeyId": "k1"}, [("kms:Decrypt", KEY)]),
    ("kms", "Decrypt", {"KeyId": KEY}, [("kms:Decrypt", KEY)]),
    ("kms", "Decrypt", {}, [("kms:Decrypt", UNKNOWN_RUN)]),
    ("kms", "Encrypt", {"KeyId": "alias/a"}, [("kms:Encrypt", UNKNOWN_RUN)]),
    (
        "kms",
        "ReEncrypt",
        {"DestinationKeyId": "k1"},
        [("kms:ReEncryptFrom", UNKNOWN_RUN), ("kms:ReEncryptTo", KEY)],
    ),
    ("kms", "ListKeys", {}, [("kms:ListKeys", "*")]),
    ("kms", "ReplicateKey", {"KeyId": "k1"}, [("kms:ReplicateKey", KEY), ("kms:CreateKey", "*")]),
    ("sqs", "SendMessageBatch", {"QueueUrl": QUEUE_URL}, [("sqs:SendMessage", QUEUE)]),
    ("sqs", "GetQueueUrl", {"QueueName": "jobs"}, [("sqs:GetQueueUrl", QUEUE)]),
    ("sqs", "ListQueues", {}, [("sqs:ListQueues", "*")]),
    ("sns", "PublishBatch", {"TopicArn": TOPIC}, [("sns:Publish", TOPIC)]),
    ("sns", "Publish", {"PhoneNumber": "+1"}, [("sns:Publish", "*")]),
    ("sns", "CreateTopic", {"Name": "t"}, [("sns:CreateTopic", TOPIC)]),
    ("lambda", "Invoke", {"FunctionName": "f"}, [("lambda:InvokeFunction", FUNCTION)]),
    (
        "lambda",
        "Invoke",
        {"FunctionName": f"{ACCOUNT}:function:f", "Qualifier": "live"},
        [("lambda:InvokeFunction", f"{FUNCTION}:live")],
    ),
    (
        "lambda",
        "CreateFunction",
        {"FunctionName": "f", "Role": ROLE},
        [("lambda:CreateFunction", FUNCTION), ("iam:PassRole", ROLE)],
    ),
    ("lambda", "ListFunctions", {}, [("lambda:ListFunctions", "*")]),
    ("s3", "ListBuckets", {}, [("s3:ListAllMyBuckets", "*")]),
    ("s3", "HeadObject", {"Bucket": "b", "Key": "k"}, [("s3:GetObject", "arn:aws:s3:::b/k")]),
    (
        "s3",
        "GetObjectTagging",
        {"Bucket": "b", "Key": "k", "VersionId": "1"},
        [("s3:GetObjectVersionTagging", "arn:aws:s3:::b/k")],
    ),
    ("s3", "ListObjectsV2", {"Bucket": "b"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
    (
        "s3",
        "PutObject",
        {"Bucket": "b", "Key": "k", "ACL": "private", "Tagging": "a=b"},
        [
            ("s3:PutObject", "arn:aws:s3:::b/k"),
            ("s3:PutObjectAcl", "arn:aws:s3:::b/k"),
            ("s3:PutObjectTagging", "arn:aws:s3:::b/k"),
        ],
    ),
    (
        "s3",
        "DeleteObjects",
        {"Bucket": "b", "Delete": {"Objects": [{"Key": "x"}, {"Key": "y", "VersionId": "1"}]}},
        [
            ("s3:DeleteObject", "arn:aws:s3:::b/x"),
            ("s3:DeleteObjectVersion", "arn:aws:s3:::b/y"),
        ],
    ),
    (
        "s3",
        "CopyObject",
        {"Bucket": "b", "Key": "k", "CopySource": "/a/x%20y", "TaggingDirective": "REPLACE"},
        [("s3:GetObject", "arn:aws:s3:::a/x y"), ("s3:PutObject", "arn:aws:s3:::b/k")],
    ),
    (
        "s3",
        "CopyObject",
        {"Bucket": "b", "Key": "k", "CopySource": {"Bucket": "a", "Key": "x", "VersionId": "1"}},
        [
            ("s3:GetObjectVersion", "arn:aws:s3:::a/x"),
            ("s3:PutObject", "arn:aws:s3:::b/k"),
            ("s3:GetObjectVersionTagging", "arn:aws:s3:::a/x"),
            ("s3:PutObjectTagging", "arn:aws:s3:::b/k"),
        ],
    ),
]


@pytest.mark.parametrize(
    ("service", "operation", "params", "expected"),
    CASES,
    ids=[f"{service}-{operation}-{at}" for at, (service, operation, *_) in enumerate(CASES)],
)
def test_a_call_needs_what_iam_asks_for(
    service: str, operation: str, params: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """Source: Service Authorization Reference."""
    assert needs(service, operation, params) == expected
