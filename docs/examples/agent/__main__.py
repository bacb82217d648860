"""Pulumi program: the role that an AI agent's tasks run under.

`pulumi up` with `caller_arn` and `table_arn` in the stack's configuration. A role's permissions
stand; what an agent holds does not: `agent.py` takes a session of it for each task.
"""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws
from role import permission_policy, trust_policy

config = pulumi.Config()
role = aws.iam.Role(
    "orders-agent",
    assume_role_policy=json.dumps(trust_policy(config.require("caller_arn"))),
    max_session_duration=3600,
    tags={"purpose": "sessions of AI agents, one per task"},
)
aws.iam.RolePolicy(
    "orders-agent-reads",
    role=role.id,
    policy=json.dumps(permission_policy(config.require("table_arn"))),
)
pulumi.export("role_arn", role.arn)
