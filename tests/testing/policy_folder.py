"""What tests of cases share: a folder with a policy in it."""

from __future__ import annotations

from pathlib import Path

import pytest

POLICY = """
version = 1
default = "deny"
govern = ["dynamodb"]

[groups]
etl = ["arn:aws:iam::*:role/etl-*"]

[tables.orders]
key = ["pk", "sk"]

[[statement]]
Sid = "EtlReads"
Effect = "Allow"
Principal = { Group = "etl" }
Action = ["dynamodb:GetItem", "dynamodb:Query"]
Resource = "arn:aws:dynamodb:eu-west-1:*:table/orders"

[[statement]]
Sid = "OwnKeys"
Effect = "Allow"
Action = "dynamodb:BatchGetItem"
Resource = "*"
Condition = { "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = ["me", "aGk="] } }

[[statement]]
Sid = "Support"
Effect = "Allow"
Action = "dynamodb:UpdateItem"
Resource = "*"
Condition = { "ForAnyValue:StringEquals" = { "dynaguard:Group" = ["support"] } }

[[statement]]
Sid = "FirstPage"
Effect = "Allow"
Action = "dynamodb:Scan"
Resource = "*"
[statement.Condition]
NumericEquals = { "dynaguard:PageNumber" = "1" }
StringEquals = { "dynaguard:Job" = "nightly", "dynaguard:Environment" = "dev" }
DateLessThan = { "aws:CurrentTime" = "2026-01-01T00:00:00Z" }
Bool = { "aws:SecureTransport" = "true" }

[[statement]]
Sid = "NoDeletes"
Effect = "Deny"
Action = "dynamodb:Delete*"
Resource = "*"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the policy in it."""
    (tmp_path / "policy.toml").write_text(POLICY, encoding="utf-8")
    return tmp_path
