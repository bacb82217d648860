"""The IAM documents of an agent's role: least privilege, taken for a task, for an hour at most."""

from __future__ import annotations

from typing import Any


def trust_policy(caller_arn: str) -> dict[str, Any]:
    """Who may assume the role: one caller, who has to say for whom (source identity)."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "OnlyTheAgentRunner",
                "Effect": "Allow",
                "Principal": {"AWS": caller_arn},
                "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
                "Condition": {"StringLike": {"sts:SourceIdentity": "agent-*"}},
            }
        ],
    }


def permission_policy(table_arn: str) -> dict[str, Any]:
    """What any of its sessions may do at most; each session is narrowed further."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ReadOrders",
                "Effect": "Allow",
                "Action": ["dynamodb:GetItem", "dynamodb:Query"],
                "Resource": [table_arn, f"{table_arn}/index/*"],
            }
        ],
    }
