"""What tests of loading share: texts of documents, a folder to write them to, problems."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dynaguard.errors import PolicySyntaxError
from dynaguard.policy.loading import load_policy

HEAD = 'version = 1\ndefault = "deny"\n'
DESIGN_EXAMPLE = """\
version  = 1
default  = "deny"
govern   = ["dynamodb", "ssm"]
policies = ["iam/*.json"]

[variables]
stage = { env = "STAGE", default = "dev" }

[groups]
batch-processors = ["arn:aws:iam::*:role/etl-*", "arn:aws:lambda:*:*:function:nightly-*"]

[tables.orders]
key = ["customer_id", "order_id"]
indexes.by_status = ["status", "created_at"]

[[statement]]
Sid       = "EtlReadsOrders"
Effect    = "Allow"
Principal = { Group = "batch-processors" }
Action    = ["dynamodb:Query", "dynamodb:GetItem"]
Resource  = "arn:aws:dynamodb:*:*:table/${stage}-orders*"
Condition = { StringEquals = { "aws:RequestedRegion" = "eu-west-1" }, \
"ForAllValues:StringEquals" = { "dynamodb:Attributes" = ["customer_id", "order_id", "total"] } }

[[mask]]
tables     = ["*-customers"]
attributes = ["email", "profile.ssn", "cards[*].number"]
with       = "partial"
unless     = { Group = "support-leads" }

[[budget]]
job = "nightly-*"
tables = ["*-orders"]
retry_ratio = 0.1
"""
IAM = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::data-${stage}/*",
    },
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a document and gives its path."""

    def put(text: str | bytes, name: str = "policy.toml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return put


def problems_of(source: Any, **environ: str) -> list[Any]:
    """The problems of a document that must have some."""
    with pytest.raises(PolicySyntaxError) as caught:
        load_policy(source, environ=environ)
    return list(caught.value.problems)
